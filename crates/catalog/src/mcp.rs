//! MCP servers and toolsets, resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{Money, Secret};
use serde_json::Value;

use crate::config::{Endpoint, Terms};

pub use crate::written::{Builtin, McpGrant, OwnServer, Pins};

/// The name of the gateway's own MCP server. No other has it.
pub const OWN_SERVER: &str = "gatehouse";

/// Everything of MCP, by name.
#[derive(Clone, Debug, Default)]
pub struct Mcp {
    /// Where authorization servers find the document about the gateway, if not at its own place.
    pub client_document: Option<String>,
    /// How many may listen at once.
    pub listens: Listens,
    /// Where the gateway's own server is offered.
    pub own_server: OwnServer,
    /// The servers, without the gateway's own. No name has a `.`: `server.tool` is cut at the first one.
    pub servers: BTreeMap<Arc<str>, McpServer>,
    /// The toolsets.
    pub toolsets: BTreeMap<Arc<str>, Toolset>,
}

/// Streams that only listen for changes, at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listens {
    /// Of one caller.
    pub per_caller: usize,
    /// Of all callers together.
    pub total: usize,
}

impl Default for Listens {
    fn default() -> Self {
        Self { per_caller: 10_000, total: 50_000 }
    }
}

/// One MCP server.
#[derive(Clone, Debug)]
pub struct McpServer {
    /// How it is reached.
    pub transport: McpTransport,
    /// What it is shown of who calls.
    pub auth: McpAuth,
    /// Is what it says of its tools believed?
    pub trusted: bool,
    /// What becomes of tools that are new or have changed.
    pub pins: Pins,
    /// May a call wait here for its client's answer?
    pub park: bool,
    /// The model that may answer for clients that cannot.
    pub sampling_model: Option<Arc<str>>,
    /// May all callers share one session?
    pub shared: bool,
    /// To connect.
    pub connect: Duration,
    /// Between two messages of a call.
    pub idle: Duration,
    /// One call.
    pub total: Duration,
    /// The longest message.
    pub message_bytes: usize,
    /// The longest result that goes to a client whole.
    pub result_bytes: usize,
    /// Calls at once.
    pub concurrent: usize,
    /// What one call costs, by pattern of tool names: exact names first, then longer patterns before shorter ones.
    pub prices: Vec<(Arc<str>, Money)>,
    /// How long one call may take in place of `total`, by pattern in the same order.
    pub tool_timeouts: Vec<(Arc<str>, Duration)>,
    /// What all callers have of it together.
    pub terms: Terms,
}

/// How an MCP server is reached.
#[derive(Clone, Debug)]
pub enum McpTransport {
    /// Over HTTP.
    Http {
        /// The endpoint.
        url: Endpoint,
        /// Headers to send; names valid and lower-case, values valid.
        headers: Vec<(String, Secret)>,
    },
    /// As a program.
    Stdio {
        /// Program and arguments; never empty.
        command: Vec<String>,
        /// Its environment.
        env: BTreeMap<String, Secret>,
        /// The folder it starts in.
        cwd: Option<PathBuf>,
    },
    /// An HTTP API.
    OpenApi {
        /// What it offers: an OpenAPI 3 document.
        document: Arc<Value>,
        /// Where it is.
        base_url: Endpoint,
        /// Headers to send.
        headers: Vec<(String, Secret)>,
    },
    /// Part of the gateway.
    Builtin(Builtin),
}

/// What an MCP server is shown of who calls.
#[derive(Clone, Debug)]
pub enum McpAuth {
    /// Nothing.
    None,
    /// One token for everybody; never empty.
    Bearer(Secret),
    /// The gateway's own tokens.
    ClientCredentials(McpClient),
    /// Each user's tokens.
    PerUser(McpClient),
    /// The caller's token, exchanged.
    Exchange(McpClient),
}

/// What the gateway is to an authorization server.
#[derive(Clone, Debug, Default)]
pub struct McpClient {
    /// Client id.
    pub client_id: Option<String>,
    /// Client secret; never empty.
    pub client_secret: Option<Secret>,
    /// The authorization server, as written: an issuer is compared as text.
    pub issuer: Option<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// The key that shows who the gateway is; never empty.
    pub private_key: Option<Secret>,
    /// Its `kid`.
    pub private_key_id: Option<String>,
    /// May documents lead to private addresses?
    pub allow_private: bool,
    /// What the caller's token is to the authorization server.
    pub grant: McpGrant,
    /// Who turns it into an assertion first.
    pub identity_provider: Option<McpIdentityProvider>,
    /// What stands in the caller's token's place; never empty.
    pub subject_token: Option<Secret>,
}

/// An identity provider, and what the gateway is to it.
#[derive(Clone, Debug)]
pub struct McpIdentityProvider {
    /// Its token endpoint.
    pub token_url: String,
    /// The client id there.
    pub client_id: String,
    /// The client secret there; never empty.
    pub client_secret: Option<Secret>,
}

/// A choice of tools.
#[derive(Clone, Debug)]
pub struct Toolset {
    /// Patterns of `server.tool`; never empty.
    pub tools: Vec<Arc<str>>,
    /// Name and description in place of the server's own, by `server.tool`.
    pub overrides: BTreeMap<Arc<str>, ToolOverride>,
    /// Two tools to find and call others, in place of the list?
    pub search: bool,
    /// Prompts and resources, too?
    pub resources: bool,
}

/// How a toolset shows one tool.
#[derive(Clone, Debug, Default)]
pub struct ToolOverride {
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Its description.
    pub description: Option<Arc<str>>,
}
