//! Limits and budgets: how fast, and for how much. The one list of these words: the file, the admin API and the database
//! write and read them in this form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One limit: exactly one of `requests`, `tokens` (both with `per`) and `concurrent` (without).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// The most requests in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// The most tokens in a window, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The most calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// The window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Period>,
    /// The time zone whose calendar the window keeps, as `Europe/Berlin`. Without it: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The window is the time just past, not one of the calendar.
    #[serde(skip_serializing_if = "is_false")]
    pub rolling: bool,
    /// Shares of the maximum (0.8 is 80 %) at which to warn, once per window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warn_at: Vec<f64>,
    /// What happens to a call that does not fit: `refuse`, or `{downgrade: MODEL}`. Without it: `refuse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_exhaust: Option<OnExhaust>,
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The most USD in a window.
    pub usd: f64,
    /// The window; `life` never starts anew.
    pub per: Period,
    /// The time zone whose calendar the window keeps, as `Europe/Berlin`. Without it: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The window is the time just past, not one of the calendar.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rolling: bool,
    /// Shares of the budget (0.8 is 80 %) at which to warn, once per window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warn_at: Vec<f64>,
    /// What happens to a call that does not fit: `refuse`, or `{downgrade: MODEL}`. Without it: `refuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exhaust: Option<OnExhaust>,
}

/// The window of a limit or budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Life,
}

/// What happens to a call that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OnExhaust {
    /// A word.
    Word(Refuse),
    /// Another model.
    Downgrade(Downgrade),
}

/// The call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the name says it")]
pub enum Refuse {
    Refuse,
}

/// The call is read again as a call to another model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Downgrade {
    /// The other model, by its name in `models`.
    pub downgrade: String,
}

/// Limits and budgets of somebody who has no section, or of each of a kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsOn {
    /// A name of your choice, unique; letters, digits and `._-`. Those of the admin API have one.
    pub name: Option<String>,
    /// Whose: `run` for each run, or one of a kind, as `{tag: env=prod}`; `*` stands for each: `{tag: customer=*}`.
    pub on: OnWritten,
    /// How fast.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// For how much.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}

/// Whom limits and budgets are for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OnWritten {
    /// Each of a kind that has no names in the file.
    Each(Nameless),
    /// Exactly one of the kinds.
    Named(Box<OnNamed>),
}

/// Kinds without names in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the name says it")]
pub enum Nameless {
    Run,
}

/// One of a kind, or with `*` each of it. Exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnNamed {
    /// An organisation.
    pub organisation: Option<String>,
    /// A team.
    pub team: Option<String>,
    /// A person.
    pub user: Option<String>,
    /// A service account.
    pub service_account: Option<String>,
    /// An agent.
    pub agent: Option<String>,
    /// A key, by its public id.
    pub key: Option<String>,
    /// A model; a name that ends in `*` is one budget for all that match.
    pub model: Option<String>,
    /// An MCP server.
    pub mcp_server: Option<String>,
    /// A tool as `server.tool`; a name that ends in `*` is one budget for all that match.
    pub tool: Option<String>,
    /// A tag, `name=value`.
    pub tag: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
