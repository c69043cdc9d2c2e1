//! Whom keys belong to, where they may be used from, and what becomes of them when they are rotated and revoked.

use gatehouse_tests::{Dialect, Gate, House, Response, Upstream, run_cli};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;
const SECRET: &str = "gk_test_owned_00000000000000000000";

fn code(answer: &Response) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn make(gate: &Gate, wanted: &Value) -> (String, String) {
    let made = gate.admin().post("/api/v1/keys", wanted);
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    (made["key"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

fn status(gate: &Gate, secret: &str) -> u16 {
    gate.stranger().key(secret).ask(CHAT, "fast", "Hello?").status
}

#[test]
fn a_key_stands_for_its_owner() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream)
        .model("other", &["only/other-model"])
        .set("/organisations", json!({"acme": {"tags": {"cost": "7"}}}))
        .set("/teams", json!({"support": {"organisation": "acme", "models": ["fast"], "members": ["ann"]}}))
        .set("/users", json!({"ann": {}}))
        .key(json!({"name": "anns", "secret": SECRET, "user": "ann", "role": "auditor", "tags": {"env": "prod"}}))
        .start();
    let who = gate.stranger().key(SECRET).get("/api/v1/whoami").json();
    assert_eq!((&who["kind"], &who["user"], &who["team"]), (&json!("user"), &json!("ann"), &json!("support")));
    assert_eq!(
        (&who["organisation"], &who["tags"], &who["role"]),
        (&json!("acme"), &json!("cost=7,env=prod"), &json!("auditor"))
    );
    assert_eq!(who["models"], json!(["fast"]), "the team's");
    assert_eq!(gate.stranger().key(SECRET).ask(CHAT, "other", "Hello?").status, 403);
}

#[test]
fn a_key_is_used_from_its_addresses_only() {
    let upstream = Upstream::start();
    let elsewhere = json!({"name": "far", "secret": SECRET, "ip_ranges": ["203.0.113.0/24"]});
    let house = House::with_one(CHAT, &upstream).key(elsewhere);
    let gate = house.start();
    let caller = || gate.stranger().key(SECRET).header("x-forwarded-for", "203.0.113.9");
    let refused = caller().ask(CHAT, "fast", "Hello?");
    assert_eq!(code(&refused), "not_allowed");
    assert!(refused.refused(CHAT, 403).contains("127.0.0.1"), "what a stranger says about its address is not believed");
    assert_eq!(caller().get("/api/v1/whoami").status, 403);
    let gate = house.set("/server", json!({"trusted_proxies": ["127.0.0.1"]})).start();
    let from =
        |line: &str| gate.stranger().key(SECRET).header("x-forwarded-for", line).ask(CHAT, "fast", "Hello?").status;
    assert_eq!([from("203.0.113.9"), from("203.0.113.9, 198.51.100.7"), from("nonsense")], [200, 403, 403]);
}

#[test]
fn a_mistyped_key_is_told_so() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let (id, secret) = make(&gate, &json!({"name": "app"}));
    assert!(secret.starts_with(&format!("gk_live_{}_", id.trim_start_matches("key_"))), "{id}");
    assert_eq!(status(&gate, &secret), 200);
    let cut = &secret[..secret.len() - 1];
    let told = gate.stranger().key(cut).ask(CHAT, "fast", "Hello?");
    assert_eq!(code(&told), "unknown_key");
    assert!(told.refused(CHAT, 401).contains("mistyped"));
}

#[test]
fn a_revoked_key_is_refused_with_the_next_call() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let (id, secret) = make(&gate, &json!({"name": "app"}));
    assert_eq!(status(&gate, &secret), 200);
    assert_eq!(gate.admin().send("DELETE", &format!("/api/v1/keys/{id}"), b"").response().status, 200);
    let told = gate.stranger().key(&secret).ask(CHAT, "fast", "Hello?");
    assert_eq!((told.status, code(&told).as_str()), (401, "revoked_key"));
    assert_eq!(gate.stranger().key(&secret).get("/api/v1/whoami").status, 401);
}

#[test]
fn a_rotated_key_overlaps_for_as_long_as_was_asked() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let (id, old) = make(&gate, &json!({"name": "app"}));
    let rotate = |secs: u64| {
        let turned = gate.admin().post(&format!("/api/v1/keys/{id}/rotate"), &json!({"overlap_secs": secs})).json();
        turned["secret"].as_str().unwrap().to_owned()
    };
    let new = rotate(3_600);
    assert_eq!([status(&gate, &old), status(&gate, &new)], [200, 200], "both, for an hour");
    let newer = rotate(0);
    assert_eq!([status(&gate, &old), status(&gate, &new), status(&gate, &newer)], [401, 401, 200]);
}

#[test]
fn it_is_noted_when_a_key_was_last_used() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let (id, secret) = make(&gate, &json!({"name": "app"}));
    assert_eq!(status(&gate, &secret), 200);
    let deadline = std::time::Instant::now() + gatehouse_tests::PATIENCE;
    while gate.admin().get(&format!("/api/v1/keys/{id}")).json()["last_used_unix_ms"].is_null() {
        assert!(std::time::Instant::now() < deadline, "never noted");
    }
}

#[test]
fn the_command_line_says_who_a_key_is() {
    let gate = House::new().key(json!({"name": "app", "secret": SECRET, "team": "support"})).start();
    let url = format!("http://{}", gate.address());
    let said = run_cli(&["keys", "whoami", "--url", &url, "--key", SECRET, "--output", "json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&said["rows"][0]["name"], &said["rows"][0]["team"]), (&json!("app"), &json!("support")));
    let unknown = run_cli(&["keys", "whoami", "--url", &url, "--key", "gk_live_nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
}
