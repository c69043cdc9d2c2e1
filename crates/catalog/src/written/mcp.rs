//! `mcp`, `mcp_servers`, `toolsets`: which MCP servers there are, how each is reached, and which of their tools are offered
//! together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Budget, Limit, SecretText};

/// What holds for MCP as a whole.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mcp {
    /// Where authorization servers find the document that says who the gateway is, if somebody else serves a copy of it.
    /// Without it: `/.well-known/oauth-client` below `public_url`.
    pub client_document: Option<String>,
    /// Where the gateway's own MCP server, `gatehouse`, is offered.
    pub gatehouse: OwnServer,
    /// What becomes of tools that are new or have changed, where a server does not say. Without it: `hold_changed`.
    pub pins: Option<Pins>,
    /// Timers of servers that do not say.
    pub timeouts: McpTimeouts,
    /// Sizes of servers that do not say.
    pub sizes: McpSizes,
    /// How many streams may be open that only listen for changes.
    pub listens: McpListens,
}

/// How many streams may be open that only listen for changes (`subscriptions/listen`, the `GET` of a session).
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpListens {
    /// Of one caller. Without it: 10000.
    pub per_caller: Option<u32>,
    /// Of all callers together. Without it: 50000.
    pub total: Option<u32>,
}

/// Where the gateway's own MCP server is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnServer {
    /// On its own path, and in toolsets that name its tools.
    #[default]
    Apart,
    /// On `/mcp`, too, among the tools of all servers.
    Everywhere,
    /// Nowhere.
    Off,
}

/// One MCP server. Exactly one of `url`, `command`, `openapi` and `builtin`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpServer {
    /// Its endpoint: Streamable HTTP of any revision, or HTTP with SSE of 2024-11-05.
    pub url: Option<String>,
    /// A program and its arguments, started without a shell, that reads and writes messages as lines. Only in the
    /// configuration file, never through the API.
    pub command: Option<Vec<String>>,
    /// An OpenAPI 3 document whose operations become tools: a file, JSON or YAML, or the document itself.
    pub openapi: Option<Value>,
    /// A server that is part of the gateway.
    pub builtin: Option<Builtin>,
    /// `openapi`: where the API is.
    pub base_url: Option<String>,
    /// `url` and `openapi`: headers to send with every request.
    pub headers: BTreeMap<String, SecretText>,
    /// What the server is shown of who calls. Without it: nothing.
    pub auth: Option<McpAuth>,
    /// `command`: the environment of the program, which gets nothing else but `PATH`, `HOME`, `LANG` and `TMPDIR`.
    pub env: BTreeMap<String, SecretText>,
    /// `command`: the folder it starts in, relative to the folder of this file.
    pub cwd: Option<String>,
    /// Is what it says of its tools (read-only, idempotent, …) believed, by policies and for trying again?
    pub trusted: bool,
    /// What becomes of tools, prompts and instructions that are new or have changed. Without it: as in `mcp`.
    pub pins: Option<Pins>,
    /// May it ask a client of the newest protocol something in the middle of a call, if it speaks an older one itself? The
    /// call then waits here, for minutes at most.
    pub park: bool,
    /// A model that may answer when it asks for a completion (sampling) and the client cannot.
    pub sampling_model: Option<String>,
    /// May all callers share one session, or one process? Never where it keeps state or credentials of one caller.
    pub shared: bool,
    /// How long to wait.
    pub timeouts: McpTimeouts,
    /// How much is taken.
    pub sizes: McpSizes,
    /// What one call of a tool costs in USD, by name of the tool; `*` at the end takes all that start so, and the longest
    /// pattern counts.
    pub prices: BTreeMap<String, f64>,
    /// How long one call of a tool may take, in seconds, in place of `timeouts.total`; by name of the tool, as in `prices`.
    pub tool_timeouts: BTreeMap<String, f64>,
    /// How fast all callers together may call it.
    pub limits: Vec<Limit>,
    /// How much all callers together may spend on it.
    pub budgets: Vec<Budget>,
}

/// Servers that are part of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// A few tools, a resource and a prompt to try things with.
    Demo,
}

/// What an MCP server is shown of who calls. Exactly one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpAuth {
    /// One bearer token for everybody.
    pub bearer: Option<SecretText>,
    /// Tokens of the gateway itself (OAuth client credentials).
    pub client_credentials: Option<McpClient>,
    /// Tokens of each user, who is asked for consent.
    pub per_user: Option<McpClient>,
    /// The caller's own token, exchanged for one of the server (RFC 8693).
    pub exchange: Option<McpClient>,
}

/// What the gateway is to an authorization server. What is not written is found out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpClient {
    /// The client id, where the gateway is registered beforehand.
    pub client_id: Option<String>,
    /// The client secret.
    pub client_secret: Option<SecretText>,
    /// The authorization server, where the MCP server does not name it.
    pub issuer: Option<String>,
    /// Scopes to ask for besides those the server asks for itself.
    pub scopes: Vec<String>,
    /// The private key the gateway shows who it is with, in place of a secret: PEM, PKCS #8.
    pub private_key: Option<SecretText>,
    /// The `kid` of that key, where the authorization server wants one.
    pub private_key_id: Option<String>,
    /// May what the server says of its authorization server lead to private addresses? Without it, only to public ones and
    /// to hosts that are written here.
    pub allow_private: bool,
    /// `exchange`: what the caller's token is to the server's authorization server.
    pub grant: McpGrant,
    /// `exchange`: an identity provider that turns the caller's token into an assertion first.
    pub identity_provider: Option<McpIdentityProvider>,
    /// `exchange`: the gateway's own identity (a workload's), in place of the caller's token.
    pub subject_token: Option<SecretText>,
}

/// What a token is to an authorization server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpGrant {
    /// Something to exchange (RFC 8693).
    #[default]
    TokenExchange,
    /// An assertion (RFC 7523).
    JwtBearer,
}

/// An identity provider, and what the gateway is to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpIdentityProvider {
    /// Its token endpoint.
    pub token_url: String,
    /// The client id there.
    pub client_id: String,
    /// The client secret there.
    pub client_secret: Option<SecretText>,
}

/// What becomes of tools that are new or have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pins {
    /// Both are offered at once, and written down.
    AllowNew,
    /// New ones are offered, changed ones wait for approval.
    #[default]
    HoldChanged,
    /// Both wait for approval.
    HoldNew,
}

/// Timers of an MCP server, in seconds, fractions allowed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpTimeouts {
    /// To connect, or for a program to answer its first message. Without it: 10.
    pub connect: Option<f64>,
    /// Between two messages of a call; progress starts it anew. Without it: 120.
    pub idle: Option<f64>,
    /// One call, whatever happens. Without it: 900.
    pub total: Option<f64>,
}

/// How much is taken from an MCP server.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpSizes {
    /// The longest message, in bytes. Without it: 16 MiB.
    pub message_bytes: Option<u64>,
    /// The longest result that goes to a client whole, in bytes; a longer one is kept and linked to. Without it: 1 MiB.
    pub result_bytes: Option<u64>,
    /// The most calls at once. Without it: 256.
    pub concurrent: Option<u32>,
}

/// A choice of tools under one path.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toolset {
    /// Tools as `server.tool`; `*` at the end takes all that start so.
    pub tools: Vec<String>,
    /// Another name or description for a tool in here, by `server.tool`.
    #[serde(default)]
    pub overrides: BTreeMap<String, ToolOverride>,
    /// Offer two tools, to find others and to call them, in place of the list?
    #[serde(default)]
    pub search: bool,
    /// Offer prompts and resources of the servers that have a tool in here, too?
    #[serde(default)]
    pub resources: bool,
}

/// How a toolset shows one tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolOverride {
    /// Its name there.
    pub name: Option<String>,
    /// Its description there.
    pub description: Option<String>,
}
