//! The configuration, resolved: every reference followed, every default filled in, every text typed. What the binary
//! builds gateways, meters and listeners from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{Guests, IpRange, Money, On, Origin, Role, Secret, Timeouts};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mcp::Mcp;
use crate::oauth::OAuth;
use crate::principals::{Holder, JwtIssuer, Principals};
use crate::written::{Action, AlertOn, Point, Unpriced};

pub use crate::written::{Budget, Limit, LogFormat, Period, Price};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the data plane listens.
    pub listen: SocketAddr,
    /// Where admin API, console and metrics listen, if not there too.
    pub admin_listen: Option<SocketAddr>,
    /// The URL clients use.
    pub public_url: Endpoint,
    /// The hosts that are this gateway, for requests that a browser may have been talked into.
    pub guests: Guests,
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
    /// The gateway as an authorization server.
    pub oauth: Arc<OAuth>,
    /// Certificate files, for HTTPS.
    pub tls: Option<Tls>,
    /// Certificates by which upstreams may be signed, besides those of the public authorities: PEM.
    pub authorities: Option<Arc<str>>,
    /// Sizes, timers and caps.
    pub server: Server,
    /// Providers by name.
    pub providers: BTreeMap<Arc<str>, Provider>,
    /// Models by name or pattern.
    pub models: BTreeMap<Arc<str>, Model>,
    /// MCP servers and toolsets.
    pub mcp: Mcp,
    /// Everybody who is declared.
    pub principals: Principals,
    /// Keys of the file, in the order written.
    pub keys: Vec<Key>,
    /// Policies in Cedar, as texts.
    pub policies: Vec<PolicyText>,
    /// Limits and budgets of others, in the order written.
    pub limits: Vec<(On, Terms)>,
    /// Guardrails, in the order written.
    pub guardrails: Vec<Guardrail>,
    /// Who is told of events, in the order written.
    pub alerts: Vec<Alert>,
    /// Price overrides in USD per million tokens, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// What becomes of calls to models without a price.
    pub unpriced: Unpriced,
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
    /// What all callers have of it together.
    pub terms: Terms,
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
    /// MCP servers it may use or patterns; with no toolsets either: all.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use or patterns, besides the servers.
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
    /// How fast it may call and how much it may spend.
    pub terms: Terms,
}

/// Limits and budgets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Limits as written, to be shown.
    pub limits: Vec<Limit>,
    /// Budgets as written, to be shown.
    pub budgets: Vec<Budget>,
    /// What both mean.
    pub rules: Vec<Rule>,
}

/// One text of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// How it is called in messages: its own name, the file, or its place in the configuration.
    pub name: Arc<str>,
    /// Where the configuration has it (`policies[0]`, `policies[1].text`).
    pub path: String,
    /// The file it was read from; `None` if it stands in the configuration itself.
    pub file: Option<PathBuf>,
    /// The policies.
    pub text: String,
}

/// What one limit or budget means.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// How much of what.
    pub counted: Counted,
    /// In which window; `life` for what has none.
    pub window: Window,
    /// Shares of the maximum at which to warn: ascending, at most eight.
    pub warn_at: Vec<f64>,
    /// The model a call that does not fit is read again as.
    pub downgrade: Option<Arc<str>>,
}

/// So much of a measure, more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Requests.
    Requests(u64),
    /// Tokens, input and output together.
    Tokens(u64),
    /// Calls at once.
    Concurrent(u32),
    /// Money.
    Money(Money),
}

/// A window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// How long.
    pub per: Period,
    /// Whose calendar; means nothing if it rolls.
    pub zone: TimeZone,
    /// Is it the time just past?
    pub rolling: bool,
}

/// One guardrail.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// Unique name.
    pub name: Arc<str>,
    /// Where it looks; never empty.
    pub on: Vec<Point>,
    /// What follows from a finding.
    pub action: Action,
    /// Teams it is for; empty: all.
    pub teams: Vec<String>,
    /// Keys it is for, by name; empty: all.
    pub keys: Vec<String>,
    /// Models it is for; empty: all.
    pub models: Vec<String>,
    /// Tools it is for; empty: all.
    pub tools: Vec<String>,
    /// Does text pass that it could not look at?
    pub fail_open: bool,
    /// What it looks for.
    pub detector: Detector,
}

/// What a guardrail looks for, with its settings. Whether patterns and schemas are sound is for the builder to say.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the settings are documented where they are written")]
pub enum Detector {
    Secrets,
    Pii {
        kinds: Vec<String>,
    },
    Injection {
        threshold: Option<f64>,
    },
    /// Name and regular expression.
    Regex {
        patterns: Vec<(String, String)>,
    },
    Keywords {
        words: Vec<String>,
    },
    Size {
        max_chars: usize,
    },
    Topic {
        allow: Vec<String>,
        deny: Vec<String>,
    },
    JsonSchema {
        schema: serde_json::Value,
    },
    Webhook(Webhook),
}

/// Somebody who is asked.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub url: Endpoint,
    /// Bearer token; never empty.
    pub token: Option<Secret>,
    /// From the question to the whole of the answer.
    pub timeout: Duration,
    /// May its address be private?
    pub allow_private: bool,
}

/// An address that events are posted to.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Unique name.
    pub name: Arc<str>,
    /// Where.
    pub url: Endpoint,
    /// What events are signed with; never empty.
    pub secret: Option<Secret>,
    /// Which events; never empty.
    pub on: Vec<AlertOn>,
    /// May its address be private?
    pub allow_private: bool,
}

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// OTLP/HTTP collector; `None`: no traces.
    pub otlp: Option<Endpoint>,
    /// Form of log lines.
    pub log: LogFormat,
    /// How long rows of the request log are kept; `None`: none are written.
    pub keep_requests: Option<Duration>,
    /// How long entries of the audit log are kept; `None`: for ever.
    pub keep_audit: Option<Duration>,
}
