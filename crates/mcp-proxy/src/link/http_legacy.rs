//! Streamable HTTP of 2025-03-26 to 2025-11-25: a session that `initialize` opens and a header names, answers that may be streams,
//! streams that are taken up again where they broke off, and a stream of its own for what the server has to say unasked.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::Code;
use gatehouse_mcp_gateway::era::{Revision, headers as names, stamp};
use gatehouse_mcp_gateway::wire::{read, read_batch};
use gatehouse_mcp_gateway::{Id, Message, Raw, Response};
use gatehouse_upstream::{Pool, Sent};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::runtime::Handle;

use super::answer::{self, Answer};
use super::endpoint::Endpoint;
use super::handshake::{self, facts};
use super::http::Missed;
use super::resume::Resumable;
use super::{Client, Doing, Exchange, Failure, Hello, Outgoing};

const SESSION_ID: HeaderName = HeaderName::from_static(names::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(names::PROTOCOL_VERSION);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An open session.
pub(super) struct Session {
    pub(super) endpoint: Arc<Endpoint>,
    /// Its name; servers without state give none.
    id: Option<HeaderValue>,
    revision: Revision,
    pub(super) hello: Arc<Hello>,
}

/// What came of `initialize`.
pub(super) enum Opened {
    /// A session.
    Session(Session),
    /// A status by which servers of 2024-11-05 can be known.
    Other(Failure),
}

/// Opens a session.
///
/// # Errors
/// When the server does not.
pub(super) async fn open(
    endpoint: &Arc<Endpoint>,
    pool: &Pool,
    client: &Client,
    incarnation: u64,
) -> Result<Opened, Failure> {
    let request = handshake::initialize(client);
    let text = Message::Request(request.clone()).write();
    let sent = endpoint.post(pool, &[], text).await?;
    let (status, headers) = (sent.head.status, sent.head.headers.clone());
    if !status.is_success() {
        let refusal = endpoint.refused(status, &headers);
        let is_other = gatehouse_mcp_gateway::era::probe::wants_get(status.as_u16());
        drop(endpoint.refusal(sent.body).await);
        return if is_other { Ok(Opened::Other(refusal)) } else { Err(refusal) };
    }
    let id = headers.get(SESSION_ID).cloned().map(|mut id| {
        id.set_sensitive(true);
        id
    });
    // The session that reads its own first answer knows the revision only afterwards; until then any will do.
    let hello = Arc::new(handshake::of_discover(Revision::LATEST_LEGACY, &Raw::empty(), incarnation));
    let unopened =
        Arc::new(Session { endpoint: Arc::clone(endpoint), id: id.clone(), revision: Revision::LATEST_LEGACY, hello });
    let mut answers = unopened.answers(sent, pool, request.id).await?;
    // What opens a session is not to be cancelled (2025-11-25, cancellation).
    answers.cancels = false;
    let response = loop {
        match answers.next().await {
            Some(Ok(Message::Response(response))) => break response,
            Some(Ok(_)) => {}
            Some(Err(failure)) => return Err(failure),
            None => return Err(endpoint.cut()),
        }
    };
    let name = &endpoint.server().name;
    let result = response.outcome.map_err(|error| handshake::not_opened(name, &error))?;
    let (revision, hello) = handshake::of_initialize(name, &result, incarnation)?;
    let session = Session { endpoint: Arc::clone(endpoint), id, revision, hello: Arc::new(hello) };
    match session.tell(pool, &handshake::initialized().into()).await {
        Ok(()) => Ok(Opened::Session(session)),
        Err(missed) => Err(missed.into_failure(endpoint)),
    }
}

impl Session {
    /// Sends a request.
    ///
    /// # Errors
    /// `SessionLost` when the server does not know the session any more.
    pub(super) async fn ask(self: &Arc<Self>, pool: &Pool, outgoing: &Outgoing) -> Result<Box<dyn Exchange>, Missed> {
        let request = stamp::body(self.revision, outgoing.request.clone(), facts(&outgoing.client));
        let id = request.id.clone();
        let mut asking = Asking { session: self, pool, id: &id, open: true };
        let sent = self.post(pool, &request.into(), outgoing.client.traceparent.as_deref()).await;
        asking.open = false;
        drop(asking);
        let sent = sent?;
        if sent.head.status.is_success() {
            return Ok(Box::new(self.answers(sent, pool, id).await?));
        }
        let (status, headers) = (sent.head.status, sent.head.headers);
        let body = self.endpoint.refusal(sent.body).await;
        if self.is_lost(status, &body) {
            return Err(Missed::SessionLost);
        }
        match read(body) {
            Ok(Message::Response(Response { outcome: Err(error), .. })) if !is_about_transport(status) => {
                let response = Response::error(Some(id.clone()), error);
                let said = Said::Whole(VecDeque::from([response.into()]));
                Ok(Box::new(Call {
                    session: Arc::clone(self),
                    pool: pool.clone(),
                    id,
                    said,
                    open: true,
                    cancels: true,
                }))
            }
            _ => Err(self.endpoint.refused(status, &headers).into()),
        }
    }

    /// Sends what gets no response: a notification, or the response to a question of the server's.
    ///
    /// # Errors
    /// `SessionLost` when the server does not know the session any more.
    pub(super) async fn tell(&self, pool: &Pool, message: &Message) -> Result<(), Missed> {
        let sent = self.post(pool, message, None).await?;
        let (status, headers) = (sent.head.status, sent.head.headers);
        let body = self.endpoint.refusal(sent.body).await;
        match status {
            status if status.is_success() => Ok(()),
            status if self.is_lost(status, &body) => Err(Missed::SessionLost),
            status => Err(self.endpoint.refused(status, &headers).into()),
        }
    }

    /// Opens the stream for what the server says unasked, or takes up a stream that broke off after the event of this id.
    /// `None`: there is no such stream.
    ///
    /// # Errors
    /// `SessionLost` when the server does not know the session any more.
    pub(super) async fn listen(&self, pool: &Pool, after: Option<&str>) -> Result<Option<answer::Events>, Missed> {
        let after = after.map(HeaderValue::try_from).transpose();
        let after = after.map_err(|_| self.endpoint.broken("gives ids that are no header"))?;
        let headers = || {
            let mut headers = answer::get_headers();
            headers.extend(self.named());
            headers.extend(after.clone().map(|after| (LAST_EVENT_ID, after)));
            headers
        };
        let sent = self.endpoint.send(pool, Method::GET, &headers, Bytes::new()).await?;
        let status = sent.head.status;
        if status.is_success() && answer::is_events(&sent.head.headers) {
            return Ok(Some(answer::Events::new(sent.body, self.endpoint.server().caps.message_bytes)));
        }
        let body = self.endpoint.refusal(sent.body).await;
        match status {
            status if self.is_lost(status, &body) => Err(Missed::SessionLost),
            status if status.is_server_error() => Err(self.endpoint.refused(status, &sent.head.headers).into()),
            _ => Ok(None),
        }
    }

    /// Ends the session. Servers may not let clients do that, and then it ends when they please.
    pub(super) async fn end(&self, pool: &Pool) {
        if self.id.is_none() {
            return;
        }
        let headers = || self.named().collect();
        if let Ok(sent) = self.endpoint.send(pool, Method::DELETE, &headers, Bytes::new()).await {
            drop(self.endpoint.refusal(sent.body).await);
        }
    }

    async fn post(&self, pool: &Pool, message: &Message, traceparent: Option<&str>) -> Result<Sent, Failure> {
        let trace = traceparent.and_then(|trace| HeaderValue::try_from(trace).ok());
        let trace = trace.map(|trace| (HeaderName::from_static("traceparent"), trace));
        let said: Vec<_> = self.named().chain(trace).collect();
        self.endpoint.post(pool, &said, message.write()).await
    }

    /// The headers that say which session a message is of.
    fn named(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let id = self.id.clone().map(|id| (SESSION_ID, id));
        let version = self.revision.has_version_header().then(|| HeaderValue::from_static(self.revision.as_str()));
        id.into_iter().chain(version.map(|version| (PROTOCOL_VERSION, version)))
    }

    /// Does a refusal mean that the session is gone? The protocol says 404; servers in the field say 400 and 401 as well, and then
    /// only their words tell.
    fn is_lost(&self, status: StatusCode, body: &[u8]) -> bool {
        let names_session = || String::from_utf8_lossy(body).to_ascii_lowercase().contains("session");
        self.id.is_some()
            && match status {
                StatusCode::NOT_FOUND => true,
                StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => names_session(),
                _ => false,
            }
    }

    async fn answers(self: &Arc<Self>, sent: Sent, pool: &Pool, id: Id) -> Result<Call, Failure> {
        let said = match answer::open(&self.endpoint, sent).await? {
            Answer::Nothing => return Err(self.endpoint.broken("took the request and did not answer it")),
            Answer::Whole(text) => Said::Whole(self.messages(text)?),
            Answer::Stream(events) => Said::Stream(Box::new(Resumable::answer(events))),
        };
        Ok(Call { session: Arc::clone(self), pool: pool.clone(), id, said, open: true, cancels: true })
    }

    fn messages(&self, text: Bytes) -> Result<VecDeque<Message>, Failure> {
        let unread = |why: String| self.endpoint.broken(&format!("answered what cannot be read: {why}"));
        read_batch(text).map(|(messages, _)| messages.into()).map_err(|error| unread(error.why.to_string()))
    }

    /// Answers the server's `ping`, beside everything else.
    fn pong(self: &Arc<Self>, pool: &Pool, id: Id) {
        let (session, pool) = (Arc::clone(self), pool.clone());
        tokio::spawn(async move { session.tell(&pool, &Response::result(id, Raw::empty()).into()).await });
    }
}

/// Statuses that are about the way and not about the message, whatever the body says.
fn is_about_transport(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 429 | 502..=504)
}

/// A request under way. Who drops it before the response tells the server so: to close a stream does not, in this era.
struct Call {
    session: Arc<Session>,
    pool: Pool,
    id: Id,
    said: Said,
    /// Is the response still to come?
    open: bool,
    cancels: bool,
}

enum Said {
    Whole(VecDeque<Message>),
    Stream(Box<Resumable>),
}

impl Call {
    async fn next_message(&mut self) -> Option<Result<Message, Failure>> {
        while self.open {
            let message = match &mut self.said {
                Said::Whole(messages) => messages.pop_front(),
                Said::Stream(stream) => match stream.next(&self.session, &self.pool).await {
                    Ok(message) => message,
                    Err(failure) => {
                        self.open = false;
                        return Some(Err(failure));
                    }
                },
            };
            match message {
                None => {
                    self.open = false;
                    return Some(Err(self.session.endpoint.cut()));
                }
                Some(Message::Response(response)) if response.id.as_ref().is_none_or(|id| *id == self.id) => {
                    self.open = false;
                    return Some(Ok(Response { id: Some(self.id.clone()), ..response }.into()));
                }
                Some(Message::Response(_)) => {}
                Some(Message::Request(request)) if &*request.method == "ping" => {
                    self.session.pong(&self.pool, request.id);
                }
                Some(message) => return Some(Ok(message)),
            }
        }
        None
    }
}

impl Exchange for Call {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.next_message())
    }

    fn at_hand(&mut self) -> Option<Message> {
        // Most answers are one text with the response alone; whatever else there is takes the longer way.
        let Said::Whole(messages) = &mut self.said else { return None };
        let is_response = |message: &Message| matches!(message, Message::Response(response) if response.id.as_ref() == Some(&self.id));
        if !self.open || !messages.front().is_some_and(is_response) {
            return None;
        }
        self.open = false;
        messages.pop_front()
    }
}

/// A request whose answer has not begun. It may have reached the server all the same.
struct Asking<'a> {
    session: &'a Arc<Session>,
    pool: &'a Pool,
    id: &'a Id,
    open: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.open {
            cancel(self.session, self.pool, self.id);
        }
    }
}

/// Tells the server that nobody waits for a request any more.
fn cancel(session: &Arc<Session>, pool: &Pool, id: &Id) {
    // Outside of a runtime everything ends anyway.
    if let Ok(runtime) = Handle::try_current() {
        let (session, pool, cancelled) = (Arc::clone(session), pool.clone(), handshake::cancelled(id).into());
        runtime.spawn(async move { session.tell(&pool, &cancelled).await });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.open
            && let Said::Stream(stream) = &mut self.said
        {
            stream.finish();
        }
        if !self.open || !self.cancels {
            return;
        }
        cancel(&self.session, &self.pool, &self.id);
    }
}

/// The stream for what the server says unasked.
pub(super) struct Overheard {
    session: Arc<Session>,
    pool: Pool,
    stream: Option<Resumable>,
}

impl Overheard {
    pub(super) fn new(session: &Arc<Session>, pool: &Pool, events: answer::Events) -> Self {
        let stream = Some(Resumable::unasked(events));
        Self { session: Arc::clone(session), pool: pool.clone(), stream }
    }

    async fn next_message(&mut self) -> Option<Result<Message, Failure>> {
        loop {
            match self.stream.as_mut()?.next(&self.session, &self.pool).await {
                Ok(Some(Message::Request(request))) if &*request.method == "ping" => {
                    self.session.pong(&self.pool, request.id);
                }
                Ok(Some(Message::Response(_))) => {}
                Ok(Some(message)) => return Some(Ok(message)),
                Ok(None) => self.stream = None,
                Err(failure) => {
                    self.stream = None;
                    return Some(Err(failure));
                }
            }
        }
    }
}

impl Exchange for Overheard {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.next_message())
    }
}

/// The session is lost, and with it what a stream of it was waiting for.
pub(super) fn lost(endpoint: &Endpoint) -> Failure {
    let name = &endpoint.server().name;
    Failure::new(
        Code::UpstreamBroken,
        format!("the session with the MCP server `{name}` is lost, and what became of the request is not known"),
    )
    .with(super::Remedy::StartAnew)
}
