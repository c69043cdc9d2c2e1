//! A scripted MCP server on loopback, on a thread of the test's process: whatever becomes of the gateway, its records stay.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::META;
use super::offer::{Era, Offer};
use super::stream::{Wire, respond};
use super::turn::Turn;
use crate::serving::{Board, Serving};
use crate::upstream::{Received, read_request};

/// How many messages a stream may be behind.
const BACKLOG: usize = 1024;

/// An HTTP request as the server received it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request, with its headers.
    pub http: Received,
    /// Its body as JSON; null if it is none.
    pub body: Value,
}

impl Seen {
    /// The method of its message; empty for anything but a request or notification.
    #[must_use]
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    /// What it names: `params.name` or `params.uri`.
    #[must_use]
    pub fn name(&self) -> &str {
        let params = &self.body["params"];
        params["name"].as_str().or_else(|| params["uri"].as_str()).unwrap_or_default()
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http.header(name)
    }

    /// A member of `_meta` in the namespace of the protocol.
    #[must_use]
    pub fn meta(&self, name: &str) -> &Value {
        &self.body["params"]["_meta"][format!("{META}{name}")]
    }

    /// What the client said it can, in a modern request.
    #[must_use]
    pub fn capabilities(&self) -> &Value {
        self.meta("clientCapabilities")
    }
}

type Script = dyn Fn(&Seen) -> Option<Turn> + Send + Sync;

/// Somebody who listens: a `GET` stream, or a listen request and its id.
struct Listener {
    stream: mpsc::Sender<Value>,
    subscription: Option<Value>,
    session: String,
}

pub(super) struct State {
    offer: Offer,
    script: Arc<Script>,
    seen: Vec<Seen>,
    cancels: Vec<Instant>,
    sessions: HashSet<String>,
    asks: HashMap<i64, oneshot::Sender<Value>>,
    listeners: Vec<Listener>,
    documents: HashMap<String, Value>,
    next: i64,
}

/// What the connections share.
pub(super) struct Shared {
    board: Board<State>,
    pub(super) steps: Semaphore,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.board.lock()
    }

    pub(super) fn note_cancel(&self) {
        self.board.change(|state| state.cancels.push(Instant::now()));
    }

    /// The id of a question to the client, and where its answer arrives.
    pub(super) fn ask(&self) -> (i64, oneshot::Receiver<Value>) {
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        state.next += 1;
        let id = 7000 + state.next;
        state.asks.insert(id, answer);
        (id, answered)
    }

    /// A stream for whoever listens.
    pub(super) fn listener(&self, subscription: Option<Value>, session: &str) -> mpsc::Receiver<Value> {
        let (stream, messages) = mpsc::channel(BACKLOG);
        let listener = Listener { stream, subscription, session: session.to_owned() };
        self.board.change(|state| state.listeners.push(listener));
        messages
    }

    pub(super) fn era(&self) -> Era {
        self.lock().offer.era
    }

    pub(super) fn of_era(&self, result: Value) -> Value {
        self.lock().offer.of_era(result)
    }

    /// Where a client of 2024-11-05 shall post.
    pub(super) fn endpoint(&self, session: &str) -> String {
        self.lock().offer.endpoint.clone().unwrap_or_else(|| format!("/mcp?session={session}"))
    }

    /// The document at this path, if one is served there.
    pub(super) fn document(&self, path: &str) -> Option<Value> {
        self.lock().documents.get(path).cloned()
    }

    /// A session of its own for whoever says `initialize`.
    pub(super) fn open_session(&self) -> String {
        let mut state = self.lock();
        state.next += 1;
        let session = format!("session-{}", state.next);
        state.sessions.insert(session.clone());
        session
    }

    pub(super) fn knows(&self, session: &str) -> bool {
        self.lock().sessions.contains(session)
    }

    pub(super) fn end_session(&self, session: &str) {
        self.lock().sessions.remove(session);
    }

    /// Where the answers of a client of 2024-11-05 go.
    pub(super) fn stream_of(&self, session: &str) -> Option<mpsc::Sender<Value>> {
        self.lock()
            .listeners
            .iter()
            .rev()
            .find(|listener| listener.session == session)
            .map(|found| found.stream.clone())
    }

    /// Writes a message down, hands an answer to who waits for it, and says what to do with a request.
    pub(super) fn take(&self, seen: &Seen) -> Option<Turn> {
        self.board.change(|state| state.seen.push(seen.clone()));
        let mut state = self.lock();
        if seen.body["method"].is_null() {
            let asked = seen.body["id"].as_i64().and_then(|id| state.asks.remove(&id));
            if let Some(asked) = asked {
                drop(asked.send(seen.body.clone()));
            }
            return None;
        }
        if seen.body["id"].is_null() {
            return None;
        }
        let script = Arc::clone(&state.script);
        let usual = match state.offer.answer(seen.method(), &seen.body["params"]) {
            Ok(result) => Turn::result(result),
            Err((code, message)) => Turn::error(code, &message),
        };
        drop(state);
        Some(script(seen).unwrap_or(usual))
    }
}

/// An MCP server under the test's control.
pub struct McpServer {
    serving: Serving,
    shared: Arc<Shared>,
}

impl McpServer {
    /// A stateless server that offers what [`Offer::new`] says.
    #[must_use]
    pub fn modern() -> Self {
        Self::start(Offer::new(Era::Modern))
    }

    /// A server with sessions.
    #[must_use]
    pub fn legacy() -> Self {
        Self::start(Offer::new(Era::Legacy))
    }

    /// A server of 2024-11-05.
    #[must_use]
    pub fn sse() -> Self {
        Self::start(Offer::new(Era::Sse))
    }

    /// A server that offers this.
    #[must_use]
    pub fn start(offer: Offer) -> Self {
        let state = State {
            offer,
            script: Arc::new(|_| None),
            seen: Vec::new(),
            cancels: Vec::new(),
            sessions: HashSet::new(),
            asks: HashMap::new(),
            listeners: Vec::new(),
            documents: HashMap::new(),
            next: 0,
        };
        let shared = Arc::new(Shared { board: Board::new(state), steps: Semaphore::new(0) });
        let serving = Arc::clone(&shared);
        Self { serving: Serving::start(0, move |stream| serve(stream, Arc::clone(&serving))), shared }
    }

    /// Its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.serving.address())
    }

    /// A caller that talks to it without any gateway.
    #[must_use]
    pub fn client(&self) -> crate::Client {
        crate::Client::new(self.serving.address())
    }

    /// From now on this decides what is done with a request; `None` is what a well-behaved server does.
    pub fn script(&self, script: impl Fn(&Seen) -> Option<Turn> + Send + Sync + 'static) {
        self.shared.lock().script = Arc::new(script);
    }

    /// From now on every call of this tool gets this.
    pub fn on_call(&self, tool: &'static str, turn: Turn) {
        self.script(move |seen| (seen.method() == "tools/call" && seen.name() == tool).then(|| turn.clone()));
    }

    /// From now on every request of this method gets this.
    pub fn on(&self, method: &'static str, turn: Turn) {
        self.script(move |seen| (seen.method() == method).then(|| turn.clone()));
    }

    /// From now on whoever asks for one of these paths gets its document.
    pub fn serve_documents(&self, documents: impl IntoIterator<Item = (String, Value)>) {
        self.shared.lock().documents = documents.into_iter().collect();
    }

    /// Changes what it offers, and says so to nobody.
    pub fn change(&self, change: impl FnOnce(&mut Offer)) {
        change(&mut self.shared.lock().offer);
    }

    /// Changes its tools and says so to all who listen.
    pub fn change_tools(&self, tools: Vec<Value>) {
        self.change(|offer| offer.tools = tools);
        self.say("notifications/tools/list_changed", &json!({}));
    }

    /// Says this to all who listen: on `GET` streams, and on listen streams under their subscription.
    pub fn say(&self, method: &str, params: &Value) {
        for listener in &self.shared.lock().listeners {
            let mut params = params.clone();
            if let Some(subscription) = &listener.subscription {
                params["_meta"][format!("{META}subscriptionId")] = subscription.clone();
            }
            drop(listener.stream.try_send(json!({"jsonrpc": "2.0", "method": method, "params": params})));
        }
    }

    /// Asks this on the `GET` stream of the session in which a message of `method` came last.
    pub fn ask_in_the_session_of(&self, method: &str, question: &str, params: &Value) {
        let session = self.seen_of(method).pop().and_then(|seen| seen.header("mcp-session-id").map(str::to_owned));
        let (id, _) = self.shared.ask();
        let question = json!({"jsonrpc": "2.0", "id": id, "method": question, "params": params});
        let stream = self.shared.stream_of(&session.expect("a session")).expect("a stream of the session");
        stream.try_send(question).expect("room in the stream");
    }

    /// Waits for an answer to a question, and returns the last there is.
    #[must_use]
    pub fn wait_for_answer(&self) -> Value {
        self.wait("an answer", |state| {
            let mut bodies = state.seen.iter().rev().map(|seen| &seen.body);
            bodies.find(|body| body["method"].is_null() && !body["id"].is_null()).cloned()
        })
    }

    /// Waits until so many streams listen.
    pub fn wait_for_listeners(&self, count: usize) {
        self.wait(&format!("{count} listeners"), |state| {
            state.listeners.retain(|listener| !listener.stream.is_closed());
            (state.listeners.len() >= count).then_some(())
        });
    }

    /// Forgets every session, as a server that was restarted does.
    pub fn forget_sessions(&self) {
        self.shared.lock().sessions.clear();
    }

    /// Releases one pause.
    pub fn step(&self) {
        self.shared.steps.add_permits(1);
    }

    /// Everything so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Every message of this method so far.
    #[must_use]
    pub fn seen_of(&self, method: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.method() == method).collect()
    }

    /// Waits until this many messages of this method have come, and returns the last of them.
    #[must_use]
    pub fn wait_for(&self, method: &str, count: usize) -> Seen {
        self.wait(&format!("{count} × {method}"), |state| {
            state.seen.iter().filter(|seen| seen.method() == method).nth(count.checked_sub(1)?).cloned()
        })
    }

    /// How often a peer left before its answer was whole. Leaving a listen or `GET` stream is no cancel.
    #[must_use]
    pub fn cancels(&self) -> usize {
        self.shared.lock().cancels.len()
    }

    /// Waits until a peer has left an unfinished answer, and returns when that was.
    #[must_use]
    pub fn wait_for_cancel(&self) -> Instant {
        self.wait("a cancelled request", |state| state.cancels.last().copied())
    }

    /// Waits for a request of this path, and returns the last there is.
    #[must_use]
    pub fn wait_for_path(&self, path: &str) -> Seen {
        self.wait(&format!("a request of {path}"), |state| {
            state.seen.iter().rev().find(|seen| seen.http.path == path).cloned()
        })
    }

    fn wait<T>(&self, what: &str, look: impl FnMut(&mut State) -> Option<T>) -> T {
        let bodies = |state: &State| state.seen.iter().map(|seen| seen.body.to_string()).collect::<Vec<_>>().join("\n");
        self.shared.board.wait(what, look, bodies)
    }
}

/// One connection: request, answer, next request.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (mut reader, writer) = stream.into_split();
    let mut buffer = Vec::new();
    let mut wire = Wire::new(writer);
    while let Some(http) = read_request(&mut reader, &mut buffer).await {
        let seen = Seen { body: http.json(), http };
        if !respond(&seen, &mut wire, &mut reader, &mut buffer, &shared).await {
            return;
        }
    }
}
