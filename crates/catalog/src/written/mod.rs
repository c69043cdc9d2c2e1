//! The configuration file as people write it: one struct per section, nothing checked but shape.
//!
//! These structs are the only list of keys there is: the JSON Schema, the shape check with its "did you mean" and
//! docs/configuration.md are all derived from or tested against them, and a doc comment here is the description an
//! editor shows. `resolve` turns them into a `Config`.

mod alerts;
mod guardrails;
mod identity;
mod keys;
mod limits;
mod mcp;
mod models;
mod oauth;
mod policies;
mod prices;
mod principals;
mod providers;
mod server;

use std::collections::BTreeMap;

use gatehouse_domain::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

pub use alerts::{Alert, AlertOn};
pub use guardrails::{Action, Detect, Fail, Guardrail, Pattern, Point};
pub use identity::{Algorithm, Claims, Expected, Jwt, OneOrMore};
pub use keys::Key;
pub use limits::{Budget, Downgrade, Limit, LimitsOn, Nameless, OnExhaust, OnNamed, OnWritten, Period, Refuse};
pub use mcp::{
    Builtin, Mcp, McpAuth, McpClient, McpGrant, McpIdentityProvider, McpListens, McpServer, McpSizes, McpTimeouts,
    OwnServer, Pins, ToolOverride, Toolset,
};
pub use models::{Model, Target};
pub use oauth::{Login, OAuth, OAuthClient};
pub use policies::{Policy, PolicyItem};
pub use prices::{OffPeak, Price, PriceChange, PriceClass, PricePeriod, PriceTier, Prices, Unpriced};
pub use principals::{Agent, Organisation, Role, ServiceAccount, Team, User};
pub use providers::{Provider, Timeouts};
pub use server::{Audit, Auth, Content, LogFormat, Requests, Server, Storage, Telemetry, Tls};

/// The whole file. Unknown keys are errors; `${NAME}`, `${NAME:-default}` and `${file:/path}` may stand in any value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "gatehouse.yaml")]
pub struct File {
    /// Address and port of LLM traffic, admin API and console. Never all interfaces unless written so.
    pub listen: String,
    /// Moves admin API, console and `/metrics` to an address of their own, away from the data plane.
    pub admin_listen: Option<String>,
    /// The URL under which clients reach this gateway. Without it: `http://` (or `https://`) and `listen`.
    pub public_url: Option<String>,
    /// Folder for the database, the usage journal and generated secrets; relative to the folder of this file.
    pub data_dir: String,
    /// Where state is kept.
    pub storage: Storage,
    /// Who may use the admin API, and whether callers without a key may come in.
    pub auth: Auth,
    /// The gateway as an authorization server: access tokens for the MCP paths, for clients that know no keys.
    pub oauth: OAuth,
    /// Serve HTTPS with this certificate instead of HTTP.
    pub tls: Option<Tls>,
    /// Sizes, timers and caps of the listener.
    pub server: Server,
    /// Who serves models, by a name of your choice.
    pub providers: BTreeMap<String, Provider>,
    /// What clients send as "model". A name may end in `*`: `openai/*` takes every name that starts with `openai/`,
    /// and a target model `*` stands for the part that matched.
    pub models: BTreeMap<String, Model>,
    /// What holds for MCP as a whole.
    pub mcp: Mcp,
    /// MCP servers, by a name of your choice: up to 64 letters, digits, `_` and `-`.
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// Choices of their tools, each under a path of its own: `/mcp/toolsets/NAME`.
    pub toolsets: BTreeMap<String, Toolset>,
    /// Organisations, by name. Everything that names none is of the organisation `default`.
    pub organisations: BTreeMap<String, Organisation>,
    /// Teams, by name.
    pub teams: BTreeMap<String, Team>,
    /// People, by name. Nobody needs an entry here to call with a token; with one come limits, budgets and a role.
    pub users: BTreeMap<String, User>,
    /// Callers that are no people, by name.
    pub service_accounts: BTreeMap<String, ServiceAccount>,
    /// Agents, by name.
    pub agents: BTreeMap<String, Agent>,
    /// Keys that callers present. More can be made through the admin API; these are read-only there.
    pub keys: Vec<Key>,
    /// Policies in Cedar: files by name or pattern (`policies/*.cedar`), or a text of policies, which may have a name:
    /// `{name: …, text: …}`.
    pub policies: Vec<PolicyItem>,
    /// Limits and budgets of tags, runs, and others without a section of their own.
    pub limits: Vec<LimitsOn>,
    /// What may not stand in the texts of calls, and what follows where it does.
    pub guardrails: Vec<Guardrail>,
    /// Who is told when something needs a person.
    pub alerts: Vec<Alert>,
    /// Prices where the built-in catalogue has none or another one.
    pub prices: Prices,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: None,
            public_url: None,
            data_dir: "./gatehouse-data".to_owned(),
            storage: Storage::default(),
            auth: Auth::default(),
            oauth: OAuth::default(),
            tls: None,
            server: Server::default(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            mcp: Mcp::default(),
            mcp_servers: BTreeMap::new(),
            toolsets: BTreeMap::new(),
            organisations: BTreeMap::new(),
            teams: BTreeMap::new(),
            users: BTreeMap::new(),
            service_accounts: BTreeMap::new(),
            agents: BTreeMap::new(),
            keys: Vec::new(),
            policies: Vec::new(),
            limits: Vec::new(),
            guardrails: Vec::new(),
            alerts: Vec::new(),
            prices: Prices::default(),
            telemetry: Telemetry::default(),
        }
    }
}

/// A value nobody may see. Write a reference such as `${OPENAI_API_KEY}` rather than the value itself.
#[derive(Clone, Debug)]
pub struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}
