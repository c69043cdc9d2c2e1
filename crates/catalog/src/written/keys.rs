//! `keys`: who may call what, how fast and for how much.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;

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

/// One limit: exactly one of `requests`, `tokens` (both with `per`) and `concurrent` (without).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The most requests in a window.
    pub requests: Option<u64>,
    /// The most tokens in a window, input and output together.
    pub tokens: Option<u64>,
    /// The most calls at once.
    pub concurrent: Option<u32>,
    /// The window.
    pub per: Option<LimitWindow>,
}

/// The window of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum LimitWindow {
    Second,
    Minute,
    Hour,
    Day,
}

/// One budget.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The most USD in a window.
    pub usd: f64,
    /// The window, by the calendar in UTC; `life` never starts anew.
    pub per: BudgetWindow,
}

/// The window of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum BudgetWindow {
    Day,
    Week,
    Month,
    Life,
}
