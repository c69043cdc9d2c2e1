//! What may be asked of the policies: one question with its reasons, and a replay of the recorded calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A question to the policies: may they do this to that?
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyQuestion {
    /// The id of the key the call is made with; its owner, team and tags are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who calls, in words, where no key is named. Neither: a caller without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<PolicyPrincipal>,
    /// What they do: `call_model`, `list_models`, `call_tool`, …
    pub action: String,
    /// To what: a name (`fast`), or an entity (`Model::"fast"`).
    pub resource: String,
    /// Under which circumstances.
    pub context: PolicyContext,
}

/// Who calls, in the words of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyPrincipal {
    /// A key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The organisation; `default` if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// The team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Who acts for whom, outermost first: `agent:billing`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub act: Vec<String>,
    /// Tags: `env=prod`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// The circumstances of a call.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyContext {
    /// When: a time (`2026-11-22T19:30:00Z`) or a day; now if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// From where: an IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Tags of the call besides those of the caller: `env=prod`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Is a stream asked for?
    pub stream: bool,
    /// Estimated input tokens.
    pub input_tokens: u64,
    /// The most output the call allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_cap: Option<u64>,
    /// Arguments of a tool call, top level, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<BTreeMap<String, String>>,
}

/// What the policies say, and why.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct PolicyAnswer {
    /// Do the policies let it pass? The key's own permissions, limits and budgets are asked besides.
    pub allow: bool,
    /// `ungoverned`, `permitted`, `forbidden`, `not_permitted` or `failed`.
    pub basis: String,
    /// The same in a sentence.
    pub reason: String,
    /// Does the key itself permit the model? Only where a key and a model were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_permits: Option<bool>,
    /// The principal the policies saw.
    pub principal: String,
    /// The action.
    pub action: String,
    /// The resource the policies saw.
    pub resource: String,
    /// The policies that decided.
    pub deciding: Vec<DecidingPolicy>,
    /// Policies that could not be evaluated.
    pub errors: Vec<PolicyError>,
}

/// A policy that decided.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct DecidingPolicy {
    /// Its `@id`, or its file and number.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins in.
    pub line: u32,
}

/// A policy that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct PolicyError {
    /// Which.
    pub policy: String,
    /// Why.
    pub message: String,
}

/// Policies to hold against the recorded calls of a period.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayQuestion {
    /// The whole new set, file by file.
    pub policies: Vec<PolicyFile>,
    /// Calls at or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`). A day ago if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Calls before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Calls at most, oldest first: 10,000 if not given, at most 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub limit: Option<u32>,
}

/// One text of policies.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// How it is called in messages.
    pub name: String,
    /// The policies.
    pub text: String,
}

/// What would have changed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ReplayReport {
    /// Recorded calls that were asked about.
    pub calls: u64,
    /// Were there more in the period than were asked about?
    pub truncated: bool,
    /// Calls that both sets decide alike.
    pub unchanged: u64,
    /// Calls the set in force allows and the new one refuses.
    pub allow_to_deny: u64,
    /// Calls the set in force refuses and the new one allows.
    pub deny_to_allow: u64,
    /// The changes by key, team, model and deciding policies, most calls first; the first 200.
    pub changes: Vec<ReplayChange>,
}

/// Calls that would have been decided otherwise, for one reason.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ReplayChange {
    /// How many.
    pub calls: u64,
    /// `allow_to_deny` or `deny_to_allow`.
    pub change: String,
    /// The key's id.
    pub key: String,
    /// The team.
    pub team: Option<String>,
    /// The model.
    pub model: String,
    /// Policies of the set in force that decided.
    pub before: Vec<String>,
    /// Policies of the new set that decided.
    pub after: Vec<String>,
    /// One of the calls: its `x-gatehouse-request-id`.
    pub example: String,
    /// When that one was made.
    pub example_unix_ms: u64,
}

/// Why a question to the policies has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRefusal {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl PolicyRefusal {
    /// Something is wrong with what was asked.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}
