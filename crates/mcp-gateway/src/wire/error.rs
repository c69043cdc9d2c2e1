//! Why bytes are no message.

use super::{Id, RpcError};

/// The numbers of JSON-RPC errors.
pub mod code {
    /// The bytes are no JSON (JSON-RPC 2.0 §5.1).
    pub const PARSE: i64 = -32700;
    /// The JSON is no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// No such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters do not fit the method; since 2026-07-28 also: no such resource.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Something went wrong here.
    pub const INTERNAL: i64 = -32603;
    /// No such resource (until 2025-11-25).
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// A URL has to be opened first (2025-11-25 only).
    pub const URL_ELICITATION_REQUIRED: i64 = -32042;
    /// A header and the body do not say the same (since 2026-07-28).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The client did not declare a capability that is needed (since 2026-07-28).
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// A revision that is not spoken (since 2026-07-28).
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// What is wrong with bytes that should be a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not UTF-8.
    #[error("the body is not UTF-8 (byte {at}); send JSON in UTF-8")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// Not JSON.
    #[error("the body is not JSON: {what}")]
    NotJson {
        /// What the parser says, and where.
        what: String,
    },
    /// Nested too deeply.
    #[error("the body is nested deeper than {} levels", super::DEPTH_MAX)]
    TooDeep,
    /// One object says a name twice.
    #[error("`{name}` stands twice in one object; send it once")]
    Twice {
        /// The name.
        name: String,
    },
    /// A name that others might read as one that matters.
    #[error("`{name}` is not `{meant}`, and others might take it for that; member names are case-sensitive")]
    Lookalike {
        /// As it stands there.
        name: String,
        /// What it looks like.
        meant: &'static str,
    },
    /// An array where no batch may be sent.
    #[error("an array of messages is for sessions of revision 2025-03-26 only; send one message per request")]
    Batch,
    /// A batch of none, or of too many.
    #[error("a batch holds {found} messages; between 1 and {} are taken", super::BATCH_MAX)]
    BatchSize {
        /// How many there are.
        found: usize,
    },
    /// JSON, but no message of JSON-RPC 2.0.
    #[error("this is no JSON-RPC 2.0 message: {0}")]
    Envelope(&'static str),
}

impl Malformed {
    /// The number of the JSON-RPC error.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::NotUtf8 { .. } | Self::NotJson { .. } | Self::TooDeep => code::PARSE,
            _ => code::INVALID_REQUEST,
        }
    }
}

/// Bytes that are no message, and the id to answer with where one could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unread {
    /// What is wrong. Over HTTP the status is 400, whatever the era.
    pub why: Malformed,
    /// The id of the request it would have been.
    pub id: Option<Id>,
}

impl Unread {
    /// As an error to answer with.
    #[must_use]
    pub fn rpc(&self) -> RpcError {
        RpcError::new(self.why.code(), self.why.to_string())
    }
}

impl From<Malformed> for Unread {
    fn from(why: Malformed) -> Self {
        Self { why, id: None }
    }
}

/// A foreign name as it may stand in an error or a log: short, on one line, nothing in it that turns other text around.
pub(crate) fn shown(name: &str) -> String {
    const SHOWN: usize = 80;
    let short: String = name.chars().take(SHOWN).collect();
    short.escape_debug().to_string()
}
