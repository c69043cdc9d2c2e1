//! Counting a stream that is forwarded untouched.
//!
//! Every frame of Gemini's carries usage, of which the last counts. So a frame of plain text is only searched and the
//! last one kept; frames that hold a finish reason, a call or an error are parsed. Inside JSON strings a quote is escaped,
//! so text cannot fake any of them.

use std::sync::LazyLock;

use bytes::Bytes;
use gatehouse_domain::Usage;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::stop;
use super::usage::UsageMetadata;
use crate::dialects::openai_shared::lines::{DataLines, value_of};
use crate::dialects::{Counted, Tally};
use crate::form::Stop;

/// Counter of a stream.
pub(super) struct Counter {
    lines: DataLines,
    scan: Scan,
}

/// What a frame is searched for. Made once: a finder is a quarter of a kilobyte, and there may be thousands of streams.
struct Keys {
    finish: Finder<'static>,
    call: Finder<'static>,
    usage: Finder<'static>,
    text: Finder<'static>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    finish: Finder::new("\"finishReason\""),
    call: Finder::new("\"functionCall\""),
    usage: Finder::new("\"usageMetadata\""),
    text: Finder::new("\"text\""),
});

/// What was found so far.
struct Scan {
    keys: &'static Keys,
    /// The last frame that had usage, if it was not parsed.
    last: Vec<u8>,
    state: State,
}

#[derive(Clone, Default)]
struct State {
    usage: Option<Usage>,
    finish: Option<Stop>,
    has_calls: bool,
    output_bytes: u64,
    failed: bool,
}

impl Default for Counter {
    fn default() -> Self {
        let scan = Scan { keys: &KEYS, last: Vec::new(), state: State::default() };
        Self { lines: DataLines::default(), scan }
    }
}

impl Tally for Counter {
    fn feed(&mut self, bytes: &Bytes) {
        let scan = &mut self.scan;
        self.lines.feed(bytes, &mut |data| scan.frame(data));
    }

    fn counted(&self) -> Counted {
        let State { usage, finish, has_calls, output_bytes, failed } = self.scan.state;
        let stop = finish.map(|stop| if has_calls && stop == Stop::EndTurn { Stop::ToolUse } else { stop });
        let complete = stop.is_some() && !failed && !self.lines.is_mid_line();
        let last = || serde_json::from_slice::<View<'_>>(&self.scan.last).ok()?.count().usage;
        Counted { usage: last().or(usage), stop, complete, output_bytes, failed }
    }
}

impl Scan {
    fn frame(&mut self, data: &[u8]) {
        let Keys { finish, call, usage, text } = self.keys;
        let plain = data.starts_with(b"{\"candidates\"") && finish.find(data).is_none() && call.find(data).is_none();
        if !plain {
            self.last.clear();
            return self.state.parsed(data);
        }
        if usage.find(data).is_some() {
            self.last.clear();
            self.last.extend_from_slice(data);
        }
        let mut rest = data;
        while let Some(value) = value_of(text, rest) {
            let text = string_inside(value);
            self.state.output_bytes += text.len() as u64;
            rest = value.get(text.len()..).unwrap_or_default();
        }
    }
}

impl State {
    fn parsed(&mut self, data: &[u8]) {
        let Ok(view) = serde_json::from_slice::<View<'_>>(data) else { return };
        self.failed |= view.error.is_some();
        let counted = view.count();
        self.usage = counted.usage.or(self.usage);
        self.has_calls |= counted.has_calls;
        self.finish = counted.finish.or(self.finish);
        self.output_bytes += counted.output_bytes;
    }
}

/// Counts a whole answer that is forwarded untouched.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let view: View<'_> = serde_json::from_slice(body).ok()?;
    if view.candidates.is_empty() && view.usage_metadata.is_none() && view.prompt_feedback.is_none() {
        return None;
    }
    let state = view.count();
    let stop = state.finish.map(|stop| if state.has_calls && stop == Stop::EndTurn { Stop::ToolUse } else { stop });
    Some(Counted {
        usage: state.usage,
        stop,
        complete: stop.is_some(),
        output_bytes: state.output_bytes,
        failed: view.error.is_some(),
    })
}

/// A response, as far as counting needs it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct View<'a> {
    #[serde(borrow)]
    candidates: Vec<CandidateView<'a>>,
    usage_metadata: Option<UsageMetadata>,
    prompt_feedback: Option<FeedbackView>,
    error: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FeedbackView {
    block_reason: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CandidateView<'a> {
    #[serde(borrow)]
    content: Option<ContentView<'a>>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContentView<'a> {
    #[serde(borrow)]
    parts: Vec<PartView<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartView<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

impl View<'_> {
    fn count(&self) -> State {
        let mut state = State { usage: self.usage_metadata.as_ref().map(UsageMetadata::to_usage), ..State::default() };
        for candidate in &self.candidates {
            for part in candidate.content.iter().flat_map(|content| &content.parts) {
                state.has_calls |= part.function_call.is_some();
                let said = part.text.or(part.function_call).map_or(0, |raw| raw.get().len());
                state.output_bytes += said as u64;
            }
            let finish = candidate.finish_reason.as_deref().map(|word| stop::read(word, false));
            state.finish = finish.or(state.finish);
        }
        let blocked = self.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some());
        if blocked && self.candidates.is_empty() {
            state.finish = Some(Stop::ContentFilter);
        }
        state
    }
}

/// The inside of the string a value begins with; nothing if it is none.
fn string_inside(value: &[u8]) -> &[u8] {
    let Some(inside) = value.strip_prefix(b"\"") else { return &[] };
    let mut at = 0;
    while let Some(found) = inside.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if inside[at] == b'"' {
            return &inside[..at];
        }
        at += 2;
    }
    inside
}
