//! Counts answers that are forwarded byte for byte.

use bytes::Bytes;
use gatehouse_domain::Usage;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::answer::stop_of;
use crate::dialects::openai_shared::details::UsageIn;
use crate::dialects::openai_shared::lines::{DataLines, value_of};
use crate::dialects::{Counted, Tally};
use crate::form::Stop;

/// A tally.
pub(super) fn tally() -> Box<dyn Tally> {
    Box::new(ChatTally {
        lines: DataLines::default(),
        scan: Scan {
            usage: Finder::new("\"usage\""),
            finish: Finder::new("\"finish_reason\""),
            calls: Finder::new("\"tool_calls\""),
            error: Finder::new("\"error\""),
            counted: Counted::default(),
            envelope: u64::MAX,
            called: false,
        },
    })
}

struct ChatTally {
    lines: DataLines,
    scan: Scan,
}

struct Scan {
    usage: Finder<'static>,
    finish: Finder<'static>,
    calls: Finder<'static>,
    error: Finder<'static>,
    counted: Counted,
    /// The shortest chunk so far: about what a chunk takes without its text.
    envelope: u64,
    called: bool,
}

impl Tally for ChatTally {
    fn feed(&mut self, bytes: &Bytes) {
        let scan = &mut self.scan;
        self.lines.feed(bytes, &mut |data| scan.frame(data));
    }

    fn counted(&self) -> Counted {
        self.scan.counted.clone()
    }
}

impl Scan {
    /// Looks at one chunk. Only one that holds usage is parsed.
    fn frame(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.counted.complete = true;
            return;
        }
        if value_of(&self.usage, data).is_some_and(|value| value.starts_with(b"{"))
            && let Ok(UsageOnly { usage: Some(usage) }) = serde_json::from_slice(data)
        {
            self.counted.usage = Some(usage.usage());
        }
        if !self.called && value_of(&self.calls, data).is_some_and(|value| value.starts_with(b"[")) {
            self.called = true;
        }
        match value_of(&self.finish, data) {
            Some(value) if value.starts_with(b"\"") && !value.starts_with(b"\"\"") => {
                let word =
                    value[1..].split(|&byte| byte == b'"').next().and_then(|word| std::str::from_utf8(word).ok());
                self.counted.stop = Some(stop_of(word, self.called, false));
                // A stream without `[DONE]` is whole with its finish reason.
                self.counted.complete = true;
            }
            Some(_) => self.measure(data.len()),
            None => {
                let failed = value_of(&self.error, data).is_some_and(|value| value.starts_with(b"{"));
                self.counted.failed |= failed;
            }
        }
    }

    /// Estimates the text in a chunk as what it is longer than the shortest one.
    fn measure(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.envelope = self.envelope.min(bytes);
        self.counted.output_bytes += bytes - self.envelope + 1;
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsageOnly {
    usage: Option<UsageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WholeIn<'a> {
    #[serde(borrow)]
    choices: Option<Vec<ChoiceIn<'a>>>,
    usage: Option<UsageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn<'a> {
    finish_reason: Option<String>,
    #[serde(borrow)]
    message: MessageIn<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    refusal: Option<IgnoredAny>,
}

/// Counts a whole answer.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let whole: WholeIn<'_> = serde_json::from_slice(body).ok()?;
    let choices = whole.choices?;
    let length = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len() as u64);
    let first = choices.first()?;
    let calls = first.message.tool_calls.is_some_and(|raw| raw.get() != "[]");
    let stop: Stop = stop_of(first.finish_reason.as_deref(), calls, first.message.refusal.is_some());
    let usage: Option<Usage> = whole.usage.map(|usage| usage.usage());
    Some(Counted {
        usage,
        stop: Some(stop),
        complete: true,
        output_bytes: choices
            .iter()
            .map(|choice| length(choice.message.content) + length(choice.message.tool_calls))
            .sum(),
        failed: false,
    })
}
