//! What one server said of itself when it was last asked, as it said it.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::Now;

use super::finding::Kind;
use crate::bridge::tasks;
use crate::era::Revision;
use crate::wire::Raw;

/// The lists of one server.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The server's name in the configuration.
    pub server: Arc<str>,
    /// The revision spoken with it.
    pub revision: Arc<str>,
    /// Does it speak the stateless era?
    pub modern: bool,
    /// Its `capabilities` object.
    pub capabilities: Raw,
    /// Its instructions.
    pub instructions: Option<Arc<str>>,
    /// Its tools.
    pub tools: Vec<Raw>,
    /// Its prompts.
    pub prompts: Vec<Raw>,
    /// Its resources.
    pub resources: Vec<Raw>,
    /// Its resource templates.
    pub templates: Vec<Raw>,
    /// When the lists were complete.
    pub at: Now,
    /// For how long it says they are good; 0 where it says nothing.
    pub ttl_ms: u64,
    /// May a list be shown to somebody else than it was fetched for? Only what a modern server calls `public`.
    pub public: bool,
}

impl Fetched {
    /// The items of one kind.
    #[must_use]
    pub fn items(&self, kind: Kind) -> &[Raw] {
        match kind {
            Kind::Tool => &self.tools,
            Kind::Prompt => &self.prompts,
            Kind::Resource => &self.resources,
            Kind::Template => &self.templates,
            Kind::Instructions => &[],
        }
    }
}

impl Fetched {
    /// As JSON that [`Self::read`] reads: what is kept of it over a restart.
    #[must_use]
    pub fn write(&self) -> Raw {
        let said = self.instructions.as_deref().map_or_else(|| Raw::of(&serde_json::Value::Null), Raw::text);
        Raw::object([
            ("revision", Raw::text(&self.revision)),
            ("modern", Raw::of(&self.modern.into())),
            ("capabilities", self.capabilities.clone()),
            ("instructions", said),
            ("tools", Raw::array(&self.tools)),
            ("prompts", Raw::array(&self.prompts)),
            ("resources", Raw::array(&self.resources)),
            ("templates", Raw::array(&self.templates)),
        ])
    }

    /// Reads what was kept. For how long it is good it does not say: it is from before.
    #[must_use]
    pub fn read(server: Arc<str>, text: String, at: Now) -> Option<Self> {
        let raw = Raw::read(Bytes::from(text)).ok()?;
        let list = |name: &str| raw.get(&[name]).map(|list| list.elements()).unwrap_or_default();
        Some(Self {
            server,
            revision: raw.text_at(&["revision"])?.into(),
            modern: raw.get(&["modern"])?.as_bool()?,
            capabilities: raw.get(&["capabilities"]).filter(Raw::is_object)?,
            instructions: raw.text_at(&["instructions"]).map(Arc::from),
            tools: list("tools"),
            prompts: list("prompts"),
            resources: list("resources"),
            templates: list("templates"),
            at,
            ttl_ms: 0,
            public: false,
        })
    }

    /// Does it make tasks of calls that ask for it, as 2025-11-25 has them?
    #[must_use]
    pub fn makes_tasks(&self) -> bool {
        Revision::of(&self.revision).is_some_and(Revision::has_core_tasks) && tasks::takes_calls(&self.capabilities)
    }

    /// Is it the same as another in everything a client could see?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.modern == other.modern
            && self.capabilities == other.capabilities
            && self.instructions == other.instructions
            && Kind::LISTED.iter().all(|kind| self.items(*kind) == other.items(*kind))
            && (self.ttl_ms, self.public) == (other.ttl_ms, other.public)
    }
}

/// How it stands with one server. Its lists are offered even when it cannot be reached now.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The server's name.
    pub server: Arc<str>,
    /// Can it be reached?
    pub state: State,
    /// What went wrong last, in words for people who run the gateway.
    pub last_error: Option<Arc<str>>,
}

/// Can a server be reached?
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has not been asked yet.
    Unasked,
    /// It answered when it was last asked.
    Up,
    /// It did not.
    Down,
    /// It is asked for each user separately.
    PerUser,
}

impl State {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Up => "up",
            Self::Down => "down",
            Self::PerUser => "per_user",
        }
    }
}
