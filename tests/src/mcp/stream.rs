//! How the scripted server answers over HTTP: which request gets which kind of answer, and the steps of a turn as bytes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::META;
use super::offer::Era;
use super::server::{Seen, Shared};
use super::turn::{Drip, Move, Plain, Turn};
use crate::http1::{LAST_CHUNK, chunk};
use crate::upstream::peer_gone;

const SESSION: &str = "mcp-session-id";
/// Between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

/// The writing half of a connection.
pub(super) struct Wire {
    writer: OwnedWriteHalf,
}

/// How a step ended.
enum Ended {
    /// Go on.
    No,
    /// The connection is closed.
    Closed,
    /// The peer closed it.
    PeerGone,
}

impl Wire {
    pub(super) fn new(writer: OwnedWriteHalf) -> Self {
        Self { writer }
    }

    async fn send(&mut self, bytes: &[u8]) -> Ended {
        match self.writer.write_all(bytes).await {
            Ok(()) => Ended::No,
            Err(_) => Ended::PeerGone,
        }
    }

    async fn whole(&mut self, status: u16, headers: &[(String, String)], body: &[u8]) -> Ended {
        let mut head = format!("HTTP/1.1 {status} {status}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat()).await
    }

    async fn stream(&mut self, headers: &[(String, String)]) -> Ended {
        let mut head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n".to_owned();
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes()).await
    }

    async fn event(&mut self, message: &Value) -> Ended {
        self.send(&chunk(format!("event: message\ndata: {message}\n\n").as_bytes())).await
    }
}

fn json_kind() -> (String, String) {
    ("content-type".to_owned(), "application/json".to_owned())
}

/// Answers one HTTP request; false when the connection is done.
pub(super) async fn respond(
    seen: &Seen,
    wire: &mut Wire,
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> bool {
    let era = shared.era();
    let turn = shared.take(seen);
    let session = seen.header(SESSION).unwrap_or_default().to_owned();
    let document = shared.document(&seen.http.path);
    let ended = match (&*seen.http.method, era) {
        _ if document.is_some() => {
            let body = document.unwrap_or_default().to_string();
            wire.whole(200, &[json_kind()], body.as_bytes()).await
        }
        ("GET", _) if seen.http.path != "/mcp" => wire.whole(404, &[], b"").await,
        ("GET", Era::Legacy) => listen(wire, reader, buffer, shared.listener(None, &session), None).await,
        ("GET", Era::Sse) => {
            let session = shared.open_session();
            let endpoint = format!("event: endpoint\ndata: {}\n\n", shared.endpoint(&session));
            listen(wire, reader, buffer, shared.listener(None, &session), Some(endpoint)).await
        }
        ("DELETE", Era::Legacy) => {
            shared.end_session(&session);
            wire.whole(200, &[], b"").await
        }
        // There is nothing to post to but what the stream names.
        ("POST", Era::Sse) if seen.http.query.is_empty() => wire.whole(405, &[], b"").await,
        ("POST", _) => post(seen, turn, era, &session, wire, reader, buffer, shared).await,
        _ => wire.whole(405, &[], b"").await,
    };
    if matches!(ended, Ended::PeerGone) {
        shared.note_cancel();
    }
    matches!(ended, Ended::No)
}

#[allow(clippy::too_many_arguments, reason = "one call, and a struct of these would be named after it")]
async fn post(
    seen: &Seen,
    turn: Option<Turn>,
    era: Era,
    session: &str,
    wire: &mut Wire,
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> Ended {
    let modern = !seen.meta("protocolVersion").is_null() || seen.method() == "server/discover";
    if let Some(plain) = turn.as_ref().and_then(|turn| turn.plain.clone()) {
        return plain_answer(&plain, wire).await;
    }
    let id = &seen.body["id"];
    let refusal = match era {
        Era::Modern if !modern && !id.is_null() => Some((400, -32020, "Header mismatch: Mcp-Method is missing")),
        Era::Legacy | Era::Sse if modern => Some((400, -32000, "Bad Request: Server not initialized")),
        Era::Legacy if seen.method() != "initialize" && session.is_empty() => Some((400, -32000, "No session")),
        Era::Legacy if seen.method() != "initialize" && !shared.knows(session) => {
            Some((404, -32001, "Session not found"))
        }
        _ => None,
    };
    if let Some((status, code, message)) = refusal {
        let body = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
        return wire.whole(status, &[json_kind()], body.to_string().as_bytes()).await;
    }
    let Some(turn) = turn else { return wire.whole(202, &[], b"").await };
    if era == Era::Sse {
        let session = seen.http.query.strip_prefix("session=").unwrap_or_default();
        if let Some(stream) = shared.stream_of(session) {
            elsewhere(seen, &turn, &stream, shared).await;
        }
        return wire.whole(202, &[], b"").await;
    }
    if era == Era::Modern && seen.method() == "subscriptions/listen" {
        return subscribe(seen, wire, reader, buffer, shared).await;
    }
    let headers = match seen.method() {
        "initialize" => vec![(SESSION.to_owned(), shared.open_session())],
        _ => Vec::new(),
    };
    perform(seen, &turn, &headers, wire, reader, buffer, shared).await
}

async fn plain_answer(plain: &Plain, wire: &mut Wire) -> Ended {
    wire.whole(plain.status, &plain.headers, plain.body.as_bytes()).await
}

/// Everything that is said to nobody in particular, until the peer leaves.
async fn listen(
    wire: &mut Wire,
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
    mut messages: mpsc::Receiver<Value>,
    first: Option<String>,
) -> Ended {
    if let Ended::PeerGone = wire.stream(&[]).await {
        return Ended::Closed;
    }
    if let Some(first) = first {
        wire.send(&chunk(first.as_bytes())).await;
    }
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => {
                    wire.event(&message).await;
                }
                None => return Ended::Closed,
            },
            () = peer_gone(reader, buffer) => return Ended::Closed,
        }
    }
}

async fn subscribe(
    seen: &Seen,
    wire: &mut Wire,
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> Ended {
    let id = seen.body["id"].clone();
    let mut params = json!({"notifications": seen.body["params"]["notifications"]});
    params["_meta"][format!("{META}subscriptionId")] = id.clone();
    let taken = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
    let first = format!("event: message\ndata: {taken}\n\n");
    listen(wire, reader, buffer, shared.listener(Some(id), ""), Some(first)).await
}

/// The steps of a turn on the request's own connection.
async fn perform(
    seen: &Seen,
    turn: &Turn,
    headers: &[(String, String)],
    wire: &mut Wire,
    reader: &mut OwnedReadHalf,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> Ended {
    let whole = turn.is_whole();
    if !whole && !turn.is_silent() && !matches!(wire.stream(headers).await, Ended::No) {
        return Ended::PeerGone;
    }
    for step in &turn.moves {
        let ended = tokio::select! {
            ended = take_step(step, seen, whole, headers, wire, shared) => ended,
            () = peer_gone(reader, buffer) => Ended::PeerGone,
        };
        if !matches!(ended, Ended::No) {
            return ended;
        }
    }
    if whole { Ended::No } else { wire.send(LAST_CHUNK).await }
}

async fn take_step(
    step: &Move,
    seen: &Seen,
    whole: bool,
    headers: &[(String, String)],
    wire: &mut Wire,
    shared: &Shared,
) -> Ended {
    match step {
        Move::Pause => {
            shared.steps.acquire().await.expect("never closed").forget();
            Ended::No
        }
        Move::Hang => std::future::pending().await,
        Move::Cut => Ended::Closed,
        Move::Bytes(bytes) if whole => wire.whole(200, &[json_kind()], bytes).await,
        Move::Bytes(bytes) => wire.send(&chunk(bytes)).await,
        Move::EndlessLine => {
            wire.send(&chunk(b"data: ")).await;
            let piece = chunk(&[b'x'; 64 << 10]);
            while let Ended::No = wire.send(&piece).await {}
            Ended::PeerGone
        }
        Move::EndlessProgress => {
            let mut progress = 0.0;
            loop {
                progress += 1.0;
                if !matches!(wire.event(&progress_of(seen, progress)).await, Ended::No) {
                    return Ended::PeerGone;
                }
                tokio::task::yield_now().await;
            }
        }
        Move::EndlessComments => {
            while let Ended::No = wire.send(&chunk(b": still there\n\n")).await {
                tokio::task::yield_now().await;
            }
            Ended::PeerGone
        }
        Move::Drip(part) => drip(*part, wire).await,
        Move::Ask { method, params } => {
            let (id, answered) = shared.ask();
            let question = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            let ended = wire.event(&question).await;
            drop(answered.await);
            ended
        }
        Move::AskBeside { method, params } => {
            let (id, answered) = shared.ask();
            let question = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            if let Some(stream) = shared.stream_of(seen.header("mcp-session-id").unwrap_or_default()) {
                drop(stream.send(question).await);
            }
            drop(answered.await);
            Ended::No
        }
        Move::Say { .. } | Move::Progress(_) | Move::Result(_) | Move::Error(_) => {
            let message = message_of(step, seen, shared);
            if !whole {
                return wire.event(&message).await;
            }
            let status = match message["error"]["code"].as_i64() {
                Some(-32601) if shared.era() == Era::Modern => 404,
                Some(-32029..=-32020) => 400,
                _ => 200,
            };
            let headers = [headers, &[json_kind()]].concat();
            wire.whole(status, &headers, message.to_string().as_bytes()).await
        }
    }
}

/// Byte by byte, each before anybody could call the connection idle, until the peer leaves.
async fn drip(part: Drip, wire: &mut Wire) -> Ended {
    let (head, beginning) = part.begin();
    if !matches!(wire.send(head.as_bytes()).await, Ended::No) {
        return Ended::PeerGone;
    }
    let mut pace = tokio::time::interval(DRIP);
    for byte in beginning.bytes().chain(std::iter::repeat(b'x')) {
        pace.tick().await;
        if !matches!(wire.send(&[byte]).await, Ended::No) {
            break;
        }
    }
    Ended::PeerGone
}

/// The steps of a turn on the stream of a client of 2024-11-05. Faults of the connection are none here.
async fn elsewhere(seen: &Seen, turn: &Turn, stream: &mpsc::Sender<Value>, shared: &Shared) {
    for step in &turn.moves {
        if let Move::Say { .. } | Move::Progress(_) | Move::Result(_) | Move::Error(_) = step {
            drop(stream.send(message_of(step, seen, shared)).await);
        }
    }
}

fn message_of(step: &Move, seen: &Seen, shared: &Shared) -> Value {
    let id = &seen.body["id"];
    match step {
        Move::Say { method, params } => json!({"jsonrpc": "2.0", "method": method, "params": params}),
        Move::Progress(progress) => progress_of(seen, *progress),
        Move::Error(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        Move::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": shared.of_era(result.clone())}),
        _ => Value::Null,
    }
}

fn progress_of(seen: &Seen, progress: f64) -> Value {
    let token = &seen.body["params"]["_meta"]["progressToken"];
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": progress}})
}
