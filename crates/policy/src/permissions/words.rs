//! The words of the published schema: its text, its kinds of entity, its actions, and names of entities.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The schema that policies are validated against, as it is published.
pub const SCHEMA: &str = include_str!("gatehouse.cedarschema");

/// Every action and the kind of resource it is done to, in the order of the schema.
pub const ACTIONS: &[(&str, Kind)] = &[
    ("call_model", Kind::Model),
    ("list_models", Kind::Model),
    ("call_tool", Kind::Tool),
    ("list_tools", Kind::Tool),
    ("read_resource", Kind::Resource),
    ("get_prompt", Kind::Prompt),
    ("send_to_agent", Kind::Agent),
    ("read_task", Kind::Agent),
    ("read_entry", Kind::Entry),
    ("publish_entry", Kind::Entry),
    ("approve_entry", Kind::Entry),
    ("admin_read", Kind::Object),
    ("admin_write", Kind::Object),
    ("admin_delete", Kind::Object),
];

/// The kind of resource an action is done to; `None` if there is no such action.
#[must_use]
pub fn kind_of_action(action: &str) -> Option<Kind> {
    ACTIONS.iter().find(|(name, _)| *name == action).map(|(_, kind)| *kind)
}

/// The kinds of entity: who calls, what is asked for, and what those are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the schema describes each")]
pub enum Kind {
    Organisation,
    Team,
    User,
    ServiceAccount,
    Agent,
    Key,
    Anonymous,
    Provider,
    Model,
    McpServer,
    Toolset,
    Tool,
    Resource,
    Prompt,
    Entry,
    Object,
    Arguments,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Organisation,
        Self::Team,
        Self::User,
        Self::ServiceAccount,
        Self::Agent,
        Self::Key,
        Self::Anonymous,
        Self::Provider,
        Self::Model,
        Self::McpServer,
        Self::Toolset,
        Self::Tool,
        Self::Resource,
        Self::Prompt,
        Self::Entry,
        Self::Object,
        Self::Arguments,
    ];

    /// The name of the entity type in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "Organisation",
            Self::Team => "Team",
            Self::User => "User",
            Self::ServiceAccount => "ServiceAccount",
            Self::Agent => "Agent",
            Self::Key => "Key",
            Self::Anonymous => "Anonymous",
            Self::Provider => "Provider",
            Self::Model => "Model",
            Self::McpServer => "McpServer",
            Self::Toolset => "Toolset",
            Self::Tool => "Tool",
            Self::Resource => "Resource",
            Self::Prompt => "Prompt",
            Self::Entry => "Entry",
            Self::Object => "Object",
            Self::Arguments => "Arguments",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entity: `Model::"fast"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub name: Arc<str>,
}

impl Named {
    /// The entity of this kind and name.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{:?}", self.kind, &*self.name)
    }
}

/// Reads `Model::"fast"`; the quotes may be left out, as shells eat them.
impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) =
            text.split_once("::").ok_or_else(|| format!("`{text}` is not written like Model::\"fast\""))?;
        let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind.trim());
        let kind = known.ok_or_else(|| {
            let all: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("there is no kind `{}` in `{text}`: there are {}", kind.trim(), all.join(", "))
        })?;
        let name = name.trim();
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        Ok(Self::new(kind, bare))
    }
}
