//! As whom the gateway comes to an issuer: as the client the configuration names, as the document it hosts (Client ID Metadata
//! Documents), as a client that registered itself (RFC 7591); else somebody has to enter one.

use std::sync::Arc;

use gatehouse_domain::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ClientKey, IssuerMetadata, Place};

/// Where the gateway's own document is served.
pub const DOCUMENT_PATH: &str = "/.well-known/oauth-client";

const NAME: &str = "Gatehouse";
const GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];
/// Bytes of a client id or secret that an issuer gives us.
const TEXT_MAX: usize = 4096;

/// What the configuration says of the gateway as a client.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The client id.
    pub id: Option<Arc<str>>,
    /// The client secret.
    pub secret: Option<Secret>,
    /// The key assertions are signed with.
    pub key: Option<ClientKey>,
    /// Whose client that is.
    pub issuer: Option<Arc<str>>,
}

/// How a client shows that it is the one (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Not at all.
    None,
    /// Secret in `Authorization: Basic`.
    Basic(Secret),
    /// Secret in the body.
    Post(Secret),
    /// An assertion signed with a key of its own.
    Key(ClientKey),
}

/// The gateway as one issuer knows it. Good for nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whose client it is.
    pub issuer: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// How it authenticates.
    pub auth: ClientAuth,
}

/// What is to be done to have a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nothing: this is the one.
    Use(Client),
    /// Post a [`registration_request`] there.
    At(Place),
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationFault {
    /// The configured client is another issuer's.
    #[error("the configured client belongs to another authorization server than the one the MCP server names now")]
    OtherIssuer,
    /// No way to register by itself.
    #[error(
        "the authorization server takes neither client documents nor registrations: register the gateway there by hand and \
         enter client_id (and client_secret) in the server's `auth`"
    )]
    ByHand,
    /// None of the ways to authenticate that the issuer takes can be used.
    #[error("the authorization server takes none of the ways in which the configured client can authenticate")]
    NoCommonAuth,
    /// The issuer refused.
    #[error("the authorization server refused the registration ({0})")]
    Refused(String),
    /// The issuer's answer is no registration.
    #[error("the answer to the registration cannot be read")]
    Unreadable,
}

/// Decides: the configured client, the one that was registered before with this very issuer, the hosted document, a
/// registration, nobody.
///
/// # Errors
/// See [`RegistrationFault`].
pub fn register(
    configured: &Configured,
    registered: Option<Client>,
    document_url: Option<&str>,
    issuer: &IssuerMetadata,
) -> Result<Registration, RegistrationFault> {
    if let Some(id) = &configured.id {
        if configured.issuer.as_ref().is_some_and(|pinned| !same_issuer(pinned, &issuer.issuer)) {
            return Err(RegistrationFault::OtherIssuer);
        }
        let auth = auth_of(configured, issuer)?;
        return Ok(Registration::Use(Client { issuer: Arc::clone(&issuer.issuer), id: Arc::clone(id), auth }));
    }
    if let Some(url) = document_url.filter(|url| issuer.takes_documents && can_be_client_id(url)) {
        let client = Client { issuer: Arc::clone(&issuer.issuer), id: url.into(), auth: ClientAuth::None };
        return Ok(Registration::Use(client));
    }
    if let Some(client) = registered.filter(|client| client.issuer == issuer.issuer) {
        return Ok(Registration::Use(client));
    }
    issuer.registration_endpoint.clone().map(Registration::At).ok_or(RegistrationFault::ByHand)
}

fn same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// `https`, with a path.
fn can_be_client_id(url: &str) -> bool {
    Place::read(url).is_ok_and(|place| place.origin().tls && place.path().path().len() > 1)
}

fn auth_of(configured: &Configured, issuer: &IssuerMetadata) -> Result<ClientAuth, RegistrationFault> {
    if let Some(key) = &configured.key {
        return Ok(ClientAuth::Key(key.clone()));
    }
    let Some(secret) = &configured.secret else { return Ok(ClientAuth::None) };
    match () {
        () if issuer.takes("client_secret_basic") => Ok(ClientAuth::Basic(secret.clone())),
        () if issuer.takes("client_secret_post") => Ok(ClientAuth::Post(secret.clone())),
        () => Err(RegistrationFault::NoCommonAuth),
    }
}

/// The document the gateway hosts at [`DOCUMENT_PATH`] and is known by wherever documents are taken.
#[must_use]
pub fn client_document(url: &str, public_url: &str, redirect_uri: &str) -> Value {
    let mut document = about_us("none", redirect_uri);
    document["client_id"] = url.into();
    document["client_uri"] = public_url.into();
    document
}

/// What is posted to register, and how the client will authenticate if the answer does not say.
#[must_use]
pub fn registration_request(issuer: &IssuerMetadata, redirect_uri: &str) -> (Value, &'static str) {
    let wanted = ["client_secret_basic", "client_secret_post", "none"];
    let method = wanted.into_iter().find(|method| issuer.takes(method)).unwrap_or("none");
    (about_us(method, redirect_uri), method)
}

fn about_us(auth_method: &str, redirect_uri: &str) -> Value {
    // To OpenID Connect, an application on this machine is "native", whatever it is (Registration §2).
    let local = Place::read(redirect_uri).is_ok_and(|place| !place.origin().tls);
    json!({
        "client_name": NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": GRANTS,
        "response_types": ["code"],
        "token_endpoint_auth_method": auth_method,
        "application_type": if local { "native" } else { "web" },
    })
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    token_endpoint_auth_method: Option<String>,
}

/// Reads the answer to a registration.
///
/// # Errors
/// `Unreadable`, and `NoCommonAuth` when the client shall authenticate as it cannot.
pub fn read_registration(body: &[u8], issuer: &IssuerMetadata, asked_for: &str) -> Result<Client, RegistrationFault> {
    let written: Registered = serde_json::from_slice(body).map_err(|_| RegistrationFault::Unreadable)?;
    let fits = |text: &str| (1..=TEXT_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if !fits(&written.client_id) || !written.client_secret.as_deref().is_none_or(fits) {
        return Err(RegistrationFault::Unreadable);
    }
    let secret = written.client_secret.map(Secret::new);
    let auth = match (written.token_endpoint_auth_method.as_deref().unwrap_or(asked_for), secret) {
        ("none", _) => ClientAuth::None,
        ("client_secret_basic", Some(secret)) => ClientAuth::Basic(secret),
        ("client_secret_post", Some(secret)) => ClientAuth::Post(secret),
        ("client_secret_basic" | "client_secret_post", None) => ClientAuth::None,
        _ => return Err(RegistrationFault::NoCommonAuth),
    };
    Ok(Client { issuer: Arc::clone(&issuer.issuer), id: written.client_id.into(), auth })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "https://gate.example/.well-known/oauth-client";

    fn issuer(change: impl FnOnce(&mut Value)) -> IssuerMetadata {
        let mut document = json!({
            "issuer": "https://as.example", "token_endpoint": "https://as.example/token",
            "client_id_metadata_document_supported": true, "registration_endpoint": "https://as.example/register",
        });
        change(&mut document);
        IssuerMetadata::judge(document.to_string().as_bytes(), "https://as.example").unwrap()
    }

    fn configured(id: Option<&str>, pinned: Option<&str>) -> Configured {
        let secret = Some(Secret::new("s"));
        Configured { id: id.map(Into::into), secret, issuer: pinned.map(Into::into), key: None }
    }

    fn id(registration: &Registration) -> &str {
        match registration {
            Registration::Use(client) => &client.id,
            Registration::At(place) => place.text(),
        }
    }

    #[test]
    fn the_order_is_configured_document_registration_nobody() {
        let (none, some) = (Configured::default(), configured(Some("pre"), None));
        let all = issuer(|_| ());
        assert_eq!(id(&register(&some, None, Some(DOCUMENT), &all).unwrap()), "pre");
        assert_eq!(id(&register(&none, None, Some(DOCUMENT), &all).unwrap()), DOCUMENT);
        assert_eq!(id(&register(&none, None, None, &all).unwrap()), "https://as.example/register");
        let neither = issuer(|document| document["registration_endpoint"] = Value::Null);
        assert_eq!(register(&none, None, None, &neither), Err(RegistrationFault::ByHand));
    }

    #[test]
    fn a_gateway_without_https_has_no_document_to_be_known_by() {
        let local = register(&Configured::default(), None, Some("http://127.0.0.1:8080/x"), &issuer(|_| ())).unwrap();
        assert!(matches!(local, Registration::At(_)));
    }

    #[test]
    fn credentials_of_one_issuer_are_never_shown_to_another() {
        let pinned = configured(Some("pre"), Some("https://old.example"));
        assert_eq!(register(&pinned, None, None, &issuer(|_| ())), Err(RegistrationFault::OtherIssuer));
        let old = Client { issuer: "https://old.example".into(), id: "old".into(), auth: ClientAuth::None };
        let again = register(&Configured::default(), Some(old), None, &issuer(|_| ())).unwrap();
        assert!(matches!(again, Registration::At(_)));
    }

    #[test]
    fn a_secret_is_shown_in_a_way_the_issuer_takes() {
        let auth = |methods: Value| {
            let metadata = issuer(|document| document["token_endpoint_auth_methods_supported"] = methods);
            register(&configured(Some("pre"), None), None, None, &metadata)
        };
        let way = |found: Result<Registration, _>| match found {
            Ok(Registration::Use(client)) => client.auth,
            other => panic!("{other:?}"),
        };
        assert_eq!(way(auth(Value::Null)), ClientAuth::Basic(Secret::new("s")));
        assert_eq!(way(auth(json!(["client_secret_post"]))), ClientAuth::Post(Secret::new("s")));
        assert_eq!(auth(json!(["private_key_jwt"])), Err(RegistrationFault::NoCommonAuth));
    }

    #[test]
    fn an_answer_says_as_whom_and_how() {
        let metadata = issuer(|_| ());
        let read = |body: Value, asked: &str| read_registration(body.to_string().as_bytes(), &metadata, asked);
        let secret = || Secret::new("x");
        let given = read(json!({"client_id": "c", "client_secret": "x"}), "client_secret_post").unwrap();
        assert_eq!((&*given.id, given.auth), ("c", ClientAuth::Post(secret())));
        let told = json!({"client_id": "c", "client_secret": "x", "token_endpoint_auth_method": "client_secret_basic"});
        assert_eq!(read(told, "none").unwrap().auth, ClientAuth::Basic(secret()));
        assert_eq!(read(json!({"client_id": "a\nb"}), "none"), Err(RegistrationFault::Unreadable));
    }

    #[test]
    fn an_application_on_this_machine_registers_as_native() {
        assert_eq!(registration_request(&issuer(|_| ()), "http://localhost:1/cb").0["application_type"], "native");
        assert_eq!(registration_request(&issuer(|_| ()), "https://gate.example/cb").0["application_type"], "web");
        let document = client_document(DOCUMENT, "https://gate.example", "https://gate.example/oauth/callback");
        assert_eq!((&document["client_id"], &document["grant_types"][1]), (&json!(DOCUMENT), &json!("refresh_token")));
    }
}
