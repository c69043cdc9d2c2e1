//! What a request says in `_meta`.

use std::str::FromStr;
use std::sync::Arc;

use crate::wire::{Id, Raw};

use super::{Refusal, Revision};

/// Names of members of `_meta` (2026-07-28, basic, `_meta`).
pub mod key {
    /// The revision of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// The client's name and version.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// What the client can.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// The log messages a request wants.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// The `subscriptions/listen` a notification belongs to.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// The server's name and version, in results.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    /// The task a message belongs to (2025-11-25).
    pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
    /// What progress is reported under.
    pub const PROGRESS_TOKEN: &str = "progressToken";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// W3C trace context.
    pub const TRACESTATE: &str = "tracestate";
    /// W3C baggage.
    pub const BAGGAGE: &str = "baggage";
}

/// How loud a log message is (RFC 5424), quietest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warning`
    Warning,
    /// `error`
    Error,
    /// `critical`
    Critical,
    /// `alert`
    Alert,
    /// `emergency`
    Emergency,
}

/// What a client says of itself, whichever way its era has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The revision it speaks.
    pub revision: Revision,
    /// Its `capabilities` object, as it declared it.
    pub capabilities: Raw,
    /// Its `clientInfo` object, if it said one.
    pub info: Option<Raw>,
    /// The log messages it wants for this request.
    pub log_level: Option<LogLevel>,
}

impl Speaker {
    /// Reads it from the `_meta` of a modern request: shape first, then the revision.
    ///
    /// # Errors
    /// `Meta` for a missing or wrong member, `Version` for a revision that is not spoken.
    pub fn of_params(_params: Option<&Raw>) -> Result<Self, Refusal> {
        todo!()
    }

    /// Reads it from the `params` of `initialize`; the revision is the one to be answered.
    ///
    /// # Errors
    /// `Params` for a missing or wrong member.
    pub fn of_initialize(_params: Option<&Raw>) -> Result<Self, Refusal> {
        todo!()
    }
}

/// What `_meta` of some `params` says of the trace; `None` where it is not said or not well-formed.
#[must_use]
pub fn traceparent(_params: Option<&Raw>) -> Option<Arc<str>> {
    todo!()
}

/// The token that progress of a request is to be reported under.
#[must_use]
pub fn progress_token(_params: Option<&Raw>) -> Option<Id> {
    todo!()
}

/// The same `params` with another progress token, or none.
#[must_use]
pub fn with_progress_token(_params: Option<&Raw>, _token: Option<&Id>) -> Option<Raw> {
    todo!()
}

impl LogLevel {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// A word that is no log level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log level; there are debug, info, notice, warning, error, critical, alert and emergency")]
pub struct UnknownLevel(pub String);

impl FromStr for LogLevel {
    type Err = UnknownLevel;
    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        let all = [
            Self::Debug,
            Self::Info,
            Self::Notice,
            Self::Warning,
            Self::Error,
            Self::Critical,
            Self::Alert,
            Self::Emergency,
        ];
        all.into_iter().find(|level| level.as_str() == word).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}
