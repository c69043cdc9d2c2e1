//! Any dialect in, any dialect out. What exactly is written is pinned by golden files; here stands what holds for all
//! 36 pairs on the wire. The official SDKs judge the rest (`make conformance-sdk`).

use gatehouse_tests::{Answer, Dialect, Gate, House, Reply, Upstream};
use serde_json::json;

const SAID: &str = "Hello from the provider.";

/// One house in which the model named after a dialect is answered in that dialect.
fn all_six(upstream: &Upstream) -> Gate {
    let house = Dialect::ALL.into_iter().fold(House::new(), |house, dialect| {
        let name = dialect.name();
        house.provider(name, dialect, upstream).model(name, &[&format!("{name}/upstream-model")])
    });
    house.start()
}

each_dialect!(its_clients_are_answered_by_every_provider, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = all_six(&upstream);
    for provider in Dialect::ALL {
        assert_eq!(gate.client().ask(dialect, provider.name(), "Hello?").said(dialect), SAID, "by {}", provider.name());
    }
    assert_eq!(upstream.served(), 6);
});

each_dialect!(its_clients_are_streamed_to_by_every_provider, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = all_six(&upstream);
    for provider in Dialect::ALL {
        let outcome = gate.client().ask_stream(dialect, provider.name(), "Hello?").outcome();
        assert_eq!(outcome.text, SAID, "by {}", provider.name());
        assert!(outcome.terminal && !outcome.error && !outcome.broken, "by {}: {outcome:?}", provider.name());
    }
});

each_dialect!(a_stream_that_breaks_off_never_looks_like_success, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = all_six(&upstream);
    upstream.reply(Reply::answer(Answer::text(&"word ".repeat(32))).close_after_frames(12));
    for provider in Dialect::ALL {
        let outcome = gate.client().ask_stream(dialect, provider.name(), "Talk.").outcome();
        assert!(!outcome.terminal, "by {}: {outcome:?}", provider.name());
        assert!(outcome.error || outcome.broken, "by {}: {outcome:?}", provider.name());
    }
});

#[test]
fn what_cannot_cross_is_named_in_a_header() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let mut request = Dialect::OpenAiChat.request("fast", "Hello?", false);
    request["logit_bias"] = json!({"50256": -100});
    let answer = gate.client().post("/v1/chat/completions", &request);
    assert_eq!(answer.said(Dialect::OpenAiChat), SAID);
    assert!(answer.header("x-gatehouse-dropped").is_some_and(|names| names.contains("logit_bias")));
}

#[test]
fn a_strict_client_is_refused_what_cannot_cross() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let mut request = Dialect::OpenAiChat.request("fast", "Hello?", false);
    request["logit_bias"] = json!({"50256": -100});
    let answer = gate.client().header("x-gatehouse-strict", "true").post("/v1/chat/completions", &request);
    assert!(answer.refused(Dialect::OpenAiChat, 400).contains("logit_bias"));
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_whole_tool_turn_crosses_from_chat_to_anthropic_and_back() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    upstream.reply(Reply::answer(Answer::silent().call("toolu_1", "get_weather", json!({"city": "Paris"}))));
    let mut request = Dialect::OpenAiChat.request("fast", "Weather in Paris?", false);
    request["tools"] =
        json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]);
    let called = gate.client().post("/v1/chat/completions", &request).json();
    let message = &called["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], json!(r#"{"city":"Paris"}"#), "{called}");

    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(message.clone());
    messages.push(json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "21 degrees"}));
    assert_eq!(gate.client().post("/v1/chat/completions", &request).status, 200);
    let seen = Dialect::Anthropic.see(&upstream.wait_for_request(2).json());
    assert_eq!(seen.calls, [("toolu_1".to_owned(), "get_weather".to_owned())]);
    assert_eq!(seen.results, [("toolu_1".to_owned(), "21 degrees".to_owned())]);
}

#[test]
fn tokens_of_any_model_can_be_counted_in_the_anthropic_dialect() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let request = Dialect::Anthropic.request("fast", "How many tokens is this?", false);
    let count = gate.client().post("/v1/messages/count_tokens", &request);
    assert!(count.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 3), "{}", count.text());
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_response_is_kept_for_its_caller_when_the_provider_keeps_none() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let first =
        gate.client().post("/v1/responses", &Dialect::OpenAiResponses.request("fast", "My name is Ada.", false));
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let follow_up = json!({"model": "fast", "previous_response_id": id, "input": "What is my name?"});
    assert_eq!(gate.client().post("/v1/responses", &follow_up).status, 200);
    let seen = Dialect::Anthropic.see(&upstream.wait_for_request(2).json());
    assert_eq!(seen.texts, ["My name is Ada.", SAID, "What is my name?"]);

    assert_eq!(gate.client().get(&format!("/v1/responses/{id}")).json()["id"], json!(id));
    assert_eq!(gate.client().send("DELETE", &format!("/v1/responses/{id}"), b"").response().status, 200);
    assert_eq!(gate.client().get(&format!("/v1/responses/{id}")).status, 404);
}
