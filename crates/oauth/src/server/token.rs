//! A request for tokens: the ways to one, how a client proves to be itself, and the answer (RFC 6749 §4 to §6, RFC 7523, RFC 8693).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authorize::{Ask, proves};
use super::{Form, Oops, Wrong, form};

/// A code that a person's consent gave.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// The next token of a grant.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// A client for itself.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// What another issuer says of somebody, made for this server (RFC 7523 §2.1; ID-JAG).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A token for a token (RFC 8693).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Every way there is.
pub const GRANT_TYPES: [&str; 5] = [AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE];

/// The type of what is issued (RFC 8693 §3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Types of tokens that can be exchanged: all of them are JSON Web Tokens.
const SUBJECT_TYPES: [&str; 3] =
    [ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is asked for, by grant type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A code for tokens.
    Code {
        /// The code.
        code: &'a str,
        /// The verifier of PKCE.
        verifier: &'a str,
        /// Where the code was sent.
        redirect_uri: Option<&'a str>,
    },
    /// The next tokens of a grant.
    Refresh {
        /// The refresh token.
        token: &'a str,
    },
    /// A token for the client itself.
    Credentials,
    /// A token for what another issuer says.
    Assertion {
        /// What it says.
        assertion: &'a str,
    },
    /// A token for a token.
    Exchange {
        /// Whose token.
        subject: &'a str,
        /// Who acts for them, if not the client itself.
        actor: Option<&'a str>,
    },
}

/// Reads which of them a request is for.
///
/// # Errors
/// [`Wrong::Request`] or [`Wrong::GrantType`].
pub fn wanted(form: &Form) -> Result<Wanted<'_>, Oops> {
    let request = |what: &'static str| Oops::new(Wrong::Request, what);
    Ok(match form.need("grant_type")? {
        AUTHORIZATION_CODE => Wanted::Code {
            code: form.need("code")?,
            verifier: form.need("code_verifier")?,
            redirect_uri: form.get("redirect_uri"),
        },
        REFRESH_TOKEN => Wanted::Refresh { token: form.need("refresh_token")? },
        CLIENT_CREDENTIALS => Wanted::Credentials,
        JWT_BEARER => Wanted::Assertion { assertion: form.need("assertion")? },
        TOKEN_EXCHANGE => {
            let fits = |kind: Option<&str>| kind.is_some_and(|kind| SUBJECT_TYPES.contains(&kind));
            if !fits(form.get("subject_token_type")) {
                return Err(request("the subject_token_type must be that of an access token, an ID token or a JWT"));
            }
            if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
                return Err(request("only access tokens are issued"));
            }
            let actor = form.get("actor_token");
            if actor.is_some() && !fits(form.get("actor_token_type")) {
                return Err(request("the actor_token_type must be that of an access token, an ID token or a JWT"));
            }
            Wanted::Exchange { subject: form.need("subject_token")?, actor }
        }
        _ => return Err(Oops::new(Wrong::GrantType, "the metadata lists the grant types there are")),
    })
}

/// How a client says, at the token endpoint, who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// By its id alone.
    Id(String),
    /// By a secret.
    Secret {
        /// Its id.
        id: String,
        /// The secret.
        secret: String,
    },
    /// By what it signed (RFC 7523 §2.2).
    Signed {
        /// The assertion.
        assertion: String,
        /// Its id, if the request says it besides.
        id: Option<String>,
    },
}

/// Reads how the client presents itself: in one way, not in two (RFC 6749 §2.3).
///
/// # Errors
/// [`Wrong::Request`] or [`Wrong::Client`].
pub fn presented(form: &Form, authorization: Option<&str>) -> Result<Presented, Oops> {
    let id = form.get("client_id").map(str::to_owned);
    let basic = authorization.map(basic).transpose()?;
    let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
    let ways = [basic.is_some(), secret.is_some(), assertion.is_some()];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(Oops::new(Wrong::Request, "the client presents itself in more than one way"));
    }
    if let Some((own, secret)) = basic {
        return match id {
            Some(id) if id != own => Err(Oops::new(Wrong::Request, "the client is named in two ways")),
            _ => Ok(Presented::Secret { id: own, secret }),
        };
    }
    if let Some(assertion) = assertion {
        if form.get("client_assertion_type") != Some(CLIENT_ASSERTION) {
            return Err(Oops::new(Wrong::Client, "the client_assertion_type must be that of a JWT bearer"));
        }
        return Ok(Presented::Signed { assertion: assertion.to_owned(), id });
    }
    let id = id.ok_or_else(|| Oops::new(Wrong::Client, "the client does not say who it is: client_id is missing"))?;
    Ok(match secret {
        Some(secret) => Presented::Secret { id, secret: secret.to_owned() },
        None => Presented::Id(id),
    })
}

/// `Basic`, with both parts form-encoded (RFC 6749 §2.3.1).
fn basic(header: &str) -> Result<(String, String), Oops> {
    let oops =
        || Oops::new(Wrong::Client, "the header Authorization is not that of a client: Basic, with id and secret");
    let (scheme, text) = header.split_once(' ').ok_or_else(oops)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(oops());
    }
    let bytes = STANDARD.decode(text.trim()).map_err(|_| oops())?;
    let text = String::from_utf8(bytes).map_err(|_| oops())?;
    let (id, secret) = text.split_once(':').ok_or_else(oops)?;
    form::decode(id).zip(form::decode(secret)).ok_or_else(oops)
}

/// Is a code, found and unused, good for this request? It is the client's, goes where it was sent, and is redeemed by who asked.
///
/// # Errors
/// [`Wrong::Grant`].
pub fn redeem(asked: &Ask, client_id: &str, verifier: &str, redirect_uri: Option<&str>) -> Result<(), Oops> {
    let oops = |what: &'static str| Err(Oops::new(Wrong::Grant, what));
    if asked.client_id != client_id {
        return oops("the code was issued to another client");
    }
    let same = redirect_uri.map_or(!asked.redirect_named, |uri| uri == asked.redirect_uri);
    if !same {
        return oops("the redirect_uri is not the one of the authorization request");
    }
    if !proves(&asked.challenge, verifier) {
        return oops("the code_verifier does not fit the code_challenge");
    }
    Ok(())
}

/// Tokens that were issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The access token.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// What it is good for.
    pub scopes: String,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// Was a token exchanged? Then the answer says for which type.
    pub exchanged: bool,
}

impl Issued {
    /// The body of the answer (RFC 6749 §5.1, RFC 8693 §2.2.1).
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scopes,
        });
        if let Some(token) = &self.refresh_token {
            body["refresh_token"] = json!(token);
        }
        if self.exchanged {
            body["issued_token_type"] = json!(ACCESS_TOKEN);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::pairs;
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::read(&pairs(fields)).unwrap()
    }

    #[test]
    fn a_client_presents_itself_in_one_way() {
        let basic = format!("Basic {}", STANDARD.encode("a%3Ab:s+%25"));
        let expected = Presented::Secret { id: "a:b".to_owned(), secret: "s %".to_owned() };
        assert_eq!(presented(&form(&[]), Some(&basic)), Ok(expected));
        assert_eq!(presented(&form(&[("client_id", "c")]), None), Ok(Presented::Id("c".to_owned())));
        for (fields, header) in [
            (&[("client_id", "c"), ("client_secret", "s")][..], Some(&*basic)),
            (&[("client_id", "other")], Some(&*basic)),
            (&[("client_id", "c"), ("client_secret", "s"), ("client_assertion", "x")], None),
        ] {
            assert_eq!(presented(&form(fields), header).unwrap_err().wrong, Wrong::Request, "{fields:?}");
        }
        for header in [None, Some("Bearer x"), Some("Basic"), Some("Basic ?"), Some("Basic eHg=")] {
            assert_eq!(presented(&form(&[]), header).unwrap_err().wrong, Wrong::Client, "{header:?}");
        }
    }

    #[test]
    fn a_code_is_the_clients_and_of_who_asked() {
        let asked = Ask {
            client_id: "c".to_owned(),
            redirect_uri: "https://a.example/cb".to_owned(),
            redirect_named: true,
            state: None,
            challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
            resource: String::new(),
            scopes: String::new(),
            refresh: false,
            prompt: super::super::authorize::Prompt::Needed,
        };
        let (verifier, uri) = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", Some("https://a.example/cb"));
        assert_eq!(redeem(&asked, "c", verifier, uri), Ok(()));
        assert!(redeem(&asked, "d", verifier, uri).is_err());
        assert!(redeem(&asked, "c", &verifier.replace('d', "e"), uri).is_err());
        assert!(redeem(&asked, "c", verifier, None).is_err());
        assert!(redeem(&asked, "c", verifier, Some("https://a.example/cb/")).is_err());
        assert_eq!(redeem(&Ask { redirect_named: false, ..asked }, "c", verifier, None), Ok(()));
    }

    #[test]
    fn an_exchange_is_of_json_web_tokens_and_for_an_access_token() {
        let exchange = |more: &[(&str, &str)]| {
            let mut fields = vec![("grant_type", TOKEN_EXCHANGE), ("subject_token", "t")];
            fields.extend(more);
            wanted(&form(&fields)).map(|_| ()).map_err(|oops| oops.wrong)
        };
        assert_eq!(exchange(&[("subject_token_type", ACCESS_TOKEN)]), Ok(()));
        assert_eq!(exchange(&[]), Err(Wrong::Request));
        assert_eq!(exchange(&[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")]), Err(Wrong::Request));
        let id_token = "urn:ietf:params:oauth:token-type:id_token";
        let other = [("subject_token_type", ACCESS_TOKEN), ("requested_token_type", id_token)];
        assert_eq!(exchange(&other), Err(Wrong::Request));
        assert_eq!(wanted(&form(&[("grant_type", "password")])).unwrap_err().wrong, Wrong::GrantType);
    }
}
