//! Counts answers that are forwarded byte for byte.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;

use super::answer::stop_of;
use crate::dialects::openai_shared::details::UsageIn;
use crate::dialects::openai_shared::lines::{DataLines, value_of};
use crate::dialects::{Counted, Tally};
use crate::scan;

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

/// Counts a whole answer. It is walked, not parsed: of all that stands in it only `usage` is wanted as values.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let (mut choices, mut usage) = (None, None);
    scan::members(body, &mut |member| {
        match &*member.name {
            "choices" => choices = Some(&body[member.value]),
            "usage" => usage = Some(&body[member.value]),
            _ => {}
        }
        Ok(())
    })
    .ok()?;
    let (mut output_bytes, mut stop) = (0, None);
    scan::elements_within(choices?, &mut |choice| {
        let choice = Choice::of(choice);
        output_bytes += choice.output_bytes;
        stop.get_or_insert_with(|| stop_of(choice.finish.as_deref(), choice.calls, choice.refused));
    });
    let usage: Option<UsageIn> = serde_json::from_slice(usage.unwrap_or(b"null")).ok()?;
    Some(Counted {
        usage: usage.map(|usage| usage.usage()),
        stop: Some(stop?),
        complete: true,
        output_bytes,
        failed: false,
    })
}

/// What counts of one choice.
#[derive(Default)]
struct Choice<'a> {
    finish: Option<Cow<'a, str>>,
    output_bytes: u64,
    calls: bool,
    refused: bool,
}

impl<'a> Choice<'a> {
    fn of(choice: &'a [u8]) -> Self {
        let mut found = Self::default();
        scan::members_within(choice, &mut |member| match &*member.name {
            "finish_reason" => found.finish = scan::unquote(&choice[member.value]),
            "message" => found.message(&choice[member.value]),
            _ => {}
        });
        found
    }

    fn message(&mut self, message: &[u8]) {
        scan::members_within(message, &mut |member| {
            let value = &message[member.value];
            match &*member.name {
                _ if value == b"null" => {}
                "content" => self.output_bytes += value.len() as u64,
                "tool_calls" => {
                    self.output_bytes += value.len() as u64;
                    self.calls = value != b"[]";
                }
                "refusal" => self.refused = true,
                _ => {}
            }
        });
    }
}
