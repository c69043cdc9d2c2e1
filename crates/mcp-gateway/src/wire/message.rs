//! One JSON-RPC message: the envelope typed, everything inside as the bytes that came.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::raw::put_text;
use super::{Id, Raw};

/// A request: something that gets a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id its sender chose.
    pub id: Id,
    /// `tools/call`, …
    pub method: Arc<str>,
    /// The `params` object, if there is one.
    pub params: Option<Raw>,
}

/// A notification: something that gets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `notifications/progress`, …
    pub method: Arc<str>,
    /// The `params` object, if there is one.
    pub params: Option<Raw>,
}

/// A response: a result or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The id of the request; `None` only in an error to a request whose id could not be read.
    pub id: Option<Id>,
    /// The `result` object, or the `error`.
    pub outcome: Result<Raw, RpcError>,
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RpcError {
    /// The number.
    pub code: i64,
    /// The sentence.
    pub message: String,
    /// Anything more.
    pub data: Option<Raw>,
}

/// Any message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Wants a response.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is one.
    Response(Response),
}

impl Request {
    /// A request.
    #[must_use]
    pub fn new(id: Id, method: impl Into<Arc<str>>, params: Option<Raw>) -> Self {
        Self { id, method: method.into(), params }
    }

    /// As JSON; what is inside keeps its bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut text = begun(self.params.as_ref());
        put_id(&mut text, Some(&self.id));
        put_call(&mut text, &self.method, self.params.as_ref());
        text.put_u8(b'}');
        text.freeze()
    }
}

impl Notification {
    /// A notification.
    #[must_use]
    pub fn new(method: impl Into<Arc<str>>, params: Option<Raw>) -> Self {
        Self { method: method.into(), params }
    }
}

impl Response {
    /// A result.
    #[must_use]
    pub fn result(id: Id, result: Raw) -> Self {
        Self { id: Some(id), outcome: Ok(result) }
    }

    /// An error; without an id, where it could not be read.
    #[must_use]
    pub fn error(id: Option<Id>, error: RpcError) -> Self {
        Self { id, outcome: Err(error) }
    }

    /// As JSON in pieces, of which a long result is one: what is shared with other answers is not copied for each of them.
    #[must_use]
    pub fn write_pieces(self) -> (Bytes, Option<Box<[Bytes; 2]>>) {
        match self.outcome {
            Ok(result) if result.bytes().len() > JOINED_BYTES_MAX => {
                let mut head = begun(None);
                put_id(&mut head, self.id.as_ref());
                head.extend_from_slice(RESULT);
                (head.freeze(), Some(Box::new([result.bytes().clone(), Bytes::from_static(b"}")])))
            }
            outcome => (Message::from(Self { id: self.id, outcome }).write(), None),
        }
    }
}

impl RpcError {
    /// An error without data.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same with data.
    #[must_use]
    pub fn with_data(mut self, data: Raw) -> Self {
        self.data = Some(data);
        self
    }

    /// The `error` object.
    #[must_use]
    pub fn raw(&self) -> Raw {
        let mut text = BytesMut::new();
        self.put(&mut text);
        Raw::trusted(text.freeze())
    }

    fn put(&self, text: &mut BytesMut) {
        text.extend_from_slice(b"{\"code\":");
        text.extend_from_slice(self.code.to_string().as_bytes());
        text.extend_from_slice(b",\"message\":");
        put_text(text, &self.message);
        if let Some(data) = &self.data {
            text.extend_from_slice(b",\"data\":");
            text.extend_from_slice(data.bytes());
        }
        text.put_u8(b'}');
    }
}

impl Message {
    /// As JSON; what is inside keeps its bytes.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let mut text = begun(self.inside());
        match self {
            Self::Request(request) => return request.write(),
            Self::Notification(notification) => {
                put_call(&mut text, &notification.method, notification.params.as_ref());
            }
            Self::Response(response) => {
                put_id(&mut text, response.id.as_ref());
                match &response.outcome {
                    Ok(result) => {
                        text.extend_from_slice(RESULT);
                        text.extend_from_slice(result.bytes());
                    }
                    Err(error) => {
                        text.extend_from_slice(b",\"error\":");
                        error.put(&mut text);
                    }
                }
            }
        }
        text.put_u8(b'}');
        text.freeze()
    }

    /// As JSON without line breaks and without one at its end: a line of a stdio stream, the `data` of an event.
    #[must_use]
    pub fn write_line(&self) -> Bytes {
        Raw::trusted(self.write()).on_one_line().bytes().clone()
    }

    /// The method, of what has one.
    #[must_use]
    pub fn method(&self) -> Option<&Arc<str>> {
        match self {
            Self::Request(Request { method, .. }) | Self::Notification(Notification { method, .. }) => Some(method),
            Self::Response(_) => None,
        }
    }

    /// The id, of what has one.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Request(request) => Some(&request.id),
            Self::Notification(_) => None,
            Self::Response(response) => response.id.as_ref(),
        }
    }

    /// The `params` of what has a method.
    #[must_use]
    pub fn params(&self) -> Option<&Raw> {
        match self {
            Self::Request(Request { params, .. }) | Self::Notification(Notification { params, .. }) => params.as_ref(),
            Self::Response(_) => None,
        }
    }

    fn inside(&self) -> Option<&Raw> {
        match self {
            Self::Response(response) => response.outcome.as_ref().ok(),
            _ => self.params(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}
impl From<Notification> for Message {
    fn from(notification: Notification) -> Self {
        Self::Notification(notification)
    }
}
impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Results up to this size are copied behind their head: to send three pieces costs more than that.
const JOINED_BYTES_MAX: usize = 16 << 10;

const RESULT: &[u8] = b",\"result\":";

/// The beginning of any message, with room for what is inside.
fn begun(inside: Option<&Raw>) -> BytesMut {
    let mut text = BytesMut::with_capacity(inside.map_or(0, |raw| raw.bytes().len()) + 128);
    text.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    text
}

/// An error to a request whose id could not be read has none: the schemas of the protocol know no `null` there.
fn put_id(text: &mut BytesMut, id: Option<&Id>) {
    if let Some(id) = id {
        text.extend_from_slice(b",\"id\":");
        id.put(text);
    }
}

fn put_call(text: &mut BytesMut, method: &str, params: Option<&Raw>) {
    text.extend_from_slice(b",\"method\":");
    put_text(text, method);
    if let Some(params) = params {
        text.extend_from_slice(b",\"params\":");
        text.extend_from_slice(params.bytes());
    }
}
