//! What may be asked of the MCP gateway: how its servers stand, what changed in what they offer, why a tool is not seen.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How one MCP server stands, and what it offers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct McpServerStanding {
    /// Its name in the configuration.
    pub name: String,
    /// `up`, `down`, `unasked` (since the start), or `per_user`: asked for each user separately.
    pub state: &'static str,
    /// What went wrong last, while it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// `modern` (2026-07-28 and later) or `legacy`, once it has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<&'static str>,
    /// The revision of the protocol spoken with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Unix milliseconds: when its lists were last complete. They are offered even while it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_unix_ms: Option<u64>,
    /// Tools that are offered.
    pub tools: usize,
    /// Prompts that are offered.
    pub prompts: usize,
    /// Resources that are offered.
    pub resources: usize,
    /// Resource templates that are offered.
    pub templates: usize,
    /// Items that wait for approval.
    pub held: usize,
    /// Tokens its tools take in a model's context, about.
    pub tool_tokens: u32,
    /// Things somebody should know of it: `GET /api/v1/mcp/findings`.
    pub findings: usize,
}

/// Something about a server, or an item of one, that somebody should know.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct McpFinding {
    /// `low`, `medium`, or `high`: the item waits for approval.
    pub severity: &'static str,
    /// Stable: `hidden_text`, `name_collision`, …
    pub code: &'static str,
    /// The server.
    pub server: String,
    /// `tool`, `prompt`, `resource`, `template` or `instructions`.
    pub kind: &'static str,
    /// The item's name on its server.
    pub name: String,
    /// What was found.
    pub message: String,
}

/// What somebody decides of one version.
#[derive(Clone, Debug, PartialEq)]
pub struct McpDecision {
    /// The server.
    pub server: String,
    /// `tool`, `prompt`, `template` or `instructions`.
    pub kind: String,
    /// The item's name on its server.
    pub name: String,
    /// The version.
    pub hash: String,
    /// Is it offered from now on?
    pub approved: bool,
    /// Who decides.
    pub by: String,
}

/// What changed between two versions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct McpChanges {
    /// The worst of them: `text`, `widened` or `breaking`; absent if nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
    /// Each of them.
    pub changes: Vec<McpChange>,
}

/// One member that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct McpChange {
    /// Where: a JSON Pointer.
    pub path: String,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// `text`, `widened` or `breaking`.
    pub class: &'static str,
}

/// Why does somebody see a tool, or not?
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McpQuestion {
    /// The id of a key; without one, a caller without credentials.
    pub key: Option<String>,
    /// The tool: `server.tool`, or the name it has on the endpoint.
    pub tool: String,
    /// `/mcp`, `/mcp/servers/NAME` or `/mcp/toolsets/NAME`; `/mcp` if not given.
    pub endpoint: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct McpExplanation {
    /// Does it stand in that caller's list?
    pub visible: bool,
    /// `visible`, or the first thing in its way: `no_such_endpoint`, `no_such_server`, `server_never_seen`, `per_user`, `no_such_tool`,
    /// `left_out`, `held`, `not_in_toolset`, `key`, `policy`.
    pub why: String,
    /// The same in a sentence, with what to do.
    pub message: String,
    /// `server.tool`, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Its name on the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed: Option<String>,
    /// How its server stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_state: Option<&'static str>,
    /// What else is known of it.
    pub findings: Vec<McpFinding>,
}
