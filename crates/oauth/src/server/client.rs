//! Clients: what is known of one, how it may be registered (RFC 7591), and how it is known by a document of its own (CIMD).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Oops, Wrong, redirect, token};

/// How a client may prove to be itself at the token endpoint.
pub const AUTH_METHODS: [&str; 4] = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
/// How a client may sign when it proves itself by a key of its own.
pub const SIGNING_ALGORITHMS: [&str; 5] = ["ES256", "ES384", "EdDSA", "RS256", "PS256"];

/// Redirect addresses of one client.
const REDIRECTS_MAX: usize = 32;
/// Characters of a name that people are shown.
const NAME_CHARS_MAX: usize = 80;
/// Bytes of a key set that stands in a registration.
const JWKS_BYTES_MAX: usize = 16 << 10;
/// The longest address of a document, in bytes.
const DOCUMENT_URL_MAX: usize = 1_024;

/// Somebody who asks for access in a person's name, or in its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// What it calls itself in requests.
    pub id: String,
    /// How it became known.
    pub kind: Kind,
    /// What it said of itself, or what the configuration says.
    pub metadata: Metadata,
}

/// How a client became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The configuration declares it.
    Declared,
    /// It registered itself.
    Registered,
    /// Its id is the address of a document about it.
    Document,
}

/// What a client says of itself, as far as it matters here (RFC 7591 §2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// What people are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Its ways to a token.
    pub grant_types: Vec<String>,
    /// Its answers to an authorization request.
    pub response_types: Vec<String>,
    /// How it proves to be itself: one of [`AUTH_METHODS`].
    pub token_endpoint_auth_method: String,
    /// `native` or `web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// The scopes it will ask for at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Its public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Which program it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// In which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}

impl Client {
    /// What people are shown: its name, without anything that could pass for something else; else its id.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = self.metadata.client_name.as_deref().map(plain).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| plain(&self.id))
    }

    /// Does it prove to be itself by a secret or a key? One that does not is anybody who knows its id.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.metadata.token_endpoint_auth_method != "none"
    }

    /// May it take this way to a token?
    #[must_use]
    pub fn may(&self, grant_type: &str) -> bool {
        self.metadata.grant_types.iter().any(|own| own == grant_type)
    }

    /// The redirect address a request names, if it is one of the client's; without one, the only one there is.
    ///
    /// # Errors
    /// [`Wrong::Request`]. Such an error is shown on a page and sent nowhere.
    pub fn redirect<'a>(&'a self, asked: Option<&'a str>) -> Result<&'a str, Oops> {
        let known = &self.metadata.redirect_uris;
        let oops = |what: &'static str| Oops::new(Wrong::Request, what);
        match (asked, known.as_slice()) {
            (Some(asked), _) if known.iter().any(|known| redirect::matches(known, asked)) => Ok(asked),
            (Some(_), _) => Err(oops("the redirect address is none the client has registered")),
            (None, [only]) => Ok(only),
            (None, _) => Err(oops("the parameter redirect_uri is missing")),
        }
    }
}

impl Metadata {
    /// Reads a registration (RFC 7591 §3.1). What is not understood is left out, as the protocol has it.
    ///
    /// # Errors
    /// [`Wrong::RedirectUri`] or [`Wrong::Metadata`].
    pub fn registration(body: &[u8]) -> Result<Self, Oops> {
        let metadata: Self = serde_json::from_slice(body)
            .map_err(|_| Oops::new(Wrong::Metadata, "the body is not a JSON object of client metadata"))?;
        metadata.checked("client_secret_basic")
    }

    /// Reads the document about a client that its id leads to.
    ///
    /// # Errors
    /// [`Wrong::Client`] if it is about somebody else, or not fit for a client that anybody can be.
    pub fn document(id: &str, body: &[u8]) -> Result<Self, Oops> {
        let oops = |what: &'static str| Oops::new(Wrong::Client, what);
        let document: Value = serde_json::from_slice(body).map_err(|_| oops("the client's document is not JSON"))?;
        if document.get("client_id").and_then(Value::as_str) != Some(id) {
            return Err(oops("the client's document is about another client: its client_id is not its own address"));
        }
        if document.get("client_secret").is_some() {
            return Err(oops("the client's document holds a secret, which is none any more"));
        }
        let metadata: Self =
            serde_json::from_value(document).map_err(|_| oops("the client's document is not client metadata"))?;
        if metadata.client_name.as_deref().is_none_or(|name| plain(name).is_empty()) {
            return Err(oops("the client's document does not say its name"));
        }
        let metadata = metadata.checked("none").map_err(|wrong| Oops::new(Wrong::Client, wrong.description))?;
        match metadata.token_endpoint_auth_method.as_str() {
            "none" | "private_key_jwt" => Ok(metadata),
            _ => Err(oops("a client known by its document has no secret: none and private_key_jwt are possible")),
        }
    }

    /// Fills in what was left out (RFC 7591 §2) and refuses what cannot be.
    fn checked(mut self, method: &str) -> Result<Self, Oops> {
        let oops = |what: &'static str| Err(Oops::new(Wrong::Metadata, what));
        if self.token_endpoint_auth_method.is_empty() {
            method.clone_into(&mut self.token_endpoint_auth_method);
        }
        if self.grant_types.is_empty() {
            self.grant_types = vec![token::AUTHORIZATION_CODE.to_owned()];
        }
        if self.response_types.is_empty() {
            self.response_types = vec!["code".to_owned()];
        }
        if !AUTH_METHODS.contains(&self.token_endpoint_auth_method.as_str()) {
            return oops("this token_endpoint_auth_method is not offered");
        }
        self.grant_types.retain(|grant| token::GRANT_TYPES.contains(&grant.as_str()));
        if !self.grant_types.iter().any(|grant| grant == token::AUTHORIZATION_CODE) {
            return oops("a client that registers itself acts for people: it needs the grant type authorization_code");
        }
        // What takes trust beforehand is declared in the configuration.
        self.grant_types.retain(|grant| grant != token::CLIENT_CREDENTIALS && grant != token::TOKEN_EXCHANGE);
        if self.response_types != ["code"] {
            return oops("the only response type is code");
        }
        if self.redirect_uris.is_empty() || self.redirect_uris.len() > REDIRECTS_MAX {
            return Err(Oops::new(Wrong::RedirectUri, "a client has 1 to 32 redirect addresses"));
        }
        self.redirect_uris.iter().try_for_each(|uri| redirect::check(uri))?;
        if self.jwks.as_ref().is_some_and(|jwks| jwks.to_string().len() > JWKS_BYTES_MAX) {
            return oops("the key set is too long");
        }
        let signs = self.token_endpoint_auth_method == "private_key_jwt";
        if signs && self.jwks.is_none() && self.jwks_uri.is_none() {
            return oops("private_key_jwt needs jwks or jwks_uri");
        }
        let texts = [&self.client_uri, &self.application_type, &self.scope, &self.software_id, &self.software_version];
        let long = |text: &&Option<String>| text.as_ref().is_some_and(|text| text.len() > 1_024);
        if texts.iter().any(long) || self.client_name.as_ref().is_some_and(|name| name.len() > 1_024) {
            return oops("a text of the metadata is longer than 1024 bytes");
        }
        Ok(self)
    }

    /// The answer to a registration (RFC 7591 §3.2.1).
    #[must_use]
    pub fn registered(&self, id: &str, secret: Option<&str>, at_unix_secs: u64) -> Value {
        let mut answer = serde_json::to_value(self).unwrap_or_else(|_| json!({}));
        answer["client_id"] = json!(id);
        answer["client_id_issued_at"] = json!(at_unix_secs);
        if let Some(secret) = secret {
            answer["client_secret"] = json!(secret);
            answer["client_secret_expires_at"] = json!(0);
        }
        answer
    }
}

/// Is this id the address of a document (CIMD §3)? `local`: documents on this machine count, too, for trying things out.
#[must_use]
pub fn is_document_url(id: &str, local: bool) -> bool {
    let rest = id.strip_prefix("https://").or_else(|| {
        let rest = id.strip_prefix("http://").filter(|_| local)?;
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        matches!(host, "localhost" | "127.0.0.1").then_some(rest)
    });
    let Some((authority, path)) = rest.and_then(|rest| rest.split_once('/')) else { return false };
    let dots = path.split('/').any(|part| matches!(part, "." | ".."));
    id.len() <= DOCUMENT_URL_MAX
        && id.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
        && !id.contains(['#', '"', '<', '>', '\\'])
        && !authority.is_empty()
        && !authority.contains('@')
        && !path.is_empty()
        && !dots
}

/// Host and port of such an address.
#[must_use]
pub fn document_host(id: &str) -> &str {
    id.split_once("://").map_or(id, |(_, rest)| rest.split('/').next().unwrap_or(rest))
}

/// A text as people may be shown it: nothing that turns the direction of writing, hides, or breaks the line.
fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let kept: String = text.chars().filter(|c| !odd(*c)).take(NAME_CHARS_MAX).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(change: &Value) -> Result<Metadata, Oops> {
        let mut body = json!({"client_name": "Editor", "redirect_uris": ["http://127.0.0.1:3000/cb"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Metadata::registration(body.to_string().as_bytes())
    }

    #[test]
    fn what_a_registration_leaves_out_is_filled_in() {
        let metadata = register(&json!({"application_type": "native", "tos_uri": "x"})).unwrap();
        assert_eq!(metadata.token_endpoint_auth_method, "client_secret_basic");
        assert_eq!(metadata.grant_types, ["authorization_code"]);
        assert_eq!(metadata.response_types, ["code"]);
    }

    #[test]
    fn nobody_registers_for_tokens_of_its_own() {
        let grants = json!({
            "grant_types": ["authorization_code", "client_credentials", "refresh_token", "implicit", token::TOKEN_EXCHANGE],
        });
        assert_eq!(register(&grants).unwrap().grant_types, ["authorization_code", "refresh_token"]);
        assert_eq!(register(&json!({"grant_types": ["client_credentials"]})).unwrap_err().wrong, Wrong::Metadata);
    }

    #[test]
    fn registrations_that_cannot_work_are_refused() {
        for (change, wrong) in [
            (json!({"redirect_uris": []}), Wrong::RedirectUri),
            (json!({"redirect_uris": ["javascript:alert(1)"]}), Wrong::RedirectUri),
            (json!({"redirect_uris": "http://localhost/cb"}), Wrong::Metadata),
            (json!({"token_endpoint_auth_method": "tls_client_auth"}), Wrong::Metadata),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), Wrong::Metadata),
            (json!({"response_types": ["token"]}), Wrong::Metadata),
            (json!({"software_id": "x".repeat(2_000)}), Wrong::Metadata),
        ] {
            assert_eq!(register(&change).unwrap_err().wrong, wrong, "{change}");
        }
    }

    const DOCUMENT: &str = "https://app.example.com/client.json";

    fn document(change: &Value) -> Result<Metadata, Oops> {
        let mut body = json!({
            "client_id": DOCUMENT, "client_name": "Editor", "redirect_uris": ["https://app.example.com/cb"],
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Metadata::document(DOCUMENT, body.to_string().as_bytes())
    }

    #[test]
    fn a_document_is_about_the_client_whose_id_is_its_address() {
        assert_eq!(document(&json!({})).unwrap().token_endpoint_auth_method, "none");
        for change in [
            json!({"client_id": "https://app.example.com/client.json/"}),
            json!({"client_id": null}),
            json!({"client_secret": "x"}),
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            json!({"client_name": "\u{202e} "}),
            json!({"redirect_uris": []}),
        ] {
            assert_eq!(document(&change).unwrap_err().wrong, Wrong::Client, "{change}");
        }
    }

    #[test]
    fn an_address_of_a_document_is_https_with_a_path() {
        assert!(is_document_url(DOCUMENT, false));
        for id in [
            "https://app.example.com",
            "https://app.example.com/",
            "http://app.example.com/c",
            "https://a@b.example/c",
            "https://app.example.com/a/../c",
            "https://app.example.com/c#x",
            "https:///c",
            "client-1",
        ] {
            assert!(!is_document_url(id, true), "{id}");
        }
        assert!(is_document_url("http://127.0.0.1:9/c.json", true));
        assert!(!is_document_url("http://127.0.0.1:9/c.json", false));
        assert!(!is_document_url("http://127.0.0.1.evil.example/c.json", true));
    }

    #[test]
    fn a_name_cannot_pass_for_something_else() {
        let metadata =
            Metadata { client_name: Some("Good\u{202e}\n Editor\u{200b}".to_owned()), ..Metadata::default() };
        let client = Client { id: "x".to_owned(), kind: Kind::Registered, metadata };
        assert_eq!(client.shown(), "Good Editor");
    }
}
