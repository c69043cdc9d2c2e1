//! The section `oauth`: the gateway as an authorization server for its MCP paths.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Claims, SecretText};

/// Access tokens for the MCP paths, for clients that know no keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth {
    /// Issue access tokens? Without it MCP clients need keys, or tokens of `auth.jwt`.
    pub enabled: bool,
    /// Identity providers people log in with (OpenID Connect).
    pub login: Vec<Login>,
    /// May people log in by pasting a Gatehouse key? Without it: if there is no identity provider.
    pub key_login: Option<bool>,
    /// May clients register themselves?
    pub registration: bool,
    /// May clients be known by a document at an address of theirs?
    pub client_documents: bool,
    /// Hosts such documents may be at. Empty: any public one.
    pub client_hosts: Vec<String>,
    /// May such documents be at addresses of this machine? For trying things out.
    pub local_client_documents: bool,
    /// Clients that are known beforehand.
    pub clients: Vec<OAuthClient>,
    /// Issuers of `auth.jwt` whose identity assertions (ID-JAG) and tokens may be exchanged for access tokens.
    pub assertion_issuers: Vec<String>,
    /// How long an access token is good, in seconds: 60 to 3600.
    pub access_token_secs: f64,
    /// How long a grant lasts without being used, in days: 1 to 365.
    pub refresh_days: u32,
    /// How long a login lasts in a browser, in seconds: 60 to 86400.
    pub session_secs: f64,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            enabled: true,
            login: Vec::new(),
            key_login: None,
            registration: true,
            client_documents: true,
            client_hosts: Vec::new(),
            local_client_documents: false,
            clients: Vec::new(),
            assertion_issuers: Vec::new(),
            access_token_secs: 600.0,
            refresh_days: 30,
            session_secs: 28_800.0,
        }
    }
}

/// An identity provider people log in with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// What people are shown. Without it: the issuer's host.
    pub name: Option<String>,
    /// The issuer, letter for letter; its `/.well-known/openid-configuration` says the rest.
    pub issuer: String,
    /// What this gateway is called there.
    pub client_id: String,
    /// Its secret there; empty for a public client.
    pub client_secret: Option<SecretText>,
    /// What is asked for. Without it: `openid`, `profile`, `email`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Which claim says what.
    #[serde(default)]
    pub claims: Claims,
}

/// A client that is known beforehand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// What people are shown. Without it: the id.
    pub name: Option<String>,
    /// Its secret, 16 characters or more. Without it and without keys: a public client.
    pub secret: Option<SecretText>,
    /// Where its public keys are, if it signs instead of showing a secret.
    pub jwks_url: Option<String>,
    /// Where answers may be sent.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Its ways to a token. Without it: `authorization_code` and `refresh_token` with redirect addresses, `client_credentials`
    /// with an account.
    #[serde(default)]
    pub grant_types: Vec<String>,
    /// The service account it is when it asks for itself.
    pub service_account: Option<String>,
    /// The agent it is when it asks for itself, or acts for somebody.
    pub agent: Option<String>,
}
