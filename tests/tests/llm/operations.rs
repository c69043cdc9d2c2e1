//! What an operator looks at: probes, metrics, listings, logs.

use gatehouse_tests::{Dialect, House, Upstream};
use serde_json::json;

#[test]
fn probes_answer_without_a_key() {
    let gate = House::new().start();
    assert_eq!(gate.stranger().get("/healthz").status, 200);
    assert_eq!(gate.stranger().get("/readyz").status, 200);
}

#[test]
fn metrics_count_a_call() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    assert_eq!(gate.client().ask(Dialect::Anthropic, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(1).len(), 1);
    let metrics = gate.admin().get("/metrics");
    assert_eq!(metrics.status, 200, "{}", metrics.text());
    let counted = metrics.text().lines().any(|line| line.starts_with("gatehouse_") && line.contains("anthropic"));
    assert!(counted, "{}", metrics.text());
}

#[test]
fn a_call_writes_one_log_line_that_names_it() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let answer = gate.client().ask(Dialect::Anthropic, "fast", "Hello?");
    let id = answer.header("x-gatehouse-request-id").unwrap().to_owned();
    let line = gate.wait_for_log("the line of the call", |line| line.to_string().contains(&id)).to_string();
    assert!(line.contains("fast") && line.contains("200"), "{line}");
    assert!(!line.contains("Hello?"), "prompts are not logged: {line}");
}

#[test]
fn models_are_listed_in_the_form_of_each_dialect() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let openai = gate.client().get("/v1/models").json();
    assert_eq!((openai["object"].as_str(), openai["data"][0]["id"].as_str()), (Some("list"), Some("fast")), "{openai}");
    let anthropic = gate.client().header("anthropic-version", "2023-06-01").get("/v1/models").json();
    assert_eq!(anthropic["data"][0]["type"], json!("model"), "{anthropic}");
    let gemini = gate.client().get("/v1beta/models").json();
    assert_eq!(gemini["models"][0]["name"], json!("models/fast"), "{gemini}");
}

#[test]
fn the_admin_api_is_for_administrators() {
    let gate = House::new().start();
    for path in ["/api/v1/models", "/api/v1/providers", "/api/v1/keys", "/api/v1/usage", "/api/v1/breakers"] {
        assert_eq!(gate.stranger().get(path).status, 401, "{path}");
        let with_a_callers_key = gate.client().get(path).status;
        assert!([401, 403].contains(&with_a_callers_key), "{path}: {with_a_callers_key}");
        assert_eq!(gate.admin().get(path).status, 200, "{path}");
    }
}

#[test]
fn an_overloaded_gateway_says_when_to_come_back_and_stays_governable() {
    let upstream = Upstream::start();
    upstream.reply(gatehouse_tests::Reply::text("at last").held());
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).set("/server", json!({"in_flight_max": 2})).start();
    let body = Dialect::OpenAiChat.request("fast", "Hello?", false).to_string();
    let held: Vec<_> = (0..2).map(|_| gate.client().send("POST", "/v1/chat/completions", body.as_bytes())).collect();
    assert_eq!(upstream.wait_for_request(2).model, "upstream-model");
    let refused = gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?");
    assert!(!refused.refused(Dialect::OpenAiChat, 503).is_empty());
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
    assert_eq!(gate.admin().get("/api/v1/breakers").status, 200);
    upstream.run();
    assert!(held.into_iter().all(|call| call.response().status == 200));
}
