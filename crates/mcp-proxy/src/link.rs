//! The seam to MCP servers: one [`Link`] is one server as one principal reaches it, whatever the transport. A link does the
//! handshake of the server's era, keeps its session, and stamps what the era wants of each message (headers, `_meta`, protocol
//! version); it does not translate: results and messages come as the server wrote them.

use std::pin::Pin;
use std::sync::Arc;

use gatehouse_domain::Fault;
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request, Response};
use gatehouse_upstream::Pool;

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
    /// The request. The id is the caller's to choose and unique among those under way on this link.
    pub request: Request,
    /// On whose behalf.
    pub client: Client,
    /// `Mcp-Param-*` headers that mirror arguments (modern servers), name and value as they go on the wire.
    pub param_headers: Vec<(Arc<str>, Arc<str>)>,
}

/// A request under way: everything the server says because of it, at last its response. Dropping it before that cancels the
/// request in the way the server's era has for it.
pub trait Exchange: Send {
    /// The next message; after the response, or a fault, there is none.
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Fault>>>;
}

/// One MCP server as one principal reaches it. Cheap to share; every method may be called from any core.
pub trait Link: Send + Sync {
    /// What the server said of itself; makes the connection and the handshake if there is none yet.
    ///
    /// # Errors
    /// `UpstreamUnreachable` and its like when there is no way to the server.
    fn hello<'a>(&'a self, pool: &'a Pool, client: &'a Client) -> Doing<'a, Result<Arc<Hello>, Fault>>;
    /// Sends a request. `pool` is the connections of the core that asks.
    ///
    /// # Errors
    /// When the server cannot be reached or does not take it.
    fn ask<'a>(&'a self, pool: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Fault>>;
    /// Sends a notification.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn notify<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
        notification: Notification,
    ) -> Doing<'a, Result<(), Fault>>;
    /// Answers a request of the server's.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn answer<'a>(&'a self, pool: &'a Pool, client: &'a Client, response: Response) -> Doing<'a, Result<(), Fault>>;
    /// What the server says to nobody in particular: the `GET` stream of the older era, the rest of what a child writes. A modern
    /// server's come through `ask` with `subscriptions/listen`, and this is `None`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn overhear<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
    ) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Fault>>;
    /// Ends the session, closes what is open.
    fn close(&self) -> Doing<'_, ()>;
}
