//! The page at which a person agrees, and what comes back from it (RFC 6749 §4.1, RFC 7636, RFC 8707, RFC 9207).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::Secret;

use super::{Client, Disbelief, IssuerMetadata, Scopes, form};

/// Bytes of a callback's query that are read.
const QUERY_BYTES_MAX: usize = 16 << 10;

/// One visit of that page.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// As whom we come.
    pub client: &'a Client,
    /// Where the person is sent back to.
    pub redirect_uri: &'a str,
    /// For which server.
    pub resource: &'a str,
    /// What for.
    pub scopes: Option<&'a Scopes>,
    /// What tells this visit from all others.
    pub state: &'a str,
    /// What only we know: its hash goes along, it is shown to the token endpoint.
    pub verifier: &'a Secret,
}

/// The address the person's browser is sent to.
///
/// # Errors
/// When the issuer has no such page, or does not know PKCE.
pub fn authorization_url(issuer: &IssuerMetadata, visit: &Visit<'_>) -> Result<String, Disbelief> {
    let endpoint = issuer.authorization_endpoint()?;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, visit.verifier.reveal().as_bytes()));
    let scopes = visit.scopes.map(Scopes::to_string);
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", &visit.client.id),
        ("redirect_uri", visit.redirect_uri),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("resource", visit.resource),
        ("state", visit.state),
    ];
    if let Some(scopes) = &scopes {
        parameters.push(("scope", scopes));
        // Without it, some issuers give no refresh token to somebody who agreed before (OpenID Connect Core §11).
        if scopes.split(' ').any(|scope| scope == "offline_access") {
            parameters.push(("prompt", "consent"));
        }
    }
    let separator = if endpoint.path().query().is_some() { '&' } else { '?' };
    Ok(format!("{endpoint}{separator}{}", form::write(&parameters)))
}

/// What a browser brought back, read and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Which visit it says it belongs to.
    pub state: String,
    code: Option<Secret>,
    issuer: Option<String>,
    error: Option<String>,
}

/// What is known of the visit with that state.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Where the person was sent.
    pub issuer: &'a str,
    /// Did that issuer say it would name itself?
    pub names_itself: bool,
}

/// Why a callback is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// A parameter is missing, there twice, or no text.
    #[error("the answer of the authorization server cannot be read")]
    Unreadable,
    /// It comes from another issuer than the person was sent to, or does not say from which. Nothing else of it may be shown.
    #[error("the answer does not come from the authorization server that was asked")]
    OtherIssuer,
    /// The person, or the issuer, said no.
    #[error("the authorization server answered `{0}`")]
    Refused(String),
}

impl Callback {
    /// Reads a query.
    ///
    /// # Errors
    /// `Unreadable`.
    pub fn read(query: &str) -> Result<Self, CallbackFault> {
        let (mut state, mut code, mut issuer, mut error) = (None, None, None, None);
        if query.len() > QUERY_BYTES_MAX {
            return Err(CallbackFault::Unreadable);
        }
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "state" => &mut state,
                "code" => &mut code,
                "iss" => &mut issuer,
                "error" => &mut error,
                _ => continue,
            };
            if slot.replace(form::decode(value).ok_or(CallbackFault::Unreadable)?).is_some() {
                return Err(CallbackFault::Unreadable);
            }
        }
        let state = state.ok_or(CallbackFault::Unreadable)?;
        Ok(Self { state, code: code.map(Secret::new), issuer, error })
    }

    /// The code, if this comes from the issuer the person was sent to. Names are compared letter for letter.
    ///
    /// # Errors
    /// See [`CallbackFault`]; that of the issuer before that of what it says.
    pub fn judge(self, expected: &Expected<'_>) -> Result<Secret, CallbackFault> {
        let genuine = match &self.issuer {
            Some(named) => named == expected.issuer,
            None => !expected.names_itself,
        };
        if !genuine {
            return Err(CallbackFault::OtherIssuer);
        }
        if let Some(error) = self.error {
            return Err(CallbackFault::Refused(super::token::error_word(&error)));
        }
        self.code.filter(|code| !code.is_empty()).ok_or(CallbackFault::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::ClientAuth;

    const ISSUER: &str = "https://as.example";

    fn judge(query: &str, names_itself: bool) -> Result<String, CallbackFault> {
        let expected = Expected { issuer: ISSUER, names_itself };
        Callback::read(query)?.judge(&expected).map(|code| code.reveal().to_owned())
    }

    #[test]
    fn the_address_carries_pkce_resource_and_state() {
        let document = json!({
            "issuer": ISSUER, "authorization_endpoint": "https://as.example/authorize?tenant=1",
            "token_endpoint": "https://as.example/token", "code_challenge_methods_supported": ["S256"],
        });
        let issuer = IssuerMetadata::judge(document.to_string().as_bytes(), ISSUER).unwrap();
        let client = Client { issuer: ISSUER.into(), id: "c&d".into(), auth: ClientAuth::None };
        // The verifier and challenge of RFC 7636 appendix B.
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let visit = Visit {
            client: &client,
            redirect_uri: "http://localhost:1/cb",
            resource: "https://mcp.example/mcp",
            scopes: Some(&Scopes::read("a b")),
            state: "s",
            verifier: &verifier,
        };
        assert_eq!(
            authorization_url(&issuer, &visit).unwrap(),
            "https://as.example/authorize?tenant=1&response_type=code&client_id=c%26d\
             &redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
             &code_challenge_method=S256&resource=https%3A%2F%2Fmcp.example%2Fmcp&state=s&scope=a%20b"
        );
    }

    #[test]
    fn a_callback_of_the_right_issuer_gives_its_code() {
        assert_eq!(judge("code=x%2Fy&state=s&iss=https%3A%2F%2Fas.example", true), Ok("x/y".into()));
        assert_eq!(judge("code=x&state=s", false), Ok("x".into()));
    }

    #[test]
    fn another_issuer_is_refused_however_little_it_differs() {
        for named in ["https://evil.example", "https://as.example/", "https://AS.example", "https://as.example:443", ""]
        {
            for names_itself in [true, false] {
                let answer = judge(&format!("code=x&state=s&iss={named}"), names_itself);
                assert_eq!(answer, Err(CallbackFault::OtherIssuer), "{named}");
            }
        }
        assert_eq!(judge("code=x&state=s", true), Err(CallbackFault::OtherIssuer));
    }

    #[test]
    fn an_error_of_a_stranger_is_not_shown() {
        assert_eq!(judge("error=phish&state=s&iss=https://evil.example", true), Err(CallbackFault::OtherIssuer));
        let refused = judge("error=access_denied&state=s&iss=https://as.example", true);
        assert_eq!(refused, Err(CallbackFault::Refused("access_denied".into())));
    }

    #[test]
    fn a_parameter_twice_or_none_at_all_is_no_callback() {
        for query in ["", "code=x", "state=s&state=t&code=x", "state=s&code=x&code=y", "state=%zz&code=x", "state=s"] {
            assert_eq!(judge(query, false), Err(CallbackFault::Unreadable), "{query}");
        }
    }
}
