//! The next pair of tokens: once for each generation, however many ask, on however many replicas.

use gatehouse_domain::{Code, Secret};
use gatehouse_mcp_proxy::auth::Tokens;
use gatehouse_mcp_proxy::link::TokenSource as _;
use gatehouse_store::McpConnectionState;
use serde_json::json;
use tokio::task::JoinSet;

use crate::house::{House, challenge, person};
use crate::issuer::{Issuer, Script};

impl House {
    /// What would be shown for a person.
    pub(crate) async fn tokens_of(&self, who: &gatehouse_domain::Principal) -> Secret {
        self.tokens.token(&self.server, who, None).await.unwrap().unwrap()
    }
}

/// Connected, with a token that is over at once.
async fn over() -> (Issuer, House) {
    let issuer = Issuer::start(Script::default()).await;
    let house = House::over(&issuer).await;
    house.connect(&person("alice")).await;
    issuer.script(|script| script.lifetime = 3600);
    (issuer, house)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_on_two_replicas_refresh_exactly_once() {
    let (issuer, house) = over().await;
    let replicas: [Tokens; 2] = [house.replica(), house.replica()];
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let (tokens, server) = (replicas[n % 2].clone(), house.server.clone());
        calls.spawn(async move { tokens.token(&server, &person("alice"), None).await.unwrap().unwrap() });
    }
    let tokens = calls.join_all().await;
    assert!(tokens.iter().all(|token| token.reveal() == "access-2"));
    assert_eq!((issuer.refreshes(), issuer.state.lock().unwrap().theft), (1, false));
    assert_eq!(house.row().await.generation, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_refusals_of_one_token_refresh_exactly_once() {
    let issuer = Issuer::start(Script { lifetime: 3600, ..Script::default() }).await;
    let house = House::over(&issuer).await;
    house.connect(&person("alice")).await;
    let shown = house.tokens_of(&person("alice")).await;
    let replicas: [Tokens; 2] = [house.replica(), house.replica()];
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let (tokens, server, shown) = (replicas[n % 2].clone(), house.server.clone(), shown.clone());
        calls.spawn(async move {
            let refused = challenge(401, "Bearer error=\"invalid_token\"", Some(&shown));
            tokens.token(&server, &person("alice"), Some(&refused)).await.unwrap().unwrap()
        });
    }
    assert!(calls.join_all().await.iter().all(|token| token.reveal() == "access-2"));
    assert_eq!((issuer.refreshes(), issuer.state.lock().unwrap().theft), (1, false));
}

#[tokio::test]
async fn a_refused_refresh_asks_for_consent_again_and_forgets_nothing() {
    let (issuer, house) = over().await;
    issuer.script(|script| script.refuse_refresh = Some((400, json!({"error": "invalid_grant"}))));
    let before = house.row().await;
    assert_eq!(house.token(&person("alice")).await, None);
    let row = house.row().await;
    assert_eq!(
        (row.state, &*row.reason),
        (McpConnectionState::NeedsConsent, "the authorization server answered `invalid_grant`")
    );
    assert_eq!((row.tokens, row.generation), (before.tokens, 1));
    assert_eq!((house.token(&person("alice")).await, issuer.refreshes()), (None, 1));
    issuer.script(|script| script.refuse_refresh = None);
    house.connect(&person("alice")).await;
    assert_eq!(house.token(&person("alice")).await.as_deref(), Some("access-2"));
}

#[tokio::test]
async fn an_issuer_in_trouble_is_asked_again_and_nobody_has_to_agree_again() {
    let (issuer, house) = over().await;
    issuer.script(|script| script.refuse_refresh = Some((503, json!({}))));
    let failed = house.tokens.token(&house.server, &person("alice"), None).await.unwrap_err();
    assert_eq!(failed.fault.code, Code::UpstreamOverloaded);
    assert_eq!(house.row().await.state, McpConnectionState::Connected);
    issuer.script(|script| script.refuse_refresh = None);
    assert_eq!(house.token(&person("alice")).await.as_deref(), Some("access-2"));
}

#[tokio::test]
async fn a_token_that_is_refused_after_its_refresh_is_not_refreshed_for_ever() {
    let issuer = Issuer::start(Script { lifetime: 3600, ..Script::default() }).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    house.connect(&alice).await;
    let first = house.tokens_of(&alice).await;
    let second = house.refused(&alice, &challenge(401, "Bearer", Some(&first))).await.unwrap().unwrap();
    let last = house.refused(&alice, &challenge(401, "Bearer", Some(&second))).await.unwrap_err();
    assert_eq!((last.fault.code, issuer.refreshes()), (Code::ConsentNeeded, 1));
}

#[tokio::test]
async fn a_late_refusal_of_an_old_token_gets_the_new_one_and_no_refresh() {
    let issuer = Issuer::start(Script { lifetime: 3600, ..Script::default() }).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    house.connect(&alice).await;
    let late = challenge(401, "Bearer", Some(&Secret::new("access-0")));
    assert_eq!(house.refused(&alice, &late).await.unwrap().unwrap().reveal(), "access-1");
    assert_eq!(issuer.refreshes(), 0);
}

#[tokio::test]
async fn no_token_stands_readable_in_the_database() {
    let (_, house) = over().await;
    let name = house.row().await.tokens;
    assert!(!name.contains("access") && !format!("{:?}", house.row().await).contains("refresh-1"));
}
