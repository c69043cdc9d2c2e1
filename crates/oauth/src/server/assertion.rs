//! What other issuers say, after their signature was found good: identity assertions of an enterprise (ID-JAG), what a client signs
//! to prove to be itself (RFC 7523 §3), and the ID token of a login (OpenID Connect Core §3.1.3.7).

use serde_json::{Map, Value};

use super::{Oops, Wrong};

/// The type of an identity assertion (ext-auth, enterprise-managed authorization §5.1).
pub const ID_JAG: &str = "oauth-id-jag+jwt";
/// The longest life an assertion may have left, in seconds. They are redeemed at once.
const LIFE_SECS_MAX: u64 = 3_600;
/// Bytes of an assertion's own id.
const ID_BYTES_MAX: usize = 512;

/// What an identity assertion gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// For which resource, as the assertion names it.
    pub resource: String,
    /// The scopes it allows at most, if it says.
    pub scope: Option<String>,
    /// Its own id: it is redeemed once.
    pub id: String,
    /// Unix seconds until which that must be remembered.
    pub until: u64,
}

/// Reads an identity assertion for the client that presents it.
///
/// # Errors
/// [`Wrong::Grant`].
pub fn id_jag(claims: &Map<String, Value>, issuer: &str, client_id: &str, now: u64) -> Result<Grant, Oops> {
    let oops = |what: &'static str| Oops::new(Wrong::Grant, what);
    if !is_for(claims, issuer) {
        return Err(oops("the assertion is for another authorization server: aud must be this issuer"));
    }
    if text(claims, "client_id") != Some(client_id) {
        return Err(oops("the assertion was issued to another client"));
    }
    let (id, until) =
        once(claims, now).ok_or_else(|| oops("the assertion needs jti, iat, and an exp within the hour"))?;
    let resource = text(claims, "resource").ok_or_else(|| oops("the assertion does not name its resource"))?;
    Ok(Grant { resource: resource.to_owned(), scope: text(claims, "scope").map(str::to_owned), id, until })
}

/// Holds what a client signed against who it says it is. Gives its id and until when that must be remembered.
///
/// # Errors
/// [`Wrong::Client`].
pub fn client(claims: &Map<String, Value>, issuer: &str, client_id: &str, now: u64) -> Result<(String, u64), Oops> {
    let oops = |what: &'static str| Oops::new(Wrong::Client, what);
    if text(claims, "iss") != Some(client_id) || text(claims, "sub") != Some(client_id) {
        return Err(oops("the client assertion is of another client: iss and sub must be the client_id"));
    }
    if !is_for(claims, issuer) && !is_for(claims, &format!("{issuer}/oauth/token")) {
        return Err(oops("the client assertion is for another server: aud must be this issuer"));
    }
    once(claims, now).ok_or_else(|| oops("the client assertion needs a jti and an exp within the hour"))
}

/// Holds an ID token against the login it answers.
///
/// # Errors
/// What is wrong, for the page.
pub fn id_token(claims: &Map<String, Value>, client_id: &str, nonce: &str) -> Result<(), &'static str> {
    if !is_for(claims, client_id) {
        return Err("the identity provider's answer is for another application");
    }
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let party = text(claims, "azp");
    if party.is_some_and(|party| party != client_id) || (several && party.is_none()) {
        return Err("the identity provider's answer was issued to another application");
    }
    if text(claims, "nonce") != Some(nonce) {
        return Err("the identity provider's answer belongs to another login");
    }
    Ok(())
}

/// Its own id and its end, if it can be used once: a token that lives long must be remembered long.
fn once(claims: &Map<String, Value>, now: u64) -> Option<(String, u64)> {
    let id = text(claims, "jti").filter(|id| id.len() <= ID_BYTES_MAX)?;
    let until = claims.get("exp")?.as_u64()?;
    (now < until && until - now <= LIFE_SECS_MAX).then(|| (id.to_owned(), until))
}

fn is_for(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one == audience),
        _ => false,
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://gw.example";

    fn claims(changes: Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "https://idp.example", "sub": "ann", "aud": ISSUER, "client_id": "c", "jti": "1", "iat": 100, "exp": 400,
            "resource": "https://gw.example/mcp", "scope": "mcp:read",
        });
        let object = claims.as_object_mut().unwrap();
        object.extend(changes.as_object().unwrap().clone());
        object.clone()
    }

    #[test]
    fn an_identity_assertion_names_resource_client_and_server() {
        let grant = id_jag(&claims(json!({})), ISSUER, "c", 100).unwrap();
        assert_eq!((&*grant.resource, grant.scope.as_deref()), ("https://gw.example/mcp", Some("mcp:read")));
        assert_eq!((&*grant.id, grant.until), ("1", 400));
    }

    #[test]
    fn an_identity_assertion_for_others_or_without_an_end_is_refused() {
        for change in [
            json!({"aud": "https://gw.example/"}),
            json!({"aud": ["https://other.example"]}),
            json!({"client_id": "d"}),
            json!({"client_id": null}),
            json!({"jti": null}),
            json!({"exp": 100}),
            json!({"exp": 100_000}),
            json!({"resource": ""}),
        ] {
            let refused = id_jag(&claims(change.clone()), ISSUER, "c", 100).unwrap_err();
            assert_eq!(refused.wrong, Wrong::Grant, "{change}");
        }
    }

    #[test]
    fn a_client_speaks_for_itself_to_this_server() {
        let own = json!({"iss": "c", "sub": "c"});
        assert_eq!(client(&claims(own.clone()), ISSUER, "c", 100), Ok(("1".to_owned(), 400)));
        assert!(client(&claims(own.clone()), ISSUER, "d", 100).is_err());
        assert!(client(&claims(json!({"iss": "c", "sub": "ann"})), ISSUER, "c", 100).is_err());
        assert!(client(&claims(own), "https://other.example", "c", 100).is_err());
    }

    #[test]
    fn an_id_token_answers_one_login_of_this_application() {
        let token = |change: Value| claims(change);
        let good = json!({"aud": "gw", "nonce": "n"});
        assert_eq!(id_token(&token(good), "gw", "n"), Ok(()));
        for change in [
            json!({"aud": "gw", "nonce": "m"}),
            json!({"aud": "gw"}),
            json!({"aud": "other", "nonce": "n"}),
            json!({"aud": ["gw", "other"], "nonce": "n"}),
            json!({"aud": "gw", "azp": "other", "nonce": "n"}),
        ] {
            assert!(id_token(&token(change.clone()), "gw", "n").is_err(), "{change}");
        }
    }
}
