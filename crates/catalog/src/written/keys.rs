//! `keys`: who may call what, how fast and for how much.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Limit, Role, SecretText};

/// A key callers present.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// A name for reports; unique.
    pub name: String,
    /// What the caller presents, 16 characters or more; unique.
    pub secret: SecretText,
    /// The organisation it belongs to. A key has one owner: organisation, team, user, service account or agent.
    pub organisation: Option<String>,
    /// The team that pays. Beside another owner: which of the owner's teams.
    pub team: Option<String>,
    /// The person it belongs to: a name from `users`.
    pub user: Option<String>,
    /// The service account it belongs to: a name from `service_accounts`.
    pub service_account: Option<String>,
    /// The agent it belongs to: a name from `agents`.
    pub agent: Option<String>,
    /// Models it may use; `*` at the end of a name takes every model that starts so. Empty: all.
    #[serde(default)]
    pub models: Vec<String>,
    /// MCP servers it may use, all their tools; `*` at the end of a name as above. Without this and `toolsets`: all.
    #[serde(default)]
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use, besides `mcp_servers`: the tools in them and no others.
    #[serde(default)]
    pub toolsets: Vec<String>,
    /// Agents it may call. Comes with a later release.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The first moment it no longer works: a date (`2027-01-01`, its midnight in UTC) or a time (`2027-01-01T12:00:00Z`).
    pub expires: Option<String>,
    /// Addresses it may be used from (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`). Empty: any.
    #[serde(default)]
    pub ip_ranges: Vec<String>,
    /// Tags its usage is counted under.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What it may do in the admin API. Without it: nothing.
    pub role: Option<Role>,
    /// How fast it may call.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// How much it may spend.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}
