use super::*;

async fn entries(desk: &Desk, query: &str) -> Vec<Value> {
    let answer = desk.get(&format!("/api/v1/audit{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_act_is_in_the_log_before_it_is_done_and_when_it_is_done() {
    let desk = Desk::open().await;
    let (id, _) = desk.key("app").await;
    let rows = entries(&desk, "").await;
    let [done, begun] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&begun["outcome"], &begun["action"]), (&json!("begun"), &json!("keys.create")));
    assert_eq!((&done["outcome"], &done["object"]["name"]), (&json!("done"), &json!(id)));
    assert_eq!(done["actor"], json!({"who": "admin_key", "role": "owner", "address": "127.0.0.1"}));
    assert_eq!(begun["request_id"], done["request_id"]);
    assert!(done["after"].is_string() && done.get("before").is_none(), "{done}");
}

#[tokio::test]
async fn an_act_that_failed_says_why_and_a_question_is_no_act() {
    let desk = Desk::open().await;
    desk.get("/api/v1/keys").await;
    assert!(entries(&desk, "").await.is_empty());
    desk.post("/api/v1/keys", json!({"name": ""})).await;
    let rows = entries(&desk, "?outcome=failed").await;
    assert_eq!(rows[0]["code"], "invalid_request", "{rows:?}");
}

#[tokio::test]
async fn a_change_has_the_hashes_of_before_and_after() {
    let desk = Desk::open().await;
    let (id, _) = desk.key("app").await;
    desk.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), Some(ADMIN), None).await;
    let revoked = &entries(&desk, "?action=keys.delete&outcome=done").await[0];
    let created = &entries(&desk, "?action=keys.create&outcome=done").await[0];
    assert_eq!(revoked["before"], created["after"], "nothing changed in between");
    assert_ne!(revoked["before"], revoked["after"]);
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let desk = Desk::open().await;
    let (id, secret) = desk.key("app").await;
    let rotated = desk.post(&format!("/api/v1/keys/{id}/rotate"), json!({})).await.json();
    let log = desk.get("/api/v1/audit").await.text;
    for secret in [&*secret, rotated["secret"].as_str().unwrap(), ADMIN] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn what_cannot_be_audited_is_not_done() {
    let desk = Desk::open().await;
    desk.store.close().await;
    let answer = desk.post("/api/v1/breakers/reset", json!({})).await;
    assert!(answer.status.is_server_error(), "{}", answer.text);
    assert_eq!(desk.still.breakers().len(), TARGETS.len());
}

#[tokio::test]
async fn a_key_that_is_not_good_is_noted_without_the_key_or_the_path() {
    let desk = Desk::open().await;
    desk.ask(Method::GET, "/api/v1/keys", None, None).await;
    desk.ask(Method::DELETE, "/api/v1/keys/a-secret", Some("another-secret"), None).await;
    let noted = desk.still.refusals.lock().unwrap();
    let seen: Vec<_> = noted.iter().map(|refusal| (&*refusal.action, refusal.code)).collect();
    assert_eq!(seen, [("admin.get", "missing_key"), ("admin.delete", "unknown_key")]);
    assert!(!format!("{noted:?}").contains("secret"));
}

#[tokio::test]
async fn pages_of_the_log_follow_each_other_and_the_log_is_sound() {
    let desk = Desk::open().await;
    for name in ["a", "b", "c"] {
        desk.key(name).await;
    }
    let first = desk.get("/api/v1/audit?limit=4").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("/api/v1/audit?limit=4&cursor={cursor}")).await.json();
    assert_eq!((first["rows"].as_array().unwrap().len(), second["rows"].as_array().unwrap().len()), (4, 2));
    assert!(second.get("next_cursor").is_none());
    let verified = desk.get("/api/v1/audit/verify").await.json();
    assert_eq!((&verified["sound"], &verified["chains"][0]["entries"]), (&json!(true), &json!(6)));
}

#[tokio::test]
async fn a_wrong_question_is_told_what_there_is() {
    let desk = Desk::open().await;
    for query in ["outcome=maybe", "cursor=x", "since=yesterday", "limit=0", "colour=red"] {
        let answer = desk.get(&format!("/api/v1/audit?{query}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid_request"), "{query}");
    }
}
