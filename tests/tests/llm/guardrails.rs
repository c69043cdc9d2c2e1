//! Guardrails on the path of a call: what may not stand in a text stands in none, whoever asks, whoever answers, streamed
//! or whole; and what is said to have run has run.

use gatehouse_tests::{Answer, Dialect, Gate, House, Reply, Response, Upstream};
use serde_json::{Value, json};

/// What may be nowhere, and what stands in its place. Scripted providers cut their streams at every space, so that it never
/// comes in one piece.
const CANARY: &str = "canary 7f3a9c sings";
const LABEL: &str = "[REDACTED:regex]";

/// A guardrail that looks for the canary.
fn catches(action: &str, on: &[&str]) -> Value {
    json!({"name": "canaries", "on": on, "detect": "regex", "action": action,
        "patterns": [{"name": "canary", "regex": "canary [0-9a-f]{6} sings"}]})
}

/// One house in which the model named after a dialect is answered in that dialect.
fn house(upstream: &Upstream, guardrails: Value) -> Gate {
    let house = Dialect::ALL.into_iter().fold(House::new(), |house, dialect| {
        let name = dialect.name();
        house.provider(name, dialect, upstream).model(name, &[&format!("{name}/upstream-model")])
    });
    house.set("/guardrails", guardrails).start()
}

fn told(answer: &Response) -> &str {
    answer.header("x-gatehouse-guardrails").unwrap_or("")
}

/// The line of the call that was logged, by the word its guardrails have in it.
fn logged(gate: &Gate, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
    gate.wait_for_log(what, |line| line["guardrails"].as_array().is_some_and(|runs| runs.iter().any(&accepts)))
}

each_dialect!(a_canary_in_a_request_is_blocked_before_anybody_is_asked, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("block", &["request"])]));
    for stream in [false, true] {
        let request = dialect.request(dialect.name(), &format!("say {CANARY}"), stream);
        let answer = gate.client().post(&dialect.path(dialect.name(), stream), &request);
        let message = answer.refused(dialect, 400);
        assert!(message.contains("canaries") && message.contains("`canary`") && !message.contains(CANARY), "{message}");
        assert_eq!(told(&answer), "canaries=block:1");
    }
    assert_eq!(upstream.served(), 0);
});

each_dialect!(a_canary_in_a_request_is_redacted_and_nothing_else_moves, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("redact", &["request"])]));
    let request = dialect.request(dialect.name(), &format!("say {CANARY} twice"), false);
    let odd = format!("{{\n \"x_new\" : [1.10, 1e3],{}", &request.to_string()[1..]);
    let answer = gate.client().post_bytes(&dialect.path(dialect.name(), false), odd.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = upstream.wait_for_request(1);
    let expected = odd.replace(CANARY, LABEL).replace(&format!("\"{}\"", dialect.name()), "\"upstream-model\"");
    assert_eq!(String::from_utf8_lossy(&received.body), expected);
});

each_dialect!(a_canary_in_a_request_is_redacted_for_every_provider, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("redact", &["request"])]));
    for (n, provider) in Dialect::ALL.into_iter().enumerate() {
        assert_eq!(gate.client().ask(dialect, provider.name(), &format!("say {CANARY}")).status, 200);
        let body = String::from_utf8_lossy(&upstream.wait_for_request(n + 1).body).into_owned();
        assert!(body.contains(LABEL) && !body.contains(CANARY), "to {}: {body}", provider.name());
    }
});

each_dialect!(a_canary_in_an_answer_is_redacted_whole_and_streamed_by_every_provider, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("redact", &["response"])]));
    upstream.reply(Reply::answer(Answer::text(&format!("it is {CANARY} indeed"))));
    for provider in Dialect::ALL {
        let expected = format!("it is {LABEL} indeed");
        let whole = gate.client().ask(dialect, provider.name(), "Say it.");
        assert_eq!(whole.said(dialect), expected, "by {}", provider.name());
        assert_eq!(told(&whole), "canaries=redact:1");
        let streamed = gate.client().ask_stream(dialect, provider.name(), "Say it.").outcome();
        assert_eq!(streamed.text, expected, "by {}", provider.name());
        assert!(streamed.terminal && !streamed.error && !streamed.broken, "by {}: {streamed:?}", provider.name());
    }
});

each_dialect!(a_canary_in_an_answer_ends_it_and_never_looks_like_success, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("block", &["response"])]));
    upstream.reply(Reply::answer(Answer::text(&format!("well it is {CANARY} indeed"))));
    for provider in Dialect::ALL {
        let whole = gate.client().ask(dialect, provider.name(), "Say it.");
        assert!(whole.refused(dialect, 400).contains("canaries"), "by {}", provider.name());
        let streamed = gate.client().ask_stream(dialect, provider.name(), "Say it.").outcome();
        assert!(!streamed.terminal && streamed.error, "by {}: {streamed:?}", provider.name());
        assert!(!streamed.text.contains("canary"), "by {}: {streamed:?}", provider.name());
    }
    assert_eq!(upstream.served(), 12, "nobody else is asked for an answer that was blocked");
});

each_dialect!(arguments_of_tools_are_redacted_and_stay_json, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("redact", &["tool_args"])]));
    let arguments = json!({"city": format!("a \"{CANARY}\" \n b"), "n": 1});
    upstream.reply(Reply::answer(Answer::silent().call("call_1", "look", arguments)));
    for provider in Dialect::ALL {
        let mut request = dialect.request(provider.name(), "Look.", false);
        let whole = gate.client().post(&dialect.path(provider.name(), false), &request);
        assert!(
            whole.text().contains(LABEL) && !whole.text().contains(CANARY),
            "by {}: {}",
            provider.name(),
            whole.text()
        );
        request = dialect.request(provider.name(), "Look.", true);
        let raw = gate.client().send("POST", &dialect.path(provider.name(), true), request.to_string().as_bytes());
        let streamed = String::from_utf8_lossy(&raw.head(dialect).bytes()).into_owned();
        assert!(streamed.contains(LABEL) && !streamed.contains(CANARY), "by {}: {streamed}", provider.name());
    }
});

each_dialect!(who_only_observes_changes_no_byte_of_a_stream_and_counts_all_the_same, |dialect: Dialect| {
    let upstream = Upstream::start();
    let answer = Answer::text(&format!("it is {CANARY} indeed"));
    upstream.reply(Reply::answer(answer.clone()));
    let gate = House::new()
        .provider("only", dialect, &upstream)
        .model("same", &["only/same"])
        .set("/guardrails", json!([catches("observe", &["request", "response"])]))
        .start();
    let mut request = dialect.request("same", "Say it.", true);
    if dialect == Dialect::OpenAiChat {
        request["stream_options"] = json!({"include_usage": true});
    }
    let sent = dialect.frames("same", &answer, &request).concat();
    let raw = gate.client().send("POST", &dialect.path("same", true), request.to_string().as_bytes());
    assert_eq!(String::from_utf8_lossy(&raw.head(dialect).bytes()), String::from_utf8_lossy(&sent));
    let line = logged(&gate, "the observed stream", |run| run["point"] == "response");
    let expected = json!([
        {"name": "canaries", "point": "request", "ran": "ran", "findings": 0},
        {"name": "canaries", "point": "response", "ran": "ran", "action": "observe", "findings": 1}]);
    assert_eq!(line["guardrails"], expected);
});

each_dialect!(a_stream_under_a_guardrail_that_finds_nothing_says_all_there_is_to_say, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("block", &["request", "response"])]));
    let answer = Answer::text("Good morning to you.").thinking("hm", "sig").usage(11, 7);
    upstream.reply(Reply::answer(answer));
    let outcome = gate.client().ask_stream(dialect, dialect.name(), "Hello?").outcome();
    assert_eq!(outcome.text, "Good morning to you.");
    assert!(outcome.terminal && !outcome.error && !outcome.broken, "{outcome:?}");
    let row = gate.ledger_of(1).remove(0);
    assert_eq!((row.input_tokens, row.output_tokens), (11, 7));
});

#[test]
fn embeddings_and_counts_are_looked_at_like_any_request() {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("block", &["request"])]));
    let cases = [
        (Dialect::OpenAiChat, "/v1/embeddings", json!({"model": "openai_chat", "input": ["fine", CANARY]})),
        (
            Dialect::Cohere,
            "/v2/embed",
            json!({"model": "cohere", "texts": [CANARY], "input_type": "search_query", "embedding_types": ["float"]}),
        ),
        (Dialect::Gemini, "/v1beta/models/gemini:embedContent", json!({"content": {"parts": [{"text": CANARY}]}})),
        (Dialect::Anthropic, "/v1/messages/count_tokens", Dialect::Anthropic.request("anthropic", CANARY, false)),
    ];
    for (dialect, path, request) in cases {
        assert!(gate.client().post(path, &request).refused(dialect, 400).contains("canaries"), "{path}");
    }
    assert_eq!(upstream.served(), 0);
}

#[test]
fn results_of_tools_and_files_are_looked_at() {
    let upstream = Upstream::start();
    let gate = house(&upstream, json!([catches("redact", &["tool_result"])]));
    let request = json!({"model": "openai_chat", "messages": [
        {"role": "user", "content": CANARY},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": CANARY}]});
    assert_eq!(gate.client().post("/v1/chat/completions", &request).status, 200);
    let sent = upstream.wait_for_request(1).json();
    assert_eq!((&sent["messages"][0]["content"], &sent["messages"][2]["content"]), (&json!(CANARY), &json!(LABEL)));
}

#[test]
fn a_guardrail_is_for_whom_it_is_for() {
    let upstream = Upstream::start();
    let mut guardrail = catches("block", &["request"]);
    guardrail["models"] = json!(["anthropic"]);
    let gate = house(&upstream, json!([guardrail]));
    let said = |model: &str| gate.client().ask(Dialect::OpenAiChat, model, CANARY);
    assert_eq!((said("anthropic").status, said("openai_chat").status), (400, 200));
    assert_eq!(said("openai_chat").header("x-gatehouse-guardrails"), None);
}

#[test]
fn what_had_nothing_to_look_at_is_said_to_be_skipped() {
    let upstream = Upstream::start();
    let gate = house(
        &upstream,
        json!([catches("block", &["tool_result"]), {"name": "long", "on": ["request"], "detect": "size", "max_chars": 5, "action": "observe"}]),
    );
    let answer = gate.client().ask(Dialect::OpenAiChat, "openai_chat", "more than five");
    assert_eq!(told(&answer), "canaries=skipped,long=observe:1");
    logged(&gate, "the call", |run| run["name"] == "long");
    let metrics = gate.admin().get("/metrics").text();
    assert!(
        metrics.contains(r#"gatehouse_guardrail_decisions_total{guardrail="long",action="observe"} 1"#),
        "{metrics}"
    );
}
