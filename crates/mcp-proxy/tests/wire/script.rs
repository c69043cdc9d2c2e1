//! A scripted HTTP server over raw TCP: it answers each request with the steps a test gives, and remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| &**value)
    }
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
    pub(crate) fn id(&self) -> &Value {
        &self.body["id"]
    }
}

/// One step of an answer.
pub(crate) enum Step {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, each in a segment of its own.
    Drip(Vec<u8>),
    /// Nothing until the client closes.
    Hang,
    /// The end of the connection.
    Close,
}

/// A server that runs.
pub(crate) struct Script {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    changed: watch::Receiver<usize>,
    /// Connections that clients have closed while an answer was under way.
    pub(crate) left: watch::Receiver<usize>,
    pub(crate) connections: Arc<AtomicUsize>,
}

type Answer = dyn Fn(&Asked) -> Vec<Step> + Send + Sync;

/// Starts a server that answers as `answer` says.
pub(crate) async fn serve(answer: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (asked, answer): (Arc<Mutex<Vec<Asked>>>, Arc<Answer>) = (Arc::default(), Arc::new(answer));
    let (count, changed) = watch::channel(0);
    let (leave, left) = watch::channel(0);
    let connections = Arc::new(AtomicUsize::new(0));
    let script = Script { origin, asked: Arc::clone(&asked), changed, left, connections: Arc::clone(&connections) };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (asked, answer, count, leave) = (Arc::clone(&asked), Arc::clone(&answer), count.clone(), leave.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let mut stream = stream;
                while let Some(request) = read(&mut stream).await {
                    asked.lock().unwrap().push(request.clone());
                    let steps = answer(&request);
                    count.send_modify(|count| *count += 1);
                    if !play(&mut stream, steps, &leave).await {
                        return;
                    }
                }
            });
        }
    });
    script
}

impl Script {
    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// Everything it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The methods it was asked for, verbs where there is none.
    pub(crate) fn methods(&self) -> Vec<String> {
        let name = |asked: &Asked| match asked.method() {
            "" if asked.verb == "POST" => "(response)".to_owned(),
            "" => asked.verb.clone(),
            method => method.to_owned(),
        };
        self.asked().iter().map(name).collect()
    }

    /// Waits until it has been asked something.
    pub(crate) async fn until(&self, mut is_it: impl FnMut(&Asked) -> bool) -> Asked {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                if let Some(found) = self.asked().into_iter().find(&mut is_it) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("it was never asked that")
    }

    /// Waits until clients have closed so many connections in the middle of an answer.
    pub(crate) async fn until_left(&self, times: usize) {
        let mut left = self.left.clone();
        let wait = left.wait_for(|left| *left >= times);
        drop(tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("nobody left").unwrap());
    }
}

async fn play(stream: &mut TcpStream, steps: Vec<Step>, leave: &watch::Sender<usize>) -> bool {
    for step in steps {
        let sent = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Drip(bytes) => drip(stream, &bytes).await,
            Step::Close => return false,
            Step::Hang => {
                while matches!(stream.read(&mut [0; 64]).await, Ok(read) if read > 0) {}
                leave.send_modify(|left| *left += 1);
                return false;
            }
        };
        if sent.is_err() {
            leave.send_modify(|left| *left += 1);
            return false;
        }
    }
    true
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (verb, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[head + 4..head + 4 + length]).unwrap_or(Value::Null);
    Some(Asked { verb, path, headers, body })
}

/// An answer without a stream.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Step> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    vec![Step::Send(
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    )]
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> Vec<Step> {
    answer(status, &[("content-type", "application/json")], &body.to_string())
}

/// A result.
pub(crate) fn result(asked: &Asked, result: &Value) -> Vec<Step> {
    json(200, &serde_json::json!({"jsonrpc": "2.0", "id": asked.id(), "result": result}))
}

/// An error.
pub(crate) fn error(status: u16, asked: &Asked, code: i64) -> Vec<Step> {
    json(status, &serde_json::json!({"jsonrpc": "2.0", "id": asked.id(), "error": {"code": code, "message": "no"}}))
}

/// The head of a stream.
pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// Text as a piece of a stream.
pub(crate) fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// A message as an event in a piece of a stream.
pub(crate) fn event(message: &Value) -> Vec<u8> {
    chunk(&format!("event: message\ndata: {message}\n\n"))
}

/// The end of a stream.
pub(crate) fn stream_end() -> Vec<u8> {
    b"0\r\n\r\n".to_vec()
}

/// A whole stream of these messages.
pub(crate) fn stream(messages: &[Value]) -> Vec<u8> {
    let mut bytes = stream_head();
    messages.iter().for_each(|message| bytes.extend(event(message)));
    bytes.extend(stream_end());
    bytes
}
