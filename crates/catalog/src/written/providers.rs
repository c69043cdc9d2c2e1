//! `providers`: who serves models, and how to reach them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;

/// One account at one provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Which of the known providers; `openai-compatible` for every server that speaks the Chat dialect.
    pub kind: String,
    /// Replaces the provider's own address. The path is kept as a prefix.
    pub base_url: Option<String>,
    /// The provider's API key.
    pub api_key: Option<SecretText>,
    /// Bedrock: AWS region.
    pub region: Option<String>,
    /// Bedrock: AWS access key id.
    pub access_key_id: Option<String>,
    /// Bedrock: AWS secret access key.
    pub secret_access_key: Option<SecretText>,
    /// Bedrock: session token of temporary AWS credentials.
    pub session_token: Option<SecretText>,
    /// Vertex: Google Cloud project.
    pub project: Option<String>,
    /// Vertex: Google Cloud location.
    pub location: Option<String>,
    /// Vertex: a service account key, as JSON text. `${file:/run/secrets/vertex.json}` reads it from a file.
    pub credentials: Option<SecretText>,
    /// Azure: API version. Anthropic: the `anthropic-version` header.
    pub api_version: Option<String>,
    /// Speak this one of the provider's dialects to every caller. Without it: the caller's own where the provider speaks
    /// it, else the provider's first.
    pub dialect: Option<String>,
    /// Headers to send with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretText>,
    /// How long to wait, for every target of this provider.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How many times a target is tried again before the next one. Without it: 1.
    pub retries: Option<u8>,
}

/// Timers of an attempt, in seconds, fractions allowed. What is not written comes from the next outer place.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// TCP and TLS handshake. Without it: 5.
    pub connect: Option<f64>,
    /// From the request sent to the first byte of the answer. Without it: 300.
    pub first_byte: Option<f64>,
    /// Between two chunks of a stream. Without it: 60.
    pub between_chunks: Option<f64>,
    /// One whole attempt. Without it: 900.
    pub total: Option<f64>,
}
