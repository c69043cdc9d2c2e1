//! Counting a stream that is forwarded untouched.
//!
//! Every frame of Gemini's carries usage, so a frame is searched, not parsed: the last `"usageMetadata"` and
//! `"finishReason"` in it count. Inside JSON strings a quote is escaped, so text cannot fake them; arguments of calls
//! could, so frames that hold any are parsed.

use bytes::Bytes;
use gatehouse_domain::Usage;
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::stop;
use super::usage::UsageMetadata;
use crate::dialects::{Counted, Tally};
use crate::form::Stop;
use crate::sse::Frames;

/// The counter of a stream.
#[derive(Default)]
pub(super) struct Counter {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    usage: Option<Usage>,
    finish: Option<Stop>,
    has_calls: bool,
    output_bytes: u64,
    failed: bool,
}

impl Tally for Counter {
    fn feed(&mut self, bytes: &Bytes) {
        let state = &mut self.state;
        let fed = self.frames.feed(bytes, &mut |frame| {
            state.frame(frame.data);
            Ok(())
        });
        // A line too long to count is not a failure the provider has told the client of.
        drop(fed);
    }

    fn counted(&self) -> Counted {
        let State { usage, finish, has_calls, output_bytes, failed } = self.state;
        let stop = finish.map(|stop| if has_calls && stop == Stop::EndTurn { Stop::ToolUse } else { stop });
        let complete = stop.is_some() && !failed && !self.frames.is_mid_event();
        Counted { usage, stop, complete, output_bytes, failed }
    }
}

impl State {
    fn frame(&mut self, data: &[u8]) {
        let has_user_json = memmem::find(data, b"\"args\"").is_some() || memmem::find(data, b"\"response\"").is_some();
        if has_user_json
            || memmem::find(data, b"\"error\"").is_some()
            || memmem::find(data, b"\"blockReason\"").is_some()
        {
            return self.parsed(data);
        }
        if let Some(usage) = object_after(data, b"\"usageMetadata\"") {
            self.usage = usage_of(usage).or(self.usage);
        }
        if let Some(word) = word_after(data, b"\"finishReason\"") {
            self.finish = Some(stop::read(word, false));
        }
        let mut rest = data;
        while let Some(at) = memmem::find(rest, b"\"text\"") {
            rest = &rest[at + 6..];
            let Some(value) = string_after_colon(rest) else { continue };
            self.output_bytes += value.len() as u64;
            rest = &rest[value.len()..];
        }
    }

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

fn usage_of(object: &[u8]) -> Option<Usage> {
    serde_json::from_slice::<UsageMetadata>(object).ok().map(|usage| usage.to_usage())
}

/// The flat object that is the value of the last member of that name.
fn object_after<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &data[memmem::rfind(data, name)? + name.len()..];
    let rest = &rest[memchr::memchr(b'{', rest)?..];
    let mut depth = 0_usize;
    for at in memchr::memchr2_iter(b'{', b'}', rest) {
        depth = if rest[at] == b'{' { depth + 1 } else { depth - 1 };
        if depth == 0 {
            return Some(&rest[..=at]);
        }
    }
    None
}

/// The plain string that is the value of the last member of that name.
fn word_after<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let rest = &data[memmem::rfind(data, name)? + name.len()..];
    std::str::from_utf8(string_after_colon(rest)?).ok()
}

/// The inside of the string right behind a colon.
fn string_after_colon(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest[at] == b'"' {
            return Some(&rest[..at]);
        }
        at += 2;
    }
}
