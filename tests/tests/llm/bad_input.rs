//! Input nobody should send: each has one clear answer in the caller's own dialect, nothing reaches a provider, and the
//! gateway goes on serving.

use gatehouse_tests::{Client, Dialect, Gate, House, Reply, Response, Upstream, gzip_of_spaces, run_cli};
use serde_json::{Value, json};

/// A house in which the model `fast` is served in the caller's dialect and `cross` in another one.
fn house(dialect: Dialect, upstream: &Upstream) -> Gate {
    let other = if dialect == Dialect::Anthropic { Dialect::OpenAiChat } else { Dialect::Anthropic };
    House::with_one(dialect, upstream)
        .provider("other", other, upstream)
        .model("cross", &["other/upstream-model"])
        .start()
}

fn carries_model_in_body(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Gemini | Dialect::Bedrock)
}

/// The field of a request that holds the conversation.
fn conversation(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
        _ => "messages",
    }
}

#[track_caller]
fn still_serves(gate: &Gate, dialect: Dialect) {
    assert_eq!(gate.client().ask(dialect, "fast", "Hello?").status, 200);
}

each_dialect!(a_body_that_is_not_json_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let whole = dialect.request("fast", "Hello?", false).to_string();
    for body in ["", "nonsense", &whole[..whole.len() - 1], &format!("{whole}}}")] {
        let message = gate.client().post_bytes(&dialect.path("fast", false), body.as_bytes()).refused(dialect, 400);
        assert!(message.contains("JSON"), "{body:?}: {message}");
    }
    assert_eq!(upstream.served(), 0);
    still_serves(&gate, dialect);
});

each_dialect!(a_body_that_is_json_but_no_object_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    for body in ["[]", "null", "7", "\"text\""] {
        let answer = gate.client().post_bytes(&dialect.path("fast", false), body.as_bytes());
        assert!(!answer.refused(dialect, 400).is_empty(), "{body}");
    }
    assert_eq!(upstream.served(), 0);
});

each_dialect!(a_model_that_is_no_text_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    if carries_model_in_body(dialect) {
        for model in [json!(7), json!(null), json!(["fast"]), json!({})] {
            let mut request = dialect.request("fast", "Hello?", false);
            request["model"] = model;
            let message = gate.client().post(&dialect.path("fast", false), &request).refused(dialect, 400);
            assert!(message.contains("model"), "{message}");
        }
        assert_eq!(upstream.served(), 0);
    }
    still_serves(&gate, dialect);
});

each_dialect!(a_conversation_of_the_wrong_type_cannot_be_translated, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    for wrong in [json!(7), json!({"role": "user"}), json!([7]), json!([[[]]])] {
        let mut request = dialect.request("cross", "Hello?", false);
        request[conversation(dialect)] = wrong;
        let message = gate.client().post(&dialect.path("cross", false), &request).refused(dialect, 400);
        assert!(message.contains(conversation(dialect)) || !message.is_empty(), "{message}");
    }
    assert_eq!(upstream.served(), 0);
});

each_dialect!(deep_nesting_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let whole = dialect.request("fast", "Hello?", false).to_string();
    for depth in [100, 200_000] {
        let deep = format!("{{\"x\":{}{},{}", "[".repeat(depth), "]".repeat(depth), &whole[1..]);
        let answer = gate.client().post_bytes(&dialect.path("fast", false), deep.as_bytes());
        assert!(!answer.refused(dialect, 400).is_empty(), "{depth}");
    }
    assert_eq!(upstream.served(), 0);
    still_serves(&gate, dialect);
});

each_dialect!(a_body_that_is_not_utf8_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let mut body = dialect.request("fast", "Hello?", false).to_string().into_bytes();
    let at = body.windows(5).position(|window| window == b"Hello").unwrap();
    body[at] = 0xff;
    let answer = gate.client().post_bytes(&dialect.path("fast", false), &body);
    assert!(!answer.refused(dialect, 400).is_empty());
    assert_eq!(upstream.served(), 0);
});

each_dialect!(a_body_of_33_megabytes_is_too_large, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let prompt = "x".repeat(33 << 20);
    let answer = gate.client().ask(dialect, "fast", &prompt);
    assert!(!answer.refused(dialect, 413).is_empty());
    assert_eq!(upstream.served(), 0);
    still_serves(&gate, dialect);
});

each_dialect!(a_body_that_inflates_without_end_is_too_large, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let bomb = gzip_of_spaces(40 << 20);
    let client = gate.client().header("content-encoding", "gzip");
    assert!(!client.post_bytes(&dialect.path("fast", false), &bomb).refused(dialect, 413).is_empty());
    assert_eq!(upstream.served(), 0);
    still_serves(&gate, dialect);
});

each_dialect!(an_encoding_nobody_knows_is_refused, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let client = gate.client().header("content-encoding", "zstd-dictionary");
    assert!(!client.ask(dialect, "fast", "Hello?").refused(dialect, 415).is_empty());
});

each_dialect!(an_unknown_model_suggests_a_near_one, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let message = gate.client().ask(dialect, "fsat", "Hello?").refused(dialect, 404);
    assert!(message.contains("fsat") && message.contains("fast"), "{message}");
});

#[test]
fn suggestions_name_only_models_the_caller_may_use() {
    let upstream = Upstream::start();
    let narrow = json!({"name": "narrow", "secret": "gk_test_narrow_000000000000000000", "models": ["faster"]});
    let house = House::with_one(Dialect::OpenAiChat, &upstream).model("faster", &["only/m"]).key(narrow);
    let gate = house.model("fastest-secret", &["only/m"]).start();
    let caller = gate.stranger().key("gk_test_narrow_000000000000000000");
    let message = caller.ask(Dialect::OpenAiChat, "fastr", "Hello?").refused(Dialect::OpenAiChat, 403);
    assert!(message.contains("faster") && !message.contains("fastest-secret"), "{message}");
    // Whether others have a model of that name is told by neither status nor words.
    let hidden = caller.ask(Dialect::OpenAiChat, "fastest-secret", "Hello?").refused(Dialect::OpenAiChat, 403);
    assert_eq!(hidden, message);
}

#[test]
fn a_request_with_both_content_length_and_chunks_is_refused_and_the_connection_closed() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let client = gate.client();
    let head =
        client.head("POST", "/v1/chat/completions", &[("content-length", "4"), ("transfer-encoding", "chunked")]);
    let smuggled = client.head("GET", "/v1/models", &[]);
    let raw = client.send_raw(format!("{head}0\r\n\r\n{smuggled}").as_bytes());
    if let Some(answer) = raw.try_response() {
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_eq!(upstream.served(), 0);
}

#[test]
fn two_content_lengths_that_disagree_are_refused() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let head = gate.client().head("POST", "/v1/chat/completions", &[("content-length", "2"), ("content-length", "9")]);
    let answer = gate.client().send_raw(format!("{head}{{}}{{}}").as_bytes()).try_response();
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_line_that_is_no_http_is_refused() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let answer = gate.client().send_raw(b"\x16\x03\x01\x02\x00\x01\x00 this is no HTTP\r\n\r\n").try_response();
    assert!(answer.is_none_or(|answer| answer.status == 400));
    still_serves(&gate, Dialect::OpenAiChat);
}

#[test]
fn a_megabyte_of_headers_is_refused() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let client = gate.client().header("x-much", &"x".repeat(1 << 20));
    let answer = client.send("POST", "/v1/chat/completions", b"{}").try_response();
    assert!(answer.is_none_or(|answer| [400, 431].contains(&answer.status)));
    still_serves(&gate, Dialect::OpenAiChat);
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream)
        .set("/server", json!({"header_timeout_secs": 0.3, "body_timeout_secs": 0.3, "idle_timeout_secs": 5.0}))
        .start();
    let answer = gate.client().send_raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n").try_response();
    assert!(answer.is_none_or(|answer| answer.status == 408));
    still_serves(&gate, Dialect::OpenAiChat);
}

each_dialect!(a_body_that_never_ends_is_cut_off, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).set("/server", json!({"body_timeout_secs": 0.3})).start();
    let client = gate.client();
    let head = client.head("POST", &dialect.path("fast", false), &[("content-length", "1000")]);
    let answer = client.send_raw(format!("{head}{{\"model\"").as_bytes()).response();
    assert!(!answer.refused(dialect, 408).is_empty());
    assert_eq!(upstream.served(), 0);
});

each_dialect!(a_body_shorter_than_declared_reaches_nobody, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = house(dialect, &upstream);
    let client = gate.client();
    let body = dialect.request("fast", "Hello?", false).to_string();
    let head = client.head("POST", &dialect.path("fast", false), &[("content-length", &(body.len() + 9).to_string())]);
    let raw = client.send_raw(format!("{head}{body}").as_bytes());
    raw.finish_writing();
    let answer: Option<Response> = raw.try_response();
    assert!(answer.is_none_or(|answer| answer.status == 400));
    still_serves(&gate, dialect);
    assert_eq!(upstream.served(), 1);
});

#[test]
fn a_provider_without_a_key_is_refused_before_anyone_calls_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.yaml");
    std::fs::write(
        &file,
        "providers:\n  bare: {kind: anthropic}\nmodels:\n  fast: {targets: [{provider: bare, model: m}]}\n",
    )
    .unwrap();
    let output = run_cli(&["check", file.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("providers.bare.api_key") && said.contains("ANTHROPIC_API_KEY"), "{said}");
}
// A kind that needs a key is refused by `check` and at start without one; the kinds that may do without learn it from the
// provider.
each_dialect!(a_provider_without_a_key_is_named_as_the_gateways_own_fault, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(401, "missing x-api-key header"));
    let bare: Value =
        json!({"kind": "anthropic-compatible", "base_url": upstream.url(), "api_key": "${NO_SUCH_KEY:-}"});
    let gate = House::new().set("/providers/bare", bare).model("fast", &["bare/upstream-model"]).start();
    let message = gate.client().ask(dialect, "fast", "Hello?").refused(dialect, 502);
    assert!(message.contains("bare") || message.to_lowercase().contains("credential"), "{message}");
    assert!(!message.contains("x-api-key"), "the gateway's account is nobody's business: {message}");
});

#[test]
fn a_method_a_path_does_not_have_is_refused() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    assert!(!gate.client().get("/v1/chat/completions").refused(Dialect::OpenAiChat, 405).is_empty());
}

#[test]
fn a_path_nobody_has_is_not_found() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    for path in
        ["/v1/nothing", "/v1/chat/completions/", "/v1//chat/completions", "/v1/chat/%63ompletions", "/../v1/models"]
    {
        let status = gate.client().post(path, &json!({})).status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_path_of_a_later_release_says_so() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let paths =
        ["/v1/images/generations", "/v1/audio/speech", "/v1/moderations", "/v1/rerank", "/v1/files", "/v1/batches"];
    for path in paths {
        assert!(
            !gate.client().post(path, &json!({"model": "fast"})).refused(Dialect::OpenAiChat, 501).is_empty(),
            "{path}"
        );
    }
}

#[test]
fn a_model_in_the_path_cannot_lead_elsewhere() {
    let upstream = Upstream::start();
    let gate = house(Dialect::Gemini, &upstream);
    for model in ["..%2F..%2Fadmin", "fast%00", "%2e%2e", "fast%0d%0ax:1"] {
        let path = format!("/v1beta/models/{model}:generateContent");
        let answer = gate.client().post(&path, &Dialect::Gemini.request("", "Hello?", false));
        assert!([400, 404].contains(&answer.status), "{model}: {}", answer.text());
    }
    assert_eq!(upstream.served(), 0);
}

#[test]
fn an_answer_nobody_waits_for_and_a_request_behind_it_do_no_harm() {
    let upstream = Upstream::start();
    let gate = house(Dialect::OpenAiChat, &upstream);
    let hasty: Vec<Client> = (0..20).map(|_| gate.client()).collect();
    for client in hasty {
        let body = Dialect::OpenAiChat.request("fast", "Hello?", false).to_string();
        client.send("POST", "/v1/chat/completions", body.as_bytes()).leave();
    }
    still_serves(&gate, Dialect::OpenAiChat);
}
