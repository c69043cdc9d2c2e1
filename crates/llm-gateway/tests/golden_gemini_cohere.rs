//! What must hold of every golden file of Gemini and Cohere beyond the pinned bytes: what is written reads back as the
//! same answer, and what is counted without parsing agrees with what is read.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test, like the tests themselves")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, Usage};
use gatehouse_llm_gateway::dialects::{Dialect, Listener, cohere, gemini};
use gatehouse_llm_gateway::form::{Answer, Ask, Content, Event, Fold, Issuer, Stop, Tool};

static BOTH: [&Dialect; 2] = [&gemini::DIALECT, &cohere::DIALECT];

/// The inputs of a group that are in one of the two dialects.
fn inputs(group: &str) -> Vec<(&'static Dialect, PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(group);
    let mut found = Vec::new();
    for folder in fs::read_dir(root).expect("cases").flatten() {
        for file in fs::read_dir(folder.path()).expect("files").flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let dialect = BOTH.iter().find(|dialect| name.starts_with(&format!("in.{}.", dialect.name)));
            if let Some(dialect) = dialect {
                found.push((*dialect, file.path(), fs::read(file.path()).expect("a file")));
            }
        }
    }
    assert!(found.len() > 10, "golden/{group} holds no cases");
    found
}

fn listener() -> Listener {
    let tool = Tool::Function { name: "f".into(), description: None, parameters: None, strict: None, cache: None };
    Listener {
        ask: Arc::new(Ask { model: "m".into(), tools: vec![tool], ..Ask::default() }),
        id: "0193a1b2c3d47e5f8a9b0c1d2e3f4a00".into(),
        created: 0,
        issuer: Issuer::Google,
        input_estimate: 0,
    }
}

fn decode(dialect: &Dialect, wire: &[u8]) -> Result<Vec<Event>, Fault> {
    let mut decoder = (dialect.decoder)();
    let mut events = Vec::new();
    decoder.feed(wire, &mut events)?;
    decoder.end(&mut events)?;
    Ok(events)
}

fn folded(events: &[Event]) -> Option<Answer> {
    let mut fold = Fold::default();
    events.iter().for_each(|event| fold.event(event));
    fold.answer()
}

/// What an answer says, without the words a dialect adds or drops: empty thoughts, places of citations.
fn said(answer: &Answer) -> (Vec<(String, Stop)>, Usage) {
    let words = |content: &Content| match content {
        Content::Text { text, citations } => format!("text {text} {}", citations.len()),
        Content::Reasoning(thought) => format!("thought {} {:?}", thought.text, thought.signature),
        Content::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments),
        other => format!("{other:?}"),
    };
    let choices = answer.choices.iter().map(|choice| {
        let blocks: Vec<String> = choice.blocks.iter().map(|block| words(&block.content)).collect();
        (blocks.join("\n"), choice.stop)
    });
    (choices.collect(), answer.usage)
}

#[test]
fn an_answer_written_in_its_own_dialect_reads_back_the_same() {
    for (dialect, path, input) in inputs("answers") {
        let answer = (dialect.read_answer)(&input).expect("the answer reads");
        let again = (dialect.read_answer)(&(dialect.write_answer)(&answer, &listener())).expect("it reads again");
        assert_eq!(said(&answer), said(&again), "{}", path.display());
    }
}

#[test]
fn a_stream_written_in_its_own_dialect_reads_back_the_same() {
    for (dialect, path, input) in inputs("streams") {
        let events = decode(dialect, &input).expect("the stream reads");
        let mut encoder = (dialect.encoder)(&listener());
        let mut wire = Vec::new();
        events.iter().for_each(|event| encoder.event(event, &mut wire));
        let again = decode(dialect, &wire).expect("it reads again");
        let (before, after) = (folded(&events), folded(&again));
        assert_eq!(before.as_ref().map(said), after.as_ref().map(said), "{}", path.display());
    }
}

#[test]
fn a_tally_agrees_with_the_decoder_however_the_stream_is_cut() {
    for (dialect, path, input) in inputs("streams") {
        let events = decode(dialect, &input).expect("the stream reads");
        let usage = events.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        let stop = events.iter().rev().find_map(|event| match event {
            Event::Stop { stop, .. } => Some(*stop),
            _ => None,
        });
        for size in [1, 7, 4096] {
            let mut tally = (dialect.tally)();
            input.chunks(size).for_each(|chunk| tally.feed(&Bytes::copy_from_slice(chunk)));
            let counted = tally.counted();
            assert_eq!(counted.usage, usage, "{}", path.display());
            let failed = matches!(events.last(), Some(Event::Failed(_)));
            assert_eq!(counted.failed, failed, "{}", path.display());
            if !failed {
                assert_eq!((counted.stop, counted.complete), (stop, true), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_count_agrees_with_the_reader() {
    for (dialect, path, input) in inputs("answers") {
        let answer = (dialect.read_answer)(&input).expect("the answer reads");
        let counted = (dialect.count)(&input).expect("it counts");
        assert_eq!(counted.usage, Some(answer.usage), "{}", path.display());
        let last = answer.choices.last().expect("a choice");
        assert_eq!(counted.stop, Some(last.stop), "{}", path.display());
    }
}

#[test]
fn a_stream_that_is_cut_short_is_broken_and_never_complete() {
    for (dialect, path, input) in inputs("streams") {
        if path.to_string_lossy().contains("in-band-error") {
            continue;
        }
        // The last frame holds the finish reason in every case but one, where the only frame does.
        let text = String::from_utf8(input).expect("UTF-8");
        let cut = &text[..text.trim_end().rfind("data: ").expect("a frame")];
        let fault = decode(dialect, cut.as_bytes()).expect_err("cut short");
        assert_eq!(fault.code, Code::UpstreamBroken, "{}", path.display());
        let mut tally = (dialect.tally)();
        tally.feed(&Bytes::copy_from_slice(cut.as_bytes()));
        assert!(!tally.counted().complete, "{}", path.display());
    }
}

#[test]
fn the_array_holds_the_same_responses_as_the_stream() {
    for (dialect, path, input) in inputs("streams") {
        let events = decode(dialect, &input).expect("the stream reads");
        let (mut lines, mut array) = (Vec::new(), Vec::new());
        let mut encoders = ((gemini::DIALECT.encoder)(&listener()), gemini::encoder_array(&listener()));
        for event in &events {
            encoders.0.event(event, &mut lines);
            encoders.1.event(event, &mut array);
        }
        let lines = String::from_utf8(lines).expect("UTF-8");
        let frames: Vec<&str> = lines.split("\r\n\r\n").filter_map(|frame| frame.strip_prefix("data: ")).collect();
        let array: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&array).expect("an array");
        let array: Vec<&str> = array.into_iter().map(serde_json::value::RawValue::get).collect();
        assert_eq!(array, frames, "{}", path.display());
    }
}
