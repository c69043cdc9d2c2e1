use gatehouse_store::keys as api_keys;

use super::*;
use crate::admin::issue_claim;

impl Desk {
    async fn claim(&self, token: &str) -> Answered {
        self.ask(Method::POST, "/api/v1/claim", None, Some(json!({"token": token}))).await
    }
    async fn token(&self) -> String {
        issue_claim(&self.store, &self.pepper, None).await.unwrap().unwrap().reveal().to_owned()
    }
}

#[tokio::test]
async fn a_claim_gives_an_admin_key_once() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    let claimed = desk.claim(&token).await;
    assert_eq!(claimed.status, 201, "{}", claimed.text);
    let key = claimed.json()["admin_key"].as_str().unwrap().to_owned();
    assert_eq!(desk.ask(Method::GET, "/api/v1/keys", Some(&key), None).await.status, 200);
    assert_eq!(desk.claim(&token).await.code(), "unknown_key");
    assert!(
        issue_claim(&desk.store, &desk.pepper, None).await.unwrap().is_none(),
        "a claimed gateway gives no more links"
    );
}

#[tokio::test]
async fn a_token_is_no_key() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    assert_eq!(desk.ask(Method::GET, "/api/v1/keys", Some(&token), None).await.status, 401);
}

#[tokio::test]
async fn the_link_leads_to_a_page_that_claims_only_when_its_button_is_pressed() {
    let desk = Desk::open().await;
    let link = format!("/claim/{}", desk.token().await);
    for _ in 0..3 {
        let page = desk.ask(Method::GET, &link, None, None).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<form method=\"post\">"), "{}", page.text);
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
    }
    let pressed = desk.ask(Method::POST, &link, None, None).await;
    assert_eq!(pressed.status, 201);
    let key = pressed.text.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    assert_eq!(desk.ask(Method::GET, "/api/v1/keys", Some(key), None).await.status, 200);
    assert_eq!(desk.ask(Method::POST, &link, None, None).await.status, 401);
}

#[tokio::test]
async fn two_who_press_at_once_do_not_both_get_a_key() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    let (one, other) = tokio::join!(desk.claim(&token), desk.claim(&token));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
}

#[tokio::test]
async fn a_later_start_makes_the_earlier_link_useless() {
    let desk = Desk::open().await;
    let earlier = desk.token().await;
    let later = desk.token().await;
    assert_eq!(desk.claim(&earlier).await.status, 401);
    assert_eq!(desk.claim(&later).await.status, 201);
}

#[tokio::test]
async fn a_link_ends() {
    let desk = Desk::open().await;
    let hash = api_keys::hash(&desk.pepper, "an hour ago's");
    let open = json!({"hash": hash, "expires_unix_ms": 1}).to_string();
    desk.store.set_meta("claim", open.as_bytes(), 0).await.unwrap();
    assert_eq!(desk.claim("an hour ago's").await.status, 401);
}

#[tokio::test]
async fn wrong_tokens_count_as_wrong_keys_do() {
    let desk = Desk::open().await;
    for _ in 0..6 {
        assert_eq!(desk.claim("wrong").await.status, 401);
    }
    let slowed = desk.claim("wrong").await;
    assert_eq!((slowed.status.as_u16(), &*slowed.code()), (429, "too_many_attempts"));
    assert!(slowed.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn the_link_works_on_this_machine_only_unless_told_otherwise() {
    let from = |token: &str, address: [u8; 4], forwarded: bool| {
        let body = Body::from(json!({"token": token}).to_string());
        let mut request = Request::post("/api/v1/claim").header("content-type", "application/json");
        request = request.header("host", "127.0.0.1");
        if forwarded {
            request = request.header("x-forwarded-for", "192.0.2.7");
        }
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(crate::Peer(address.into()));
        request
    };
    let desk = Desk::open().await;
    let token = desk.token().await;
    assert_eq!(desk.send(from(&token, [192, 0, 2, 7], false)).await.code(), "not_allowed");
    assert_eq!(desk.send(from(&token, [127, 0, 0, 1], true)).await.code(), "not_allowed", "a proxy is no caller");
    assert_eq!(desk.send(from(&token, [127, 0, 0, 1], false)).await.status, 201);
    let told = Desk::with(Still { claim_remote: true, ..Still::default() }).await;
    let token = told.token().await;
    assert_eq!(told.send(from(&token, [192, 0, 2, 7], false)).await.status, 201);
    let own = Desk::open().await;
    let token = Secret::new("a-token-of-the-operator-0123456789");
    assert!(issue_claim(&own.store, &own.pepper, Some(&token)).await.unwrap().is_none(), "nothing is printed");
    assert_eq!(own.send(from(token.reveal(), [192, 0, 2, 7], false)).await.status, 201);
    assert_eq!(own.send(from(token.reveal(), [192, 0, 2, 7], false)).await.status, 401, "it works once");
}

#[tokio::test]
async fn neither_token_nor_key_is_stored_in_the_clear() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    let claim = desk.store.meta("claim").await.unwrap().unwrap();
    assert!(!String::from_utf8(claim).unwrap().contains(&token));
    let key = desk.claim(&token).await.json()["admin_key"].as_str().unwrap().to_owned();
    let stored = desk.store.meta("admin_key").await.unwrap().unwrap();
    assert!(!String::from_utf8(stored).unwrap().contains(&key));
}
