use gatehouse_store::keys as api_keys;

use super::*;
use crate::admin::issue_claim;

impl Desk {
    async fn claim(&self, token: &str) -> Answered {
        self.ask(Method::POST, "/api/v1/claim", None, Some(json!({"token": token}))).await
    }
    async fn token(&self) -> String {
        issue_claim(&self.store, &self.pepper).await.unwrap().unwrap().reveal().to_owned()
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
    assert!(issue_claim(&desk.store, &desk.pepper).await.unwrap().is_none(), "a claimed gateway gives no more links");
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
async fn a_link_is_good_for_a_day() {
    let desk = Desk::open().await;
    let hash = api_keys::hash(&desk.pepper, "yesterday's");
    let open = json!({"hash": hash, "expires_unix_ms": 1}).to_string();
    desk.store.set_meta("claim", open.as_bytes(), 0).await.unwrap();
    assert_eq!(desk.claim("yesterday's").await.status, 401);
}

#[tokio::test]
async fn many_wrong_tokens_are_slowed_down_and_lock_nobody_out() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    for _ in 0..5 {
        assert_eq!(desk.claim("wrong").await.status, 401);
    }
    let slowed = desk.claim("wrong").await;
    assert_eq!((slowed.status.as_u16(), &*slowed.code()), (429, "rate_limited"));
    assert_eq!(slowed.headers["retry-after"], "60");
    assert_eq!(desk.claim(&token).await.status, 201);
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
