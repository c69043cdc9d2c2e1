//! `keys`: who may call what, how fast and for how much.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Limit, SecretText};

/// A key callers present.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// A name for reports; unique.
    pub name: String,
    /// What the caller presents, 16 characters or more; unique.
    pub secret: SecretText,
    /// The team its usage is counted under.
    pub team: Option<String>,
    /// Models it may use; `*` at the end of a name takes every model that starts so. Empty: all.
    #[serde(default)]
    pub models: Vec<String>,
    /// MCP servers it may use. Comes with a later release.
    #[serde(default)]
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use. Comes with a later release.
    #[serde(default)]
    pub toolsets: Vec<String>,
    /// Agents it may call. Comes with a later release.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The first moment it no longer works: a date (`2027-01-01`, its midnight in UTC) or a time (`2027-01-01T12:00:00Z`).
    pub expires: Option<String>,
    /// How fast it may call.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// How much it may spend.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}
