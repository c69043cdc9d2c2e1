//! `guardrails`: what may not stand in the texts of calls.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;

/// One guardrail. Which of the settings below `allow_private` it takes depends on `detect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// A name for records, headers and metrics; unique; letters, digits and `._-`.
    pub name: String,
    /// Where it looks: `request` and `response` are all of a call's texts on that side, the others a part of them.
    pub on: Vec<Point>,
    /// What it looks for.
    pub detect: Detect,
    /// What follows from a finding: the call is refused, the finding replaced, or only written down.
    pub action: Action,
    /// For these teams only; `*` at the end of a name takes all that start so. Empty: all.
    #[serde(default)]
    pub teams: Vec<String>,
    /// For the keys of these names only.
    #[serde(default)]
    pub keys: Vec<String>,
    /// For calls of these models only, as clients name them.
    #[serde(default)]
    pub models: Vec<String>,
    /// For arguments and results of these tools only.
    #[serde(default)]
    pub tools: Vec<String>,
    /// If it cannot run: does the text pass (`open`) or not (`closed`, the default)?
    #[serde(default)]
    pub fail: Fail,
    /// `pii`: the kinds to look for (`credit_card`, `iban`, `email`, `ip`, `us_ssn`, `phone`, `national_id`). Empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// `injection`: the sum of signals from which on a text is a finding, 0 to 1.
    pub threshold: Option<f64>,
    /// `regex`: the patterns.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// `keywords`: whole words, in any case.
    #[serde(default)]
    pub words: Vec<String>,
    /// `size`: the most characters of one text.
    pub max_chars: Option<u64>,
    /// `topic`: words of which one must be there.
    #[serde(default)]
    pub allow: Vec<String>,
    /// `topic`: words of which none may be there.
    #[serde(default)]
    pub deny: Vec<String>,
    /// `json_schema`: the schema every answer must follow.
    pub schema: Option<serde_json::Value>,
    /// `webhook`: where texts are posted.
    pub url: Option<String>,
    /// `webhook`: sent as a bearer token.
    pub token: Option<SecretText>,
    /// `webhook`: seconds from the question to the whole of the answer; 5 if not written.
    pub timeout: Option<f64>,
    /// `webhook`: may its address be private or this machine's own?
    #[serde(default)]
    pub allow_private: bool,
}

/// Where a guardrail looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum Point {
    Request,
    Response,
    ToolArgs,
    ToolResult,
    AgentMessage,
}

/// What a guardrail looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum Detect {
    Secrets,
    Pii,
    Injection,
    Regex,
    Keywords,
    Size,
    Topic,
    JsonSchema,
    Webhook,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum Action {
    Block,
    Redact,
    Observe,
}

/// What happens to texts that a guardrail could not look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it, and documented variants would make a longer schema")]
pub enum Fail {
    #[default]
    Closed,
    Open,
}

/// A pattern of one's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Its name in records and refusals.
    pub name: String,
    /// The pattern, in the syntax of Rust's `regex`: no look-around, no back-references, linear time.
    pub regex: String,
}
