//! What goldens do not reach: hostile input, broken streams, counting, what is echoed.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, Usage};

use super::DIALECT;
use crate::dialects::{Counted, Listener, Quirks, Speaker, ThinkingStyle};
use crate::form::{Delta, Dropped, Event, Fold, Issuer, Open, Signature, Stop};

fn listener(ask: &str) -> Listener {
    Listener {
        ask: Arc::new((DIALECT.read_ask)(ask.as_bytes()).unwrap()),
        id: "1".to_owned(),
        created: 7,
        issuer: Issuer::Anthropic,
        input_estimate: 0,
    }
}

fn encode(ask: &str, events: &[Event]) -> String {
    let mut encoder = (DIALECT.encoder)(&listener(ask));
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn decode(stream: &str) -> (Vec<Event>, Result<(), Fault>) {
    let mut decoder = (DIALECT.decoder)();
    let mut out = Vec::new();
    let result = decoder.feed(stream.as_bytes(), &mut out).and_then(|()| decoder.end(&mut out));
    (out, result)
}

fn start() -> Event {
    Event::Start { id: String::new(), model: "m".to_owned(), created: 0 }
}

fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop, native: None, sequence: None }
}

#[test]
fn a_wrong_request_names_the_field() {
    for (body, field) in [
        (r#"{"input":7}"#, "input"),
        (r#"{"input":{}}"#, "input"),
        (r#"{"input":[{"role":"robot","content":"x"}]}"#, "input[0].role"),
        (r#"{"input":[{"content":"x"}]}"#, "input[0].role"),
        (r#"{"input":[{"type":"function_call","call_id":"c"}]}"#, "input[0].name"),
        (r#"{"input":[{"type":"function_call_output","output":"x"}]}"#, "input[0].call_id"),
        (r#"{"input":[{"role":"user","content":[{"type":"input_image"}]}]}"#, "input[0].content[0].image_url"),
        (r#"{"input":"x","text":{"format":{"type":"json_schema"}}}"#, "text.format.schema"),
        (r#"{"input":"x","tools":[{"type":"function"}]}"#, "tools[0].name"),
        (r#"{"input":"x","max_output_tokens":-1}"#, "max_output_tokens"),
        (r#"{"input":"x","reasoning":{"effort":"huge"}}"#, "reasoning.effort"),
    ] {
        let fault = (DIALECT.read_ask)(body.as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::InvalidRequest, Some(field)), "{body}");
    }
}

#[test]
fn a_response_repeats_its_request() {
    let ask = "{\"model\":\"fast\",\"input\":\"x\",\"instructions\":\"Be brief.\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\n\
        \"parameters\":{\n\"type\":\"object\"},\"strict\":true},{\"type\":\"web_search\"}],\"tool_choice\":\"required\",\"metadata\":{\"a\":\"b\"},\
        \"temperature\":0.5,\"text\":{\"format\":{\"type\":\"json_object\"}},\"truncation\":\"auto\",\"store\":false,\"reasoning\":{\"effort\":\"low\"}}";
    let text = encode(ask, &[start(), stop(Stop::EndTurn), Event::End]);
    for piece in [
        r#""instructions":"Be brief.""#,
        r#"{"type":"web_search"}"#,
        r#""tool_choice":"required""#,
        r#""metadata":{"a":"b"}"#,
        r#""temperature":0.5"#,
        r#""text":{"format":{"type":"json_object"}}"#,
        r#""truncation":"auto""#,
        r#""store":false"#,
        r#""reasoning":{"effort":"low","summary":null}"#,
        r#""model":"fast""#,
    ] {
        assert_eq!(text.matches(piece).count(), 3, "{piece} in {text}");
    }
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with("event: ") || line.starts_with("data: {")));
}

#[test]
fn events_are_numbered_without_a_gap_and_end_once() {
    let text = encode(
        r#"{"input":"x"}"#,
        &[
            start(),
            Event::Open { choice: 0, block: Open::Text },
            Event::Delta { choice: 0, delta: Delta::Text("a".to_owned()) },
            Event::Close { choice: 0 },
            Event::Open { choice: 0, block: Open::Text },
            Event::Delta { choice: 0, delta: Delta::Text("b".to_owned()) },
            Event::Close { choice: 0 },
            stop(Stop::EndTurn),
            Event::Usage(Usage { input: 3, cache_read: 4, output: 1, ..Usage::default() }),
            Event::End,
            Event::End,
        ],
    );
    let numbers: Vec<usize> = text
        .split("\"sequence_number\":")
        .skip(1)
        .map(|rest| rest.split([',', '}']).next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert_eq!(text.matches("event: response.completed\n").count(), 1);
    assert_eq!(text.matches("event: response.output_item.added\n").count(), 1, "texts in a row share a message");
    assert!(text.contains(r#""input_tokens":7,"input_tokens_details":{"cached_tokens":4"#), "{text}");
}

#[test]
fn a_call_without_arguments_gets_an_empty_object() {
    let block = Open::ToolCall { id: "c".to_owned(), name: "f".to_owned(), signature: None };
    let call = [start(), Event::Open { choice: 0, block }, Event::Close { choice: 0 }, stop(Stop::ToolUse), Event::End];
    let text = encode(r#"{"input":"x"}"#, &call);
    assert!(text.contains(r#""delta":"{}""#) && text.contains(r#""arguments":"{}","call_id":"c""#), "{text}");
}

#[test]
fn a_foreign_signature_survives_a_client_of_this_dialect() {
    let signature = Signature { issuer: Issuer::Anthropic, value: "Eq:QB".to_owned() };
    let thought = [
        start(),
        Event::Open { choice: 0, block: Open::Reasoning { summary: false, id: None } },
        Event::Delta { choice: 0, delta: Delta::Text("Hm".to_owned()) },
        Event::Delta { choice: 0, delta: Delta::Signature(signature.clone()) },
        Event::Close { choice: 0 },
        stop(Stop::EndTurn),
        Event::End,
    ];
    let (events, _) = decode(&encode(r#"{"input":"x"}"#, &thought));
    assert!(events.contains(&Event::Delta { choice: 0, delta: Delta::Signature(signature) }), "{events:?}");
}

#[test]
fn a_foreign_signature_never_reaches_openai() {
    let ask = r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gatehouse~ae~~secret"}]}"#;
    let ask = (DIALECT.read_ask)(ask.as_bytes()).unwrap();
    let speaker = Speaker {
        model: "m",
        stream: false,
        issuer: Issuer::OpenAi,
        default_output_cap: 0,
        thinking: ThinkingStyle::Effort,
        quirks: Quirks::default(),
    };
    let mut dropped = Dropped::default();
    let body = String::from_utf8((DIALECT.write_ask)(&ask, &speaker, &mut dropped).unwrap()).unwrap();
    assert!(!body.contains("secret"), "{body}");
    assert_eq!(dropped.names(), ["reasoning"]);
}

#[test]
fn a_failure_is_told_with_what_was_said_before() {
    let text = encode(
        r#"{"input":"x"}"#,
        &[start(), Event::Failed(Fault::new(Code::UpstreamLimited, "slow down")), Event::End],
    );
    assert!(text.contains("event: response.failed\n"), "{text}");
    assert!(text.contains(r#""error":{"code":"rate_limit_exceeded","gatehouse_code":"upstream_limited""#), "{text}");
    assert!(!text.contains("response.completed"));
}

#[test]
fn a_stream_without_its_last_event_is_no_success() {
    for stream in ["", "data: [DONE]\n\n", "data: {\"type\":\"response.created\",\"response\":{}}\n\n", "data: {\n\n"] {
        let (events, result) = decode(stream);
        assert_eq!(result.unwrap_err().code, Code::UpstreamBroken, "{stream}");
        assert!(!events.contains(&Event::End));
    }
}

#[test]
fn items_that_were_never_announced_are_taken_whole() {
    let stream = "data: {\"type\":\"response.output_item.done\",\"output_index\":9999999999,\"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}}\n\n\
        data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n";
    let (events, result) = decode(stream);
    let mut fold = Fold::default();
    events.iter().for_each(|event| fold.event(event));
    assert!(result.is_ok());
    assert_eq!(fold.answer().unwrap().choices[0].stop, Stop::ToolUse);
}

#[test]
fn a_tally_counts_across_any_cut() {
    let stream = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n\
        event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"\\\"response.failed\\\"\"}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[{\"type\":\"function_call\"}],\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":5},\"output_tokens\":4}}}\n\n";
    for cut in 0..=stream.len() {
        let counted = tally(&[&stream[..cut], &stream[cut..]]);
        let usage = counted.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (4, 5, 4), "cut at {cut}");
        assert_eq!((counted.stop, counted.complete, counted.failed), (Some(Stop::ToolUse), true, false));
    }
    assert!(tally(&["data: {\"type\":\"error\",\"message\":\"x\"}\n\n"]).failed);
}

fn tally(chunks: &[&str]) -> Counted {
    let mut tally = (DIALECT.tally)();
    for chunk in chunks {
        tally.feed(&Bytes::copy_from_slice(chunk.as_bytes()));
    }
    tally.counted()
}

#[test]
fn a_whole_answer_is_counted_and_nothing_else() {
    let body = br#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":{"input_tokens":3,"output_tokens":2}}"#;
    let counted = (DIALECT.count)(body).unwrap();
    assert_eq!((counted.stop, counted.usage.unwrap().total()), (Some(Stop::MaxTokens), 5));
    assert!((DIALECT.count)(br#"{"error":{}}"#).is_none());
}
