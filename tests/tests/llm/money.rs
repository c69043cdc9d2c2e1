//! Limits and budgets of a key: reserved before a call, settled after it, never overdrawn by concurrency.

use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_tests::{Dialect, Gate, House, Reply, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

/// One cent per output token, nothing for input: the scripted answer costs seven cents.
fn priced(upstream: &Upstream, key: Value) -> House {
    let mut house = House::with_one(CHAT, upstream)
        .set("/prices", json!({"overrides": {"only/upstream-model": {"input": 0, "output": 10_000}}}));
    for (name, value) in key.as_object().unwrap() {
        house = house.set(&format!("/keys/0/{name}"), value.clone());
    }
    house
}

/// This many calls at once; how many were answered and how many were refused with this status.
fn storm(gate: &Gate, calls: usize, request: &Value, refused_with: u16) -> (usize, usize) {
    let (answered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..calls {
            scope.spawn(|| match gate.client().post("/v1/chat/completions", request).status {
                200 => answered.fetch_add(1, Ordering::Relaxed),
                status if status == refused_with => refused.fetch_add(1, Ordering::Relaxed),
                other => panic!("status {other}"),
            });
        }
    });
    (answered.into_inner(), refused.into_inner())
}

#[test]
fn two_hundred_calls_at_once_spend_a_budget_to_the_last_cent_and_not_one_more() {
    let upstream = Upstream::start();
    let gate = priced(&upstream, json!({"budgets": [{"usd": 0.7, "per": "life"}]})).start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(7);
    assert_eq!(storm(&gate, 200, &request, 402), (10, 190));
    assert_eq!(upstream.served(), 10);
    let spent: f64 = gate.ledger_of(10).iter().map(|row| row.cost_usd).sum();
    assert!((spent - 0.7).abs() < 1e-6, "{spent}");
}

#[test]
fn calls_that_do_not_say_how_much_they_may_cost_cannot_overspend_either() {
    let upstream = Upstream::start();
    let gate = priced(&upstream, json!({"budgets": [{"usd": 1_000, "per": "life"}]})).start();
    upstream.reply(Reply::answer(gatehouse_tests::Answer::text("long").usage(11, 4_000)));
    let (answered, refused) = storm(&gate, 200, &CHAT.request("fast", "Hello?", false), 402);
    assert_eq!((answered + refused, upstream.served()), (200, answered));
    let spent: f64 = gate.ledger_of(answered).iter().map(|row| row.cost_usd).sum();
    assert!(spent <= 1_000.0, "{spent}");
}

#[test]
fn what_a_call_did_not_use_of_its_reservation_is_given_back() {
    let upstream = Upstream::start();
    let gate = priced(&upstream, json!({"budgets": [{"usd": 0.7, "per": "life"}]})).start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(60);
    // Each reserves 60 cents and uses 7: in a row, they pass as long as 60 are left.
    let statuses: Vec<u16> = (0..4).map(|_| gate.client().post("/v1/chat/completions", &request).status).collect();
    assert_eq!(statuses, [200, 200, 402, 402]);
}

#[test]
fn a_refused_call_and_a_failed_one_cost_nothing() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [Reply::error(400, "no"), Reply::error(400, "no"), Reply::text("yes")]);
    let gate = priced(&upstream, json!({"budgets": [{"usd": 0.07, "per": "life"}]})).start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(7);
    let statuses: Vec<u16> = (0..4).map(|_| gate.client().post("/v1/chat/completions", &request).status).collect();
    assert_eq!(statuses, [400, 400, 200, 402]);
}

#[test]
fn a_spent_budget_stays_spent_across_a_restart() {
    let upstream = Upstream::start();
    let mut gate = priced(&upstream, json!({"budgets": [{"usd": 0.07, "per": "life"}]})).start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(7);
    assert_eq!(gate.client().post("/v1/chat/completions", &request).status, 200);
    gate.kill9();
    gate.restart();
    assert_eq!(gate.client().post("/v1/chat/completions", &request).status, 402);
}

each_dialect!(a_spent_budget_is_told_in_the_callers_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    let prices = json!({"overrides": {"only/upstream-model": {"input": 10_000, "output": 10_000}}});
    let house = House::with_one(dialect, &upstream).set("/prices", prices);
    let gate = house.set("/keys/0/budgets", json!([{"usd": 0.000_001, "per": "month"}])).start();
    let message = gate.client().ask(dialect, "fast", "Hello?").refused(dialect, 402);
    assert!(message.to_lowercase().contains("budget"), "{message}");
    assert_eq!(upstream.served(), 0);
});

each_dialect!(one_call_too_many_is_told_when_to_come_back, |dialect: Dialect| {
    let upstream = Upstream::start();
    let limits = json!([{"requests": 3, "per": "hour"}]);
    let gate = House::with_one(dialect, &upstream).set("/keys/0/limits", limits).start();
    for _ in 0..3 {
        assert_eq!(gate.client().ask(dialect, "fast", "Hello?").status, 200);
    }
    let refused = gate.client().ask(dialect, "fast", "Hello?");
    assert!(!refused.refused(dialect, 429).is_empty());
    let seconds = refused.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=3600).contains(&seconds)), "{:?}", refused.headers);
    assert_eq!(upstream.served(), 3);
});

#[test]
fn what_is_left_of_a_limit_stands_in_the_headers_of_the_dialect() {
    let upstream = Upstream::start();
    let limits = json!([{"requests": 3, "per": "hour"}]);
    let gate = House::with_one(CHAT, &upstream).set("/keys/0/limits", limits).start();
    let first = gate.client().ask(CHAT, "fast", "Hello?");
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("3"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("2"));
    let second = gate.client().ask(Dialect::Anthropic, "fast", "Hello?");
    assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), Some("1"));
}

#[test]
fn a_limit_of_requests_holds_against_two_hundred_at_once() {
    let upstream = Upstream::start();
    let gate = priced(&upstream, json!({"limits": [{"requests": 25, "per": "hour"}]})).start();
    assert_eq!(storm(&gate, 200, &CHAT.request("fast", "Hello?", false), 429), (25, 175));
    assert_eq!(upstream.served(), 25);
}

#[test]
fn a_limit_of_tokens_counts_what_was_used() {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(gatehouse_tests::Answer::text("long").usage(600, 600)));
    let gate = priced(&upstream, json!({"limits": [{"tokens": 1_000, "per": "hour"}]})).start();
    let mut request = CHAT.request("fast", "Hello?", false);
    request["max_tokens"] = json!(100);
    let statuses: Vec<u16> = (0..2).map(|_| gate.client().post("/v1/chat/completions", &request).status).collect();
    assert_eq!((statuses, upstream.served()), (vec![200, 429], 1));
}

#[test]
fn an_unpriced_model_costs_nothing_and_says_so() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let answer = gate.client().ask(CHAT, "fast", "Hello?");
    assert_eq!(answer.status, 200);
    let rows = gate.ledger_of(1);
    assert!(!rows[0].priced && rows[0].cost_usd == 0.0, "{rows:?}");
    let report = gate.rows(&["usage", "report", "--by", "model"]);
    assert_eq!(report[0]["unpriced_attempts"], json!(1), "{report:?}");
}

#[test]
fn an_unpriced_model_is_refused_where_the_configuration_says_so_and_a_priced_fallback_answers() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream)
        .model("cheap", &["only/cheap-model"])
        .set(
            "/models/both",
            json!({"targets": [{"provider": "only", "model": "upstream-model"}], "fallbacks": ["cheap"]}),
        )
        .set("/prices", json!({"unpriced": "refuse", "overrides": {"only/cheap-model": {"input": 1, "output": 1}}}));
    let gate = house.start();
    assert!(gate.client().ask(CHAT, "fast", "Hello?").refused(CHAT, 402).contains("no price"));
    assert_eq!(upstream.served(), 0);
    assert_eq!(gate.client().ask(CHAT, "both", "Hello?").header("x-gatehouse-model"), Some("cheap-model"));
}

#[test]
fn a_call_costs_what_the_tier_costs_that_served_it() {
    // gpt-5.4 at OpenAI: 2.50 and 15 dollars per million; twice as much with priority.
    for (served, dollars) in [("default", 0.0055), ("priority", 0.011)] {
        for stream in [false, true] {
            let upstream = Upstream::start();
            let frame = format!(
                r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-5.4","service_tier":"{served}","choices":[],"usage":{{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}}}}"#
            );
            let text = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-5.4","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#;
            let whole = format!(
                r#"{{"id":"c","object":"chat.completion","created":1,"model":"gpt-5.4","service_tier":"{served}","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}}}}"#
            );
            upstream.reply(if stream {
                let events = format!("data: {text}\n\ndata: {frame}\n\ndata: [DONE]\n\n");
                Reply::raw("text/event-stream", events)
            } else {
                Reply::raw("application/json", whole)
            });
            let gate = House::with_one(CHAT, &upstream)
                .set("/providers/only/kind", json!("openai"))
                .set("/models/fast/targets/0/model", json!("gpt-5.4"))
                .start();
            if stream {
                assert!(gate.client().ask_stream(CHAT, "fast", "Hello?").outcome().terminal);
            } else {
                assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
            }
            let row = &gate.ledger_of(1)[0];
            assert!((row.cost_usd - dollars).abs() < 1e-9, "{served}, stream {stream}: {row:?}");
        }
    }
}
