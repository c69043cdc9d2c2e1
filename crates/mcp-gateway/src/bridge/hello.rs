//! What servers and clients say of themselves: `initialize` and `server/discover`, read and written.

use std::sync::Arc;

use crate::era::meta::key;
use crate::era::{Era, Method, Revision};
use crate::wire::{Raw, shown};

use super::answers::{Dress, dressed};

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

/// A server that wants to be spoken to in a way nobody here can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it wants to speak revision `{0}`, which is not spoken here")]
pub struct BadHello(pub String);

/// The most of a server's instructions that is kept, in bytes.
const INSTRUCTIONS_MAX: usize = 64 << 10;

impl ServerHello {
    /// Reads the result of `initialize`.
    ///
    /// # Errors
    /// When the revision is not spoken here.
    pub fn of_initialize(result: &Raw) -> Result<Self, BadHello> {
        let version = result.text_at(&["protocolVersion"]).unwrap_or_default();
        let revision = Revision::of(&version).filter(|revision| revision.era() == Era::Legacy);
        let revision = revision.ok_or_else(|| BadHello(shown(&version)))?;
        Ok(Self::read(revision, result, result.get(&["serverInfo"])))
    }

    /// Reads the result of `server/discover` of a server that is spoken to in this revision.
    #[must_use]
    pub fn of_discover(revision: Revision, result: &Raw) -> Self {
        Self::read(revision, result, result.get(&["_meta", key::SERVER_INFO]))
    }

    /// What a server leaves out, it has not.
    fn read(revision: Revision, result: &Raw, server_info: Option<Raw>) -> Self {
        let instructions = result.text_at(&["instructions"]).filter(|text| !text.is_empty());
        Self {
            revision,
            capabilities: result.get(&["capabilities"]).filter(Raw::is_object).unwrap_or_else(Raw::empty),
            server_info: server_info.filter(Raw::is_object),
            instructions: instructions.map(|text| text[..text.floor_char_boundary(INSTRUCTIONS_MAX)].into()),
        }
    }

    /// As the result of `initialize` to a client of this revision; the capabilities must be in its words.
    #[must_use]
    pub fn initialize_result(&self) -> Raw {
        let mut members = vec![
            ("protocolVersion", Raw::text(self.revision.as_str())),
            ("capabilities", self.capabilities.clone()),
            ("serverInfo", self.server_info.clone().unwrap_or_else(Raw::empty)),
        ];
        members.extend(self.instructions.as_ref().map(|text| ("instructions", Raw::text(text))));
        Raw::object(members)
    }

    /// As the result of `server/discover`, with the cache hints of `dress`, whose `server_info` is not looked at.
    #[must_use]
    pub fn discover_result(&self, dress: &Dress) -> Raw {
        let versions = Revision::MODERN.map(|revision| Raw::text(revision.as_str()));
        let mut members = vec![
            ("resultType", Raw::text("complete")),
            ("supportedVersions", Raw::array(&versions)),
            ("capabilities", self.capabilities.clone()),
        ];
        members.extend(self.instructions.as_ref().map(|text| ("instructions", Raw::text(text))));
        let dress = Dress { server_info: self.server_info.clone(), ..dress.clone() };
        dressed(Revision::LATEST, Method::Discover, &Raw::object(members), &dress)
    }
}

/// The `params` of `initialize`; the capabilities must be in the words of this revision.
#[must_use]
pub fn initialize_params(revision: Revision, capabilities: &Raw, client_info: &Raw) -> Raw {
    Raw::object([
        ("protocolVersion", Raw::text(revision.as_str())),
        ("capabilities", capabilities.clone()),
        ("clientInfo", client_info.clone()),
    ])
}
