//! Something about a server, or an item of one, that a person should know: why it is not offered, why it has another name,
//! what in its texts looks like an attack.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// Somebody should look.
    Medium,
    /// The item waits for approval, whatever the policy.
    High,
}

/// What a list has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `tools/list`.
    Tool,
    /// `prompts/list`.
    Prompt,
    /// `resources/list`.
    Resource,
    /// `resources/templates/list`.
    Template,
    /// What the server says of itself; there is one, its name is empty.
    Instructions,
}

impl Kind {
    /// Every kind that is listed.
    pub const LISTED: [Self; 4] = [Self::Tool, Self::Prompt, Self::Resource, Self::Template];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
            Self::Instructions => "instructions",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Tool, Self::Prompt, Self::Resource, Self::Template, Self::Instructions]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable code (`name_collision`, `hidden_text`).
    pub code: &'static str,
    /// The server.
    pub server: Arc<str>,
    /// What of the server.
    pub kind: Kind,
    /// The item's name on its server (a resource's URI).
    pub item: Arc<str>,
    /// What was found, and what to do.
    pub message: String,
}
