//! Tokens nobody has to be asked for, and what never goes on.

use gatehouse_domain::{Code, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Exchange, IdentityProvider, OAuthClient};

use crate::house::{House, challenge, person};
use crate::issuer::{Issuer, Script, query};

fn client() -> OAuthClient {
    OAuthClient { client_id: Some("gate".into()), ..OAuthClient::default() }
}

async fn house(auth: impl FnOnce(&Issuer) -> Auth) -> (Issuer, House) {
    let issuer = Issuer::start(Script { lifetime: 3600, ..Script::default() }).await;
    let auth = auth(&issuer);
    let house = House::with(&issuer, auth).await;
    (issuer, house)
}

#[tokio::test]
async fn the_gateways_own_token_is_fetched_once_for_everybody() {
    let (issuer, house) = house(|_| Auth::ClientCredentials(client())).await;
    assert_eq!(house.token(&person("alice")).await.as_deref(), Some("access-1"));
    assert_eq!(house.token(&person("bob")).await.as_deref(), Some("access-1"));
    let asked = query(&format!("?{}", issuer.bodies("/token")[0]));
    assert_eq!((&*asked["grant_type"], &*asked["client_id"]), ("client_credentials", "gate"));
    assert_eq!(asked["resource"], format!("{}/mcp", issuer.url));
}

#[tokio::test]
async fn a_refused_token_of_the_gateway_is_replaced_once() {
    let (_, house) = house(|_| Auth::ClientCredentials(client())).await;
    let alice = person("alice");
    let first = house.tokens_of(&alice).await;
    let second = house.refused(&alice, &challenge(401, "Bearer", Some(&first))).await.unwrap().unwrap();
    assert_eq!(second.reveal(), "access-2");
    let last = house.refused(&alice, &challenge(401, "Bearer", Some(&second))).await.unwrap_err();
    assert_eq!(last.fault.code, Code::UpstreamCredentials);
}

#[tokio::test]
async fn the_callers_token_is_exchanged_and_never_shown() {
    let (issuer, house) = house(|_| Auth::Exchange(client())).await;
    let alice = person("alice");
    house.tokens.came_with(&alice, Secret::new("callers.own.token"));
    assert_eq!(house.token(&alice).await.as_deref(), Some("access-1"));
    let asked = query(&format!("?{}", issuer.bodies("/token")[0]));
    assert_eq!(asked["subject_token"], "callers.own.token");
    assert!(issuer.state.lock().unwrap().authorizations.is_empty());
    let refused = house.tokens.clone();
    let bob = gatehouse_mcp_proxy::link::TokenSource::token(&refused, &house.server, &person("bob"), None).await;
    assert_eq!(bob.unwrap_err().fault.code, Code::UpstreamCredentials);
}

#[tokio::test]
async fn another_token_of_the_caller_is_exchanged_anew() {
    let (_, house) = house(|_| Auth::Exchange(client())).await;
    let alice = person("alice");
    for (own, got) in [("one", "access-1"), ("two", "access-2"), ("one", "access-1")] {
        house.tokens.came_with(&alice, Secret::new(own));
        assert_eq!(house.token(&alice).await.as_deref(), Some(got));
    }
}

#[tokio::test]
async fn an_identity_becomes_an_assertion_and_the_assertion_a_token() {
    let provider = Issuer::start(Script { lifetime: 60, ..Script::default() }).await;
    let (issuer, house) = house(|_| {
        let identity = IdentityProvider {
            token_url: format!("{}/token", provider.url).into(),
            client_id: "gate-at-idp".into(),
            client_secret: None,
        };
        Auth::Exchange(OAuthClient { exchange: Exchange::Identity(identity), ..client() })
    })
    .await;
    let alice = person("alice");
    house.tokens.came_with(&alice, Secret::new("id-token"));
    assert_eq!(house.token(&alice).await.as_deref(), Some("access-1"));
    let first = query(&format!("?{}", provider.bodies("/token")[0]));
    assert_eq!((&*first["subject_token"], &first["audience"]), ("id-token", &issuer.url));
    let second = query(&format!("?{}", issuer.bodies("/token")[0]));
    assert_eq!(
        (&*second["grant_type"], &*second["assertion"]),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "access-1")
    );
}
