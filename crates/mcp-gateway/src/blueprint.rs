//! What a configuration says of MCP servers and toolsets, as plain values: whoever reads a file makes these, and everything else
//! of MCP is built from them. A test can do without a file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{DEFAULT_ORGANISATION, Guests, Money, Principal, Role, Secret};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Blueprint {
    /// The servers, in the order of their names.
    pub servers: Vec<Arc<Server>>,
    /// The toolsets, in the order of their names.
    pub toolsets: Vec<Arc<Toolset>>,
    /// Where clients find this gateway, without a slash at the end.
    pub public_url: Arc<str>,
    /// Under which hosts it is reached, and pages of which hosts may call.
    pub guests: Guests,
    /// How many may listen at once.
    pub listens: Listens,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its name in the configuration: what policies, paths and records call it.
    pub name: Arc<str>,
    /// How it is reached.
    pub transport: Transport,
    /// What it is shown of who calls.
    pub auth: Auth,
    /// Are its annotations believed (policies, safe repetition)?
    pub trusted: bool,
    /// What becomes of tools that are new or have changed.
    pub pins: PinPolicy,
    /// May a modern client be asked by a legacy server in the middle of a call (the parked call of the bridge)?
    pub park: bool,
    /// May its requests for sampling be answered by a model of this gateway, and by which?
    pub sampling_model: Option<Arc<str>>,
    /// May all principals share one session or process? Never where credentials or state are a principal's own.
    pub shared: bool,
    /// Timers and sizes.
    pub caps: Caps,
    /// What one call of a tool costs, by pattern of tool names; the first that matches counts.
    pub prices: Vec<(Arc<str>, Money)>,
    /// How long one call of a tool may take, where not as long as `caps.total`; by pattern, likewise.
    pub tool_timeouts: Vec<(Arc<str>, Duration)>,
}

impl Server {
    /// What is particular about it, if it is the gateway's own.
    #[must_use]
    pub fn own(&self) -> Option<&Own> {
        match &self.transport {
            Transport::Gatehouse(own) => Some(own),
            _ => None,
        }
    }

    /// Is it left out of `/mcp`, and of toolsets that do not name it?
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.own().is_some_and(|own| own.apart)
    }

    /// Is a tool of it for this caller, whatever keys and policies say?
    #[must_use]
    pub fn shows(&self, tool: &str, who: &Principal) -> bool {
        self.terms(tool).is_none_or(|terms| terms.admit(who))
    }

    /// Do a tool's results hold a secret, so that they are shown to nobody on the way and kept nowhere?
    #[must_use]
    pub fn answers_secret(&self, tool: &str) -> bool {
        self.terms(tool).is_some_and(|terms| terms.secret)
    }

    fn terms(&self, tool: &str) -> Option<&ToolTerms> {
        self.own().and_then(|own| own.terms.get(tool))
    }

    /// What one call of a tool costs; `None` for a tool without a price.
    #[must_use]
    pub fn price(&self, tool: &str) -> Option<Money> {
        first_match(&self.prices, tool)
    }

    /// How long one call of a tool may take, whatever happens.
    #[must_use]
    pub fn time_for(&self, tool: &str) -> Duration {
        first_match(&self.tool_timeouts, tool).unwrap_or(self.caps.total)
    }
}

fn first_match<T: Copy>(by_pattern: &[(Arc<str>, T)], tool: &str) -> Option<T> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => tool.starts_with(start),
        None => pattern == tool,
    };
    by_pattern.iter().find(|(pattern, _)| matches(pattern)).map(|(_, value)| *value)
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// Streamable HTTP of any revision, or HTTP with SSE of 2024-11-05: which one is found out.
    Http {
        /// The endpoint.
        url: Arc<str>,
        /// Headers of every request, besides those of the protocol.
        headers: Vec<(Arc<str>, Secret)>,
    },
    /// A child process that reads and writes lines. Only a file may declare one.
    Stdio {
        /// Program and arguments; no shell.
        command: Vec<Arc<str>>,
        /// The whole environment of the child besides `PATH`, `HOME`, `LANG`, `TMPDIR`.
        env: BTreeMap<Arc<str>, Secret>,
        /// Where it starts.
        cwd: Option<Arc<str>>,
    },
    /// An HTTP API whose OpenAPI 3 document becomes tools.
    OpenApi {
        /// The document, read.
        document: Arc<serde_json::Value>,
        /// Where the API is.
        base_url: Arc<str>,
        /// Headers of every request.
        headers: Vec<(Arc<str>, Secret)>,
    },
    /// A server that is part of the gateway's program (`demo`).
    Builtin,
    /// The gateway itself, `gatehouse`: what a caller may use, and administration.
    Gatehouse(Own),
}

/// What is particular about the gateway's own server. Its lists are the program's, so nobody has to approve them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    /// Is it left out of `/mcp`, and of toolsets that do not name it?
    pub apart: bool,
    /// Tools that are not for everybody, or whose results are not for everybody, by name.
    pub terms: BTreeMap<Arc<str>, ToolTerms>,
}

/// For whom a tool of the gateway's own is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolTerms {
    /// The roles that may use it; `None`: everybody.
    pub roles: Option<Vec<Role>>,
    /// Only those of the organisation that runs the instance?
    pub instance: bool,
    /// Do its results hold a secret that is shown this once?
    pub secret: bool,
}

impl ToolTerms {
    /// Is it for this caller?
    #[must_use]
    pub fn admit(&self, who: &Principal) -> bool {
        let has_role = |roles: &Vec<Role>| who.role.is_some_and(|role| roles.contains(&role));
        self.roles.as_ref().is_none_or(has_role) && (!self.instance || *who.organisation == *DEFAULT_ORGANISATION)
    }
}

/// What an MCP server is shown of who calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// One bearer token for everybody.
    Bearer(Secret),
    /// Tokens of the gateway itself (client credentials).
    ClientCredentials(OAuthClient),
    /// Tokens of each user, who agreed.
    PerUser(OAuthClient),
    /// The caller's own token exchanged for one of the server (RFC 8693), or for an assertion first (ID-JAG).
    Exchange(OAuthClient),
}

/// What the gateway is to an authorization server, as far as the configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OAuthClient {
    /// The client id, where it is registered beforehand.
    pub client_id: Option<Arc<str>>,
    /// The client secret.
    pub client_secret: Option<Secret>,
    /// The authorization server, where the MCP server does not name it.
    pub issuer: Option<Arc<str>>,
    /// Scopes to ask for besides those that are challenged.
    pub scopes: Vec<Arc<str>>,
    /// The key the gateway authenticates with in place of a secret (`private_key_jwt`): PEM, PKCS #8.
    pub private_key: Option<Secret>,
    /// The `kid` of that key.
    pub private_key_id: Option<Arc<str>>,
    /// May the server's documents lead to private addresses? Without it, only to public ones and to the hosts that the
    /// configuration names.
    pub allow_private: bool,
    /// [`Auth::Exchange`]: what the caller's token becomes.
    pub exchange: Exchange,
    /// [`Auth::Exchange`]: the gateway's own identity, which is exchanged in place of the caller's (workload identity).
    pub subject_token: Option<Secret>,
}

/// How a token becomes one of an MCP server.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Exchange {
    /// The server's authorization server exchanges it (RFC 8693).
    #[default]
    Token,
    /// It is itself an assertion that the server's authorization server takes (RFC 7523).
    Assertion,
    /// An identity provider turns it into an assertion first (Identity Assertion Authorization Grant).
    Identity(IdentityProvider),
}

/// An identity provider that makes assertions, and what the gateway is to it.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityProvider {
    /// Its token endpoint.
    pub token_url: Arc<str>,
    /// The client id there.
    pub client_id: Arc<str>,
    /// The client secret there.
    pub client_secret: Option<Secret>,
}

/// What becomes of tools, prompts, templates and instructions that are new or have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PinPolicy {
    /// New and changed ones are offered at once; changes are recorded.
    AllowNew,
    /// New ones are offered, changed ones wait for approval.
    #[default]
    HoldChanged,
    /// Both wait for approval.
    HoldNew,
}

/// Timers and sizes of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// To connect, or for a child to answer its first message.
    pub connect: Duration,
    /// Between two messages of a call; progress starts it anew.
    pub idle: Duration,
    /// One call, whatever happens.
    pub total: Duration,
    /// The longest message.
    pub message_bytes: usize,
    /// The longest result that goes to a client whole; what is longer is kept and linked to.
    pub result_bytes: usize,
    /// Calls under way at once.
    pub concurrent: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(900),
            message_bytes: 16 << 20,
            result_bytes: 1 << 20,
            concurrent: 256,
        }
    }
}

/// A choice of tools under one path.
#[derive(Clone, Debug)]
pub struct Toolset {
    /// Its name.
    pub name: Arc<str>,
    /// Patterns of `server.tool`.
    pub tools: Vec<Arc<str>>,
    /// Exposed name and description by `server.tool`, where they are not the server's own.
    pub overrides: BTreeMap<Arc<str>, Override>,
    /// Offer `find_tools` and `call_tool` in place of the list?
    pub search: bool,
    /// Are prompts and resources of the servers that have a tool in here offered, too?
    pub resources: bool,
}

/// How a toolset shows one tool.
#[derive(Clone, Debug, Default)]
pub struct Override {
    /// Its name there.
    pub name: Option<Arc<str>>,
    /// Its description there.
    pub description: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::PrincipalKind;

    use super::*;

    #[test]
    fn a_tool_for_some_roles_is_for_nobody_else() {
        let terms = ToolTerms { roles: Some(vec![Role::Owner]), ..ToolTerms::default() };
        let caller = |role| Principal { role, ..Principal::bare(PrincipalKind::Service, "k", "k") };
        assert!(terms.admit(&caller(Some(Role::Owner))));
        assert!(!terms.admit(&caller(Some(Role::Viewer))) && !terms.admit(&caller(None)));
        assert!(ToolTerms::default().admit(&caller(None)));
    }

    #[test]
    fn what_is_of_the_instance_is_not_for_other_organisations() {
        let terms = ToolTerms { roles: Some(vec![Role::Owner]), instance: true, secret: false };
        let own = Principal { role: Some(Role::Owner), ..Principal::bare(PrincipalKind::Service, "k", "k") };
        assert!(terms.admit(&own) && !terms.admit(&Principal { organisation: "acme".into(), ..own.clone() }));
    }
}
