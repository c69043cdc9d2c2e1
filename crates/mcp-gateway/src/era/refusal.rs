//! Why a message that could be read is not taken, and how each era says so.

use crate::wire::{Raw, RpcError, code};

use super::{Era, Revision};

/// Why a request is not taken. Ordered as they are looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that mirrors the body is missing, unreadable, or says something else (-32020).
    #[error("Header mismatch: {0}")]
    HeaderMismatch(String),
    /// `_meta` lacks what each request must say, or says it in the wrong shape (-32602).
    #[error("Invalid params: {0}")]
    Meta(String),
    /// A revision that is not spoken (-32022).
    #[error("Unsupported protocol version")]
    Version {
        /// What was asked for.
        requested: String,
    },
    /// No such method in this revision (-32601).
    #[error("Method not found: {0}")]
    Method(String),
    /// Parameters that do not fit (-32602).
    #[error("Invalid params: {0}")]
    Params(String),
    /// The client did not declare a capability that is needed (-32021).
    #[error("This request needs capabilities that the client did not declare")]
    MissingCapability {
        /// A `ClientCapabilities` object with what is needed.
        required: Raw,
    },
}

impl Refusal {
    /// As an error to answer with.
    #[must_use]
    pub fn rpc(&self) -> RpcError {
        let error = RpcError::new(self.code(), self.to_string());
        match self {
            Self::Version { requested } => {
                // What `server/discover` says, too: the older ones are not asked for like this.
                let supported = Revision::MODERN.map(|revision| Raw::text(revision.as_str()));
                let data = [("supported", Raw::array(&supported)), ("requested", Raw::text(requested))];
                error.with_data(Raw::object(data))
            }
            Self::MissingCapability { required } => {
                error.with_data(Raw::object([("requiredCapabilities", required.clone())]))
            }
            _ => error,
        }
    }

    /// The number of the JSON-RPC error.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::HeaderMismatch(_) => code::HEADER_MISMATCH,
            Self::Meta(_) | Self::Params(_) => code::INVALID_PARAMS,
            Self::Version { .. } => code::UNSUPPORTED_VERSION,
            Self::Method(_) => code::METHOD_NOT_FOUND,
            Self::MissingCapability { .. } => code::MISSING_CAPABILITY,
        }
    }

    /// The HTTP status it goes with.
    #[must_use]
    pub fn status(&self, era: Era) -> u16 {
        status(self.code(), era, matches!(self, Self::Params(_)))
    }
}

/// The HTTP status an error goes with. Legacy servers answer a request they could read with 200, whatever becomes of it.
fn status(number: i64, era: Era, handled: bool) -> u16 {
    match (era, number) {
        (_, code::PARSE | code::INVALID_REQUEST | code::UNSUPPORTED_VERSION) if !handled => 400,
        (Era::Modern, code::METHOD_NOT_FOUND) => 404,
        (Era::Modern, code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION) => 400,
        (Era::Modern, code::INVALID_PARAMS) if !handled => 400,
        _ => 200,
    }
}

impl RpcError {
    /// The HTTP status this error goes with when it answers a request: what the protocol has a status for gets it, whatever
    /// a server's own handling came to is a 200.
    #[must_use]
    pub fn status(&self, era: Era) -> u16 {
        status(self.code, era, true)
    }
}
