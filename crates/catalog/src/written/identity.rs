//! `auth.jwt`: issuers whose signed tokens are taken in place of keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// An issuer of signed tokens (OpenID Connect, RFC 7519), and how far it is trusted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// What stands in the claim `iss`, letter for letter.
    pub issuer: String,
    /// What must stand in the claim `aud`; of several, one is enough.
    pub audience: OneOrMore,
    /// Where the issuer publishes its keys (a JSON Web Key Set).
    pub jwks_url: Option<String>,
    /// A file with its keys instead, relative to the folder of this file; read again when it changes.
    pub jwks_file: Option<String>,
    /// Algorithms a token may be signed with. Without it: RS256 and ES256.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// Which claim says what. A dot leads into an object: `realm_access.roles`.
    #[serde(default)]
    pub claims: Claims,
    /// Claims a token must have, with the value each must have, or one of its values.
    #[serde(default)]
    pub require: BTreeMap<String, Expected>,
    /// How far the issuer's clock may be off, in seconds. Without it: 60; at most 600.
    pub leeway: Option<f64>,
    /// How long keys are used after the issuer could last be reached, in seconds. Without it: 86400, a day.
    pub jwks_max_stale: Option<f64>,
}

/// Which claim says what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// Who it is.
    pub user: String,
    /// The teams: a text or a list. The first one that is declared pays.
    pub team: Option<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// The role in the admin API: a text or a list; the first that is a role counts.
    pub role: Option<String>,
    /// The agent that calls. Without such a claim: the outermost `act` (RFC 8693).
    pub agent: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self { user: "sub".to_owned(), team: None, organisation: None, role: None, agent: None }
    }
}

/// How a token may be signed. There is no `none`, and nothing with a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 §3.1 and RFC 8037")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// The name in a token's header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// A text, or a list of texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMore {
    /// As a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

impl JsonSchema for OneOrMore {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

/// What a claim must say: a text, one of several texts, or true or false.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// True or false.
    Flag(bool),
    /// This text.
    One(String),
    /// One of these.
    Many(Vec<String>),
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean", "array"], "items": { "type": "string" } })
    }
}
