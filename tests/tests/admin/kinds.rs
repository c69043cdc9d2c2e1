//! Every kind of object made through the API, and what calls see of it.

use gatehouse_tests::{Dialect, Gate, House, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

fn put(gate: &Gate, path: &str, body: Value) {
    let answer = gate.admin().put(&format!("/api/v1/{path}"), &body);
    assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
}

fn delete(gate: &Gate, path: &str) -> u16 {
    gate.admin().delete(&format!("/api/v1/{path}")).status
}

fn call(gate: &Gate, key: &str) -> u16 {
    gate.stranger().key(key).ask(CHAT, "fast", "Is sk-ant-api03 a key?").status
}

/// A key of the API for somebody.
fn key_of(gate: &Gate, owner: Value) -> String {
    let mut body = owner;
    body["name"] = json!("app");
    let made = gate.admin().post("/api/v1/keys", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["secret"].as_str().expect("a secret").to_owned()
}

#[test]
fn a_policy_is_in_force_with_the_answer_and_gone_with_the_answer() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let forbid = json!({"text": "forbid (principal, action == Action::\"call_model\", resource);"});
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    put(&gate, "policies/stop", forbid);
    let refused = gate.client().ask(CHAT, "fast", "Hello?");
    assert!(refused.refused(CHAT, 403).contains("stop"), "it is called by its name");
    assert_eq!(delete(&gate, "policies/stop"), 200);
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_refused_with_its_place_and_not_kept() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let wrong = json!({"text": "permit (principal, action, resource is Model)\nwhen { resource.nmae == \"x\" };"});
    let refused = gate.admin().put("/api/v1/policies/odd", &wrong);
    assert_eq!(refused.status, 400, "{}", refused.text());
    let told = &refused.json()["error"]["wrong"][0];
    assert_eq!((&told["object"], &told["pointer"]), (&json!("policies/odd"), &json!("/text")));
    assert!(told["message"].as_str().expect("a message").contains("line 2"), "{told}");
    assert_eq!(gate.admin().get("/api/v1/policies/odd").status, 404);
}

#[test]
fn a_guardrail_and_a_limit_hold_for_the_next_call() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let words = json!({"on": ["request"], "detect": "keywords", "words": ["hush"], "action": "block"});
    put(&gate, "guardrails/no-hush", words);
    assert_ne!(gate.client().ask(CHAT, "fast", "Say hush to nobody.").status, 200);
    assert_eq!(delete(&gate, "guardrails/no-hush"), 200);
    assert_eq!(gate.client().ask(CHAT, "fast", "Say hush to nobody.").status, 200);
    put(&gate, "limits/once", json!({"on": {"model": "fast"}, "limits": [{"requests": 1, "per": "life"}]}));
    let statuses = [(); 2].map(|()| gate.client().ask(CHAT, "fast", "Hello?").status);
    assert_eq!(statuses[1], 429, "{statuses:?}");
    assert_eq!(delete(&gate, "limits/once"), 200);
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
}

#[test]
fn whoever_is_declared_has_what_is_declared_of_them() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    put(&gate, "organisations/acme", json!({}));
    put(&gate, "teams/support", json!({"organisation": "acme"}));
    put(&gate, "users/ann", json!({"team": "support", "limits": [{"requests": 1, "per": "life"}]}));
    put(&gate, "service_accounts/nightly", json!({"team": "support"}));
    put(&gate, "agents/billing", json!({"team": "support", "owner": "ann"}));
    let ann = key_of(&gate, json!({"user": "ann"}));
    assert_eq!([call(&gate, &ann), call(&gate, &ann)], [200, 429], "her limit");
    for owner in [json!({"service_account": "nightly"}), json!({"agent": "billing"})] {
        assert_eq!(call(&gate, &key_of(&gate, owner.clone())), 200, "{owner}");
    }
    let whoami = gate.stranger().key(&ann).get("/api/v1/whoami").json();
    assert_eq!((&whoami["team"], &whoami["organisation"]), (&json!("support"), &json!("acme")));
    put(
        &gate,
        "teams/support",
        json!({"organisation": "acme", "models": ["fast"], "budgets": [{"usd": 0.000_000_001, "per": "life"}]}),
    );
    let listed = gate.admin().get("/api/v1/budgets?kind=team").json();
    assert_eq!(listed["rows"][0]["payer"], "support", "{listed}");
}

#[test]
fn what_would_not_work_is_refused_and_what_is_named_is_not_deleted() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let refused = gate.admin().put("/api/v1/teams/support", &json!({"organisation": "acme"}));
    assert!(refused.status == 400 && refused.text().contains("there is no organisation `acme`"), "{}", refused.text());
    put(&gate, "organisations/acme", json!({}));
    put(&gate, "teams/support", json!({"organisation": "acme"}));
    key_of(&gate, json!({"team": "support"}));
    for (path, who) in [("organisations/acme", "teams/support"), ("teams/support", "keys/")] {
        let refused = gate.admin().delete(&format!("/api/v1/{path}"));
        assert_eq!(refused.status, 409, "{path}: {}", refused.text());
        assert!(refused.text().contains(who), "{}", refused.text());
    }
}

#[test]
fn what_the_file_declares_is_shown_and_left_alone() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream)
        .set("/teams", json!({"support": {}}))
        .set("/policies", json!(["permit (principal, action, resource);"]))
        .set("/limits", json!([{"on": "run", "limits": [{"requests": 9, "per": "day"}]}]));
    let gate = house.start();
    for (kind, name) in [("teams", "support"), ("policies", "policies%5B0%5D"), ("limits", "limits%5B0%5D")] {
        let shown = gate.admin().get(&format!("/api/v1/{kind}/{name}"));
        assert_eq!(shown.json()["source"], "file", "{}", shown.text());
        let refused = gate.admin().delete(&format!("/api/v1/{kind}/{name}"));
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("declared_in_file")));
    }
}
