//! A caller: blocking, one connection per call, shows status, headers and body as they came.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PATIENCE;
use crate::http1::{Framing, Head, Part};
use crate::wire::{Dialect, event_stream};

/// Between two bytes of a request that drips.
const DRIP: Duration = Duration::from_millis(20);

/// Where a caller puts its key (DESIGN §3.4: every one works on every path).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-api-key`.
    XApiKey,
    /// `api-key`.
    ApiKey,
    /// `x-goog-api-key`.
    XGoogApiKey,
    /// `?key=`.
    Query,
    /// The access key id of an AWS Signature Version 4.
    SigV4,
}

impl Carrier {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Bearer, Self::XApiKey, Self::ApiKey, Self::XGoogApiKey, Self::Query, Self::SigV4];
}

/// A caller with a key.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    key: Option<String>,
    carrier: Carrier,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A caller without a key.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, key: None, carrier: Carrier::Bearer, headers: Vec::new() }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Carrying the key like this.
    #[must_use]
    pub fn carrying(mut self, carrier: Carrier) -> Self {
        self.carrier = carrier;
        self
    }

    /// With one more header on every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One user turn in this dialect, answered in whole.
    #[must_use]
    pub fn ask(&self, dialect: Dialect, model: &str, prompt: &str) -> Response {
        self.post(&dialect.path(model, false), &dialect.request(model, prompt, false))
    }

    /// One user turn in this dialect, answered as a stream.
    #[must_use]
    pub fn ask_stream(&self, dialect: Dialect, model: &str, prompt: &str) -> Stream {
        let body = dialect.request(model, prompt, true).to_string();
        self.send("POST", &dialect.path(model, true), body.as_bytes()).head(dialect)
    }

    /// Posts JSON.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    /// Puts JSON.
    #[must_use]
    pub fn put(&self, path: &str, body: &Value) -> Response {
        self.send("PUT", path, body.to_string().as_bytes()).response()
    }

    /// Deletes a path.
    #[must_use]
    pub fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, b"").response()
    }

    /// Posts bytes as they are.
    #[must_use]
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Response {
        self.send("POST", path, body).response()
    }

    /// Gets a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, b"").response()
    }

    /// Sends a request and leaves the answer to the test.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Raw {
        self.try_send(method, path, body).expect("the gateway takes connections")
    }

    /// Sends a request to a gateway that may be gone.
    #[must_use]
    pub fn try_send(&self, method: &str, path: &str, body: &[u8]) -> Option<Raw> {
        let mut request = self.head(method, path, &[("content-length", &body.len().to_string())]).into_bytes();
        request.extend_from_slice(body);
        self.try_send_raw(&request)
    }

    /// Opens a connection and writes these bytes, whatever they are.
    #[must_use]
    pub fn send_raw(&self, bytes: &[u8]) -> Raw {
        self.try_send_raw(bytes).expect("the gateway takes connections")
    }

    fn try_send_raw(&self, bytes: &[u8]) -> Option<Raw> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).ok()?;
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        let mut raw = Raw { stream, buffer: Vec::new() };
        raw.write(bytes);
        Some(raw)
    }

    /// The head of a request with this caller's headers and key, and these more.
    #[must_use]
    pub fn head(&self, method: &str, path: &str, more: &[(&str, &str)]) -> String {
        let mut path = path.to_owned();
        let mut headers = self.headers.clone();
        if let Some(key) = &self.key {
            match self.carrier {
                Carrier::Bearer => headers.push(("authorization".to_owned(), format!("Bearer {key}"))),
                Carrier::XApiKey => headers.push(("x-api-key".to_owned(), key.clone())),
                Carrier::ApiKey => headers.push(("api-key".to_owned(), key.clone())),
                Carrier::XGoogApiKey => headers.push(("x-goog-api-key".to_owned(), key.clone())),
                Carrier::Query => {
                    path.push(if path.contains('?') { '&' } else { '?' });
                    path.push_str(&format!("key={key}"));
                }
                Carrier::SigV4 => headers.push(("authorization".to_owned(), sigv4(key))),
            }
        }
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if !headers.iter().any(|(name, _)| name == "content-type") {
            head.push_str("content-type: application/json\r\n");
        }
        for (name, value) in
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(more.iter().copied())
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head
    }
}

/// What an AWS SDK sends. The secret is the caller's own affair: the gateway knows the key by its id.
fn sigv4(key: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    )
}

/// Nothing has come yet.
fn is_early(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A connection with a request on its way.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    /// Writes more. A peer that has already closed is no failure: its answer may still be read.
    pub fn write(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Writes byte by byte, as slowly as an attacker, until there is an answer or the peer is gone: the answer, if there was one.
    ///
    /// # Panics
    /// When the socket cannot be read without waiting.
    #[must_use]
    pub fn drip(mut self, bytes: &[u8]) -> Option<Response> {
        for byte in bytes {
            self.stream.set_read_timeout(Some(DRIP)).expect("a read timeout");
            if !matches!(self.stream.peek(&mut [0]), Err(error) if is_early(&error)) {
                break;
            }
            self.write(&[*byte]);
        }
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        self.try_response()
    }

    /// Says that nothing more will be sent.
    pub fn finish_writing(&self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Goes away without reading the answer; returns when that was.
    pub fn leave(self) -> Instant {
        drop(self.stream);
        Instant::now()
    }

    /// Reads the whole answer.
    #[must_use]
    pub fn response(self) -> Response {
        self.try_response().expect("an answer from the gateway")
    }

    /// Reads the whole answer; `None` if the connection ends before one.
    #[must_use]
    pub fn try_response(mut self) -> Option<Response> {
        let head = self.read_head()?;
        // 204 and 304 have no body, whatever their head says.
        let mut framing = if [204, 304].contains(&status(&head)) { Framing::Length(0) } else { head.framing() };
        let mut body = Vec::new();
        let mut whole = true;
        loop {
            match framing.take(&mut self.buffer) {
                Part::Data(data) => body.extend_from_slice(&data),
                Part::End => break,
                Part::Wait if self.fill() => {}
                Part::Wait => {
                    whole = framing == Framing::UntilClose;
                    break;
                }
            }
        }
        Some(Response { status: status(&head), headers: head.headers, body, whole })
    }

    /// Reads the status and leaves the rest; `None` if the connection ends before one.
    #[must_use]
    pub fn try_head(mut self) -> Option<u16> {
        self.read_head().map(|head| status(&head))
    }

    /// Reads the head of a streamed answer.
    #[must_use]
    pub fn head(mut self, dialect: Dialect) -> Stream {
        let head = self.read_head().expect("a head from the gateway");
        let framing = head.framing();
        Stream {
            status: status(&head),
            headers: head.headers,
            raw: self,
            framing,
            dialect,
            pending: Vec::new(),
            scanned: 0,
            ended: None,
        }
    }

    fn read_head(&mut self) -> Option<Head> {
        loop {
            match Head::take(&mut self.buffer) {
                // 100 Continue and its like stand before the answer.
                Some(head) if head.first_line.contains(" 1") && status(&head) < 200 => {}
                Some(head) => return Some(head),
                None => {
                    if !self.fill() {
                        return None;
                    }
                }
            }
        }
    }

    /// Reads more bytes; false at the end. Panics when nothing comes for [`PATIENCE`]: something hangs.
    fn fill(&mut self) -> bool {
        let mut block = [0; 16 << 10];
        match self.stream.read(&mut block) {
            Ok(0) => false,
            Ok(len) => {
                self.buffer.extend_from_slice(&block[..len]);
                true
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("the gateway hangs: nothing came for {PATIENCE:?}")
            }
            Err(_) => false,
        }
    }
}

fn status(head: &Head) -> u16 {
    head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Vec<u8>,
    /// Did the body end as its framing said it would?
    pub whole: bool,
}

impl Response {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("JSON, not {:?}: {error}", self.text()))
    }

    /// Asserts success and returns the visible text of the answer.
    #[must_use]
    #[track_caller]
    pub fn said(&self, dialect: Dialect) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        dialect.text_of(&self.json())
    }

    /// Asserts a refusal with this status in the shape of the dialect, and returns its message.
    #[must_use]
    #[track_caller]
    pub fn refused(&self, dialect: Dialect, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        dialect
            .error_message(&self.json())
            .unwrap_or_else(|| panic!("an error as {} clients expect it, not {}", dialect.name(), self.text()))
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    Broken,
}

/// A streamed answer, read step by step.
#[derive(Debug)]
pub struct Stream {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    raw: Raw,
    framing: Framing,
    dialect: Dialect,
    pending: Vec<u8>,
    scanned: usize,
    ended: Option<Ended>,
}

impl Stream {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next event; `None` at the end of the body, proper or not. `data: [DONE]` is the string `"[DONE]"`.
    pub fn next_event(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.take_event() {
                return Some(event);
            }
            match self.next_bytes() {
                Some(bytes) => self.pending.extend_from_slice(&bytes),
                None => return None,
            }
        }
    }

    /// The next event that says something to the reader, and what it says.
    pub fn next_text(&mut self) -> Option<String> {
        loop {
            let text = self.dialect.text_of_event(&self.next_event()?);
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// All events to the end.
    #[must_use]
    pub fn events(mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next_event()).collect()
    }

    /// The whole body to the end, byte for byte.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        self.rest()
    }

    /// What of the body was not read yet, to the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.pending);
        while let Some(more) = self.next_bytes() {
            bytes.extend_from_slice(&more);
        }
        bytes
    }

    /// The answer in whole: text, whether it ended well, whether an error stood in it.
    #[must_use]
    pub fn outcome(mut self) -> StreamOutcome {
        let mut outcome = StreamOutcome::default();
        while let Some(event) = self.next_event() {
            outcome.text.push_str(&self.dialect.text_of_event(&event));
            outcome.terminal |= self.dialect.is_terminal(&event) && !self.dialect.is_error_event(&event);
            outcome.error |= self.dialect.is_error_event(&event);
        }
        outcome.broken = self.ended == Some(Ended::Broken);
        outcome
    }

    /// Goes away in the middle; returns when that was.
    pub fn leave(self) -> Instant {
        self.raw.leave()
    }

    /// The answer as a whole one: for a call that was refused before any stream began.
    #[must_use]
    pub fn response(mut self) -> Response {
        let mut body = std::mem::take(&mut self.pending);
        while let Some(more) = self.next_bytes() {
            body.extend_from_slice(&more);
        }
        Response { status: self.status, headers: self.headers, body, whole: self.ended == Some(Ended::Whole) }
    }

    fn next_bytes(&mut self) -> Option<Vec<u8>> {
        if self.ended.is_some() {
            return None;
        }
        loop {
            match self.framing.take(&mut self.raw.buffer) {
                Part::Data(data) => return Some(data),
                Part::End => {
                    self.ended = Some(Ended::Whole);
                    return None;
                }
                Part::Wait if self.raw.fill() => {}
                Part::Wait => {
                    self.ended = Some(if self.framing == Framing::UntilClose { Ended::Whole } else { Ended::Broken });
                    return None;
                }
            }
        }
    }

    /// The next whole frame. What has been looked at is not looked at again: a line may be endless.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let found = (self.scanned..self.pending.len()).find_map(|at| Some((at, blank_line(&self.pending[at..])?)));
        let Some((at, len)) = found else {
            self.scanned = self.pending.len().saturating_sub(3);
            return None;
        };
        self.scanned = 0;
        Some(self.pending.drain(..at + len).collect())
    }

    fn take_event(&mut self) -> Option<Value> {
        if self.dialect == Dialect::Bedrock {
            return event_stream::take(&mut self.pending);
        }
        loop {
            let frame = self.take_frame()?;
            let frame = String::from_utf8(frame).expect("UTF-8 in a stream");
            let data: Vec<&str> = frame.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            if data.is_empty() {
                continue; // a comment
            }
            let data = data.iter().map(|line| line.trim_start()).collect::<Vec<_>>().join("\n");
            return Some(serde_json::from_str(&data).unwrap_or(Value::String(data)));
        }
    }
}

/// Length of what ends a frame and begins here: a blank line, with either kind of line end.
fn blank_line(bytes: &[u8]) -> Option<usize> {
    [b"\n\n".as_slice(), b"\r\n\r\n"].into_iter().find(|end| bytes.starts_with(end)).map(<[u8]>::len)
}

/// What became of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOutcome {
    /// All visible text.
    pub text: String,
    /// Was the dialect's closing event seen?
    pub terminal: bool,
    /// Was the dialect's in-band error seen?
    pub error: bool,
    /// Did the connection break before the body's end?
    pub broken: bool,
}
