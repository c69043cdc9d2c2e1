//! What a scripted server does with one request: messages, questions to the client, pauses, faults, in this order.

use serde_json::{Value, json};

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// A notification on the request's stream.
    Say { method: String, params: Value },
    /// Progress, under the token the request came with.
    Progress(f64),
    /// A request to the client; goes on when it has answered.
    Ask { method: String, params: Value },
    /// The same on the `GET` stream of the session.
    AskBeside { method: String, params: Value },
    /// Waits for the test.
    Pause,
    /// The result.
    Result(Value),
    /// The error.
    Error(Value),
    /// Bytes that are no message.
    Bytes(Vec<u8>),
    /// One more piece of a line that never ends, again and again.
    EndlessLine,
    /// Progress, again and again.
    EndlessProgress,
    /// Comments, again and again: a stream that is there and says nothing.
    EndlessComments,
    /// An answer of which one more byte comes just often enough, without end.
    Drip(Drip),
    /// Breaks the connection.
    Cut,
    /// Says nothing more.
    Hang,
}

/// Which part of an answer comes byte by byte.
#[derive(Clone, Copy, Debug)]
pub enum Drip {
    /// Its head.
    Head,
    /// A body of JSON.
    Body,
    /// An event of a stream.
    Event,
}

impl Drip {
    /// What stands before the part, and how the part begins.
    pub(super) const fn begin(self) -> (&'static str, &'static str) {
        const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";
        const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        match self {
            Self::Head => ("", "HTTP/1.1 200 OK\r\nx-drip: "),
            Self::Body => (JSON, r#"{"jsonrpc":"2.0","result":{"_meta":{"x":""#),
            Self::Event => (STREAM, r#"data: {"jsonrpc":"2.0","method":""#),
        }
    }
}

/// An HTTP answer that is no MCP message.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What to do with a request.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub(super) moves: Vec<Move>,
    pub(super) plain: Option<Plain>,
    pub(super) streamed: bool,
}

impl Turn {
    /// A tool's result of one text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::result(json!({"content": [{"type": "text", "text": text}]}))
    }

    /// This result.
    #[must_use]
    pub fn result(result: Value) -> Self {
        Self::default().with(Move::Result(result))
    }

    /// This error.
    #[must_use]
    pub fn error(code: i64, message: &str) -> Self {
        Self::default().with(Move::Error(json!({"code": code, "message": message})))
    }

    /// This error with `data`.
    #[must_use]
    pub fn error_with(code: i64, message: &str, data: Value) -> Self {
        Self::default().with(Move::Error(json!({"code": code, "message": message, "data": data})))
    }

    /// An HTTP status and a body that is no MCP message.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        let plain = Plain { status, headers: Vec::new(), body: body.to_owned() };
        Self { plain: Some(plain), ..Self::default() }
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::status(307, "").header("location", location)
    }

    /// With this header; only on what [`Turn::status`] or [`Turn::redirect`] made.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(plain) = &mut self.plain {
            plain.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Never answers.
    #[must_use]
    pub fn silence() -> Self {
        Self::default().with(Move::Hang)
    }

    /// Progress without end.
    #[must_use]
    pub fn endless_progress() -> Self {
        Self::default().with(Move::EndlessProgress)
    }

    /// A stream that is kept alive without end, and says nothing.
    #[must_use]
    pub fn endless_comments() -> Self {
        Self::default().with(Move::EndlessComments)
    }

    /// A line without end.
    #[must_use]
    pub fn endless_line() -> Self {
        Self::default().with(Move::EndlessLine)
    }

    /// An answer of which one more byte comes every now and then, without end.
    #[must_use]
    pub fn dripping(part: Drip) -> Self {
        Self::default().with(Move::Drip(part))
    }

    /// A stream that breaks before its result.
    #[must_use]
    pub fn cut() -> Self {
        Self::default().with(Move::Progress(1.0)).with(Move::Cut)
    }

    /// Bytes that are no message in the place of the answer.
    #[must_use]
    pub fn garbage(bytes: &[u8]) -> Self {
        Self::default().with(Move::Bytes(bytes.to_vec()))
    }

    /// Before all else, this notification.
    #[must_use]
    pub fn after(self, method: &str, params: Value) -> Self {
        self.first(Move::Say { method: method.to_owned(), params })
    }

    /// Before all else, progress under the token of the request.
    #[must_use]
    pub fn after_progress(self, progress: f64) -> Self {
        self.first(Move::Progress(progress))
    }

    /// Before all else, a request to the client, and its answer is waited for.
    #[must_use]
    pub fn after_asking(self, method: &str, params: Value) -> Self {
        self.first(Move::Ask { method: method.to_owned(), params })
    }

    /// The same on the `GET` stream of the session, as servers do that do not say which request a question belongs to.
    #[must_use]
    pub fn after_asking_beside(self, method: &str, params: Value) -> Self {
        self.first(Move::AskBeside { method: method.to_owned(), params })
    }

    /// Before all else, waits for the test to say `step`.
    #[must_use]
    pub fn after_pause(self) -> Self {
        self.first(Move::Pause)
    }

    /// As a stream, even where one message would do.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    fn with(mut self, step: Move) -> Self {
        self.moves.push(step);
        self
    }

    fn first(mut self, step: Move) -> Self {
        self.moves.insert(0, step);
        self
    }

    /// Is one JSON body enough? Pauses before it do not change that.
    pub(super) fn is_whole(&self) -> bool {
        let mut said = self.moves.iter().filter(|step| !matches!(step, Move::Pause));
        !self.streamed
            && matches!((said.next(), said.next()), (Some(Move::Result(_) | Move::Error(_) | Move::Bytes(_)), None))
    }

    /// Does it begin with silence, or write its head itself? Then none is sent.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.moves.first(), None | Some(Move::Hang | Move::Drip(_)))
    }
}
