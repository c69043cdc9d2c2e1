//! The configuration, resolved: every reference followed, every default filled in, every text typed. What the binary
//! builds gateways, meters and listeners from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{IpRange, Money, Origin, Role, Secret, Timeouts};
use jiff::Timestamp;

use crate::principals::{Holder, JwtIssuer, Principals};

pub use crate::written::{BudgetWindow, Content, LimitWindow, LogFormat, Price};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data plane listens.
    pub listen: SocketAddr,
    /// Where admin API, console and metrics listen, if not there too.
    pub admin_listen: Option<SocketAddr>,
    /// The URL clients use.
    pub public_url: Endpoint,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The SQLite file.
    pub database: PathBuf,
    /// What stored secrets are wrapped by; `None`: a key in the data folder.
    pub master_key: Option<Secret>,
    /// Master keys from before.
    pub old_master_keys: Vec<Secret>,
    /// Who may come in besides holders of keys.
    pub auth: Auth,
    /// Certificate files, for HTTPS.
    pub tls: Option<Tls>,
    /// Sizes, timers and caps.
    pub server: Server,
    /// Providers by name.
    pub providers: BTreeMap<Arc<str>, Provider>,
    /// Models by name or pattern.
    pub models: BTreeMap<Arc<str>, Model>,
    /// Everybody who is declared.
    pub principals: Principals,
    /// Keys of the file, in the order written.
    pub keys: Vec<Key>,
    /// Policies in Cedar, as texts.
    pub policies: Vec<PolicyText>,
    /// Price overrides in USD per million tokens, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// An HTTP address in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Path without a `/` at its end; empty for the root.
    pub path: String,
    /// As written, without a `/` at its end.
    pub text: String,
}

/// Who may come in besides holders of keys.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Key of the admin API; `None`: only the claim link opens the console.
    pub admin_key: Option<Secret>,
    /// Are callers without a key let in?
    pub anonymous: bool,
    /// Issuers of signed tokens.
    pub jwt: Vec<JwtIssuer>,
    /// The word minted keys carry.
    pub environment: String,
}

/// Certificate files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM certificate chain.
    pub cert_file: PathBuf,
    /// PEM private key.
    pub key_file: PathBuf,
}

/// Sizes, timers and caps of the listener.
#[derive(Clone, Debug)]
pub struct Server {
    /// The largest request body in bytes, after decompression.
    pub body_bytes_max: u64,
    /// For the head of a request.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a connection without a request.
    pub idle_timeout: Duration,
    /// The most connections at once.
    pub connections_max: u32,
    /// The most calls at once.
    pub in_flight_max: u32,
    /// Proxies that are believed about the caller's address.
    pub trusted_proxies: Vec<IpRange>,
    /// How long calls may finish after a stop signal.
    pub drain: Duration,
    /// Threads of the data plane; `None`: one per core.
    pub workers: Option<u16>,
    /// Are answers of the Responses API kept here where the provider keeps none?
    pub responses_store: bool,
}

/// One account at one provider. Which of the credentials a kind needs is for the gateway to say.
#[derive(Clone, Debug)]
pub struct Provider {
    /// One of the known kinds.
    pub kind: String,
    /// Replaces the kind's own address.
    pub base_url: Option<Endpoint>,
    /// API key; never empty.
    pub api_key: Option<Secret>,
    /// AWS region.
    pub region: Option<String>,
    /// AWS access key id.
    pub access_key_id: Option<String>,
    /// AWS secret access key; never empty.
    pub secret_access_key: Option<Secret>,
    /// AWS session token; never empty.
    pub session_token: Option<Secret>,
    /// Google Cloud project.
    pub project: Option<String>,
    /// Google Cloud location.
    pub location: Option<String>,
    /// Service account key as JSON text; never empty.
    pub credentials: Option<Secret>,
    /// API version.
    pub api_version: Option<String>,
    /// The one dialect to speak to it.
    pub dialect: Option<String>,
    /// Headers to send; names valid and lower-case, values valid.
    pub headers: Vec<(String, Secret)>,
    /// Timers of its targets.
    pub timeouts: Timeouts,
    /// Tries after the first, per target.
    pub retries: u8,
}

/// One model name or pattern.
#[derive(Clone, Debug)]
pub struct Model {
    /// One of the known strategies.
    pub strategy: String,
    /// Where calls go; never empty.
    pub targets: Vec<Target>,
    /// Other models to try, in order; never in a circle.
    pub fallbacks: Vec<Arc<str>>,
}

/// A provider and one of its models.
#[derive(Clone, Debug)]
pub struct Target {
    /// A key of `Config::providers`.
    pub provider: Arc<str>,
    /// The provider's own name of the model; `*` for the part that a pattern matched.
    pub model: String,
    /// Share of the calls.
    pub weight: u32,
    /// The model's timers over the provider's.
    pub timeouts: Timeouts,
}

/// A key callers present.
#[derive(Clone, Debug)]
pub struct Key {
    /// Unique name.
    pub name: Arc<str>,
    /// What the caller presents; unique, 16 characters or more.
    pub secret: Secret,
    /// Whom it belongs to.
    pub holder: Holder,
    /// Models or patterns; empty: all.
    pub models: Vec<String>,
    /// MCP servers it may use; empty: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use; empty: all.
    pub toolsets: Vec<String>,
    /// Agents it may call; empty: all.
    pub agents: Vec<String>,
    /// Addresses it may be used from; empty: any.
    pub ip_ranges: Vec<IpRange>,
    /// Tags of its own.
    pub tags: Option<Arc<str>>,
    /// What it may do in the admin API.
    pub role: Option<Role>,
    /// The first moment it no longer works.
    pub expires: Option<Timestamp>,
    /// How fast it may call.
    pub limits: Vec<Limit>,
    /// How much it may spend.
    pub budgets: Vec<Budget>,
}

/// One text of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// How it is called in messages: the file, or its place in the configuration.
    pub name: Arc<str>,
    /// Which item of the configuration names it (`policies[0]`).
    pub path: String,
    /// The file it was read from; `None` if it stands in the configuration itself.
    pub file: Option<PathBuf>,
    /// The policies.
    pub text: String,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests in a window.
    Requests {
        /// How many.
        max: u64,
        /// The window.
        per: LimitWindow,
    },
    /// Tokens in a window.
    Tokens {
        /// How many.
        max: u64,
        /// The window.
        per: LimitWindow,
    },
    /// Calls at once.
    Concurrent {
        /// How many.
        max: u32,
    },
}

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most money in a window.
    pub max: Money,
    /// The window.
    pub per: BudgetWindow,
}

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// OTLP/HTTP collector; `None`: no traces.
    pub otlp: Option<Endpoint>,
    /// Form of log lines.
    pub log: LogFormat,
    /// Do prompts and answers ride in traces?
    pub content: Content,
    /// How long rows of the request log are kept; `None`: none are written.
    pub keep_requests: Option<Duration>,
    /// How long entries of the audit log are kept; `None`: for ever.
    pub keep_audit: Option<Duration>,
}
