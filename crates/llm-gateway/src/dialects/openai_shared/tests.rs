//! What goldens do not reach: naming fields, odd usage, errors, lines.

use gatehouse_domain::{Code, Fault};
use serde::Deserialize;

use super::blame::blame;
use super::details::UsageIn;
use super::lines::DataLines;
use super::wire::{one_line, raw_elements, short_id};
use super::{error, wire};

#[derive(Debug, Default, Deserialize)]
struct Sample {
    #[serde(default)]
    items: Vec<Inner>,
    #[serde(default)]
    last: Option<u8>,
}

#[derive(Debug, Default, Deserialize)]
struct Inner {
    name: String,
}

fn param(body: &str) -> Option<String> {
    let refused = serde_json::from_str::<Sample>(body).map_err(|error| blame(body.as_bytes(), &error));
    refused.map(|sample| (sample.items.first().map(|item| item.name.len()), sample.last)).unwrap_err().param
}

#[test]
fn a_wrong_type_is_blamed_on_its_field() {
    for (body, field) in [
        (r#"{"items":3}"#, "items"),
        (r#"{"items":{"a":1}}"#, "items"),
        (r#"{"items":[{"name":"a"},{"name":7}]}"#, "items[1].name"),
        (r#"{"items":[{"name":"a, b: [{\"\\"},  "x"]}"#, "items[1]"),
        (r#"{"items":[ {"x":[1,{"y":2}]} ]}"#, "items[0].name"),
        ("{\n \"items\": [],\n \"last\": 300}", "last"),
    ] {
        assert_eq!(param(body).as_deref(), Some(field), "{body}");
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    let error = serde_json::from_str::<Sample>("{\"items\": [").unwrap_err();
    let fault = blame(b"{\"items\": [", &error);
    assert_eq!(fault.code, Code::InvalidJson);
    assert!(fault.message.contains("line 1 column"), "{}", fault.message);
}

#[test]
fn details_never_add_up_to_more_than_their_sum() {
    let wire: UsageIn = serde_json::from_str(
        r#"{"prompt_tokens":10,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":8,"audio_tokens":18446744073709551615},
            "completion_tokens_details":{"reasoning_tokens":18446744073709551615}}"#,
    )
    .unwrap();
    let usage = wire.usage();
    assert_eq!((usage.input, usage.cache_read, usage.input_audio, usage.input_total()), (0, 8, 2, 10));
    assert_eq!((usage.output, usage.reasoning, usage.output_total()), (0, 5, 5));
}

#[test]
fn any_error_body_yields_a_message() {
    let deep = "[".repeat(100_000);
    let long = "x".repeat(50_000);
    for body in ["", "{}", "null", "[]", "<html>", "{\"error\":null}", "{\"error\":{}}", "\u{0}", &deep, &long] {
        let message = error::read(500, body.as_bytes()).message;
        assert!(!message.is_empty() && message.len() <= 2_000, "{}", &body[..body.len().min(20)]);
    }
    assert!(!error::read(500, &[0xff, 0xfe]).message.is_empty());
}

#[test]
fn every_code_keeps_its_name_in_an_error() {
    for code in Code::ALL {
        let body = String::from_utf8(error::write(&Fault::new(*code, "x"))).unwrap();
        assert!(body.contains(&format!("\"code\":\"{}\"", code.as_str())), "{body}");
    }
}

#[test]
fn lines_are_whole_however_they_are_cut() {
    let text = b"event: x\r\ndata: one\r\n\r\ndata:two\n\n: c\ndata: three\n\n";
    for size in 1..text.len() {
        let mut seen = Vec::new();
        let mut lines = DataLines::default();
        for chunk in text.chunks(size) {
            lines.feed(chunk, &mut |data| seen.push(String::from_utf8_lossy(data).into_owned()));
        }
        assert_eq!(seen, ["one", "two", "three"], "chunks of {size}");
    }
}

#[test]
fn an_endless_line_is_forgotten_and_the_next_one_is_read() {
    let mut lines = DataLines::default();
    let mut seen = 0;
    for _ in 0..6 {
        lines.feed(&vec![b'x'; 1 << 20], &mut |_| seen += 1);
    }
    lines.feed(b"\ndata: next\n", &mut |data| seen += usize::from(data == b"next"));
    assert_eq!(seen, 1);
}

#[test]
fn raw_json_is_kept_on_one_line() {
    let mut out = b"keep\n{\r\n \"a\": \"b\\n\"\n}".to_vec();
    one_line(&mut out, 5);
    assert_eq!(out, b"keep\n{   \"a\": \"b\\n\" }");
}

#[test]
fn raw_elements_are_found_under_their_key_alone() {
    let found = raw_elements(br#"{"x":{"tools":[1]},"tools":[{"a": 1},2],"y":0}"#, "tools");
    let texts: Vec<_> = found.iter().map(|raw| raw.get()).collect();
    assert_eq!(texts, [r#"{"a": 1}"#, "2"]);
}

#[test]
fn short_ids_are_stable_and_apart() {
    assert_eq!(short_id("toolu_01"), short_id("toolu_01"));
    assert_ne!(short_id("toolu_01"), short_id("toolu_02"));
    assert!(short_id("").len() == 9 && short_id("ü").bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[test]
fn a_data_url_is_taken_apart_and_anything_else_stays_an_address() {
    use crate::form::Source;
    let (mime, source) = wire::source_of_url("data:image/png;charset=x;base64,AA==".to_owned());
    assert_eq!((mime.as_deref(), source), (Some("image/png"), Source::Base64("AA==".to_owned())));
    let plain = "data:text/plain,hello".to_owned();
    assert_eq!(wire::source_of_url(plain.clone()), (None, Source::Url(plain)));
}
