//! Where calls go.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::Secret;

/// Scheme, host and port of an upstream: what connections are pooled by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// TLS or not.
    pub tls: bool,
    /// Host name or address, without brackets for IPv6.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
}

/// The timers of one target, inner ones no longer than outer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS handshake.
    pub connect: Duration,
    /// From the request sent to the first byte of the answer's head.
    pub first_byte: Duration,
    /// Between two chunks of a stream.
    pub between_chunks: Duration,
    /// One whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(300),
            between_chunks: Duration::from_secs(60),
            total: Duration::from_secs(900),
        }
    }
}

/// A provider and one of its models: what a plan is made of. Lives in a table of the gateway value; `index` is its place.
#[derive(Clone, Debug)]
pub struct Target {
    /// Place in the gateway's target table.
    pub index: usize,
    /// The provider's name in the configuration.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub model: Arc<str>,
    /// Both as callers are told of them.
    pub told: Told,
    /// `provider/model`: the name of its breaker, in metrics and in the ledger. Stable across reloads.
    pub label: Arc<str>,
    /// Where to connect.
    pub origin: Origin,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How many times the same target is tried again before the next one.
    pub retries: u8,
    /// Index into the gateway's `grants`, if requests carry a short-lived token that must be fetched first.
    pub grant: Option<usize>,
}

/// The names of a target as values of headers, made once: every answer carries them. A name that cannot be one is not told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The provider's name.
    pub provider: Option<HeaderValue>,
    /// The model's.
    pub model: Option<HeaderValue>,
}

impl Told {
    /// Of these names.
    #[must_use]
    pub fn of(provider: &str, model: &str) -> Self {
        Self { provider: HeaderValue::from_str(provider).ok(), model: HeaderValue::from_str(model).ok() }
    }
}

/// A short-lived token that the control plane fetches and refreshes in the background (RFC 7523 assertion grant).
#[derive(Clone)]
pub struct TokenGrant {
    /// Stable name: the token survives a reload that keeps the grant.
    pub name: String,
    /// Where the assertion is exchanged.
    pub token_url: String,
    /// Who signs (`iss` of the assertion).
    pub issuer: String,
    /// What for.
    pub scope: String,
    /// PEM private key (RS256).
    pub private_key: Secret,
    /// `kid` of the key, if known.
    pub key_id: Option<String>,
}
