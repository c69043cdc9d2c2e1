//! Keys of the database and those they belong to: who is changed or goes takes no key along unseen.

use gatehouse_tests::{Client, Dialect, Gate, House, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

fn put(gate: &Gate, path: &str, body: Value) -> (u16, Value) {
    let answer = gate.admin().put(&format!("/api/v1/{path}"), &body);
    (answer.status, answer.json())
}

/// A key of the API: its id, and who calls with it.
fn key(gate: &Gate, mut body: Value) -> (String, Client) {
    body["name"] = json!("app");
    let made = gate.admin().post("/api/v1/keys", &body).json();
    let secret = made["secret"].as_str().unwrap_or_else(|| panic!("a key, not {made}"));
    (made["key"]["id"].as_str().expect("an id").to_owned(), gate.stranger().key(secret))
}

fn whoami(caller: &Client) -> Value {
    caller.get("/api/v1/whoami").json()
}

/// Two teams and a person of both, through the API.
fn declared() -> Gate {
    let gate = House::new().start();
    for (path, body) in [
        ("teams/support", json!({})),
        ("teams/research", json!({})),
        ("users/ann", json!({"teams": ["support", "research"]})),
    ] {
        assert_eq!(put(&gate, path, body).0, 201, "{path}");
    }
    gate
}

#[test]
fn nobody_is_taken_out_of_a_team_in_whose_name_a_key_of_theirs_calls() {
    let gate = declared();
    let (id, caller) = key(&gate, json!({"user": "ann", "team": "research"}));
    let (status, refused) = put(&gate, "users/ann", json!({"teams": ["support"]}));
    let wrong = &refused["error"]["wrong"][0];
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid_object")));
    assert_eq!(wrong["object"], json!(format!("keys/{id}")), "{refused}");
    assert!(wrong["message"].as_str().is_some_and(|told| told.contains("research")), "{wrong}");
    assert_eq!(whoami(&caller)["team"], "research");
    assert_eq!(gate.admin().delete(&format!("/api/v1/keys/{id}")).status, 200);
    assert_eq!(put(&gate, "users/ann", json!({"teams": ["support"]})).0, 200, "of a key that is revoked nothing hangs");
}

#[test]
fn what_leaves_every_key_right_is_done_and_seen_by_the_next_call() {
    let gate = declared();
    let (_, caller) = key(&gate, json!({"user": "ann"}));
    assert_eq!(whoami(&caller)["team"], "support");
    assert_eq!(put(&gate, "users/ann", json!({"teams": ["research"]})).0, 200);
    assert_eq!(whoami(&caller)["team"], "research");
}

#[test]
fn a_key_with_a_role_is_not_carried_into_another_organisation() {
    let gate = House::new().start();
    for (path, body) in [
        ("organisations/acme", json!({})),
        ("organisations/other", json!({})),
        ("teams/support", json!({"organisation": "acme"})),
    ] {
        assert_eq!(put(&gate, path, body).0, 201, "{path}");
    }
    let (id, admin) = key(&gate, json!({"team": "support", "role": "admin"}));
    let (plain_id, plain) = key(&gate, json!({"team": "support"}));
    let (status, refused) = put(&gate, "teams/support", json!({"organisation": "other"}));
    let told: Vec<&Value> = refused["error"]["wrong"].as_array().into_iter().flatten().collect();
    assert_eq!((status, told.len(), &told[0]["object"]), (400, 1, &json!(format!("keys/{id}"))), "not {plain_id}");
    assert_eq!(whoami(&admin)["organisation"], "acme");
    assert_eq!(gate.admin().delete(&format!("/api/v1/keys/{id}")).status, 200);
    assert_eq!(put(&gate, "teams/support", json!({"organisation": "other"})).0, 200);
    assert_eq!(whoami(&plain)["organisation"], "other");
}

#[test]
fn an_apply_is_held_against_keys_as_a_whole() {
    let gate = declared();
    let (id, _) = key(&gate, json!({"user": "ann", "team": "research"}));
    let objects = json!([{"kind": "teams", "name": "third", "body": {}}, {"kind": "users", "name": "ann", "body": {"teams": ["third"]}}]);
    let refused = gate.admin().post("/api/v1/apply", &json!({"objects": objects})).json();
    assert_eq!(refused["error"]["wrong"][0]["object"], json!(format!("keys/{id}")), "{refused}");
    assert_eq!(gate.admin().get("/api/v1/teams/third").status, 404);
}

#[test]
fn a_deletion_names_each_key_once() {
    let gate = declared();
    let (id, _) = key(&gate, json!({"user": "ann"}));
    let refused = gate.admin().delete("/api/v1/users/ann");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("still_referenced")));
    let wrong = refused.json()["error"]["wrong"].clone();
    assert_eq!((wrong.as_array().map(Vec::len), &wrong[0]["object"]), (Some(1), &json!(format!("keys/{id}"))));
}

#[test]
fn the_first_team_that_is_declared_leaves_labels_alone() {
    let gate = House::new().start();
    let (_, caller) = key(&gate, json!({"team": "anything"}));
    assert_eq!(put(&gate, "teams/support", json!({})).0, 201);
    assert_eq!(whoami(&caller)["team"], "anything");
}

/// The file is changed by who runs the gateway, and no key of the database stands in its way: the key gives way.
#[test]
fn a_key_whose_owner_leaves_the_file_opens_nothing_until_the_owner_is_back() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream)
        .model("other", &["only/upstream-model"])
        .set("/organisations", json!({"acme": {"models": ["other"]}}))
        .set("/users", json!({"ann": {"organisation": "acme"}}));
    let gate = house.start();
    let (_, caller) = key(&gate, json!({"user": "ann"}));
    assert_eq!(caller.ask(CHAT, "fast", "Hello?").status, 403, "ann may not");
    let reload = |house: &House| {
        gate.rewrite_config(&house.file());
        assert_eq!(gate.admin().post("/api/v1/config/reload", &json!({})).status, 200);
    };
    reload(&house.clone().set("/users", json!({"bob": {}})));
    assert_eq!(caller.ask(CHAT, "fast", "Hello?").status, 401, "and nobody may in her place");
    reload(&house);
    assert_eq!(caller.ask(CHAT, "other", "Hello?").status, 200);
}

#[test]
fn a_team_that_its_owner_leaves_in_the_file_pays_no_more() {
    let house =
        House::new().set("/teams", json!({"a": {}, "b": {}})).set("/users", json!({"ann": {"teams": ["a", "b"]}}));
    let gate = house.start();
    let (_, caller) = key(&gate, json!({"user": "ann", "team": "b"}));
    assert_eq!(whoami(&caller)["team"], "b");
    gate.rewrite_config(&house.set("/users", json!({"ann": {"teams": ["a"]}})).file());
    assert_eq!(gate.admin().post("/api/v1/config/reload", &json!({})).status, 200);
    assert_eq!(whoami(&caller)["team"], "a");
}
