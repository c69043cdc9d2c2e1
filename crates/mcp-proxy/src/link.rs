//! The seam to MCP servers: one [`Link`] is one server as one principal reaches it, whatever the transport. A link does the
//! handshake of the server's era, keeps its session, and stamps what the era wants of each message (headers, `_meta`, protocol
//! version); it does not translate: results and messages come as the server wrote them. What a link does by itself is what
//! belongs to the connection: it answers the server's `ping`, resumes a broken stream, and makes a lost session anew.

mod answer;
pub(crate) mod endpoint;
mod handshake;
pub(crate) mod http;
mod http_legacy;
mod http_modern;
pub(crate) mod kin;
pub(crate) mod lines;
pub(crate) mod openapi;
pub(crate) mod process;
mod resume;
mod sse;
pub(crate) mod stdio;
mod switchboard;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{Code, Fault, Principal, Secret};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request, Response};
use gatehouse_pipeline::Visit;
use gatehouse_upstream::Pool;

pub use endpoint::HOP_HEADER;

/// A future of a link.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the server said of itself when the link was made.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The revision spoken with this server (`2025-11-25`, `2026-07-28`, …).
    pub revision: Arc<str>,
    /// Does it speak the stateless era (2026-07-28 and later)?
    pub modern: bool,
    /// Its `capabilities` object.
    pub capabilities: Raw,
    /// Its `serverInfo` object.
    pub server_info: Option<Raw>,
    /// Its instructions.
    pub instructions: Option<Arc<str>>,
    /// Which session or process of this link said it, counted from one. When the number has changed, the server has forgotten
    /// what it was told before: subscriptions, the log level.
    pub incarnation: u64,
}

/// The truth about the client on whose behalf a message goes out. A server never hears more than this, nor less.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `capabilities` object, as it declared it.
    pub capabilities: Raw,
    /// Its `clientInfo` object, if it said one.
    pub info: Option<Raw>,
    /// The log level it asked for.
    pub log_level: Option<Arc<str>>,
    /// The trace to go on with.
    pub traceparent: Option<Arc<str>>,
}

/// A request on its way to a server, with the names and ids the server knows.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The request. The id is the caller's to choose and unique among those under way on this link; so is the progress token.
    pub request: Request,
    /// On whose behalf.
    pub client: Client,
    /// `Mcp-Param-*` headers that mirror arguments (modern servers), name and value as they go on the wire.
    pub param_headers: Vec<(Arc<str>, Arc<str>)>,
    /// May it be sent a second time if nobody knows what became of the first? True of tools that a trusted server calls
    /// read-only or idempotent. What only reads by its method is repeated without being told.
    pub repeatable: bool,
    /// Who stands behind it, for the gateway's own server; `None` for all others, which are told nothing of it.
    pub visit: Option<Visit>,
}

/// Why a link could not do what it was asked.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What to tell the caller.
    pub fault: Fault,
    /// What there is to do about it.
    pub remedy: Remedy,
}

/// What can be done about a [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing but telling.
    Tell,
    /// The principal has to agree at the server's authorization server first.
    Consent(Box<Consent>),
    /// The session with the server is lost and the request may have begun in it: a legacy client has to start anew (404), as
    /// the state its own session stands for is gone.
    StartAnew,
}

/// What it takes to ask somebody for consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The MCP server that wants it.
    pub server: Arc<str>,
    /// How it refused, if it was the server who did.
    pub challenge: Option<Challenge>,
    /// Where to send the person, once the token source has prepared it. Never authenticated beforehand.
    pub url: Option<Arc<str>>,
}

/// A refusal for want of a token or of scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// 401 or 403.
    pub status: u16,
    /// The `WWW-Authenticate` header as it came, lines joined by commas; empty if there was none.
    pub www_authenticate: Arc<str>,
    /// What the server was shown.
    pub shown: Option<Secret>,
}

impl Failure {
    /// A failure that can only be told.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(code, message).into()
    }

    /// The same failure with something to be done about it.
    #[must_use]
    pub fn with(mut self, remedy: Remedy) -> Self {
        self.remedy = remedy;
        self
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, remedy: Remedy::Tell }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        failure.fault
    }
}

/// Where tokens for MCP servers come from, where they are not in the configuration. Asked once per request, so what it holds it
/// answers from memory; and once again with the challenge when the server refuses.
pub trait TokenSource: Send + Sync {
    /// A token to show `server` on behalf of `principal`; `None`: none is wanted.
    ///
    /// # Errors
    /// With [`Remedy::Consent`] when the principal has to agree first.
    fn token<'a>(
        &'a self,
        server: &'a Arc<Server>,
        principal: &'a Principal,
        challenge: Option<&'a Challenge>,
    ) -> Doing<'a, Result<Option<Secret>, Failure>>;
}

/// Where there are no tokens but those of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct NoTokens;

impl TokenSource for NoTokens {
    fn token<'a>(
        &'a self,
        _: &'a Arc<Server>,
        _: &'a Principal,
        _: Option<&'a Challenge>,
    ) -> Doing<'a, Result<Option<Secret>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// A request under way: everything the server says because of it, at last its response. Dropping it before that cancels the
/// request in the way the server's era has for it.
pub trait Exchange: Send {
    /// The next message; after the response, or a failure, there is none. A future that is dropped has lost nothing: the next one
    /// goes on where it was.
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>>;
    /// The next message, if it has come already. What is not at hand has to be waited for, with [`Exchange::next`].
    fn at_hand(&mut self) -> Option<Message> {
        None
    }
    /// Was the request sent in a session that is new, because the server had forgotten the one before? Whatever it kept there is
    /// gone.
    fn is_after_loss(&self) -> bool {
        false
    }
}

/// How a link stands, for people.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The revision spoken, once there was a handshake.
    pub revision: Option<Arc<str>>,
    /// Since when there is a session or a process.
    pub since: Option<SystemTime>,
    /// What went wrong last, and when.
    pub last_error: Option<(SystemTime, Arc<str>)>,
    /// Sessions or processes after the first.
    pub restarts: u64,
    /// Lines of a child's standard output that were no messages.
    pub garbage: u64,
    /// The last lines of a child's standard error.
    pub stderr: Vec<String>,
}

/// One MCP server as one principal reaches it. Cheap to share; every method may be called from any core.
pub trait Link: Send + Sync {
    /// What the server said of itself; makes the connection and the handshake if there is none yet.
    ///
    /// # Errors
    /// `UpstreamUnreachable` and its like when there is no way to the server.
    fn hello<'a>(&'a self, pool: &'a Pool, client: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>>;
    /// The same, if it is known and nothing has to be made for it.
    fn known(&self) -> Option<Arc<Hello>> {
        None
    }
    /// Sends a request. `pool` is the connections of the core that asks. An error that the server answers with is no failure
    /// but the response of the exchange.
    ///
    /// # Errors
    /// When the server cannot be reached or does not take it.
    fn ask<'a>(&'a self, pool: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>>;
    /// Sends a notification. To a modern server over HTTP there is none to send, and nothing is done.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn notify<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
        notification: Notification,
    ) -> Doing<'a, Result<(), Failure>>;
    /// Answers a request of the server's (never `ping`: links answer that).
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn answer<'a>(&'a self, pool: &'a Pool, client: &'a Client, response: Response) -> Doing<'a, Result<(), Failure>>;
    /// What the server says to nobody in particular: the `GET` stream of the older era, the rest of what a child writes. It ends
    /// with the session or the process. `None`: the server has no such stream; a modern server's notifications come through
    /// `ask` with `subscriptions/listen`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn overhear<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
    ) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>>;
    /// How it stands.
    fn state(&self) -> State;
    /// Ends the session, closes what is open.
    fn close(&self) -> Doing<'_, ()>;
}
