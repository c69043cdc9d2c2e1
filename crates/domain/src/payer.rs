//! Who pays: the nodes of the tree of limits and budgets.

use std::fmt;
use std::sync::Arc;

/// What kind of node it is. A call touches at most one of most kinds, and as many tags and agents as it carries.
///
/// The order is the order in which a call's nodes are asked: from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PayerKind {
    /// An organisation.
    Organisation,
    /// A team.
    Team,
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
    /// An agent; for a call on behalf of somebody, each agent of the chain.
    Agent,
    /// A key.
    Key,
    /// A model as clients name it; a pattern (`openai/*`) is one node for all that match.
    Model,
    /// An MCP server.
    McpServer,
    /// A tool as `server.tool`; a pattern (`github.search_*`) is one node for all that match.
    Tool,
    /// A tag of the call, `name=value`.
    Tag,
    /// A run: one trace of work across calls.
    Run,
}

impl PayerKind {
    /// Every kind, in order.
    pub const ALL: [Self; 11] = [
        Self::Organisation,
        Self::Team,
        Self::User,
        Self::ServiceAccount,
        Self::Agent,
        Self::Key,
        Self::Model,
        Self::McpServer,
        Self::Tool,
        Self::Tag,
        Self::Run,
    ];

    /// The word of configuration, API and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::User => "user",
            Self::ServiceAccount => "service_account",
            Self::Agent => "agent",
            Self::Key => "key",
            Self::Model => "model",
            Self::McpServer => "mcp_server",
            Self::Tool => "tool",
            Self::Tag => "tag",
            Self::Run => "run",
        }
    }
}

/// A node of the tree. Prints as `team:support`, `tag:env=prod`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Payer {
    /// Its kind.
    pub kind: PayerKind,
    /// Its name; of a tag, `name=value`.
    pub name: Arc<str>,
}

impl Payer {
    /// A node by kind and name.
    #[must_use]
    pub fn new(kind: PayerKind, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

/// Whom limits and budgets are for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum On {
    /// One payer. A model's name may end in `*`: all that match are one payer.
    One(Payer),
    /// Each payer of a kind for itself, as it comes: each run, each user.
    Each(PayerKind),
    /// Each value of a tag for itself: each customer.
    EachTag(Arc<str>),
}

impl fmt::Display for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.name)
    }
}

/// As [`Payer`] prints; of each, `run:*` and `tag:customer=*`.
impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(payer) => payer.fmt(f),
            Self::Each(kind) => write!(f, "{}:*", kind.as_str()),
            Self::EachTag(tag) => write!(f, "tag:{tag}=*"),
        }
    }
}
