//! Same dialect in and out: bytes go through untouched, the model's name apart.

use gatehouse_tests::{Answer, Dialect, House, KEY, Reply, Upstream};
use serde_json::{Value, json};

/// An answer as no serialiser of ours would write it: odd spaces, an unknown field, a number that must keep its digits.
fn peculiar_answer(dialect: Dialect) -> String {
    let usual = dialect.unary("same", &Answer::text("Good morning."));
    let usual = std::str::from_utf8(&usual).unwrap();
    format!("{{ \"x_new_field\" : [1.10, 1e3, 12345678901234567890], {}\n", &usual[1..])
}

/// A request likewise. `"MODEL"` stands where the dialect carries the model in the body.
fn peculiar_request(dialect: Dialect) -> String {
    let usual = dialect.request("MODEL", "Good morning?", false).to_string();
    format!("{{\n \"x_new_parameter\" : {{\"z\":1.10, \"a\": [1e3]}},{}", &usual[1..])
}

each_dialect!(an_answer_arrives_byte_for_byte, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::raw("application/json", peculiar_answer(dialect)));
    let gate = House::new().provider("only", dialect, &upstream).model("same", &["only/same"]).start();
    let answer = gate.client().ask(dialect, "same", "Good morning?");
    assert_eq!((answer.status, answer.text()), (200, peculiar_answer(dialect)));
});

each_dialect!(a_stream_arrives_byte_for_byte, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::new().provider("only", dialect, &upstream).model("same", &["only/same"]).start();
    let mut request = dialect.request("same", "Good morning?", true);
    if dialect == Dialect::OpenAiChat {
        // Otherwise the gateway asks for the usage chunk itself and keeps it to itself.
        request["stream_options"] = json!({"include_usage": true});
    }
    let sent = dialect.frames("same", &Answer::text("Hello from the provider."), &request).concat();
    let raw = gate.client().send("POST", &dialect.path("same", true), request.to_string().as_bytes());
    assert_eq!(String::from_utf8_lossy(&raw.head(dialect).bytes()), String::from_utf8_lossy(&sent));
});

each_dialect!(unknown_parameters_pass_and_only_the_model_changes, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).start();
    let request = peculiar_request(dialect).replace("MODEL", "fast");
    let answer = gate.client().post_bytes(&dialect.path("fast", false), request.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = upstream.wait_for_request(1);
    assert_eq!(received.body, peculiar_request(dialect).replace("MODEL", "upstream-model").as_bytes());
    assert_eq!(received.model, "upstream-model");
});

each_dialect!(the_provider_sees_its_own_credential_and_never_the_callers, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).start();
    assert_eq!(gate.client().ask(dialect, "fast", "Hello?").status, 200);
    let received = upstream.wait_for_request(1);
    let headers = format!("{:?} {}", received.headers, received.query);
    assert!(!headers.contains(KEY), "{headers}");
    let own = if dialect == Dialect::Bedrock { "AKIDEXAMPLE" } else { "provider-secret" };
    assert!(headers.contains(own), "{headers}");
});

each_dialect!(each_event_of_a_stream_arrives_before_the_next_is_sent, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("one two three").stepped());
    let gate = House::with_one(dialect, &upstream).start();
    let raw = {
        let body = dialect.request("fast", "Count.", true).to_string();
        gate.client().send("POST", &dialect.path("fast", true), body.as_bytes())
    };
    // Enough frames for the first word in every dialect, none of them the second word.
    let frames = dialect.frames("upstream-model", &Answer::text("one two three"), &json!({}));
    let of_first_word = frames.iter().position(|frame| contains(frame, "one ")).unwrap() + 1;
    (0..of_first_word).for_each(|_| upstream.step());
    let mut stream = raw.head(dialect);
    assert_eq!(stream.next_text().as_deref(), Some("one "));
    upstream.run();
    assert_eq!(stream.next_text().as_deref(), Some("two "));
});

fn contains(frame: &[u8], text: &str) -> bool {
    frame.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn headers_of_the_connection_and_of_proxies_are_not_passed_on() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let client = gate
        .client()
        .header("connection", "keep-alive, x-private")
        .header("x-private", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic Zm9v")
        .header("cookie", "session=1");
    assert_eq!(client.ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    let received = upstream.wait_for_request(1);
    for name in ["x-private", "keep-alive", "proxy-authorization", "cookie"] {
        assert_eq!(received.header(name), None, "{name}");
    }
}

#[test]
fn the_usage_chunk_the_gateway_asked_for_is_kept_from_a_client_that_did_not() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let events = gate.client().ask_stream(Dialect::OpenAiChat, "fast", "Hello?").events();
    assert_eq!(upstream.wait_for_request(1).json()["stream_options"]["include_usage"], json!(true));
    assert!(events.iter().all(|event| event["usage"].is_null()), "{events:?}");
    assert_eq!(events.last(), Some(&Value::String("[DONE]".to_owned())));
}

#[test]
fn a_callers_trace_goes_on_at_the_provider_under_a_span_of_the_gateway() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = gate.client().header("traceparent", trace).ask(Dialect::OpenAiChat, "fast", "Hello?");
    assert_eq!((traced.status, gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status), (200, 200));
    let passed_on = upstream.wait_for_request(1).header("traceparent").expect("a trace").to_owned();
    assert!(passed_on.starts_with(&trace[..36]) && passed_on != trace, "{passed_on}");
    assert_eq!(upstream.wait_for_request(2).header("traceparent"), None);
}

#[test]
fn response_headers_say_who_answered_and_what_it_cost() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream)
        .set("/prices", json!({"overrides": {"only/upstream-model": {"input": 10_000, "output": 0}}}))
        .start();
    let answer = gate.client().ask(Dialect::Anthropic, "fast", "Hello?");
    assert!(answer.header("x-gatehouse-request-id").is_some_and(|id| !id.is_empty()), "{:?}", answer.headers);
    assert_eq!(answer.header("x-gatehouse-model"), Some("upstream-model"));
    assert_eq!(answer.header("x-gatehouse-provider"), Some("only"));
    assert_eq!(answer.header("x-gatehouse-cost-usd").and_then(|cost| cost.parse().ok()), Some(0.11));
}

#[test]
fn one_connection_serves_calls_one_after_another() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let body = Dialect::OpenAiChat.request("fast", "Hello?", false).to_string();
    let client = gate.client();
    let head = client.head("POST", "/v1/chat/completions", &[("content-length", &body.len().to_string())]);
    let last = client.head(
        "POST",
        "/v1/chat/completions",
        &[("content-length", &body.len().to_string()), ("connection", "close")],
    );
    let raw = client.send_raw(format!("{head}{body}{last}{body}").as_bytes());
    assert_eq!(raw.response().status, 200);
    assert_eq!(upstream.wait_for_request(2).model, "upstream-model");
}
