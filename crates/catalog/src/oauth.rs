//! The section `oauth`, resolved.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Secret;

use crate::config::Endpoint;
use crate::written::Claims;

/// The gateway as an authorization server.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// Does it issue access tokens?
    pub enabled: bool,
    /// Identity providers people log in with.
    pub login: Vec<Login>,
    /// May people log in with a key?
    pub key_login: bool,
    /// May clients register themselves?
    pub registration: bool,
    /// May clients be known by a document?
    pub client_documents: bool,
    /// Hosts of such documents, in small letters; empty: any public one.
    pub client_hosts: Vec<String>,
    /// May they be on this machine?
    pub local_client_documents: bool,
    /// Clients that are known beforehand.
    pub clients: Vec<OAuthClient>,
    /// Issuers of `auth.jwt` that may vouch for people at the token endpoint.
    pub assertion_issuers: Vec<String>,
    /// How long an access token is good.
    pub access_token: Duration,
    /// How long a grant lasts without being used.
    pub refresh: Duration,
    /// How long a login lasts in a browser.
    pub session: Duration,
}

/// An identity provider people log in with.
#[derive(Clone, Debug)]
pub struct Login {
    /// What people are shown.
    pub name: String,
    /// The issuer, letter for letter.
    pub issuer: String,
    /// The same as an address.
    pub endpoint: Endpoint,
    /// What this gateway is called there.
    pub client_id: String,
    /// Its secret there; never empty.
    pub client_secret: Option<Secret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Which claim says what.
    pub claims: Arc<Claims>,
}

/// A client that is known beforehand.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// What people are shown.
    pub name: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Where its public keys are.
    pub jwks_url: Option<Endpoint>,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Its ways to a token.
    pub grant_types: Vec<String>,
    /// The service account or agent it is when it asks for itself.
    pub account: Option<Arc<str>>,
    /// Is that an agent?
    pub is_agent: bool,
}
