//! Conversations: calls that are more than one question and one answer. A tool may ask its user something in the middle, a
//! stream may last for hours without any upstream at all, and a client of the older MCP may leave and come back for the rest.
//!
//! A conversation takes the same stages as a call, `authenticate → read → admit`, and is then *conducted* in place of being
//! routed and sent: a future that owns everything it has under way, is polled by the body of its answer, and is dropped with
//! it. Being a future and nothing else, it needs no task, no channel and no clean-up: a client that reads slowly slows it
//! down, and one that leaves ends it ([`Floor::outlives_client`] is the exception).
//!
//! What the house does for calls it does for conversations, through the [`Floor`]: attempts in the journal, reservations,
//! guardrails, policies about what may be listed.

mod floor;
mod mouth;
mod pass;
mod visit;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Asked, Door, Fault, Payload, Principal, Reply, Request};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

pub use floor::{Closing, Floor, Opening, Text};
pub(crate) use mouth::TalkBody;
pub use pass::converse;
pub(crate) use pass::speak;
pub use visit::Visit;

use crate::snapshot::KeyEntry;

/// A kind of traffic that is conversations, as an immutable value built from a snapshot.
pub trait Talks: Send + Sync {
    /// The entrance this method and path lead to, or `None` if they are not this gateway's.
    fn door(&self, method: &Method, path: &str) -> Option<Door>;
    /// A look at the head before anybody knows who calls: what no caller may send (`Host`, `Origin`) is refused, and what
    /// needs no caller (a preflight) is answered.
    ///
    /// # Errors
    /// When the request may not come any nearer.
    fn greet(&self, door: &Door, head: &Parts) -> Result<Option<Reply>, Fault>;
    /// What goes into the head of every answer to a web page whose request was let in.
    fn dress(&self, origin: &HeaderValue, headers: &mut HeaderMap);
    /// A caller came with a bearer token that an issuer of the configuration signed. It goes to no upstream; what it may become is
    /// for those to say who know what it is good for.
    fn came(&self, caller: &Principal, token: &str) {
        _ = (caller, token);
    }
    /// Bytes to a conversation.
    ///
    /// # Errors
    /// When the request is not what the door takes; told as its client expects it.
    fn read(&self, request: Request, caller: &Arc<KeyEntry>) -> Result<Box<dyn Talk>, Box<Refused>>;
    /// A fault as a client of this door expects it, before anything of the body is known.
    fn refuse(&self, door: &Door, fault: &Fault) -> Reply;
}

/// A conversation, read. Everything it says of itself it says before [`Talk::conduct`].
pub trait Talk: Asked {
    /// What is asked for, more exactly than the door knows it (`tools/call`). Bounded: it is a metric label.
    fn operation(&self) -> &'static str;
    /// Is there nothing to admit: no resource, no costs (handshakes, listings, answers to what the client was asked)?
    fn asks_nothing(&self) -> bool;
    /// The trace it belongs to, where the body says so and no header does.
    fn traceparent(&self) -> Option<&str>;
    /// A fault of the stages before it is conducted, as its client expects it.
    fn refuse(&self, fault: &Fault) -> Reply;
    /// Carries it out.
    fn conduct(self: Box<Self>, floor: Floor) -> Conducting;
}

/// A conversation being carried out. Dropping it ends it: whatever it has under way is cancelled and settled.
pub type Conducting = Pin<Box<dyn Future<Output = Conducted> + Send>>;

/// What a conversation came to.
pub struct Conducted {
    /// Given back, so that what it has used is settled before the answer leaves.
    pub floor: Floor,
    /// The answer, or `None` if all of it was said on the stream ([`Floor::say`]).
    pub reply: Option<Reply>,
    /// What follows the body of that reply: a long result is sent as it is, and not copied to stand behind its head.
    pub rest: Option<Box<[Bytes; 2]>>,
}

impl Conducted {
    /// What a conversation came to whose answer is in one piece, or was said.
    #[must_use]
    pub fn new(floor: Floor, reply: Option<Reply>) -> Self {
        Self { floor, reply, rest: None }
    }

    /// The floor, and the whole body of the answer; empty if there is none.
    #[must_use]
    pub fn into_body(self) -> (Floor, Bytes) {
        let first = self.reply.map(|reply| reply.body).unwrap_or_default();
        (self.floor, Payload::pieces(first, self.rest).into_bytes())
    }
}

/// A request that was not read.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub fault: Fault,
    /// The same as the client is told.
    pub reply: Reply,
}
