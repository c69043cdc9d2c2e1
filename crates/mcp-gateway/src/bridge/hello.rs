//! What servers and clients say of themselves: `initialize` and `server/discover`, read and written.

use std::sync::Arc;

use crate::era::Revision;
use crate::wire::Raw;

/// What a server said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The revision to speak with it.
    pub revision: Revision,
    /// Its `capabilities` object.
    pub capabilities: Raw,
    /// Its `serverInfo` object.
    pub server_info: Option<Raw>,
    /// Its instructions.
    pub instructions: Option<Arc<str>>,
}

/// An answer to `initialize` or `server/discover` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer to `{method}` cannot be used: {why}")]
pub struct BadHello {
    /// What was asked.
    pub method: &'static str,
    /// What is wrong.
    pub why: String,
}

impl ServerHello {
    /// Reads the result of `initialize`.
    ///
    /// # Errors
    /// When the revision is not spoken here, or there are no capabilities.
    pub fn of_initialize(_result: &Raw) -> Result<Self, BadHello> {
        todo!()
    }

    /// Reads the result of `server/discover`.
    ///
    /// # Errors
    /// When no revision is shared, or there are no capabilities.
    pub fn of_discover(_result: &Raw) -> Result<Self, BadHello> {
        todo!()
    }

    /// As the result of `initialize` to a client of this revision; the capabilities must be in its words.
    #[must_use]
    pub fn initialize_result(&self) -> Raw {
        todo!()
    }

    /// As the result of `server/discover`, with the cache hints of `dress`, whose `server_info` is not looked at.
    #[must_use]
    pub fn discover_result(&self, _dress: &super::answers::Dress) -> Raw {
        todo!()
    }
}

/// The `params` of `initialize`; the capabilities must be in the words of this revision.
#[must_use]
pub fn initialize_params(_revision: Revision, _capabilities: &Raw, _client_info: &Raw) -> Raw {
    todo!()
}
