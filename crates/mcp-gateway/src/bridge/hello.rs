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
    pub fn of_initialize(result: &Raw) -> Result<Self, BadHello> {
        let bad = |why: String| BadHello { method: Method::Initialize.as_str(), why };
        let version = result.text_at(&["protocolVersion"]).ok_or_else(|| bad("it names no protocol version".into()))?;
        let revision = Revision::of(&version).filter(|revision| revision.era() == Era::Legacy);
        let revision =
            revision.ok_or_else(|| bad(format!("protocol version `{}` is not spoken here", shown(&version))))?;
        let server_info = result.get(&["serverInfo"]);
        Self::read(revision, server_info, result).ok_or_else(|| bad("it has no capabilities".into()))
    }

    /// Reads the result of `server/discover`.
    ///
    /// # Errors
    /// When no revision is shared, or there are no capabilities.
    pub fn of_discover(result: &Raw) -> Result<Self, BadHello> {
        let bad = |why: &str| BadHello { method: Method::Discover.as_str(), why: why.into() };
        let versions = result.get(&["supportedVersions"]).ok_or_else(|| bad("it names no protocol versions"))?;
        let versions = versions.elements();
        let theirs = versions.iter().filter_map(|version| Revision::of(&version.as_text()?));
        let revision = theirs.filter(|revision| revision.era() == Era::Modern).max();
        let revision = revision.ok_or_else(|| bad("none of its protocol versions is spoken here"))?;
        let server_info = result.get(&["_meta", key::SERVER_INFO]);
        Self::read(revision, server_info, result).ok_or_else(|| bad("it has no capabilities"))
    }

    fn read(revision: Revision, server_info: Option<Raw>, result: &Raw) -> Option<Self> {
        Some(Self {
            revision,
            capabilities: result.get(&["capabilities"]).filter(Raw::is_object)?,
            server_info: server_info.filter(Raw::is_object),
            instructions: result.text_at(&["instructions"]).map(Into::into),
        })
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
