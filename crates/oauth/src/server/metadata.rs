//! What the authorization server says of itself (RFC 8414 §2, OpenID Connect Discovery §3, RFC 9207 §3, CIMD).

use gatehouse_domain::Scopes;
use serde_json::{Value, json};

/// What is switched on.
#[derive(Clone, Copy, Debug)]
pub struct Offers {
    /// Clients may register themselves (RFC 7591).
    pub registration: bool,
    /// Clients may be known by the address of a document about them.
    pub client_documents: bool,
}

/// The document behind `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`. Not an OpenID provider:
/// there are no ID tokens and no user info, and nothing in here says so.
#[must_use]
pub fn document(issuer: &str, offers: Offers) -> Value {
    let scopes: Vec<&str> = Scopes::ALL.into_iter().chain(["offline_access"]).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "jwks_uri": format!("{issuer}/oauth/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": super::token::GRANT_TYPES,
        "token_endpoint_auth_methods_supported": super::client::AUTH_METHODS,
        "token_endpoint_auth_signing_alg_values_supported": super::client::SIGNING_ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": super::client::AUTH_METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": super::client::SIGNING_ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": offers.client_documents,
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "subject_types_supported": ["public"],
    });
    if offers.registration {
        document["registration_endpoint"] = json!(format!("{issuer}/oauth/register"));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_finds_what_it_must_find_before_it_may_go_on() {
        let document = document("https://gw.example", Offers { registration: true, client_documents: true });
        assert_eq!(document["issuer"], "https://gw.example");
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["authorization_response_iss_parameter_supported"], true);
        assert_eq!(document["client_id_metadata_document_supported"], true);
        assert_eq!(document["registration_endpoint"], "https://gw.example/oauth/register");
    }

    #[test]
    fn what_is_switched_off_is_not_offered() {
        let document = document("https://gw.example", Offers { registration: false, client_documents: false });
        assert!(document.get("registration_endpoint").is_none());
        assert_eq!(document["client_id_metadata_document_supported"], false);
    }
}
