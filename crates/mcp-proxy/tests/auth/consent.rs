//! How a person agrees, and all the ways in which they do not.

use gatehouse_domain::{Code, Principal, PrincipalKind};
use gatehouse_mcp_proxy::link::TokenSource as _;
use serde_json::json;

use crate::house::{House, challenge, person};
use crate::issuer::{Issuer, Script, query};

fn good() -> Script {
    Script { lifetime: 3600, ..Script::default() }
}

/// The fault a refusal leads to.
async fn fault(script: Script) -> (gatehouse_domain::Fault, Issuer) {
    let issuer = Issuer::start(script).await;
    let house = House::over(&issuer).await;
    let refused = house.refused(&person("alice"), &challenge(401, "Bearer", None)).await;
    (refused.unwrap_err().fault, issuer)
}

#[tokio::test]
async fn a_person_agrees_once_and_has_a_token_from_then_on() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    assert_eq!(house.token(&alice).await, None);
    house.connect(&alice).await;
    assert_eq!(house.token(&alice).await.as_deref(), Some("access-1"));
    assert_eq!(house.token(&person("bob")).await, None);
    assert_eq!((issuer.count("/token"), issuer.count("/register")), (1, 1));
}

#[tokio::test]
async fn pkce_resource_and_state_go_along_and_the_verifier_fits() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    house.connect_for(&person("alice"), "Bearer scope=\"read\"").await;
    let visit =
        issuer.state.lock().unwrap().asked.iter().find(|(line, _)| line.contains("/authorize")).unwrap().0.clone();
    let (asked, redeemed) = (query(&visit), query(&format!("?{}", issuer.bodies("/token")[0])));
    assert_eq!((&*asked["code_challenge_method"], &*asked["scope"]), ("S256", "read offline_access"));
    assert_eq!(asked["resource"], format!("{}/mcp", issuer.url));
    assert_eq!(asked["resource"], redeemed["resource"]);
    assert_eq!((redeemed["code_verifier"].len(), &*redeemed["redirect_uri"]), (43, &*asked["redirect_uri"]));
}

#[tokio::test]
async fn a_link_is_good_for_the_person_it_was_made_for_and_nobody_else() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let link = house.link(&person("alice"), "Bearer").await;
    assert_eq!(house.agree(&link, &person("mallory")).await.unwrap_err().code, Code::NotAllowed);
    assert_eq!(house.agree(&format!("{link}x"), &person("alice")).await.unwrap_err().code, Code::NotFound);
    assert_eq!((issuer.count("/authorize"), issuer.count("/register")), (0, 0));
}

#[tokio::test]
async fn an_answer_is_taken_once_and_from_whom_it_was_asked_for() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    let link = house.link(&alice, "Bearer").await;
    let back = crate::issuer::follow(&house.tokens.connect(&link, &alice).await.unwrap()).await;
    assert_eq!(house.come_back(&back, &person("mallory")).await.unwrap_err().code, Code::NotAllowed);
    for made_up in ["x?code=c&state=made-up", "x?code=c", "x?"] {
        assert_eq!(house.come_back(made_up, &alice).await.unwrap_err().code, Code::InvalidRequest);
    }
    house.come_back(&back, &alice).await.unwrap();
    assert_eq!(house.come_back(&back, &alice).await.unwrap_err().code, Code::InvalidRequest);
    assert_eq!(issuer.count("/token"), 1);
}

#[tokio::test]
async fn nobody_in_particular_cannot_agree() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let nobody = Principal::bare(PrincipalKind::Anonymous, "anonymous", "anonymous");
    let fault = house.refused(&nobody, &challenge(401, "Bearer", None)).await.unwrap_err().fault;
    assert_eq!((fault.code, fault.visit), (Code::UpstreamCredentials, None));
}

#[tokio::test]
async fn a_code_from_another_issuer_is_never_redeemed() {
    for iss in ["https://evil.example", "normalised"] {
        let issuer = Issuer::start(good()).await;
        let named = if iss == "normalised" { format!("{}/", issuer.url) } else { iss.to_owned() };
        issuer.script(|script| script.iss = Some(named));
        let house = House::over(&issuer).await;
        let link = house.link(&person("alice"), "Bearer").await;
        assert_eq!(house.agree(&link, &person("alice")).await.unwrap_err().code, Code::InvalidRequest, "{iss}");
        assert_eq!(issuer.count("/token"), 0);
    }
}

#[tokio::test]
async fn documents_that_are_about_somebody_else_are_not_believed() {
    for members in [json!({"issuer": "https://honest.example"}), json!({"code_challenge_methods_supported": null})] {
        let (fault, issuer) = fault(Script { metadata: members.clone(), ..good() }).await;
        assert_eq!((fault.code, fault.visit), (Code::UpstreamCredentials, None), "{members}");
        assert_eq!(issuer.count("/authorize"), 0);
    }
    let (fault, issuer) = fault(Script { resource: json!({"resource": "https://evil.example/mcp"}), ..good() }).await;
    assert_eq!(fault.code, Code::UpstreamCredentials);
    assert_eq!(issuer.count("oauth-authorization-server"), 0);
}

#[tokio::test]
async fn addresses_of_schemes_that_run_something_are_refused() {
    for url in ["javascript:alert(1)", "file:///etc/passwd", "$(touch x)", "--help", "http://other.example/token"] {
        for member in ["token_endpoint", "authorization_endpoint", "registration_endpoint"] {
            let (fault, _) = fault(Script { metadata: json!({member: url}), ..good() }).await;
            assert_eq!(fault.code, Code::UpstreamCredentials, "{member} {url}");
        }
    }
}

#[tokio::test]
async fn discovery_leads_to_no_private_address_in_any_spelling_and_follows_no_redirect() {
    for host in
        ["10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.2]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "2130706433"]
    {
        let named = json!({"authorization_servers": [format!("https://{host}")]});
        let (fault, _) = fault(Script { resource: named, ..good() }).await;
        assert!(fault.message.contains("private address"), "{host}: {fault}");
    }
    let inner = Issuer::start(good()).await;
    let redirect = Some(format!("{}/.well-known/oauth-authorization-server", inner.url));
    let (fault, _) = fault(Script { redirect, ..good() }).await;
    assert_eq!((fault.code, inner.count("")), (Code::UpstreamCredentials, 0));
}

#[tokio::test]
async fn a_server_that_the_api_declared_leads_to_no_private_address_not_even_its_own() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let refused = challenge(401, "Bearer", None);
    let asked = house.of_the_api();
    let failure = asked.token(&house.server, &person("alice"), Some(&refused)).await.unwrap_err();
    assert!(failure.fault.message.contains("private address"), "{}", failure.fault);
    assert_eq!(issuer.count(""), 0);
}

#[tokio::test]
async fn a_step_up_asks_for_what_there_was_and_what_is_missing_and_only_once() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    house.connect_for(&alice, "Bearer scope=\"read\"").await;
    let shown = house.tokens_of(&alice).await;
    let header = "Bearer error=\"insufficient_scope\", scope=\"write\"";
    let more = house.refused(&alice, &challenge(403, header, Some(&shown))).await.unwrap_err().fault;
    assert_eq!(more.code, Code::ConsentNeeded);
    let link = more.visit.unwrap().rsplit('/').next().unwrap().to_owned();
    let location = house.tokens.connect(&link, &alice).await.unwrap();
    assert_eq!(query(&location)["scope"], "read offline_access write");
    house.come_back(&crate::issuer::follow(&location).await, &alice).await.unwrap();
    let shown = house.tokens_of(&alice).await;
    let again = house.refused(&alice, &challenge(403, header, Some(&shown))).await.unwrap_err().fault;
    assert_eq!((again.code, again.visit), (Code::UpstreamCredentials, None));
}

#[tokio::test]
async fn a_server_that_changes_its_issuer_gets_a_new_registration_and_a_new_consent() {
    let (old, new) = (Issuer::start(good()).await, Issuer::start(good()).await);
    let house = House::over(&old).await;
    let alice = person("alice");
    house.connect(&alice).await;
    let shown = house.tokens_of(&alice).await;
    old.script(|script| script.resource = json!({"authorization_servers": [new.url]}));
    let moved = house.refused(&alice, &challenge(401, "Bearer", Some(&shown))).await.unwrap_err().fault;
    assert_eq!((moved.code, old.refreshes()), (Code::ConsentNeeded, 0));
    let link = moved.visit.unwrap().rsplit('/').next().unwrap().to_owned();
    house.agree(&link, &alice).await.unwrap();
    assert_eq!((new.count("/register"), new.count("/token"), old.count("/token")), (1, 1, 1));
    assert_eq!(house.row().await.issuer, new.url);
}

#[tokio::test]
async fn a_revoked_connection_is_gone_with_its_tokens() {
    let issuer = Issuer::start(good()).await;
    let house = House::over(&issuer).await;
    let alice = person("alice");
    house.connect(&alice).await;
    house.tokens.revoke(&house.row().await.id).await.unwrap().unwrap();
    assert_eq!(house.token(&alice).await, None);
    let kept = house.store.vault().unwrap().list(None).await.unwrap();
    assert!(!kept.iter().any(|secret| secret.kind == "mcp_token"));
}
