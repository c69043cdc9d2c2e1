//! The seams at which the moving wing drives a gateway without knowing what it speaks.
//!
//! All of it is values in, values out. The pipeline owns the sockets, the clock and the order; a gateway owns the
//! meaning. One call passes `Gateway::door` → `Gateway::read` → (`Call::recalls` → `Call::recalled`)* → `Call::plan` →
//! (`Call::write` → `Call::relay` or `Call::judge`)* → `Relay::finish`.
//!
//! What may pass is decided by what is [`Asked`]; a conversation (MCP) is asked for as a call is, and then goes its own way:
//! its seam is `talk` of the pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::{
    Code, Door, Fault, Look, Money, Need, Payload, Principal, Request, Screen, Standing, Target, TokenGrant, Usage,
};

/// The time, handed in: the thinking wing has no clock.
#[derive(Clone, Copy, Debug)]
pub struct Now(pub SystemTime);

impl Now {
    /// Unix seconds.
    #[must_use]
    pub fn unix_secs(self) -> u64 {
        self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
    }
    /// Unix milliseconds.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A kind of traffic, as an immutable value built from a snapshot.
pub trait Gateway: Send + Sync {
    /// The entrance this method and path lead to, or `None` if they are not this gateway's.
    fn door(&self, method: &Method, path: &str) -> Option<Door>;
    /// Bytes to a call.
    ///
    /// # Errors
    /// When the request is not what the door takes.
    fn read(&self, request: Request, caller: &Principal) -> Result<Box<dyn Call>, Fault>;
    /// A fault as a client of this door expects it.
    fn refuse(&self, door: &Door, fault: &Fault) -> Reply;
    /// Tells a client of this door where its key stands with its limits, in the headers its dialect has for that.
    fn tell_standing(&self, door: &Door, standing: &Standing, now: Now, headers: &mut HeaderMap);
    /// Every target a plan can name; `Target::index` is the place in here.
    fn targets(&self) -> &[Arc<Target>];
    /// Tokens that must be fetched before some targets can be called.
    fn grants(&self) -> &[TokenGrant];
    /// The names this caller may use, for listings and suggestions (`models` for LLM traffic).
    fn resources(&self) -> &[Arc<str>];
}

/// Something that may pass or not: what the admit stage knows of a call, whatever becomes of it afterwards.
pub trait Asked: Send + Sync {
    /// What is asked for.
    fn need(&self) -> &Need;
    /// The most this call can cost, by the dearest target it may reach; `None` if any of them is unpriced or free of
    /// charge.
    fn ceiling(&self) -> Option<Money>;
    /// Shows every text of the request to `look` and puts in its place what it gives back. Everything else of the request
    /// stays as the caller wrote it.
    ///
    /// # Errors
    /// What `look` returns.
    fn review(&mut self, look: &mut Look<'_>) -> Result<(), Fault> {
        _ = look;
        Ok(())
    }
    /// The JSON body in which every text stands that [`Asked::review`] would show, if there is one: guardrails may know from its
    /// bytes that they need not be shown any.
    fn body(&self) -> Option<&[u8]> {
        None
    }
    /// Becomes the same call to another resource, whose need it then has. `false` if it cannot, and nothing has changed.
    fn redirect(&mut self, resource: &str) -> bool {
        _ = resource;
        false
    }
    /// The arguments of a tool call, top level, each as text: for policies that read them.
    fn arguments(&self) -> Option<BTreeMap<String, String>> {
        None
    }
}

/// One call, read.
pub trait Call: Asked {
    /// The id of what the call needs next of that which the gateway keeps for this caller. Asked again after every
    /// [`Call::recalled`], until `None`.
    fn recalls(&self) -> Option<Arc<str>> {
        None
    }
    /// Takes what was asked for, and says what shall become of it.
    ///
    /// # Errors
    /// When there is no such thing, or nothing can be done with it.
    fn recalled(&mut self, kept: Option<Kept>) -> Result<Option<Keep>, Fault> {
        _ = kept;
        Ok(None)
    }
    /// The call learns whether there is room to keep so many bytes. Asked once, before anything costs money.
    ///
    /// # Errors
    /// When it makes no sense without.
    fn room(&mut self, free: &dyn Fn(usize) -> bool) -> Result<(), Fault> {
        _ = free;
        Ok(())
    }
    /// What the caller is told right away and where the answer will be found, if the call runs on without its caller.
    ///
    /// # Errors
    /// When the request cannot be read.
    fn background(&mut self) -> Result<Option<Background>, Fault> {
        Ok(None)
    }
    /// The call as rounds, if it takes several of the gateway's own calls to answer it. Asked once, when it has been read;
    /// what then happens to it happens to those calls.
    ///
    /// # Errors
    /// When it cannot be answered that way.
    fn rounds(&mut self) -> Result<Option<Box<dyn Rounds>>, Fault> {
        Ok(None)
    }
    /// The answer, if the gateway can give it without any upstream (listings, local counts).
    fn local(&mut self, allowed: &dyn Fn(&str) -> bool, now: Now) -> Option<Result<Reply, Fault>>;
    /// Targets in the order to try them, as indexes into the target table.
    ///
    /// # Errors
    /// `NoTarget` when every target is excluded, saying which, why and until when.
    fn plan(&mut self, facts: &Facts<'_>) -> Result<Vec<usize>, Fault>;
    /// What the plan's indexes mean for this call: the table's target, with the model filled in where the table leaves it
    /// open (wildcard models).
    fn target(&self, index: usize) -> Option<Arc<Target>>;
    /// Why the plan is what it is, in a few words for `x-gatehouse-route`.
    fn route(&self) -> Option<Arc<str>>;
    /// The request for one target.
    ///
    /// # Errors
    /// `NotTranslatable` in strict mode, `InvalidRequest` when the body cannot be read, `UpstreamCredentials` when the
    /// provider has none.
    fn write(&mut self, target: &Target, context: &WriteContext<'_>) -> Result<Outbound, Fault>;
    /// The translator for an answer whose status is a success. It shows every text of the answer to `screen`, if there is
    /// one, before it goes on to the caller.
    fn relay(&mut self, target: &Target, head: &Head, now: Now, screen: Option<Box<dyn Screen>>) -> Box<dyn Relay>;
    /// A streamed answer has begun: nothing will be written again, so what was only needed for writing may go. A thousand
    /// open streams would otherwise hold a thousand requests.
    fn begun(&mut self) {}
    /// What an answer whose status is not a success means.
    fn judge(&self, target: &Target, head: &Head, body: &[u8]) -> Judgement;
    /// A fault in this caller's shape.
    fn refuse(&self, fault: &Fault) -> Reply;
    /// Price of what was used at a target; `None` if there is no price for it.
    fn price(&self, target: &Target, usage: &Usage, now: Now) -> Option<Money>;
    /// Fields of the request that the last `write` could not carry.
    fn dropped(&self) -> &[String];
}

/// What the router may know of the world.
pub struct Facts<'a> {
    /// The state of a target, by index.
    pub availability: &'a dyn Fn(usize) -> Availability,
    /// A fresh random number.
    pub dice: u64,
    /// The time.
    pub now: Now,
}

/// Whether a target may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Ready,
    /// The breaker is open.
    Broken {
        /// Until a probe is let through.
        retry_in: Duration,
    },
    /// The provider asked us to wait (429).
    CoolingDown {
        /// Until then.
        retry_in: Duration,
    },
}

/// What `Call::write` may know of the world.
pub struct WriteContext<'a> {
    /// The time, for signatures.
    pub now: Now,
    /// The short-lived token of the target's grant, if it has one and one was fetched.
    pub token: Option<&'a str>,
    /// Trace context to pass on.
    pub traceparent: Option<&'a str>,
}

/// A request ready to send. The host header and the connection come from the target's origin.
#[derive(Debug)]
pub struct Outbound {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub path: http::uri::PathAndQuery,
    /// Headers, credentials included (marked sensitive).
    pub headers: HeaderMap,
    /// Body.
    pub body: Payload,
}

/// The head of an upstream's answer.
#[derive(Debug)]
pub struct Head {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
}

/// Whose fault a bad answer is. Decides over breaker, retry and fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's: passed on, never retried, never counted against the target.
    Caller,
    /// A limit: the target cools down for so long; another target may answer.
    Limit {
        /// As the headers say, or a default.
        cool_down: Duration,
    },
    /// Overload or failure: counted against the target, retried.
    Target,
    /// The gateway's own credentials or configuration: another target may answer, the same one will not.
    Gateway,
}

/// What a bad answer means.
#[derive(Debug)]
pub struct Judgement {
    /// What the caller is told if this was the last attempt.
    pub fault: Fault,
    /// Whose fault.
    pub blame: Blame,
    /// The upstream's answer in the caller's own dialect, to be passed on as it is when the blame is the caller's.
    pub verbatim: Option<Bytes>,
}

/// Translates an answer back, counts it, and knows when it is whole.
pub trait Relay: Send {
    /// Is the answer to the client a stream? If not, the pipeline collects the body and feeds it at once.
    fn streams(&self) -> bool;
    /// Headers of the answer to the client.
    fn headers(&self, upstream: &HeaderMap) -> HeaderMap;
    /// Takes bytes of the upstream's body and appends what the client shall see.
    ///
    /// # Errors
    /// `UpstreamBroken` when the bytes are not an answer, `GuardrailBlocked` when they may not go on. What was appended before the fault stays valid.
    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault>;
    /// What shall be kept of the answer fed so far. Asked after every `feed` and before its bytes leave, so that a caller
    /// finds what it has been told of; said once.
    fn keep(&mut self) -> Option<Keep> {
        None
    }
    /// The end: appends closing events, or the in-band error of the dialect, and says what was used. Called once.
    fn finish(&mut self, end: End<'_>, out: &mut Vec<Bytes>) -> Metered;
}

/// How an upstream's body ended.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// The transport ended it properly. Whether the answer was whole is for the relay to know.
    Upstream,
    /// It broke off or a timer ran out.
    Fault(&'a Fault),
    /// The client left: nothing more can be told, only counted.
    ClientGone,
}

/// What an attempt used.
#[derive(Clone, Debug, Default)]
pub struct Metered {
    /// Tokens by kind.
    pub usage: Usage,
    /// Did we count them ourselves?
    pub estimated: bool,
    /// Was the terminal event seen: is the answer whole?
    pub complete: bool,
    /// Why it ended.
    pub finish: Option<&'static str>,
    /// The fault that was told to the client in-band, if any.
    pub fault: Option<Code>,
}

/// A whole answer of the gateway's own.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers, content type included.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Something a gateway keeps for one caller beyond a call: a stored response, a task. Opaque to the moving wing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The name its owner knows it by.
    pub id: Arc<str>,
    /// How far it is.
    pub stage: Stage,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds from which on it is gone.
    pub expires_unix_ms: u64,
    /// What was asked.
    pub request: Bytes,
    /// What was answered; with [`Stage::Elsewhere`], whatever leads there.
    pub answer: Bytes,
}

/// How far something kept is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A call makes it in the background.
    Open,
    /// It will not change any more.
    Done,
    /// The call that made it died with its process.
    Lost,
    /// A provider keeps it; here is only the way to it.
    Elsewhere,
}

/// What shall become of something kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// Keep it. What is already done is never replaced.
    Put(Kept),
    /// Delete it, and stop the call that makes it.
    Forget(Arc<str>),
    /// Stop the call that makes it, and keep this in its place; nothing happens if no call does.
    Stop(Kept),
}

/// A call that runs on without its caller.
pub struct Background {
    /// What is found until the answer is there.
    pub kept: Kept,
    /// What the caller is told right away.
    pub reply: Reply,
    /// What is found if the call fails.
    pub failed: Box<dyn FnOnce(&Fault) -> Kept + Send>,
}

/// A call that is answered by calls of the gateway's own: a model that uses tools here. It says what to call and reads what
/// that gives; each call is made for the same caller and passes every stage like one that came from outside.
pub trait Rounds: Send {
    /// Takes the answers to what it wanted last, in that order (at first: none), and says what is to be done next.
    ///
    /// # Errors
    /// When it cannot go on: what the caller is told.
    fn next(&mut self, answers: Vec<Reply>) -> Result<Round, Fault>;
    /// Does the caller want a stream? It may begin, with comments alone, before there is an answer.
    fn streams(&self) -> bool;
    /// A refusal as the end of a stream that has begun.
    fn break_off(&self, refusal: &Reply) -> Bytes;
}

/// What is to be done next.
#[derive(Debug)]
pub enum Round {
    /// Make these calls, at once.
    Make(Vec<InnerCall>),
    /// This is the answer.
    Done(Reply),
}

/// A call of the gateway's own, at one of its own doors. Who calls, in which run and trace, is not its to say.
#[derive(Clone, Debug)]
pub struct InnerCall {
    /// HTTP method.
    pub method: Method,
    /// Path, and query if there is one.
    pub path: http::uri::PathAndQuery,
    /// Headers, without credentials.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}
