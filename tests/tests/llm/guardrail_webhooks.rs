//! A guardrail somebody else runs: what it says is done, and when it says nothing, what the configuration says.

use gatehouse_tests::{Answer, Dialect, Gate, House, Reply, Upstream};
use serde_json::{Value, json};

fn house(upstream: &Upstream, webhook: &Upstream, more: Value) -> Gate {
    let mut guardrail = json!({"name": "asked", "on": ["request"], "detect": "webhook", "action": "block",
        "url": format!("{}/check", webhook.url()), "token": "webhook-secret", "timeout": 0.5, "allow_private": true});
    guardrail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    House::with_one(Dialect::OpenAiChat, upstream).set("/guardrails", json!([guardrail])).start()
}

fn says(answer: &Value) -> Upstream {
    let webhook = Upstream::start();
    webhook.reply(Reply::raw("application/json", answer.to_string()));
    webhook
}

fn ask(gate: &Gate) -> gatehouse_tests::Response {
    gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?")
}

#[test]
fn it_is_told_who_asks_what_and_its_no_is_final() {
    let (upstream, webhook) = (Upstream::start(), says(&json!({"action": "block", "reason": "not on a Sunday"})));
    let gate = house(&upstream, &webhook, json!({}));
    let answer = ask(&gate);
    assert!(answer.refused(Dialect::OpenAiChat, 400).contains("not on a Sunday"));
    let asked = webhook.wait_for_request(1);
    let body = asked.json();
    assert_eq!(
        (&body["point"], &body["texts"], &body["model"]),
        (&json!("request"), &json!(["Hello?"]), &json!("fast"))
    );
    assert_eq!(body["principal"]["key"], json!("test"));
    assert_eq!(body["request_id"].as_str(), answer.header("x-gatehouse-request-id"));
    assert_eq!(asked.header("authorization"), Some("Bearer webhook-secret"));
    assert_eq!(upstream.served(), 0);
}

#[test]
fn it_may_rewrite_requests_and_answers_streamed_or_not() {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(Answer::text("the answer is secret")));
    let webhook = Upstream::start_with(0, |asked| {
        let texts: Vec<Value> = asked.json()["texts"].as_array().unwrap().iter().map(|_| json!("rewritten")).collect();
        Reply::raw("application/json", json!({"action": "redact", "texts": texts}).to_string())
    });
    let gate = house(&upstream, &webhook, json!({"on": ["request", "response"]}));
    assert_eq!(ask(&gate).said(Dialect::OpenAiChat), "rewritten");
    assert_eq!(upstream.wait_for_request(1).json()["messages"][0]["content"], json!("rewritten"));
    let outcome = gate.client().ask_stream(Dialect::OpenAiChat, "fast", "Hello?").outcome();
    assert_eq!(outcome.text, "rewritten");
    assert!(outcome.terminal && !outcome.broken, "{outcome:?}");
}

#[test]
fn one_that_allows_leaves_a_stream_as_it_is() {
    let (upstream, webhook) = (Upstream::start(), says(&json!({"action": "allow"})));
    let gate = house(&upstream, &webhook, json!({"on": ["response"]}));
    let outcome = gate.client().ask_stream(Dialect::OpenAiChat, "fast", "Hello?").outcome();
    assert_eq!(outcome.text, "Hello from the provider.");
    assert!(outcome.terminal && !outcome.broken, "{outcome:?}");
}

#[test]
fn one_that_hangs_is_a_failure_and_closed_unless_said_otherwise() {
    for (fail, status) in [("closed", 503), ("open", 200)] {
        let (upstream, webhook) = (Upstream::start(), Upstream::start());
        webhook.reply(Reply::text("").stall_before_head());
        let gate = house(&upstream, &webhook, json!({"fail": fail}));
        let answer = ask(&gate);
        assert_eq!((answer.status, answer.header("x-gatehouse-guardrails")), (status, Some("asked=failed")), "{fail}");
        let line = gate.wait_for_log("the call", |line| line["guardrails"][0]["ran"] == "failed");
        assert_eq!(line["guardrails"][0]["name"], json!("asked"));
    }
}

#[test]
fn what_is_no_clear_answer_is_a_failure() {
    for reply in [
        Reply::raw("application/json", r#"{"action":"perhaps"}"#),
        Reply::raw("application/json", r#"{"action":"redact","texts":[]}"#),
        Reply::html(502),
        Reply::empty(),
    ] {
        let (upstream, webhook) = (Upstream::start(), Upstream::start());
        webhook.reply(reply);
        let gate = house(&upstream, &webhook, json!({}));
        assert!(ask(&gate).refused(Dialect::OpenAiChat, 503).contains("asked"));
        assert_eq!(upstream.served(), 0);
    }
}

#[test]
fn an_address_of_this_machine_is_not_called_unless_the_file_says_so() {
    let (upstream, webhook) = (Upstream::start(), says(&json!({"action": "allow"})));
    let gate = house(&upstream, &webhook, json!({"allow_private": false}));
    assert!(ask(&gate).refused(Dialect::OpenAiChat, 503).contains("may not be called"));
    assert_eq!((upstream.served(), webhook.served()), (0, 0));
}
