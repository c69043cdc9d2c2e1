//! Every question to a token endpoint, and its answers (RFC 6749 §4–6, RFC 7523, RFC 8693).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::{Now, Secret};
use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::{AssertionFault, Client, ClientAuth, Scopes, form};

/// The longest token that is taken.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// An answer that says more is not believed: 10 years.
const EXPIRES_SECS_MAX: u64 = 315_360_000;

/// What a token is asked for with.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// The code a person brought back.
    Code {
        /// The code.
        code: &'a Secret,
        /// What its visit's challenge was the hash of.
        verifier: &'a Secret,
        /// As in the visit.
        redirect_uri: &'a str,
    },
    /// A refresh token. Scopes are left out: what was granted stays granted.
    Refresh(&'a Secret),
    /// The gateway for itself.
    ClientCredentials,
    /// Somebody else's token for one of this server (RFC 8693).
    Exchange(&'a Secret),
    /// Somebody else's token for an assertion that the server's issuer takes (Identity Assertion Authorization Grant, §4).
    IdentityAssertion {
        /// The token.
        subject: &'a Secret,
        /// The server's issuer.
        audience: &'a str,
    },
    /// An assertion (RFC 7523 §2.1).
    Assertion(&'a Secret),
}

/// A request to a token endpoint, or to one that takes tokens back.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// `Authorization`, where the client authenticates so; marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The form.
    pub body: Secret,
}

/// Writes a request. `nonce` is a fresh random text for a client that signs.
///
/// # Errors
/// When the client's key does not sign.
pub fn token_request(
    grant: &Grant<'_>,
    client: &Client,
    resource: &str,
    scopes: Option<&Scopes>,
    nonce: &str,
    now: Now,
) -> Result<TokenRequest, AssertionFault> {
    const TYPE: &str = "urn:ietf:params:oauth:token-type:";
    let (access, identity, jag) = (format!("{TYPE}access_token"), format!("{TYPE}id_token"), format!("{TYPE}id-jag"));
    let scopes = scopes.map(Scopes::to_string);
    let mut fields: Vec<(&str, &str)> = Vec::with_capacity(10);
    match grant {
        Grant::Code { code, verifier, redirect_uri } => fields.extend([
            ("grant_type", "authorization_code"),
            ("code", code.reveal()),
            ("code_verifier", verifier.reveal()),
            ("redirect_uri", redirect_uri),
        ]),
        Grant::Refresh(token) => fields.extend([("grant_type", "refresh_token"), ("refresh_token", token.reveal())]),
        Grant::ClientCredentials => fields.push(("grant_type", "client_credentials")),
        Grant::Exchange(subject) => fields.extend([
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject.reveal()),
            ("subject_token_type", &access),
            ("requested_token_type", &access),
        ]),
        Grant::IdentityAssertion { subject, audience } => fields.extend([
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject.reveal()),
            ("subject_token_type", &identity),
            ("requested_token_type", &jag),
            ("audience", audience),
        ]),
        Grant::Assertion(assertion) => fields
            .extend([("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.reveal())]),
    }
    fields.push(("resource", resource));
    if let Some(scopes) = scopes.as_deref().filter(|_| !matches!(grant, Grant::Code { .. } | Grant::Refresh(_))) {
        fields.push(("scope", scopes));
    }
    from_client(fields, client, nonce, now)
}

/// A form that says who sends it.
pub(super) fn from_client(
    fields: Vec<(&str, &str)>,
    client: &Client,
    nonce: &str,
    now: Now,
) -> Result<TokenRequest, AssertionFault> {
    let mut authorization = None;
    let assertion;
    let mut fields = fields;
    match &client.auth {
        ClientAuth::None => fields.push(("client_id", &client.id)),
        ClientAuth::Post(secret) => fields.extend([("client_id", &*client.id), ("client_secret", secret.reveal())]),
        ClientAuth::Basic(secret) => authorization = basic(&client.id, secret),
        ClientAuth::Key(key) => {
            assertion = key.assert(&client.id, &client.issuer, nonce, now)?;
            fields.extend([
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &*assertion),
            ]);
        }
    }
    Ok(TokenRequest { authorization, body: Secret::new(form::write(&fields)) })
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let pair = format!("{}:{}", form::encode(id), form::encode(secret.reveal()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What an issuer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The access token, or the assertion that was asked for.
    pub token: Secret,
    /// Seconds it is good for, where the issuer says.
    pub expires_in_secs: Option<u64>,
    /// What gets the next one.
    pub refresh: Option<Secret>,
    /// What it is good for, where that is not what was asked for.
    pub scopes: Option<Scopes>,
}

/// Why nothing was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The issuer said no, in a word of RFC 6749 §5.2 or its own.
    #[error("the authorization server answered `{0}`")]
    Refused(String),
    /// The issuer is in trouble; trying again later may help.
    #[error("the authorization server answered with status {0}")]
    Trouble(u16),
    /// No answer that can be used.
    #[error("the answer of the authorization server cannot be used: {0}")]
    Unusable(&'static str),
}

impl TokenFault {
    /// Does only a new consent help?
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        let consent = ["invalid_grant", "invalid_scope", "consent_required", "interaction_required", "login_required"];
        matches!(self, Self::Refused(word) if consent.contains(&&**word)) || self.is_unknown_client()
    }

    /// Does the issuer not know the client any more? Then it has to register again.
    #[must_use]
    pub fn is_unknown_client(&self) -> bool {
        matches!(self, Self::Refused(word) if word == "invalid_client" || word == "unauthorized_client")
    }
}

#[derive(Deserialize)]
struct Written {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Reads an answer. Assertions have a token type of their own (`N_A`); everything else must be a bearer token.
///
/// # Errors
/// See [`TokenFault`].
pub fn read_issued(status: u16, body: &[u8], assertion: bool) -> Result<Issued, TokenFault> {
    if status >= 500 || status == 429 {
        return Err(TokenFault::Trouble(status));
    }
    // Some issuers answer errors with 200.
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(body) {
        return Err(TokenFault::Refused(error_word(&refusal.error)));
    }
    if status != 200 && status != 201 {
        return Err(TokenFault::Trouble(status));
    }
    let written: Written = serde_json::from_slice(body).map_err(|_| TokenFault::Unusable("it is no token"))?;
    let kind = written.token_type.as_deref().unwrap_or("Bearer");
    if !assertion && !kind.eq_ignore_ascii_case("bearer") {
        return Err(TokenFault::Unusable("it is no bearer token"));
    }
    let token = usable(written.access_token).ok_or(TokenFault::Unusable("the token cannot be sent in a header"))?;
    let seconds = |value: Value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Ok(Issued {
        token,
        expires_in_secs: written.expires_in.and_then(seconds).map(|seconds: u64| seconds.min(EXPIRES_SECS_MAX)),
        refresh: written
            .refresh_token
            .filter(|text| text.len() <= TOKEN_BYTES_MAX && !text.is_empty())
            .map(Secret::new),
        scopes: written.scope.map(|scope| Scopes::read(&scope)).filter(|scopes| !scopes.is_empty()),
    })
}

/// A text that can stand behind `Bearer `.
fn usable(text: String) -> Option<Secret> {
    let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| Secret::new(text))
}

/// An error as it may be shown: a short word of letters, digits and underscores.
pub(super) fn error_word(text: &str) -> String {
    let word = |letter: &char| letter.is_ascii_alphanumeric() || "_-.".contains(*letter);
    text.chars().filter(word).take(48).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;

    fn client(auth: ClientAuth) -> Client {
        Client { issuer: "https://as.example".into(), id: "gate way".into(), auth }
    }

    fn body(grant: &Grant<'_>, auth: ClientAuth) -> String {
        let now = Now(SystemTime::UNIX_EPOCH);
        let scopes = Scopes::read("a b");
        let request = token_request(grant, &client(auth), "https://mcp.example", Some(&scopes), "n", now).unwrap();
        request.body.reveal().to_owned()
    }

    fn read(status: u16, body: Value) -> Result<Issued, TokenFault> {
        read_issued(status, body.to_string().as_bytes(), false)
    }

    #[test]
    fn a_code_is_exchanged_with_its_verifier_and_for_the_resource() {
        let (code, verifier) = (Secret::new("c"), Secret::new("v"));
        let grant = Grant::Code { code: &code, verifier: &verifier, redirect_uri: "http://localhost/cb" };
        assert_eq!(
            body(&grant, ClientAuth::None),
            "grant_type=authorization_code&code=c&code_verifier=v&redirect_uri=http%3A%2F%2Flocalhost%2Fcb\
             &resource=https%3A%2F%2Fmcp.example&client_id=gate%20way"
        );
    }

    #[test]
    fn a_refresh_asks_for_no_scopes_and_a_grant_of_its_own_does() {
        assert!(!body(&Grant::Refresh(&Secret::new("r")), ClientAuth::None).contains("scope"));
        assert!(body(&Grant::ClientCredentials, ClientAuth::None).contains("&scope=a%20b"));
    }

    #[test]
    fn a_secret_goes_into_the_header_or_into_the_body_and_never_into_both() {
        let post = body(&Grant::ClientCredentials, ClientAuth::Post(Secret::new("s&x")));
        assert!(post.ends_with("&client_id=gate%20way&client_secret=s%26x"));
        let basic = client(ClientAuth::Basic(Secret::new("s:x")));
        let now = Now(SystemTime::UNIX_EPOCH);
        let request = token_request(&Grant::Refresh(&Secret::new("r")), &basic, "r", None, "n", now).unwrap();
        let header = request.authorization.unwrap();
        assert_eq!(header, format!("Basic {}", STANDARD.encode("gate%20way:s%3Ax")));
        assert!(header.is_sensitive() && !request.body.reveal().contains("client_"));
    }

    #[test]
    fn an_identity_is_exchanged_for_an_assertion_to_the_servers_issuer() {
        let subject = Secret::new("id");
        let sent = body(&Grant::IdentityAssertion { subject: &subject, audience: "https://as" }, ClientAuth::None);
        for part in
            ["requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid-jag", "audience=https%3A%2F%2Fas"]
        {
            assert!(sent.contains(part), "{sent}");
        }
    }

    #[test]
    fn an_answer_is_a_bearer_token_with_a_lifetime() {
        let given = read(200, json!({"access_token": "t", "token_type": "bearer", "expires_in": "60", "scope": "a"}));
        let given = given.unwrap();
        assert_eq!((given.token.reveal(), given.expires_in_secs), ("t", Some(60)));
        assert!(read(200, json!({"access_token": "t", "token_type": "DPoP"})).is_err());
        assert!(read_issued(200, br#"{"access_token":"t","token_type":"N_A"}"#, true).is_ok());
    }

    #[test]
    fn a_token_that_would_break_a_header_is_none() {
        for token in ["", "a\r\nX: y", "a b", "\u{e4}", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(matches!(read(200, json!({"access_token": token})), Err(TokenFault::Unusable(_))));
        }
    }

    #[test]
    fn a_refusal_is_told_from_trouble() {
        let refused = read(400, json!({"error": "invalid_grant", "error_description": "<script>"})).unwrap_err();
        assert!(refused.needs_consent() && !refused.is_unknown_client());
        assert!(read(401, json!({"error": "invalid_client"})).unwrap_err().is_unknown_client());
        assert_eq!(read(503, json!({"error": "invalid_grant"})), Err(TokenFault::Trouble(503)));
        assert_eq!(read(400, json!({"error": "<b>x</b>\n"})), Err(TokenFault::Refused("bxb".into())));
        assert!(!read(502, json!({})).unwrap_err().needs_consent());
    }
}
