//! Alerts: whoever asked to be told is told, once, signed, and again until it takes it.

use gatehouse_tests::mcp::McpServer;
use gatehouse_tests::{Dialect, House, Reply, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

fn house(upstream: &Upstream, told: &Upstream, on: &[&str]) -> House {
    let alert = json!({"name": "on-call", "url": format!("{}/hook", told.url()), "secret": "a-secret-of-some-length",
        "on": on, "allow_private": true});
    House::with_one(CHAT, upstream).without_retries("only").set("/alerts", json!([alert]))
}

fn listener() -> Upstream {
    let told = Upstream::start();
    told.reply(Reply::raw("application/json", "{}"));
    told
}

fn event(told: &Upstream) -> Value {
    told.wait_for_request(1).json()
}

#[test]
fn a_threshold_of_a_budget_is_told_with_what_is_used() {
    let (upstream, told) = (Upstream::start(), listener());
    let gate = house(&upstream, &told, &["threshold"])
        .set("/prices", json!({"overrides": {"only/upstream-model": {"input": 0, "output": 10_000}}}))
        .set("/keys/0/budgets", json!([{"usd": 1, "per": "month", "warn_at": [0.05]}]))
        .start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(7);
    assert_eq!(gate.client().post("/v1/chat/completions", &request).status, 200);
    let event = event(&told);
    assert_eq!((&event["type"], &event["data"]["measure"]), (&json!("threshold.reached"), &json!("usd")));
    assert_eq!((&event["data"]["share"], &event["data"]["max"]), (&json!(0.05), &json!(1.0)));
    assert!(event["data"]["used"].as_f64().is_some_and(|used| used >= 0.05), "{event}");
}

#[test]
fn a_breaker_that_opens_is_told_once_and_signed() {
    let (upstream, told) = (Upstream::start(), listener());
    upstream.reply(Reply::error(500, "boom"));
    let gate = house(&upstream, &told, &["breaker"]).start();
    for _ in 0..6 {
        assert!(gate.client().ask(CHAT, "fast", "Hello?").status >= 500);
    }
    let asked = told.wait_for_request(1);
    assert_eq!(
        (&asked.json()["type"], &asked.json()["data"]["target"]),
        (&json!("breaker.opened"), &json!("only/upstream-model"))
    );
    assert!(asked.header("webhook-signature").is_some_and(|signature| signature.starts_with("v1,")), "{asked:?}");
    assert!(asked.header("webhook-id").is_some_and(|id| id.starts_with("msg_")), "{asked:?}");
}

#[test]
fn a_refused_configuration_is_told_with_its_reason() {
    let (upstream, told) = (Upstream::start(), listener());
    let house = house(&upstream, &told, &["config"]);
    let gate = house.start();
    gate.rewrite_config(&house.set("/modles", json!({})).file());
    let event = event(&told);
    assert_eq!(event["type"], json!("config.refused"));
    assert!(event["data"]["problem"].as_str().is_some_and(|problem| problem.contains("modles")), "{event}");
}

#[test]
fn a_tool_that_waits_for_approval_is_told() {
    let (upstream, told, server) = (Upstream::start(), listener(), McpServer::modern());
    let _gate = house(&upstream, &told, &["drift"])
        .set("/mcp_servers/s", json!({"url": server.url(), "pins": "hold_new"}))
        .start();
    let event = event(&told);
    assert_eq!((&event["type"], &event["data"]["mcp_server"]), (&json!("drift.pending"), &json!("s")));
    assert!(event["data"]["items"].as_array().is_some_and(|items| items.contains(&json!("tool echo"))), "{event}");
}

#[test]
fn what_was_not_taken_comes_again_under_the_same_id() {
    let (upstream, told) = (Upstream::start(), Upstream::start());
    told.reply(Reply::error(500, "not now"));
    let house = house(&upstream, &told, &["config"]);
    let gate = house.start();
    gate.rewrite_config(&house.set("/modles", json!({})).file());
    let again = told.wait_for_request(2);
    let ids: Vec<_> =
        told.requests().iter().filter_map(|asked| asked.header("webhook-id").map(str::to_owned)).collect();
    assert_eq!((ids.len(), ids.first().map(String::as_str)), (2, again.header("webhook-id")));
}

#[test]
fn an_address_of_this_machine_is_not_called_unless_the_file_says_so() {
    let (upstream, told) = (Upstream::start(), listener());
    let house = house(&upstream, &told, &["config"]).set("/alerts/0/allow_private", json!(false));
    let gate = house.start();
    gate.rewrite_config(&house.set("/modles", json!({})).file());
    let line = gate.wait_for_log("the refusal", |line| line.to_string().contains("allow_private"));
    assert!(line.to_string().contains("on-call"), "{line}");
    assert_eq!(told.served(), 0);
}
