//! The tree of limits and budgets through the whole gateway: every payer a call touches must allow it, nothing is
//! overspent by any number of calls at once, and nothing is forgotten across a restart.
#![expect(clippy::print_stdout, reason = "a race prints what came of it")]

use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_tests::{Dialect, Gate, House, KEY, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;
const OTHER_KEY: &str = "gk_test_other_0000000000000000000";

/// One cent per output token, nothing for input: the scripted answer costs seven cents. The key `test` is of the team
/// `support`, and so is `other`.
fn priced(upstream: &Upstream) -> House {
    House::with_one(CHAT, upstream)
        .model("cheap", &["only/cheap-model"])
        .set(
            "/prices",
            json!({"overrides": {"only/upstream-model": {"input": 0, "output": 10_000},
                "only/cheap-model": {"input": 0, "output": 0}}}),
        )
        .set("/keys/0/team", json!("support"))
        .key(json!({"name": "other", "secret": OTHER_KEY, "team": "support"}))
}

/// A call that holds just what it will use.
fn seven_cents() -> Value {
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(7);
    request
}

fn cents(gate: &Gate, calls: usize) -> i64 {
    let spent: f64 = gate.ledger_of(calls).iter().map(|row| row.cost_usd).sum();
    #[expect(clippy::cast_possible_truncation, reason = "some hundred cents")]
    {
        (spent * 100.0).round() as i64
    }
}

/// Calls at once, in turn with each of these keys: how many were admitted and how many refused for the budget.
fn storm(gate: &Gate, calls: usize, keys: &[&str]) -> (usize, usize) {
    let (admitted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let request = seven_cents();
    std::thread::scope(|scope| {
        for call in 0..calls {
            let (client, request) = (gate.stranger().key(keys[call % keys.len()]), &request);
            let (admitted, refused) = (&admitted, &refused);
            scope.spawn(move || match client.post("/v1/chat/completions", request).status {
                200 => admitted.fetch_add(1, Ordering::Relaxed),
                402 => refused.fetch_add(1, Ordering::Relaxed),
                other => panic!("status {other}"),
            });
        }
    });
    (admitted.into_inner(), refused.into_inner())
}

#[test]
fn five_hundred_calls_at_once_never_spend_more_than_one_dollar() {
    let upstream = Upstream::start();
    let gate = priced(&upstream).set("/keys/0/budgets", json!([{"usd": 1, "per": "month"}])).start();
    let (admitted, refused) = storm(&gate, 500, &[KEY]);
    let overspend = (cents(&gate, admitted) - 100).max(0);
    println!("one key: admitted={admitted} refused={refused} overspend={overspend}");
    assert_eq!((admitted, refused, overspend), (14, 486, 0));
    assert_eq!(upstream.served(), 14);
}

#[test]
fn two_keys_of_one_team_never_spend_more_than_its_dollar_together() {
    let upstream = Upstream::start();
    let gate = priced(&upstream)
        .set("/keys/0/budgets", json!([{"usd": 0.7, "per": "month"}]))
        .set("/teams/support", json!({"budgets": [{"usd": 1, "per": "month"}]}))
        .start();
    let (admitted, refused) = storm(&gate, 500, &[KEY, OTHER_KEY]);
    let overspend = (cents(&gate, admitted) - 100).max(0);
    println!("two keys, one team: admitted={admitted} refused={refused} overspend={overspend}");
    assert_eq!((admitted, refused, overspend), (14, 486, 0));
    let of_first = gate.ledger().iter().filter(|row| row.key == "test").count();
    assert!(of_first <= 10, "{of_first} calls of the key that has seventy cents");
}

#[test]
fn a_refusal_names_the_payer_that_is_spent() {
    let upstream = Upstream::start();
    let team = json!({"budgets": [{"usd": 0.05, "per": "day", "zone": "Europe/Berlin"}]});
    let gate = priced(&upstream).set("/teams/support", team).start();
    let refused = gate.client().post("/v1/chat/completions", &seven_cents());
    let said = refused.refused(CHAT, 402);
    assert!(said.contains("$0.05 per day (Europe/Berlin) of the team `support`"), "{said}");
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
}

#[test]
fn the_headers_of_the_dialect_tell_of_the_tightest_limit() {
    let upstream = Upstream::start();
    let gate = priced(&upstream)
        .set("/keys/0/limits", json!([{"requests": 100, "per": "hour"}]))
        .set("/teams/support", json!({"limits": [{"requests": 3, "per": "hour", "rolling": true}]}))
        .set("/models/fast/limits", json!([{"tokens": 5_000, "per": "minute"}]))
        .start();
    let answer = gate.client().ask(CHAT, "fast", "Hello?");
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("2"));
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("5000"));
}

#[test]
fn a_spent_budget_leads_to_the_cheaper_model_and_says_so() {
    let upstream = Upstream::start();
    let budget = json!([{"usd": 0.1, "per": "month", "on_exhaust": {"downgrade": "cheap"}}]);
    let gate = priced(&upstream).set("/keys/0/budgets", budget).start();
    let first = gate.client().post("/v1/chat/completions", &seven_cents());
    assert_eq!(first.header("x-gatehouse-downgraded-from"), None);
    let second = gate.client().post("/v1/chat/completions", &seven_cents());
    assert_eq!((second.status, second.header("x-gatehouse-model")), (200, Some("cheap-model")));
    assert_eq!(second.header("x-gatehouse-downgraded-from"), Some("fast"));
    assert!(second.header("x-gatehouse-route").is_some_and(|route| route.starts_with("downgraded(fast) ")));
    let rows = gate.ledger_of(2);
    assert!(rows.iter().any(|row| row.model == "cheap" && row.cost_usd == 0.0), "{rows:?}");
}

each_dialect!(a_downgraded_call_is_answered_in_the_callers_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream)
        .model("cheap", &["only/cheap-model"])
        .set(
            "/prices",
            json!({"overrides": {"only/upstream-model": {"input": 10_000, "output": 10_000},
            "only/cheap-model": {"input": 0, "output": 0}}}),
        )
        .set("/models/fast/budgets", json!([{"usd": 0.000_001, "per": "month", "on_exhaust": {"downgrade": "cheap"}}]))
        .start();
    assert_eq!(gate.client().ask(dialect, "fast", "Hello?").said(dialect), "Hello from the provider.");
    assert_eq!(upstream.wait_for_request(1).model, "cheap-model");
});

#[test]
fn a_guardrail_of_the_model_a_call_is_downgraded_to_looks_as_well() {
    let upstream = Upstream::start();
    let budget = json!([{"usd": 0.1, "per": "month", "on_exhaust": {"downgrade": "cheap"}}]);
    let guardrail = |model: &str| {
        json!({"name": model, "on": ["request"], "detect": "size", "max_chars": 1, "models": [model],
            "action": if model == "cheap" { "block" } else { "observe" }})
    };
    let gate = priced(&upstream)
        .set("/keys/0/budgets", budget)
        .set("/guardrails", json!([guardrail("fast"), guardrail("cheap")]))
        .start();
    assert_eq!(gate.client().post("/v1/chat/completions", &seven_cents()).status, 200);
    let refused = gate.client().post("/v1/chat/completions", &seven_cents());
    assert!(refused.refused(CHAT, 400).contains("cheap"));
    assert_eq!(upstream.served(), 1);
    let listed = gate.admin().get("/api/v1/budgets?kind=key").json();
    assert_eq!(listed["rows"][0]["reserved"], json!(0.0), "what was reserved is given back: {listed}");
}

#[test]
fn a_caller_is_not_downgraded_to_what_it_may_not_use() {
    let upstream = Upstream::start();
    let budget = json!([{"usd": 0.01, "per": "month", "on_exhaust": {"downgrade": "cheap"}}]);
    let gate = priced(&upstream).set("/keys/0/budgets", budget).set("/keys/0/models", json!(["fast"])).start();
    let said = gate.client().post("/v1/chat/completions", &seven_cents()).refused(CHAT, 402);
    assert!(!said.contains("cheap`"), "{said}");
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_threshold_warns_in_the_answer_and_once_in_the_log() {
    let upstream = Upstream::start();
    let team = json!({"budgets": [{"usd": 0.2, "per": "month", "warn_at": [0.3, 0.6]}]});
    let gate = priced(&upstream).set("/teams/support", team).start();
    let warnings: Vec<Option<String>> = (0..2)
        .map(|_| gate.client().post("/v1/chat/completions", &seven_cents()))
        .map(|answer| answer.header("x-gatehouse-budget-warning").map(str::to_owned))
        .collect();
    let expected = ["team:support usd per month 30%", "team:support usd per month 60%"];
    assert_eq!(warnings, expected.map(|text| Some(text.to_owned())));
    let is_alert = |line: &Value| line.to_string().contains("a threshold of a limit or budget is reached");
    drop(gate.wait_for_log("the second threshold", |line| is_alert(line) && line.to_string().contains("0.6")));
    let said = gate.logs().lines().filter(|line| line.contains("a threshold of a limit or budget is reached")).count();
    assert_eq!(said, 2);
}

#[test]
fn each_run_and_each_customer_has_a_budget_of_its_own() {
    let upstream = Upstream::start();
    let limits = json!([
        {"on": "run", "limits": [{"requests": 2, "per": "life"}]},
        {"on": {"tag": "customer=*"}, "limits": [{"requests": 3, "per": "life"}]},
    ]);
    let gate = priced(&upstream).set("/limits", limits).start();
    let call = |run: &str, tags: &str| {
        let client = gate.client().header("x-gatehouse-run", run).header("x-gatehouse-tags", tags);
        client.post("/v1/chat/completions", &seven_cents()).status
    };
    assert_eq!([call("a", "customer=acme"), call("a", "customer=acme"), call("a", "customer=acme")], [200, 200, 429]);
    assert_eq!([call("b", "customer=acme"), call("b", "customer=acme")], [200, 429]);
    assert_eq!(call("b", "customer=umbrella"), 200);
}

#[test]
fn what_every_kind_of_payer_has_spent_is_known_after_a_restart() {
    let spent = json!([{"usd": 0.1, "per": "month"}]);
    let on = |on: Value| json!([{"on": on, "budgets": spent}]);
    for (place, value) in [
        ("/keys/0/budgets", spent.clone()),
        ("/teams/support", json!({"budgets": spent})),
        ("/models/fast/budgets", json!([{"usd": 0.1, "per": "day", "rolling": true}])),
        ("/limits", on(json!({"organisation": "default"}))),
        ("/limits", on(json!({"tag": "env=prod"}))),
        ("/limits", on(json!({"tag": "env=*"}))),
        ("/limits", on(json!({"team": "*"}))),
        ("/limits", on(json!("run"))),
    ] {
        let upstream = Upstream::start();
        let mut gate = priced(&upstream).set(place, value.clone()).start();
        let call = |gate: &Gate| {
            let client = gate.client().header("x-gatehouse-run", "run-1").header("x-gatehouse-tags", "env=prod");
            client.post("/v1/chat/completions", &seven_cents()).status
        };
        assert_eq!(call(&gate), 200, "{place} {value}");
        gate.kill9();
        gate.restart();
        assert_eq!(call(&gate), 402, "{place} {value}");
    }
}

#[test]
fn a_budget_that_is_added_under_way_knows_what_was_spent_before() {
    let upstream = Upstream::start();
    let house = priced(&upstream);
    let gate = house.start();
    assert_eq!(gate.client().post("/v1/chat/completions", &seven_cents()).status, 200);
    drop(gate.ledger_of(1));
    gate.rewrite_config(&house.set("/teams/support", json!({"budgets": [{"usd": 0.1, "per": "month"}]})).file());
    assert_eq!(gate.admin().post("/api/v1/config/reload", &json!({})).status, 200);
    assert_eq!(gate.client().post("/v1/chat/completions", &seven_cents()).status, 402);
}

#[test]
fn a_limit_edited_while_a_call_is_in_flight_counts_that_call() {
    let upstream = Upstream::start();
    upstream.reply(gatehouse_tests::Reply::text("one two three four five").stall_after_frames(4));
    let house = priced(&upstream).set("/keys/0/limits", json!([{"concurrent": 5}]));
    let gate = house.start();
    let mut stream = gate.client().ask_stream(CHAT, "fast", "Count.");
    assert!(stream.next_text().is_some());
    gate.rewrite_config(&house.set("/keys/0/limits", json!([{"concurrent": 1}])).file());
    assert_eq!(gate.admin().post("/api/v1/config/reload", &json!({})).status, 200);
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 429);
}

#[test]
fn where_everybody_stands_is_told_by_api_and_command_line() {
    let upstream = Upstream::start();
    let team = json!({"budgets": [{"usd": 1, "per": "month", "warn_at": [0.8]}], "limits": [{"concurrent": 9}]});
    let gate = priced(&upstream).set("/teams/support", team).start();
    assert_eq!(gate.client().post("/v1/chat/completions", &seven_cents()).status, 200);
    let listed = gate.admin().get("/api/v1/budgets?kind=team").json();
    let rows = listed["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| &row["measure"]).collect::<Vec<_>>(), ["concurrent", "usd"]);
    assert_eq!(
        (&rows[1]["used"], &rows[1]["reserved"], &rows[1]["remaining"]),
        (&json!(0.07), &json!(0.0), &json!(0.93))
    );
    let url = format!("http://{}", gate.address());
    let output = gatehouse_tests::run_cli(&[
        "usage",
        "budgets",
        "--kind",
        "team",
        "--url",
        &url,
        "--key",
        gatehouse_tests::KEY_OF_ADMIN,
        "--output",
        "json",
    ]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["rows"], listed["rows"]);
}
