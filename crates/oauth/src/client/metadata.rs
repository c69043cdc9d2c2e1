//! Which documents are believed: that of an MCP server about itself (RFC 9728) and that of an issuer (RFC 8414).

use std::sync::Arc;

use serde::Deserialize;

use super::{NoPlace, Place, Scopes};

/// Authorization servers looked at in one document.
const ISSUERS_MAX: usize = 16;

/// Why a document, or what it offers, is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// Not JSON, or a decisive member is missing, twice there or of a wrong type.
    #[error("its document cannot be read: {0}")]
    Unreadable(&'static str),
    /// The document is about something else than what was asked.
    #[error("its document is about another `{0}` than the one that was asked")]
    OtherThan(&'static str),
    /// An address in it may not be asked.
    #[error("its `{member}` cannot be used: {why}")]
    Address {
        /// Which member.
        member: &'static str,
        /// Why not.
        why: NoPlace,
    },
    /// It names no authorization server.
    #[error("it names no authorization server")]
    NoIssuer,
    /// The configuration pins an authorization server, and the document names others.
    #[error("it names other authorization servers than the configured `issuer`")]
    OtherIssuer,
    /// No way to have a person agree.
    #[error("it has no `authorization_endpoint`")]
    NoAuthorization,
    /// A code could be stolen on its way.
    #[error("it does not say that it supports PKCE with S256")]
    NoPkce,
}

/// What an MCP server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// Its name as a resource: what tokens are asked for.
    pub resource: Arc<str>,
    /// Who issues tokens for it; at least one.
    pub issuers: Vec<Place>,
    /// What it lists of its scopes.
    pub scopes: Option<Scopes>,
}

/// What an issuer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerMetadata {
    /// Its name, letter for letter.
    pub issuer: Arc<str>,
    /// Where tokens come from.
    pub token_endpoint: Place,
    /// Where clients register.
    pub registration_endpoint: Option<Place>,
    /// Where tokens are taken back (RFC 7009).
    pub revocation_endpoint: Option<Place>,
    /// How clients may authenticate; `None` where it does not say.
    pub auth_methods: Option<Vec<Arc<str>>>,
    /// Scopes it knows.
    pub scopes: Scopes,
    /// Does it fetch a client's document?
    pub takes_documents: bool,
    /// Does it say that `iss` comes with every callback (RFC 9207 §3)?
    pub names_itself: bool,
    authorization_endpoint: Option<Place>,
    pkce: bool,
}

#[derive(Deserialize)]
struct WrittenResource {
    resource: String,
    authorization_servers: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WrittenIssuer {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<Arc<str>>>,
    scopes_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    client_id_metadata_document_supported: Option<bool>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

fn address(member: &'static str, text: &str) -> Result<Place, Disbelief> {
    Place::read(text).map_err(|why| Disbelief::Address { member, why })
}

impl ResourceMetadata {
    /// Judges the document that was found for `server`: its `resource` must be the server or what the server lies under.
    ///
    /// # Errors
    /// See [`Disbelief`].
    pub fn judge(document: &[u8], server: &Place) -> Result<Self, Disbelief> {
        let written: WrittenResource =
            serde_json::from_slice(document).map_err(|_| Disbelief::Unreadable("protected resource metadata"))?;
        if !address("resource", &written.resource)?.covers(server) {
            return Err(Disbelief::OtherThan("resource"));
        }
        let issuers = written.authorization_servers.unwrap_or_default();
        let issuers: Vec<Place> = issuers
            .iter()
            .take(ISSUERS_MAX)
            .map(|issuer| address("authorization_servers", issuer))
            .collect::<Result<_, _>>()?;
        if issuers.is_empty() {
            return Err(Disbelief::NoIssuer);
        }
        let scopes = written.scopes_supported.map(|scopes| Scopes::of(scopes.iter().map(String::as_str)));
        Ok(Self { resource: written.resource.into(), issuers, scopes })
    }

    /// Whose tokens to get: the configured issuer's where the document names it, else the first one's.
    ///
    /// # Errors
    /// `OtherIssuer` when one is configured and not named: its credentials are good for nobody else.
    pub fn issuer(&self, configured: Option<&str>) -> Result<&Place, Disbelief> {
        match configured {
            None => self.issuers.first().ok_or(Disbelief::NoIssuer),
            Some(pinned) => {
                let same = |issuer: &&Place| issuer.text().trim_end_matches('/') == pinned.trim_end_matches('/');
                self.issuers.iter().find(same).ok_or(Disbelief::OtherIssuer)
            }
        }
    }
}

impl IssuerMetadata {
    /// Judges the document that was found for `issuer`: it must call itself exactly so (RFC 8414 §3.3).
    ///
    /// # Errors
    /// See [`Disbelief`].
    pub fn judge(document: &[u8], issuer: &str) -> Result<Self, Disbelief> {
        let written: WrittenIssuer =
            serde_json::from_slice(document).map_err(|_| Disbelief::Unreadable("authorization server metadata"))?;
        if written.issuer != issuer {
            return Err(Disbelief::OtherThan("issuer"));
        }
        let optional = |member, text: Option<String>| text.map(|text| address(member, &text)).transpose();
        let methods = written.code_challenge_methods_supported.unwrap_or_default();
        Ok(Self {
            issuer: written.issuer.into(),
            token_endpoint: address("token_endpoint", &written.token_endpoint)?,
            authorization_endpoint: optional("authorization_endpoint", written.authorization_endpoint)?,
            registration_endpoint: optional("registration_endpoint", written.registration_endpoint)?,
            revocation_endpoint: optional("revocation_endpoint", written.revocation_endpoint)?,
            auth_methods: written.token_endpoint_auth_methods_supported,
            scopes: Scopes::of(written.scopes_supported.unwrap_or_default().iter().map(String::as_str)),
            takes_documents: written.client_id_metadata_document_supported.unwrap_or(false),
            names_itself: written.authorization_response_iss_parameter_supported.unwrap_or(false),
            pkce: methods.iter().any(|method| method == "S256"),
        })
    }

    /// Where a person agrees.
    ///
    /// # Errors
    /// When there is no such page, or a code from it could be stolen: the issuer does not say that it knows PKCE.
    pub fn authorization_endpoint(&self) -> Result<&Place, Disbelief> {
        let endpoint = self.authorization_endpoint.as_ref().ok_or(Disbelief::NoAuthorization)?;
        if self.pkce { Ok(endpoint) } else { Err(Disbelief::NoPkce) }
    }

    /// Does it take this way of authenticating? Where it does not say, it takes `client_secret_basic` (RFC 8414 §2).
    #[must_use]
    pub fn takes(&self, method: &str) -> bool {
        match &self.auth_methods {
            None => method == "client_secret_basic",
            Some(methods) => methods.iter().any(|known| &**known == method),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SERVER: &str = "https://mcp.example/mcp";
    const ISSUER: &str = "https://as.example";

    fn resource(document: &Value) -> Result<ResourceMetadata, Disbelief> {
        ResourceMetadata::judge(document.to_string().as_bytes(), &Place::read(SERVER).unwrap())
    }

    fn issuer(change: impl FnOnce(&mut Value)) -> Result<IssuerMetadata, Disbelief> {
        let mut document = json!({
            "issuer": ISSUER, "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token", "code_challenge_methods_supported": ["S256"]
        });
        change(&mut document);
        IssuerMetadata::judge(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn a_server_may_speak_for_itself_and_what_lies_below() {
        for mine in ["https://mcp.example/mcp", "https://mcp.example", "https://MCP.example:443/mcp/"] {
            let found = resource(&json!({"resource": mine, "authorization_servers": [ISSUER]})).unwrap();
            assert_eq!(&*found.resource, mine);
        }
        for other in ["https://evil.example/mcp", "https://mcp.example/other", "https://mcp.example/mcp/deeper"] {
            let found = resource(&json!({"resource": other, "authorization_servers": [ISSUER]}));
            assert_eq!(found, Err(Disbelief::OtherThan("resource")), "{other}");
        }
    }

    #[test]
    fn a_pinned_issuer_is_the_only_one() {
        let found = resource(&json!({"resource": SERVER, "authorization_servers": ["https://new.example", ISSUER]}));
        let found = found.unwrap();
        assert_eq!(found.issuer(None).unwrap().text(), "https://new.example");
        assert_eq!(found.issuer(Some(ISSUER)).unwrap().text(), ISSUER);
        assert_eq!(found.issuer(Some("https://old.example")), Err(Disbelief::OtherIssuer));
    }

    #[test]
    fn an_issuer_that_calls_itself_otherwise_is_not_believed() {
        for other in ["https://honest.example", "https://as.example/", "https://AS.example", "https://as.example:443"] {
            let found = issuer(|document| document["issuer"] = other.into());
            assert_eq!(found, Err(Disbelief::OtherThan("issuer")), "{other}");
        }
        assert!(issuer(|_| ()).is_ok());
    }

    #[test]
    fn endpoints_that_no_https_leads_to_are_refused() {
        let endpoints = ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"];
        for member in endpoints {
            for url in ["javascript:alert(1)", "file:///x", "$(id)", "--x", "http://as.example/token"] {
                let found = issuer(|document| document[member] = url.into());
                assert!(matches!(found, Err(Disbelief::Address { .. })), "{member} {url}");
            }
        }
    }

    #[test]
    fn nobody_is_sent_to_an_issuer_without_pkce() {
        let plain = issuer(|document| document["code_challenge_methods_supported"] = json!(["plain"])).unwrap();
        assert_eq!(plain.authorization_endpoint(), Err(Disbelief::NoPkce));
        let silent = issuer(|document| document["code_challenge_methods_supported"] = Value::Null).unwrap();
        assert_eq!(silent.authorization_endpoint(), Err(Disbelief::NoPkce));
    }

    #[test]
    fn a_decisive_member_that_stands_there_twice_is_no_document() {
        let twice =
            format!(r#"{{"issuer":"{ISSUER}","issuer":"https://b.example","token_endpoint":"https://b.example"}}"#);
        assert_eq!(
            IssuerMetadata::judge(twice.as_bytes(), ISSUER),
            Err(Disbelief::Unreadable("authorization server metadata"))
        );
    }
}
