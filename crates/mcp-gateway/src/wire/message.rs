//! One JSON-RPC message: the envelope typed, everything inside as the bytes that came.

use std::sync::Arc;

use bytes::Bytes;

/// The text of one JSON value, known to be well-formed; a slice of what came off the wire wherever it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw(Bytes);

impl Raw {
    /// Takes text that is known to be one JSON value.
    #[must_use]
    pub fn trusted(text: Bytes) -> Self {
        Self(text)
    }
    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// The id of a request. Its type is kept: `1` and `"1"` are two ids; `1.0` is `1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Arc<str>),
}

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
