//! Sections about the process itself: storage, admission, TLS, caps, telemetry.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Jwt, SecretText};

/// Where state is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// `sqlite:gatehouse.db`: a file inside `data_dir`.
    pub database: String,
    /// Counters of limits and budgets: `memory`.
    pub shared: String,
    /// What stored secrets are wrapped by: 64 hexadecimal digits. Empty: a key made in `data_dir`.
    pub master_key: Option<SecretText>,
    /// Master keys from before, until `gatehouse secrets rotate` has wrapped everything anew.
    pub old_master_keys: Vec<SecretText>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            database: "sqlite:gatehouse.db".to_owned(),
            shared: "memory".to_owned(),
            master_key: None,
            old_master_keys: Vec::new(),
        }
    }
}

/// Who may come in besides the holders of keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Key of the admin API, 16 characters or more. Empty: only the claim link opens the console.
    pub admin_key: Option<SecretText>,
    /// Lets callers without a key in, as principal `anonymous`. For laptops.
    pub anonymous: bool,
    /// Issuers whose signed tokens are taken in place of keys.
    pub jwt: Vec<Jwt>,
    /// The word minted keys carry (`gk_live_…`), so that whoever finds one knows where it belongs: 1 to 12 small letters and
    /// digits.
    pub environment: String,
}

impl Default for Auth {
    fn default() -> Self {
        Self { admin_key: None, anonymous: false, jwt: Vec::new(), environment: "live".to_owned() }
    }
}

/// A certificate to serve HTTPS with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain, the leaf first; relative to the folder of this file.
    pub cert_file: String,
    /// PEM file with the private key.
    pub key_file: String,
}

/// Sizes, timers and caps of the listener.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The largest request body, after decompression, in bytes.
    pub body_bytes_max: u64,
    /// How long a client may take to send the head of a request, in seconds.
    pub header_timeout_secs: f64,
    /// How long a client may take to send a body, in seconds.
    pub body_timeout_secs: f64,
    /// How long a connection may be without a request, in seconds.
    pub idle_timeout_secs: f64,
    /// The most connections at once.
    pub connections_max: u32,
    /// The most calls at once; one more is told to come back later.
    pub in_flight_max: u32,
    /// Proxies in front of the gateway (addresses or ranges, `10.0.0.0/8`): what they say in `X-Forwarded-For` about the
    /// caller's address is believed, and of nobody else.
    pub trusted_proxies: Vec<String>,
    /// Hosts that may stand in `Host` and `Origin` besides addresses, loopback names and that of `public_url`, on MCP endpoints
    /// and the admin API: `mcp.example.com`, or with a port `mcp.example.com:8443`. All others are refused, so that no web page
    /// can reach the gateway through a browser.
    pub allowed_hosts: Vec<String>,
    /// A PEM file of certificates by which providers and MCP servers may be signed, besides those of the public authorities;
    /// relative to the folder of this file.
    pub ca_file: Option<String>,
    /// How long calls may take to finish after a stop signal, in seconds.
    pub drain_secs: f64,
    /// Threads of the data plane. Without it: one per core.
    pub workers: Option<u16>,
    /// Are answers of the Responses API kept here for 30 days where the provider keeps none?
    pub responses_store: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 * 1024 * 1024,
            header_timeout_secs: 10.0,
            body_timeout_secs: 60.0,
            idle_timeout_secs: 75.0,
            connections_max: 10_000,
            in_flight_max: 5_000,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            ca_file: None,
            drain_secs: 30.0,
            workers: None,
            responses_store: true,
        }
    }
}

/// Logs and traces.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// URL of an OTLP/HTTP collector. Empty: no traces are sent.
    pub otlp: String,
    /// The form of log lines on standard error.
    pub log: LogFormat,
    /// Whether prompts and answers are recorded. They are not: `off` is all it takes.
    pub content: Content,
    /// The request log in the database.
    pub requests: Requests,
    /// The audit log.
    pub audit: Audit,
}

/// The request log in the database: one row per call, to search in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requests {
    /// Days a row is kept; 0: no rows are written.
    pub keep_days: u32,
}

impl Default for Requests {
    fn default() -> Self {
        Self { keep_days: 30 }
    }
}

/// The audit log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Days an entry is kept; 0: for ever.
    pub keep_days: u32,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
    /// No line per call; diagnostics stay, as text.
    Off,
}

/// Whether prompts and answers are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Never.
    #[default]
    Off,
    /// Refused: no release so far records them.
    On,
}
