//! A scripted provider on loopback: speaks all six dialects, does what its [`Reply`]s say, remembers every request and
//! notices when its peer goes away. It speaks HTTP by hand, because half of its repertoire is what an HTTP library
//! would refuse to do. It lives in the test's process on a thread of its own, so that its count of requests survives
//! any death of the gateway: it is the oracle for accounting.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;

use crate::http1::{Framing, Head, Part};
use crate::reply::{Act, Reply, parse};
use crate::serving::{Board, Serving};
use crate::wire::Dialect;

/// A request as the provider received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Headers, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Bytes,
    /// The provider's model, from body or path.
    pub model: String,
    /// The dialect of the path, if it is a chat path.
    pub dialect: Option<Dialect>,
}

impl Received {
    /// The body as JSON; null if it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        parse(&self.body)
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Responder = dyn Fn(&Received) -> Reply + Send + Sync;

struct State {
    requests: Vec<Received>,
    cancels: Vec<Instant>,
    queues: HashMap<String, VecDeque<Reply>>,
    respond: Arc<Responder>,
}

struct Shared {
    board: Board<State>,
    steps: Semaphore,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.board.lock()
    }

    fn note_cancel(&self) {
        self.board.change(|state| state.cancels.push(Instant::now()));
    }
}

/// A provider under the test's control.
pub struct Upstream {
    serving: Serving,
    shared: Arc<Shared>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::start()
    }
}

impl Upstream {
    /// Starts a provider that answers every request with a short text.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(0, |_| Reply::text("Hello from the provider."))
    }

    /// Starts a provider on this port (0: any) that decides by looking at the request.
    #[must_use]
    pub fn start_with(port: u16, respond: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let state =
            State { requests: Vec::new(), cancels: Vec::new(), queues: HashMap::new(), respond: Arc::new(respond) };
        let shared = Arc::new(Shared { board: Board::new(state), steps: Semaphore::new(0) });
        let serving = Arc::clone(&shared);
        Self { serving: Serving::start(port, move |stream| serve(stream, Arc::clone(&serving))), shared }
    }

    /// Base URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address())
    }

    /// A caller that talks to this provider without any gateway: for the harness's own tests.
    #[must_use]
    pub fn client(&self) -> crate::Client {
        crate::Client::new(self.serving.address())
    }

    /// From now on, every request without a queue of its own gets this.
    pub fn reply(&self, reply: Reply) {
        self.shared.lock().respond = Arc::new(move |_| reply.clone());
    }

    /// The next requests for this upstream model get these, in order; the last one stays.
    pub fn replies(&self, model: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().queues.insert(model.to_owned(), replies.into_iter().collect());
    }

    /// Releases one pause.
    pub fn step(&self) {
        self.shared.steps.add_permits(1);
    }

    /// Releases every pause there will be.
    pub fn run(&self) {
        self.shared.steps.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().requests.clone()
    }

    /// How many requests were received whole: what the ledger must agree with.
    #[must_use]
    pub fn served(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// How many answers had to be given up because the peer left.
    #[must_use]
    pub fn cancels(&self) -> usize {
        self.shared.lock().cancels.len()
    }

    /// Waits until this many requests have been received, and returns the last of them.
    #[must_use]
    pub fn wait_for_request(&self, count: usize) -> Received {
        self.wait(&format!("{count} requests"), |state| state.requests.get(count.checked_sub(1)?).cloned())
    }

    /// Waits until the peer has gone away from an unfinished answer, and returns when that was.
    #[must_use]
    pub fn wait_for_cancel(&self) -> Instant {
        self.wait("a cancelled request", |state| state.cancels.last().copied())
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        self.shared.board.wait(what, |state| look(state), |state| format!("{} requests", state.requests.len()))
    }
}

/// One connection: request, acts, next request.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = Vec::new();
    while let Some(received) = read_request(&mut reader, &mut buffer).await {
        let reply = choose(&shared, &received);
        for act in reply.acts(&received) {
            let ended = tokio::select! {
                ended = perform(act, &mut writer, &shared) => ended,
                () = peer_gone(&mut reader, &mut buffer) => Ended::PeerGone,
            };
            match ended {
                Ended::No => {}
                Ended::Closed => return,
                Ended::Reset => {
                    let stream = writer.reunite(reader).expect("two halves of one stream");
                    // Closing with unsent data discarded is what sends RST instead of FIN.
                    drop(stream.set_zero_linger());
                    return;
                }
                Ended::PeerGone => return shared.note_cancel(),
            }
        }
    }
}

/// Records the request and picks what to do with it, at once, so that `served` never lags behind an answer.
fn choose(shared: &Shared, received: &Received) -> Reply {
    shared.board.change(|state| state.requests.push(received.clone()));
    let mut state = shared.lock();
    if let Some(queue) = state.queues.get_mut(&received.model)
        && let Some(reply) = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }
    {
        return reply;
    }
    let respond = Arc::clone(&state.respond);
    drop(state);
    respond(received)
}

enum Ended {
    No,
    Closed,
    Reset,
    PeerGone,
}

async fn perform(act: Act, writer: &mut OwnedWriteHalf, shared: &Shared) -> Ended {
    match act {
        Act::Send(bytes) => match writer.write_all(&bytes).await {
            Ok(()) => Ended::No,
            Err(_) => Ended::PeerGone,
        },
        Act::Pause => {
            shared.steps.acquire().await.expect("never closed").forget();
            Ended::No
        }
        Act::Hang => std::future::pending().await,
        Act::Close => Ended::Closed,
        Act::Reset => Ended::Reset,
    }
}

/// Returns when the peer closes or breaks the connection. Bytes of a next request are kept.
pub(crate) async fn peer_gone(reader: &mut OwnedReadHalf, buffer: &mut Vec<u8>) {
    loop {
        match reader.read_buf(buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Reads one whole request; `None` when the peer is done.
pub(crate) async fn read_request(reader: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> Option<Received> {
    let head = loop {
        if let Some(head) = Head::take(buffer) {
            break head;
        }
        if reader.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    // A request without a length has no body.
    let mut framing = match head.framing() {
        Framing::UntilClose => Framing::Length(0),
        framing => framing,
    };
    let mut body = Vec::new();
    loop {
        match framing.take(buffer) {
            Part::Data(data) => body.extend_from_slice(&data),
            Part::End => break,
            Part::Wait => {
                if reader.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
        }
    }
    Some(received(&head, body))
}

fn received(head: &Head, body: Vec<u8>) -> Received {
    let mut words = head.first_line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let in_path = path.rsplit_once("/models/").map(|(_, rest)| rest.split(':').next().unwrap_or(rest));
    let in_path = in_path.or_else(|| path.rsplit_once("/model/").and_then(|(_, rest)| rest.split('/').next()));
    let model = in_path.map_or_else(
        || parse(&body)["model"].as_str().unwrap_or_default().to_owned(),
        |model| model.replace("%3A", ":").replace("%2F", "/"),
    );
    Received {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: head.headers.clone(),
        model,
        dialect: Dialect::of_path(path),
        body: Bytes::from(body),
    }
}
