//! What one server said of itself when it was last asked, as it said it.

use std::sync::Arc;

use gatehouse_domain::Now;

use super::finding::Kind;
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
