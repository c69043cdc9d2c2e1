use super::*;

const VALUE: &str = "sk-0123456789abcdef";

#[tokio::test]
async fn a_secret_goes_in_is_listed_and_is_never_shown() {
    let desk = Desk::open().await;
    let made = desk.put("/api/v1/secrets/team%2Fopenai", json!({"value": VALUE})).await;
    assert_eq!((made.status.as_u16(), &made.json()["change"]), (201, &json!("created")));
    let shown = desk.get("/api/v1/secrets/team%2Fopenai").await;
    assert_eq!((&shown.json()["name"], &shown.json()["last4"]), (&json!("team/openai"), &json!("cdef")));
    for answer in [made, shown, desk.get("/api/v1/secrets").await, desk.get("/api/v1/audit").await] {
        assert!(!answer.text.contains(VALUE), "{}", answer.text);
    }
    let kept = desk.store.vault().unwrap().get("default", "config", "team/openai").await.unwrap().unwrap();
    assert_eq!(kept.reveal(), VALUE);
    assert_eq!(desk.still.objects_changed.load(Ordering::Relaxed), 1, "it is put in force");
}

#[tokio::test]
async fn the_same_value_changes_nothing_and_another_one_replaces_it() {
    let desk = Desk::open().await;
    let put = |value: &str| json!({"value": value});
    desk.put("/api/v1/secrets/mine", put(VALUE)).await;
    assert_eq!(desk.put("/api/v1/secrets/mine", put(VALUE)).await.json()["change"], "unchanged");
    assert_eq!(desk.put("/api/v1/secrets/mine?dry_run=true", put("other")).await.json()["change"], "updated");
    assert_eq!(desk.still.objects_changed.load(Ordering::Relaxed), 1);
    assert_eq!(desk.put("/api/v1/secrets/mine", put("other")).await.status, 200);
    let log = desk.get("/api/v1/audit?action=secrets.put&outcome=done").await.json();
    let done = log["rows"].as_array().unwrap().iter().filter(|row| row["code"].is_null()).count();
    assert_eq!(done, 2, "{log}");
}

#[tokio::test]
async fn what_is_referred_to_is_neither_deleted_nor_broken() {
    let desk = Desk::open().await;
    desk.put("/api/v1/secrets/used", json!({"value": VALUE})).await;
    let deleted = desk.ask(Method::DELETE, "/api/v1/secrets/used", Some(ADMIN), None).await;
    assert_eq!((deleted.status.as_u16(), &*deleted.code()), (409, "still_referenced"));
    assert_eq!(deleted.json()["error"]["wrong"][0]["object"], "providers/openai");
    assert_eq!(desk.put("/api/v1/secrets/used", json!({"value": "broken"})).await.code(), "invalid_object");
    desk.put("/api/v1/secrets/idle", json!({"value": VALUE})).await;
    assert_eq!(desk.ask(Method::DELETE, "/api/v1/secrets/idle", Some(ADMIN), None).await.status, 200);
    assert_eq!(desk.get("/api/v1/secrets/idle").await.status, 404);
}

#[tokio::test]
async fn names_and_values_that_cannot_be_used_are_refused() {
    let desk = Desk::open().await;
    for name in ["a%20b", "%24%7Bx%7D", &"x".repeat(129)] {
        assert_eq!(desk.put(&format!("/api/v1/secrets/{name}"), json!({"value": VALUE})).await.status, 400, "{name}");
    }
    for value in [json!({"value": ""}), json!({"value": "x".repeat(65_537)}), json!({}), json!({"value": 1})] {
        assert_eq!(desk.put("/api/v1/secrets/mine", value).await.status, 400);
    }
}

#[tokio::test]
async fn each_organisation_has_secrets_of_its_own() {
    let desk = Desk::open().await;
    let (mine, theirs) = ("admin@default", "admin@acme");
    for (key, value) in [(mine, "the value of default"), (theirs, "the value of acme")] {
        desk.as_of(key, Method::PUT, "/api/v1/secrets/shared", Some(json!({ "value": value }))).await;
    }
    let vault = desk.store.vault().unwrap();
    assert_eq!(vault.get("acme", "config", "shared").await.unwrap().unwrap().reveal(), "the value of acme");
    desk.as_of(theirs, Method::DELETE, "/api/v1/secrets/shared", None).await;
    assert_eq!(vault.get("default", "config", "shared").await.unwrap().unwrap().reveal(), "the value of default");
    assert_eq!(desk.as_of(theirs, Method::GET, "/api/v1/secrets", None).await.json()["rows"], json!([]));
}

#[tokio::test]
async fn rotation_wraps_everything_anew() {
    let desk = Desk::open().await;
    desk.put("/api/v1/secrets/mine", json!({"value": VALUE})).await;
    let before = desk.get("/api/v1/secrets/mine").await.json();
    let rotated = desk.ask(Method::POST, "/api/v1/master_key/rotate", Some(ADMIN), None).await.json();
    let after = desk.get("/api/v1/secrets/mine").await.json();
    assert_ne!(before["master_key"], after["master_key"]);
    assert_eq!(rotated["master_key"], after["master_key"]);
    assert_eq!(before["fingerprint"], after["fingerprint"]);
}
