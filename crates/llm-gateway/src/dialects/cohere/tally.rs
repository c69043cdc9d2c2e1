//! Counting a stream that is forwarded untouched: only `message-end` is parsed; of text the bytes are counted, because
//! usage comes at the very end and a client may leave before.

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::stop;
use super::usage::UsageBody;
use crate::dialects::{Counted, Tally};
use crate::form::Stop;
use crate::sse::Frames;

/// Text in a delta stands behind one of these. Inside JSON strings a quote is escaped, so text cannot fake them.
const TEXTS: [&[u8]; 4] = [b"\"text\":\"", b"\"thinking\":\"", b"\"tool_plan\":\"", b"\"arguments\":\""];

/// The counter of a stream.
#[derive(Default)]
pub(super) struct Counter {
    frames: Frames,
    counted: Counted,
}

impl Tally for Counter {
    fn feed(&mut self, bytes: &Bytes) {
        let counted = &mut self.counted;
        let fed = self.frames.feed(bytes, &mut |frame| {
            take(frame.event, frame.data, counted);
            Ok(())
        });
        // A line too long to count is not a failure the provider has told the client of.
        drop(fed);
    }

    fn counted(&self) -> Counted {
        self.counted.clone()
    }
}

fn take(event: &str, data: &[u8], counted: &mut Counted) {
    if event == "message-end" || event.is_empty() && memmem::find(data, b"\"message-end\"").is_some() {
        let end: End = serde_json::from_slice(data).unwrap_or_default();
        counted.usage = end.delta.usage.map(|usage| usage.to_usage()).or(counted.usage);
        counted.stop = end.delta.finish_reason.as_deref().map(|word| stop::read(word, false));
        counted.failed |= end.delta.error.is_some_and(|error| !error.is_empty()) || counted.stop == Some(Stop::Error);
        counted.complete = true;
        return;
    }
    if !(event.ends_with("-delta") || event.is_empty() && memmem::find(data, b"-delta\"").is_some()) {
        return;
    }
    for name in TEXTS {
        if let Some(at) = memmem::find(data, name) {
            counted.output_bytes += string_length(&data[at + name.len()..]);
            return;
        }
    }
}

/// Length up to the quote that ends the string.
fn string_length(rest: &[u8]) -> u64 {
    let mut at = 0;
    while let Some(found) = rest.get(at..).and_then(|tail| memchr::memchr2(b'"', b'\\', tail)) {
        at += found;
        if rest[at] == b'"' {
            break;
        }
        at += 2;
    }
    at as u64
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct End {
    delta: EndDelta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndDelta {
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    error: Option<String>,
}

/// Counts a whole answer that is forwarded untouched.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let view: View<'_> = serde_json::from_slice(body).ok()?;
    let message = view.message?;
    let stop = view.finish_reason.as_deref().map(|word| stop::read(word, false));
    Some(Counted {
        usage: view.usage.map(|usage| usage.to_usage()),
        stop,
        complete: stop.is_some(),
        output_bytes: message.get().len() as u64,
        failed: false,
    })
}

/// An answer, as far as counting needs it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct View<'a> {
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}
