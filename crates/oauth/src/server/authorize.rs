//! A request for authorization (RFC 6749 §4.1.1, RFC 7636, RFC 8707): what a client may ask, and what is remembered of it until
//! the person has answered.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::Scopes;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::{Form, Oops, Wrong, resource, token};

/// The longest `state` that is carried along.
const STATE_BYTES_MAX: usize = 4_096;
/// What asks for a grant that outlives the day (OpenID Connect Core §11).
const OFFLINE: &str = "offline_access";

/// What a client asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Did the request name it, so that the token request must, too?
    pub redirect_named: bool,
    /// What the client gets back with the answer.
    pub state: Option<String>,
    /// The challenge of PKCE, always S256.
    pub challenge: String,
    /// For which resource.
    pub resource: String,
    /// For which scopes.
    pub scopes: String,
    /// Shall there be a refresh token?
    pub refresh: bool,
    /// What the person is to be asked anew.
    pub prompt: Prompt,
}

/// What the person is to be asked (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// What must be.
    #[default]
    Needed,
    /// Nothing at all.
    Never,
    /// For consent, even if it was given before.
    Consent,
    /// To log in, even if logged in.
    Login,
}

/// Reads a request whose client and redirect address are known to be good: everything that is wrong now goes to the client.
///
/// # Errors
/// What the client is told by redirect.
pub fn read(form: &Form, client: &Client, redirect_uri: &str, public_url: &str) -> Result<Ask, Oops> {
    if form.need("response_type")? != "code" {
        return Err(Oops::new(Wrong::ResponseType, "the only response type is code"));
    }
    if form.get("request").is_some() || form.get("request_uri").is_some() {
        return Err(Oops::new(Wrong::Request, "request objects are not taken"));
    }
    if form.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Oops::new(Wrong::Request, "the only response mode is query"));
    }
    if !client.may(token::AUTHORIZATION_CODE) {
        return Err(Oops::new(Wrong::UnauthorizedClient, "this client may not ask people for authorization"));
    }
    let state = form.get("state");
    if state.is_some_and(|state| state.len() > STATE_BYTES_MAX) {
        return Err(Oops::new(Wrong::Request, "the state is longer than 4096 bytes"));
    }
    let scope = form.get("scope").unwrap_or_default();
    Ok(Ask {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        redirect_named: form.get("redirect_uri").is_some(),
        state: state.map(str::to_owned),
        challenge: challenge(form)?,
        resource: resource::named(public_url, form.get("resource"))?,
        scopes: scopes(scope).to_string(),
        refresh: client.may(token::REFRESH_TOKEN) || scope.split(' ').any(|word| word == OFFLINE),
        prompt: prompt(form.get("prompt").unwrap_or_default())?,
    })
}

/// The scopes a text asks for; all there are, where it asks for none this gateway knows.
#[must_use]
pub fn scopes(text: &str) -> Scopes {
    let known = Scopes::read(text);
    if known.is_empty() { Scopes::read(&Scopes::ALL.join(" ")) } else { known }
}

/// Does the verifier prove that who redeems the code is who asked for it (RFC 7636 §4.6)?
#[must_use]
pub fn proves(challenge: &str, verifier: &str) -> bool {
    let sound = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    sound && URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes())) == challenge
}

fn challenge(form: &Form) -> Result<String, Oops> {
    let oops = |what: &'static str| Oops::new(Wrong::Request, what);
    let challenge =
        form.get("code_challenge").ok_or_else(|| oops("PKCE is required: the parameter code_challenge is missing"))?;
    if form.get("code_challenge_method") != Some("S256") {
        return Err(oops("the code_challenge_method must be S256"));
    }
    let is_hash = URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32);
    if is_hash { Ok(challenge.to_owned()) } else { Err(oops("the code_challenge is not a SHA-256 hash in base64url")) }
}

fn prompt(text: &str) -> Result<Prompt, Oops> {
    let has = |word: &str| text.split(' ').any(|own| own == word);
    Ok(match text {
        "" => Prompt::Needed,
        "none" => Prompt::Never,
        _ if has("none") => return Err(Oops::new(Wrong::Request, "the prompt none goes with no other")),
        _ if has("login") || has("select_account") => Prompt::Login,
        _ if has("consent") => Prompt::Consent,
        _ => Prompt::Needed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::client::{Kind, Metadata};
    use super::super::form::pairs;
    use super::*;

    /// Appendix B of RFC 7636.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const REDIRECT: &str = "http://127.0.0.1:3000/cb";

    fn client() -> Client {
        let body = br#"{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}"#;
        Client { id: "c".to_owned(), kind: Kind::Registered, metadata: Metadata::registration(body).unwrap() }
    }

    fn ask(changes: &[(&str, &str)]) -> Result<Ask, Oops> {
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", "c"),
            ("redirect_uri", REDIRECT),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "xyz"),
        ];
        fields.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        fields.extend(changes);
        let form = Form::read(&pairs(&fields)).unwrap();
        read(&form, &client(), REDIRECT, "https://gw.example")
    }

    #[test]
    fn a_plain_request_asks_for_the_whole_gateway() {
        let ask = ask(&[]).unwrap();
        assert_eq!((&*ask.resource, &*ask.scopes), ("https://gw.example/mcp", "mcp:read mcp:tools"));
        assert_eq!((ask.state.as_deref(), ask.refresh), (Some("xyz"), false));
    }

    #[test]
    fn scopes_of_other_servers_are_left_out_and_a_refresh_token_can_be_asked_for() {
        let ask = ask(&[("scope", "openid mcp:tools:github offline_access")]).unwrap();
        assert_eq!((&*ask.scopes, ask.refresh), ("mcp:tools:github", true));
    }

    #[test]
    fn pkce_with_s256_is_required() {
        for changes in [
            &[("code_challenge", "")][..],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "")],
            &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")],
            &[("code_challenge", "short")],
        ] {
            assert_eq!(ask(changes).unwrap_err().wrong, Wrong::Request, "{changes:?}");
        }
        assert!(proves(CHALLENGE, VERIFIER));
        assert!(!proves(CHALLENGE, &VERIFIER.replace('d', "e")));
        assert!(!proves(CHALLENGE, CHALLENGE) && !proves("", ""));
    }

    #[test]
    fn what_is_not_offered_is_told_to_the_client() {
        for (changes, wrong) in [
            ([("response_type", "token")], Wrong::ResponseType),
            ([("response_type", "")], Wrong::Request),
            ([("request_uri", "https://x")], Wrong::Request),
            ([("response_mode", "fragment")], Wrong::Request),
            ([("resource", "https://other.example/mcp")], Wrong::Target),
            ([("prompt", "none login")], Wrong::Request),
        ] {
            assert_eq!(ask(&changes).unwrap_err().wrong, wrong, "{changes:?}");
        }
    }
}
