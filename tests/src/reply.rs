//! What a scripted provider shall do with a request: a value, built fluently, turned into acts on the socket.

use std::io::Write as _;

use bytes::Bytes;
use serde_json::Value;

use crate::http1::{LAST_CHUNK, chunk};
use crate::upstream::Received;
use crate::wire::{Answer, embeddings};

/// One step a provider takes on its side of the connection.
#[derive(Debug)]
pub(crate) enum Act {
    /// Write these bytes.
    Send(Bytes),
    /// Wait for the test's `step`.
    Pause,
    /// Do nothing more until the peer goes.
    Hang,
    /// Close the connection properly (FIN).
    Close,
    /// Break the connection (RST).
    Reset,
}

/// A provider's behaviour for one request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    content: Content,
    pace: Pace,
    end: End,
    declared_length: Option<usize>,
}

#[derive(Clone, Debug)]
enum Content {
    /// In the dialect of the request, streamed if it asked for a stream.
    Answer(Answer),
    /// An error in the dialect of the request.
    Error(String),
    /// These bytes, whatever was asked, as frames of one body.
    Raw { content_type: &'static str, frames: Vec<Bytes> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    AtOnce,
    /// The test releases every frame of the body.
    Stepped,
    /// The test releases the head and the rest at once.
    BeforeHead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    StallBeforeHead,
    StallAfterFrames(usize),
    CloseAfterFrames(usize),
    ResetAfterFrames(usize),
    CloseBeforeHead,
    CutAfterBytes(usize),
}

impl Reply {
    fn new(status: u16, content: Content) -> Self {
        Self { status, headers: Vec::new(), content, pace: Pace::AtOnce, end: End::Whole, declared_length: None }
    }

    /// Answers with this.
    #[must_use]
    pub fn answer(answer: Answer) -> Self {
        Self::new(200, Content::Answer(answer))
    }

    /// Answers with a text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::answer(Answer::text(text))
    }

    /// Refuses with a status and an error body in its own dialect.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::new(status, Content::Error(message.to_owned()))
    }

    /// Answers these bytes, whatever was asked.
    #[must_use]
    pub fn raw(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(200, Content::Raw { content_type, frames: vec![body.into()] })
    }

    /// Answers a web page, as a proxy in front of a provider does.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self { status, ..Self::raw("text/html", "<html><body><h1>Bad gateway</h1></body></html>") }
    }

    /// Answers nothing at all, successfully.
    #[must_use]
    pub fn empty() -> Self {
        Self::raw("application/json", "")
    }

    /// A stream of these raw frames.
    #[must_use]
    pub fn frames(frames: &[&str]) -> Self {
        let frames = frames.iter().map(|frame| Bytes::copy_from_slice(frame.as_bytes())).collect();
        Self::new(200, Content::Raw { content_type: "text/event-stream", frames })
    }

    /// 64 MiB of spaces in a few kilobytes of gzip, sent though nobody asked for gzip.
    #[must_use]
    pub fn gzip_bomb() -> Self {
        Self::raw("application/json", gzip_of_spaces(64 << 20)).header("content-encoding", "gzip")
    }

    /// One line without an end, of this many bytes.
    #[must_use]
    pub fn endless_line(bytes: usize) -> Self {
        let mut line = b"data: ".to_vec();
        line.resize(bytes, b'x');
        let frames = line.chunks(64 << 10).map(Bytes::copy_from_slice).collect();
        Self::new(200, Content::Raw { content_type: "text/event-stream", frames }).stall_after_frames(usize::MAX)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends each frame of the body only when the test says [`crate::Upstream::step`].
    #[must_use]
    pub fn stepped(mut self) -> Self {
        self.pace = Pace::Stepped;
        self
    }

    /// Sends everything, but only after the test says [`crate::Upstream::step`].
    #[must_use]
    pub fn held(mut self) -> Self {
        self.pace = Pace::BeforeHead;
        self
    }

    /// Takes the request and never answers.
    #[must_use]
    pub fn stall_before_head(self) -> Self {
        self.ending(End::StallBeforeHead)
    }

    /// Sends the head and then nothing.
    #[must_use]
    pub fn stall_after_head(self) -> Self {
        self.ending(End::StallAfterFrames(0))
    }

    /// Sends this many frames and then nothing, with the connection open.
    #[must_use]
    pub fn stall_after_frames(self, frames: usize) -> Self {
        self.ending(End::StallAfterFrames(frames))
    }

    /// Takes the request and closes.
    #[must_use]
    pub fn close_before_head(self) -> Self {
        self.ending(End::CloseBeforeHead)
    }

    /// Sends this many frames and closes without the end of the body.
    #[must_use]
    pub fn close_after_frames(self, frames: usize) -> Self {
        self.ending(End::CloseAfterFrames(frames))
    }

    /// Sends this many frames and breaks the connection.
    #[must_use]
    pub fn reset_after_frames(self, frames: usize) -> Self {
        self.ending(End::ResetAfterFrames(frames))
    }

    /// Ends the body properly after this many of its bytes: half an answer in a whole envelope.
    #[must_use]
    pub fn cut_after_bytes(self, bytes: usize) -> Self {
        self.ending(End::CutAfterBytes(bytes))
    }

    /// Declares a content-length that the body does not have, and closes after the body.
    #[must_use]
    pub fn declaring_length(mut self, bytes: usize) -> Self {
        self.declared_length = Some(bytes);
        self
    }

    fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// What the provider does on the socket for this request.
    pub(crate) fn acts(&self, received: &Received) -> Vec<Act> {
        let (content_type, mut frames, streamed) = self.body(received);
        if let End::CutAfterBytes(bytes) = self.end {
            frames = cut(&frames, bytes);
        }
        let chunked = streamed && self.declared_length.is_none();
        let length: usize = self.declared_length.unwrap_or_else(|| frames.iter().map(Bytes::len).sum());
        let mut acts = Vec::with_capacity(frames.len() + 3);
        match self.end {
            End::StallBeforeHead => return vec![Act::Hang],
            End::CloseBeforeHead => return vec![Act::Close],
            _ => {}
        }
        if self.pace == Pace::BeforeHead {
            acts.push(Act::Pause);
        }
        acts.push(Act::Send(self.head(content_type, (!chunked).then_some(length))));
        for (sent, frame) in frames.iter().enumerate() {
            match self.end {
                End::StallAfterFrames(frames) if sent == frames => return ended(acts, Act::Hang),
                End::CloseAfterFrames(frames) if sent == frames => return ended(acts, Act::Close),
                End::ResetAfterFrames(frames) if sent == frames => return ended(acts, Act::Reset),
                _ => {}
            }
            if self.pace == Pace::Stepped {
                acts.push(Act::Pause);
            }
            acts.push(Act::Send(if chunked { Bytes::from(chunk(frame)) } else { frame.clone() }));
        }
        match self.end {
            End::StallAfterFrames(_) => return ended(acts, Act::Hang),
            End::CloseAfterFrames(_) => return ended(acts, Act::Close),
            End::ResetAfterFrames(_) => return ended(acts, Act::Reset),
            _ => {}
        }
        if chunked {
            acts.push(Act::Send(Bytes::from_static(LAST_CHUNK)));
        }
        if self.declared_length.is_some() {
            acts.push(Act::Close);
        }
        acts
    }

    fn body(&self, received: &Received) -> (&'static str, Vec<Bytes>, bool) {
        if let Content::Raw { content_type, frames } = &self.content {
            return (content_type, frames.clone(), *content_type == "text/event-stream");
        }
        let request = received.json();
        if let (Content::Answer(_), Some(vectors)) = (&self.content, embeddings::answer(&received.path, &request)) {
            return ("application/json", vec![vectors], false);
        }
        let Some(dialect) = received.dialect else {
            return ("text/plain", vec![Bytes::from_static(b"no dialect has this path")], false);
        };
        match &self.content {
            Content::Answer(answer) if dialect.wants_stream(&received.path, &request) => {
                (dialect.stream_type(), dialect.frames(&received.model, answer, &request), true)
            }
            Content::Answer(answer) => ("application/json", vec![dialect.unary(&received.model, answer)], false),
            Content::Error(message) => ("application/json", vec![dialect.error(self.status, message)], false),
            Content::Raw { .. } => unreachable!("returned above"),
        }
    }

    fn head(&self, content_type: &str, length: Option<usize>) -> Bytes {
        let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-type: {content_type}\r\n", self.status);
        match length {
            Some(length) => head.push_str(&format!("content-length: {length}\r\n")),
            None => head.push_str("transfer-encoding: chunked\r\n"),
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Bytes::from(head)
    }
}

fn ended(mut acts: Vec<Act>, last: Act) -> Vec<Act> {
    acts.push(last);
    acts
}

fn cut(frames: &[Bytes], bytes: usize) -> Vec<Bytes> {
    let mut left = bytes;
    let mut kept = Vec::new();
    for frame in frames {
        let len = frame.len().min(left);
        left -= len;
        if len > 0 {
            kept.push(frame.slice(..len));
        }
    }
    kept
}

/// Gzip of this many spaces.
#[must_use]
pub fn gzip_of_spaces(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = [b' '; 64 << 10];
    for _ in 0..bytes / block.len() {
        encoder.write_all(&block).expect("writing to memory");
    }
    encoder.finish().expect("writing to memory")
}

/// The JSON body of a request, or null.
pub(crate) fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}
