//! Texts under a screen, streamed and cut anywhere, in every dialect: what comes out is what the whole text comes to.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Closed, End, Fault, Passage, Place, Relay as _, Screen};
use proptest::prelude::*;

use super::translate::TranslateStream;
use crate::dialects::{self, Dialect, Listener};
use crate::form::{Ask, Content, Delta, Event, Fold, Issuer, Open, Stop};

/// Holds every text back to its end and then writes it in capitals: the longest a screen can hold.
struct Late(Vec<(u32, String)>);

impl Screen for Late {
    fn acts(&self) -> bool {
        true
    }
    fn whole(&mut self, passage: &Passage<'_>) -> Result<Option<String>, Fault> {
        Ok(Some(passage.text.to_uppercase()))
    }
    fn open(&mut self, lane: u32, _: Place<'_>) {
        self.0.push((lane, String::new()));
    }
    fn push(&mut self, lane: u32, text: &str) -> Result<Option<String>, Fault> {
        let held = self.0.iter_mut().rfind(|(open, _)| *open == lane).unwrap();
        held.1.push_str(text);
        // Half of it goes on at once, as a window lets it.
        let half = held.1.floor_char_boundary(held.1.len() / 2);
        Ok(Some(held.1.drain(..half).as_str().to_uppercase()))
    }
    fn close(&mut self, lane: u32) -> Result<Closed, Fault> {
        let at = self.0.iter().rposition(|(open, _)| *open == lane).unwrap();
        Ok(Closed { rest: self.0.swap_remove(at).1.to_uppercase(), changed: true })
    }
    fn lost(&mut self) {}
}

fn listener() -> Listener {
    let ask = Ask { model: "m".to_owned(), stream: true, ..Ask::default() };
    Listener { ask: Arc::new(ask), id: "0".repeat(32), created: 1, issuer: Issuer::Other, input_estimate: 1 }
}

/// An answer as a provider of the dialect streams it: a text, then the call of a tool.
fn streamed(dialect: &Dialect, pieces: &[String], arguments: &str) -> Vec<u8> {
    let mut events = vec![Event::Start { id: "id".to_owned(), model: "m".to_owned(), created: 1 }];
    events.push(Event::Open { choice: 0, block: Open::Text });
    events.extend(pieces.iter().map(|text| Event::Delta { choice: 0, delta: Delta::Text(text.clone()) }));
    events.push(Event::Close { choice: 0 });
    let call = Open::ToolCall { id: "call_1".to_owned(), name: "look".to_owned(), signature: None };
    events.push(Event::Open { choice: 0, block: call });
    events.push(Event::Delta { choice: 0, delta: Delta::Arguments(arguments.to_owned()) });
    events.push(Event::Close { choice: 0 });
    events.push(Event::Stop { choice: 0, stop: Stop::ToolUse, native: None, sequence: None });
    events.push(Event::End);
    let mut encoder = (dialect.encoder)(&listener());
    let mut bytes = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut bytes));
    bytes
}

/// Text and arguments as a client of the dialect puts them together.
fn read(dialect: &Dialect, bytes: &[u8]) -> (String, String) {
    let mut decoder = (dialect.decoder)();
    let mut events = Vec::new();
    decoder.feed(bytes, &mut events).unwrap();
    decoder.end(&mut events).unwrap();
    let mut fold = Fold::default();
    events.iter().for_each(|event| fold.event(event));
    let (mut text, mut arguments) = (String::new(), String::new());
    for block in fold.answer().unwrap().choices.into_iter().flat_map(|choice| choice.blocks) {
        match block.content {
            Content::Text { text: said, .. } => text.push_str(&said),
            Content::ToolCall(call) => arguments.push_str(&call.arguments),
            _ => {}
        }
    }
    (text, arguments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn however_a_stream_is_cut_its_texts_are_those_the_screen_let_pass(
        pieces in proptest::collection::vec("[a-zé ]{1,9}", 1..6),
        value in "[a-z ]{1,12}",
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let arguments = serde_json::json!({ "q": value }).to_string();
        for from in dialects::all() {
            let bytes = streamed(from, &pieces, &arguments);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([0, bytes.len()]).collect();
            places.sort_unstable();
            for to in dialects::all() {
                let listener = listener();
                let stream = TranslateStream::new(from, (to.encoder)(&listener), to.stream_type, listener);
                let mut stream = stream.screened(Some(Box::new(Late(Vec::new()))));
                let mut out = Vec::new();
                for cut in places.windows(2) {
                    stream.feed(Bytes::copy_from_slice(&bytes[cut[0]..cut[1]]), &mut out).unwrap();
                }
                prop_assert!(stream.finish(End::Upstream, &mut out).complete);
                let (text, called) = read(to, &out.concat());
                prop_assert_eq!(text, pieces.concat().to_uppercase(), "{} to {}", from.name, to.name);
                prop_assert_eq!(called, arguments.to_uppercase(), "{} to {}", from.name, to.name);
            }
        }
    }
}
