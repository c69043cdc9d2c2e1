//! Standard streams as the client's side: lines of a client that starts us as its server become requests to an MCP endpoint of a
//! gateway, and what comes of them becomes lines. Nothing is translated here, as the endpoint speaks every revision; what stdio and
//! HTTP do differently is: headers repeat the body, a session has a name, the older era's second stream, the newer era's way to
//! cancel.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::{Origin, Payload, Secret, Timeouts};
use gatehouse_mcp_gateway::era::headers::{self, Mirror};
use gatehouse_mcp_gateway::era::{Era, Revision, meta, stamp};
use gatehouse_mcp_gateway::sse::Reader;
use gatehouse_mcp_gateway::wire::{code, read};
use gatehouse_mcp_gateway::{Id, Message, Raw, Request, Response, RpcError};
use gatehouse_upstream::{Body, Pool, Sent};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::link::lines::{Line, Lines};

/// The longest message either way.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Requests under way at once.
const UNDER_WAY_MAX: usize = 1024;
/// How long is waited for answers when the client has closed its side.
const FINISHES_WITHIN: Duration = Duration::from_secs(30);
/// How long is waited before the second stream is opened again.
const LISTENS_AGAIN: Duration = Duration::from_secs(1);

/// The endpoint of a gateway.
#[derive(Clone, Debug)]
pub struct Door {
    /// Where it listens.
    pub origin: Origin,
    /// `/mcp`, or a path below it.
    pub path: PathAndQuery,
    /// The key to show.
    pub key: Option<Secret>,
}

/// Carries lines to the endpoint and back until the client closes its side.
///
/// # Errors
/// When the client's streams fail.
pub async fn relay(
    pool: Pool,
    door: Door,
    mut input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let (lines, outgoing) = mpsc::channel(64);
    let writing = tokio::spawn(write(output, outgoing));
    let relay = Arc::new(Relay { pool, door, lines, state: Mutex::default() });
    let (mut calls, mut listening) = (JoinSet::new(), JoinSet::new());
    let mut incoming = Lines::new(MESSAGE_BYTES_MAX);
    while input.read_buf(&mut incoming.buffer).await? > 0 {
        while let Some(line) = incoming.next() {
            relay.take(line, &mut calls, &mut listening).await;
        }
        while calls.try_join_next().is_some() {}
        if writing.is_finished() {
            break;
        }
    }
    // What was asked is answered; streams that only tell of changes are not waited for.
    drop(timeout(FINISHES_WITHIN, async { while calls.join_next().await.is_some() {} }).await);
    calls.shutdown().await;
    listening.shutdown().await;
    relay.end().await;
    drop(relay);
    writing.await.unwrap_or(Ok(()))
}

async fn write(mut output: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        output.write_all(&line).await?;
        output.write_all(b"\n").await?;
        output.flush().await?;
    }
    Ok(())
}

struct Relay {
    pool: Pool,
    door: Door,
    lines: mpsc::Sender<Bytes>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session of the older era.
    session: Option<HeaderValue>,
    revision: Option<Revision>,
    under_way: HashMap<Id, AbortHandle>,
    /// Arguments that headers repeat, by tool: learnt from the lists that pass by.
    mirrors: HashMap<String, Vec<Mirror>>,
}

impl Relay {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(self: &Arc<Self>, line: Line, calls: &mut JoinSet<()>, listening: &mut JoinSet<()>) {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong => {
                let error = RpcError::new(code::INVALID_REQUEST, "The message is too long");
                return self.say(&Response::error(None, error).into()).await;
            }
        };
        // Batches are for the endpoint to judge; there is nothing to repeat in headers.
        if text.starts_with(b"[") {
            let relay = Arc::clone(self);
            calls.spawn(async move { relay.post(&text, HeaderMap::new(), None).await });
            return;
        }
        let message = match read(text.clone()) {
            Ok(message) => message,
            Err(unread) => return self.say(&Response::error(unread.id.clone(), unread.rpc()).into()).await,
        };
        match message {
            // The rest of the session depends on it.
            Message::Request(request) if &*request.method == "initialize" => self.call(request, text).await,
            Message::Request(request) => self.begin(request, text, calls, listening).await,
            Message::Notification(note) if &*note.method == "notifications/cancelled" && self.is_modern() => {
                let id = note.params.and_then(|params| Id::read(&params.get(&["requestId"])?));
                if let Some(call) = id.and_then(|id| self.state().under_way.remove(&id)) {
                    call.abort();
                }
            }
            Message::Notification(note) if &*note.method == "notifications/initialized" => {
                self.post(&text, HeaderMap::new(), None).await;
                let relay = Arc::clone(self);
                listening.spawn(async move { relay.listen().await });
            }
            Message::Notification(_) | Message::Response(_) => {
                let relay = Arc::clone(self);
                calls.spawn(async move { relay.post(&text, HeaderMap::new(), None).await });
            }
        }
    }

    /// Without a session, the client has to be of the newer era.
    fn is_modern(&self) -> bool {
        self.state().revision.is_none()
    }

    async fn begin(
        self: &Arc<Self>,
        request: Request,
        text: Bytes,
        calls: &mut JoinSet<()>,
        listening: &mut JoinSet<()>,
    ) {
        let id = request.id.clone();
        let set = if &*request.method == "subscriptions/listen" { listening } else { calls };
        if set.len() >= UNDER_WAY_MAX {
            let error = RpcError::new(code::INTERNAL, "Too many requests are under way; wait for some of them");
            return self.say(&Response::error(Some(id), error).into()).await;
        }
        let relay = Arc::clone(self);
        let running = set.spawn(async move { relay.call(request, text).await });
        let mut state = self.state();
        state.under_way.retain(|_, call| !call.is_finished());
        state.under_way.insert(id, running);
    }

    async fn call(&self, request: Request, text: Bytes) {
        let headers = self.headers(&request);
        self.post(&text, headers, Some(&request)).await;
    }

    /// What headers repeat of a modern request.
    fn headers(&self, request: &Request) -> HeaderMap {
        let says = |params: &Raw| params.text_at(&["_meta", meta::key::PROTOCOL_VERSION]);
        let said = request.params.as_ref().and_then(says);
        let Some(revision) = said.and_then(|said| Revision::of(&said)).filter(|said| said.era() == Era::Modern) else {
            return HeaderMap::new();
        };
        let named = stamp::headers(revision, request);
        let params = request.params.as_ref();
        let tool = params.and_then(|params| params.text_at(&["name"])).unwrap_or_default();
        let arguments = params.and_then(|params| params.get(&["arguments"]));
        let mirrored = match self.state().mirrors.get(&tool).filter(|_| &*request.method == "tools/call") {
            Some(mirrors) => headers::params(mirrors, arguments.as_ref()),
            None => Vec::new(),
        };
        let mirrored = mirrored.into_iter().filter_map(|(name, value): (Arc<str>, Arc<str>)| {
            Some((HeaderName::try_from(&*name).ok()?, HeaderValue::try_from(&*value).ok()?))
        });
        named.into_iter().chain(mirrored).collect()
    }

    /// Sends a message and passes on what comes of it; to a request there is always an answer.
    async fn post(&self, text: &Bytes, mut headers: HeaderMap, request: Option<&Request>) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let answered = match self.send(Method::POST, headers, text.clone()).await {
            Some(sent) => self.pass_on(sent, request).await,
            None => false,
        };
        if let Some(request) = request.filter(|_| !answered) {
            let error = RpcError::new(code::INTERNAL, "The gateway did not answer");
            self.say(&Response::error(Some(request.id.clone()), error).into()).await;
        }
    }

    /// Passes on an answer. Was it one to the request?
    async fn pass_on(&self, sent: Sent, request: Option<&Request>) -> bool {
        let (status, headers) = (sent.head.status, sent.head.headers);
        let is_initialize = request.is_some_and(|request| &*request.method == "initialize");
        if is_initialize && status.is_success() {
            self.state().session = headers.get(headers::SESSION_ID).cloned();
        }
        if is_stream(&headers) {
            return self.pass_events(sent.body, request).await;
        }
        let Some(text) = whole(sent.body).await else { return false };
        match read(text.clone()) {
            Ok(message) => self.pass(message, request).await,
            // A batch, or an answer to something that wants none.
            Err(_) if status == StatusCode::ACCEPTED || request.is_none() => {
                if text.starts_with(b"[") {
                    drop(self.lines.send(Raw::trusted(text).on_one_line().bytes().clone()).await);
                }
                true
            }
            Err(_) => {
                let Some(request) = request else { return true };
                let error = RpcError::new(code::INTERNAL, format!("The gateway answered HTTP {}", status.as_u16()));
                self.say(&Response::error(Some(request.id.clone()), error).into()).await;
                true
            }
        }
    }

    async fn pass_events(&self, mut body: Body, request: Option<&Request>) -> bool {
        let mut reader = Reader::new(MESSAGE_BYTES_MAX);
        let mut answered = false;
        while let Some(Ok(chunk)) = body.chunk().await {
            let Ok(events) = reader.feed(&chunk) else { break };
            for event in events.into_iter().filter(|event| !event.data.is_empty()) {
                if let Ok(message) = read(event.data) {
                    answered |= self.pass(message, request).await;
                }
            }
        }
        answered
    }

    /// Passes a message on. Is it the response to the request?
    async fn pass(&self, message: Message, request: Option<&Request>) -> bool {
        let answers = match (&message, request) {
            (Message::Response(response), Some(request)) => {
                self.learn(request, response);
                response.id.as_ref().is_none_or(|id| *id == request.id)
            }
            _ => false,
        };
        self.say(&message).await;
        answers
    }

    /// Keeps what later requests depend on.
    fn learn(&self, request: &Request, response: &Response) {
        let Ok(result) = &response.outcome else { return };
        match &*request.method {
            "initialize" => {
                self.state().revision = result.text_at(&["protocolVersion"]).and_then(|said| Revision::of(&said));
            }
            "tools/list" => {
                let tools = result.get(&["tools"]).map(|tools| tools.elements()).unwrap_or_default();
                let mirrored = tools.iter().filter_map(|tool| {
                    let mirrors = headers::mirrors(&tool.get(&["inputSchema"])?).ok()?;
                    Some((tool.text_at(&["name"])?, mirrors))
                });
                self.state().mirrors.extend(mirrored.filter(|(_, mirrors)| !mirrors.is_empty()));
            }
            _ => {}
        }
    }

    /// The second stream of the older era.
    async fn listen(&self) {
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
            match self.send(Method::GET, headers, Bytes::new()).await {
                Some(sent) if is_stream(&sent.head.headers) => drop(self.pass_events(sent.body, None).await),
                Some(_) => return,
                None => {}
            }
            sleep(LISTENS_AGAIN).await;
        }
    }

    async fn end(&self) {
        if self.state().session.is_some() {
            drop(self.send(Method::DELETE, HeaderMap::new(), Bytes::new()).await);
        }
    }

    async fn send(&self, method: Method, mut headers: HeaderMap, body: Bytes) -> Option<Sent> {
        {
            let state = self.state();
            if let Some(session) = &state.session {
                headers.insert(headers::SESSION_ID, session.clone());
            }
            if let Some(revision) = state.revision.filter(|revision| revision.has_version_header()) {
                headers.insert(headers::PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
            }
        }
        let origin = &self.door.origin;
        headers.insert(HOST, HeaderValue::try_from(format!("{}:{}", origin.host, origin.port)).ok()?);
        if let Some(key) = &self.door.key {
            headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", key.reveal())).ok()?);
        }
        let mut request = http::Request::new(Payload::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(self.door.path.clone());
        *request.headers_mut() = headers;
        let hours = Duration::from_secs(24 * 3600);
        let patient = Timeouts { first_byte: hours, between_chunks: hours, total: hours, ..Timeouts::default() };
        self.pool.send(origin, &patient, request).await.ok()
    }

    async fn say(&self, message: &Message) {
        // A client that reads no more is found out by whoever reads what it writes.
        drop(self.lines.send(message.write_line()).await);
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media.starts_with("text/event-stream")
}

async fn whole(mut body: Body) -> Option<Bytes> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.chunk().await {
        whole.extend_from_slice(&chunk.ok()?);
        if whole.len() > MESSAGE_BYTES_MAX {
            return None;
        }
    }
    Some(whole.into())
}
