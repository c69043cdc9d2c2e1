//! What goldens do not reach: naming fields, odd usage, errors, lines.

use gatehouse_domain::{Code, Fault};

use super::details::UsageIn;
use super::error;
use super::lines::DataLines;
use super::wire::{raw_elements, short_id};
use crate::dialects::shared::compact::one_line;

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
