//! What golden files do not reach: wrong and hostile input, deviations of targets, frames that try to fool the counter.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test, like the tests themselves")]

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault};
use gatehouse_llm_gateway::dialects::{Dialect, Listener, Quirks, Speaker, ThinkingStyle, cohere, embeddings, gemini};
use gatehouse_llm_gateway::form::{Ask, Delta, Dropped, Event, Issuer, Open, Stop};

fn speaker() -> Speaker<'static> {
    Speaker {
        model: "target",
        stream: false,
        issuer: Issuer::Google,
        default_output_cap: 4096,
        thinking: ThinkingStyle::Effort,
        quirks: Quirks::default(),
    }
}

fn listener() -> Listener {
    Listener {
        ask: Arc::new(Ask { model: "m".into(), ..Ask::default() }),
        id: "id".into(),
        created: 0,
        issuer: Issuer::OpenAi,
        input_estimate: 0,
    }
}

fn ask(dialect: &Dialect, body: &str) -> Ask {
    (dialect.read_ask)(body.as_bytes()).expect("the request reads")
}

fn written(dialect: &Dialect, ask: &Ask, speaker: &Speaker<'_>) -> String {
    let body = (dialect.write_ask)(ask, speaker, &mut Dropped::default()).expect("the request is written");
    String::from_utf8(body).expect("UTF-8")
}

fn refusal(dialect: &Dialect, body: &str) -> (Code, Option<String>) {
    let fault = (dialect.read_ask)(body.as_bytes()).expect_err("must be refused");
    (fault.code, fault.param)
}

fn decode(dialect: &Dialect, wire: &str) -> Result<Vec<Event>, Fault> {
    let mut decoder = (dialect.decoder)();
    let mut events = Vec::new();
    decoder.feed(wire.as_bytes(), &mut events)?;
    decoder.end(&mut events)?;
    Ok(events)
}

#[test]
fn a_wrong_type_names_its_field() {
    let cases = [
        (&gemini::DIALECT, r#"{"contents":"hi"}"#, "contents"),
        (&gemini::DIALECT, r#"{"contents":[{"parts":[{"text":"a"},{"text":7}]}]}"#, "contents[0].parts[1].text"),
        (&gemini::DIALECT, r#"{"generationConfig":{"temperature":"hot"}}"#, "generationConfig.temperature"),
        (&gemini::DIALECT, r#"{"contents":[{"role":"robot"}]}"#, "contents[0].role"),
        (&gemini::DIALECT, r#"{"generationConfig":{"candidateCount":129}}"#, "generationConfig.candidateCount"),
        (&gemini::DIALECT, r#"{"contents":[{"parts":[{"functionCall":{}}]}]}"#, "contents[0].parts[0]"),
        (&cohere::DIALECT, r#"{"messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
        (&cohere::DIALECT, r#"{"messages":[{"role":"tool","content":"x"}]}"#, "messages[0].tool_call_id"),
        (&cohere::DIALECT, r#"{"messages":[{"role":"user","content":[{"type":"x"}]}]}"#, "messages[0].content[0].type"),
        (&cohere::DIALECT, r#"{"tool_choice":"MAYBE"}"#, "tool_choice"),
        (&cohere::DIALECT, r#"{"temperature":[]}"#, "temperature"),
    ];
    for (dialect, body, param) in cases {
        assert_eq!(refusal(dialect, body), (Code::InvalidRequest, Some(param.to_owned())), "{body}");
    }
}

#[test]
fn what_is_no_json_or_nested_without_end_is_invalid_json() {
    let deep = format!(r#"{{"x":{}"#, "[".repeat(100_000));
    for dialect in [&gemini::DIALECT, &cohere::DIALECT] {
        for body in ["", "{", "[]x", "\u{0}", deep.as_str()] {
            let code = refusal(dialect, body).0;
            assert!(matches!(code, Code::InvalidJson | Code::InvalidRequest), "{code}");
        }
        assert!((dialect.read_answer)(b"<html>").is_err());
        assert!((dialect.read_answer)(b"{}").is_err());
        assert!((dialect.count)(b"{}").is_none());
    }
}

#[test]
fn a_request_without_a_message_is_refused() {
    for dialect in [&gemini::DIALECT, &cohere::DIALECT] {
        let fault = (dialect.write_ask)(&Ask::default(), &speaker(), &mut Dropped::default()).expect_err("refused");
        assert_eq!(fault.code, Code::InvalidRequest);
    }
}

#[test]
fn an_empty_stream_and_a_stream_of_rubbish_are_broken() {
    for dialect in [&gemini::DIALECT, &cohere::DIALECT] {
        for wire in ["", "data: {}", "data: nonsense\n\n", ": ping\n\n", "data: 7\n\n"] {
            assert_eq!(decode(dialect, wire).map_err(|fault| fault.code), Err(Code::UpstreamBroken), "{wire}");
        }
    }
}

#[test]
fn gemini_frames_cannot_open_choices_without_end() {
    let mut wire = String::new();
    for index in 0..200 {
        wire.push_str(&format!("data: {{\"candidates\":[{{\"index\":{index},\"finishReason\":\"STOP\"}}]}}\n\n"));
    }
    assert!(decode(&gemini::DIALECT, &wire).is_err());
}

#[test]
fn arguments_with_line_feeds_stay_on_one_line_of_the_stream() {
    let mut encoder = (gemini::DIALECT.encoder)(&listener());
    let mut wire = Vec::new();
    let call = Open::ToolCall { id: "c".into(), name: "f".into(), signature: None };
    for event in [
        Event::Start { id: "r".into(), model: "m".into(), created: 0 },
        Event::Open { choice: 0, block: call },
        Event::Delta { choice: 0, delta: Delta::Arguments("{\n  \"a\":".into()) },
        Event::Delta { choice: 0, delta: Delta::Arguments(" \"x y\"\n}".into()) },
        Event::Close { choice: 0 },
        Event::Stop { choice: 0, stop: Stop::ToolUse, native: None, sequence: None },
        Event::End,
    ] {
        encoder.event(&event, &mut wire);
    }
    let wire = String::from_utf8(wire).expect("UTF-8");
    assert!(wire.contains(r#""args":{"a":"x y"}"#), "{wire}");
    assert!(decode(&gemini::DIALECT, &wire).is_ok());
}

#[test]
fn nothing_follows_a_failure() {
    let fault = Fault::new(Code::UpstreamOverloaded, "busy");
    for dialect in [&gemini::DIALECT, &cohere::DIALECT] {
        let mut encoder = (dialect.encoder)(&listener());
        let mut wire = Vec::new();
        encoder.event(&Event::Failed(fault.clone()), &mut wire);
        let length = wire.len();
        encoder.event(&Event::End, &mut wire);
        assert_eq!(wire.len(), length, "{}", dialect.name);
    }
}

#[test]
fn the_arguments_of_a_call_cannot_fake_a_count() {
    let frame = r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"STOP","usageMetadata":{"promptTokenCount":999}}}}]}}]}"#;
    let mut tally = (gemini::DIALECT.tally)();
    tally.feed(&Bytes::from(format!("{frame}\n\n")));
    let counted = tally.counted();
    assert!(!counted.complete && counted.usage.is_none(), "{counted:?}");
}

#[test]
fn text_cannot_fake_a_count() {
    let text = r#"{\"finishReason\":\"STOP\",\"usageMetadata\":{\"promptTokenCount\":999},\"type\":\"message-end\"}"#;
    let gemini_frame =
        format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}]}}\n\n");
    let cohere_frame = format!(
        "data: {{\"type\":\"content-delta\",\"delta\":{{\"message\":{{\"content\":{{\"text\":\"{text}\"}}}}}}}}\n\n"
    );
    for (dialect, frame) in [(&gemini::DIALECT, gemini_frame), (&cohere::DIALECT, cohere_frame)] {
        let mut tally = (dialect.tally)();
        tally.feed(&Bytes::from(frame));
        let counted = tally.counted();
        assert!(!counted.complete && counted.usage.is_none(), "{}: {counted:?}", dialect.name);
        assert_eq!(counted.output_bytes, text.len() as u64, "{}", dialect.name);
    }
}

const LOOP: &str = r#"{"contents":[{"role":"user","parts":[{"text":"Go"}]},
    {"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"CkEB"}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}},{"text":"Well?"}]}]}"#;

#[test]
fn vertex_gets_no_ids_and_no_parts_beside_results() {
    let quirks = Quirks { no_call_ids: true, ..Quirks::default() };
    let body = written(&gemini::DIALECT, &ask(&gemini::DIALECT, LOOP), &Speaker { quirks, ..speaker() });
    assert!(!body.contains("\"id\""), "{body}");
    assert!(body.contains(r#""response":{"output":"1"}}}]},{"role":"user","parts":[{"text":"Well?"}]}"#), "{body}");
}

#[test]
fn a_signature_goes_to_its_issuer_only() {
    let ask = ask(&gemini::DIALECT, LOOP);
    assert!(written(&gemini::DIALECT, &ask, &speaker()).contains(r#""thoughtSignature":"CkEB""#));
    let foreign = Speaker { issuer: Issuer::Other, ..speaker() };
    assert!(!written(&gemini::DIALECT, &ask, &foreign).contains("thoughtSignature"));
}

#[test]
fn older_models_think_by_budget() {
    let think = |config: &str, thinking| {
        let body = format!(
            r#"{{"contents":[{{"parts":[{{"text":"Go"}}]}}],"generationConfig":{{"thinkingConfig":{config}}}}}"#
        );
        written(&gemini::DIALECT, &ask(&gemini::DIALECT, &body), &Speaker { thinking, ..speaker() })
    };
    assert!(think(r#"{"thinkingLevel":"HIGH"}"#, ThinkingStyle::Budget).contains(r#""thinkingBudget":4096"#));
    assert!(think(r#"{"thinkingBudget":-1}"#, ThinkingStyle::Budget).contains(r#""thinkingBudget":-1"#));
    assert!(think(r#"{"thinkingBudget":0}"#, ThinkingStyle::Budget).contains(r#""thinkingBudget":0"#));
    assert!(!think(r#"{"thinkingLevel":"HIGH"}"#, ThinkingStyle::None).contains("thinking"));
}

#[test]
fn calls_without_ids_get_the_same_ids_each_time() {
    let once = written(&cohere::DIALECT, &ask(&gemini::DIALECT, LOOP), &speaker());
    assert_eq!(once, written(&cohere::DIALECT, &ask(&gemini::DIALECT, LOOP), &speaker()));
    assert!(once.contains(r#""tool_call_id":"call_0_"#), "{once}");
}

#[test]
fn arguments_that_are_no_object_are_wrapped_and_named() {
    let body = r#"{"messages":[{"role":"user","content":"Go"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[1"}}]}]}"#;
    let mut dropped = Dropped::default();
    let out = (gemini::DIALECT.write_ask)(&ask(&cohere::DIALECT, body), &speaker(), &mut dropped).expect("written");
    assert!(String::from_utf8_lossy(&out).contains(r#""args":{"input":"[1"}"#));
    assert_eq!(dropped.names(), ["tool_calls.arguments"]);
}

#[test]
fn an_address_only_one_vendor_can_open_does_not_cross() {
    let body = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"s3://bucket/cat.png"}}]}]}"#;
    let ask = ask(&cohere::DIALECT, body);
    for dialect in [&gemini::DIALECT, &cohere::DIALECT] {
        let mut dropped = Dropped::default();
        let out = (dialect.write_ask)(&ask, &speaker(), &mut dropped).expect("written");
        assert!(!String::from_utf8_lossy(&out).contains("s3://"), "{}", dialect.name);
        assert_eq!(dropped.names(), ["file_id"], "{}", dialect.name);
    }
}

#[test]
fn count_tokens_reads_the_request_inside() {
    let body = r#"{"generateContentRequest":{"model":"models/gemini-3-flash","contents":[{"parts":[{"text":"Hi"}]}]}}"#;
    let ask = ask(&gemini::DIALECT, body);
    assert_eq!((ask.model.as_str(), ask.turns.len()), ("gemini-3-flash", 1));
}

#[test]
fn an_embedding_request_that_says_too_little_is_refused() {
    let param =
        |read: fn(&[u8]) -> Result<_, Fault>, body: &str| read(body.as_bytes()).map(|_| ()).expect_err("refused").param;
    assert_eq!(param(embeddings::openai::DIALECT.read_ask, r#"{"input":[]}"#).as_deref(), Some("input"));
    assert_eq!(param(embeddings::openai::DIALECT.read_ask, r#"{"input":[1,"a"]}"#).as_deref(), Some("input"));
    assert_eq!(param(embeddings::openai::DIALECT.read_ask, r#"{"input":{"a":1}}"#).as_deref(), Some("input"));
    assert_eq!(param(embeddings::cohere::DIALECT.read_ask, r#"{"texts":["a"]}"#).as_deref(), Some("input_type"));
    assert_eq!(
        param(embeddings::gemini::DIALECT.read_ask, r#"{"requests":[{}]}"#).as_deref(),
        Some("requests[0].content")
    );
}
