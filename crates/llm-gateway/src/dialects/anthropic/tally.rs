//! Counts a Messages stream that is forwarded untouched. Lines are found, not parsed; only the few that can hold usage,
//! a stop reason or an error are read, and only pieces of those are ever copied.

use bytes::Bytes;
use gatehouse_domain::Usage;
use memchr::{memchr, memmem};
use serde::Deserialize;

use super::usage::{UsageIn, stop_of};
use crate::dialects::{Counted, Tally};

/// A line's first bytes tell what it is: `data: {"type":"content_block_delta","index":12,"delta":{"type":"text_delta"`.
const HEAD_BYTES: usize = 96;
/// What surrounds the text in a delta line, about.
const DELTA_FRAME_BYTES: u64 = 82;
/// A line with usage is short; a longer one is given up.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A tally of a Messages stream.
pub(super) fn tally() -> Box<dyn Tally> {
    Box::new(MessagesTally::default())
}

#[derive(Default)]
struct MessagesTally {
    counted: Counted,
    usage: Usage,
    line: Line,
    /// Pieces of the current line, when it is cut and of interest.
    kept: Vec<u8>,
    /// Bytes of the current line in earlier chunks.
    length: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// Too little seen to tell.
    #[default]
    Unknown,
    /// May hold usage, a stop reason, the end or an error.
    Telling,
    /// A delta of visible output.
    Output,
    /// Anything else.
    Other,
}

impl Tally for MessagesTally {
    fn feed(&mut self, bytes: &Bytes) {
        let mut rest: &[u8] = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            self.piece(&rest[..end], true);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            self.piece(rest, false);
        }
    }

    fn counted(&self) -> Counted {
        self.counted.clone()
    }
}

impl MessagesTally {
    fn piece(&mut self, piece: &[u8], ends: bool) {
        self.length += piece.len() as u64;
        if self.kept.is_empty() && ends && self.line == Line::Unknown {
            // The common case: a whole line in one chunk, told and read where it lies.
            self.line = kind_of(piece);
            return self.finish(piece);
        }
        if self.line == Line::Unknown && self.kept.is_empty() && piece.len() >= HEAD_BYTES {
            self.line = kind_of(piece);
        }
        if self.line == Line::Unknown || self.line == Line::Telling {
            let room = KEPT_BYTES_MAX.saturating_sub(self.kept.len()).min(piece.len());
            self.kept.extend_from_slice(&piece[..room]);
        }
        if self.line == Line::Unknown && (ends || self.kept.len() >= HEAD_BYTES) {
            self.line = kind_of(&self.kept);
        }
        if ends {
            self.finish(&[]);
        }
    }

    /// The line is whole: here, or in `kept` if it was cut.
    fn finish(&mut self, whole: &[u8]) {
        match self.line {
            Line::Output => {
                self.counted.output_bytes += self.length.saturating_sub(DELTA_FRAME_BYTES);
            }
            Line::Telling if self.kept.is_empty() => self.read(whole),
            Line::Telling => {
                let line = std::mem::take(&mut self.kept);
                self.read(&line);
                self.kept = line;
            }
            Line::Unknown | Line::Other => {}
        }
        self.kept.clear();
        self.length = 0;
        self.line = Line::Unknown;
    }

    fn read(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let Ok(event) = serde_json::from_slice::<Telling>(data) else { return };
        for usage in [event.usage, event.message.usage].iter().flatten() {
            usage.update(&mut self.usage);
            self.counted.usage = Some(self.usage);
        }
        if let Some(word) = &event.delta.stop_reason {
            self.counted.stop = Some(stop_of(word));
        }
        match event.kind.as_str() {
            "message_stop" => self.counted.complete = true,
            "error" => self.counted.failed = true,
            "content_block_delta" => self.counted.output_bytes += (line.len() as u64).saturating_sub(DELTA_FRAME_BYTES),
            _ => {}
        }
    }
}

fn kind_of(line: &[u8]) -> Line {
    // As Anthropic itself writes nearly every line of a stream.
    if line.starts_with(b"data: {\"type\":\"content_block_delta\"") && !line.ends_with(b"signature_delta") {
        let delta = &line[line.len().min(52)..line.len().min(HEAD_BYTES)];
        return if memmem::find(delta, b"signature_delta").is_some() { Line::Other } else { Line::Output };
    }
    let head = &line[..line.len().min(HEAD_BYTES)];
    if !head.starts_with(b"data:") {
        return Line::Other;
    }
    let has = |word: &[u8]| memmem::find(head, word).is_some();
    if has(b"\"content_block_") {
        if has(b"\"content_block_delta\"") && !has(b"signature_delta") { Line::Output } else { Line::Other }
    } else if has(b"\"ping\"") {
        Line::Other
    } else {
        // Compatible servers may write `type` last: what cannot be told by its head is read.
        Line::Telling
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Telling {
    #[serde(rename = "type")]
    kind: String,
    usage: Option<UsageIn>,
    message: TellingMessage,
    delta: TellingDelta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TellingMessage {
    usage: Option<UsageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TellingDelta {
    stop_reason: Option<String>,
}

/// Counts a whole answer.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    #[derive(Deserialize)]
    struct Whole {
        usage: UsageIn,
        #[serde(default)]
        stop_reason: Option<String>,
    }
    let whole: Whole = serde_json::from_slice(body).ok()?;
    Some(Counted {
        usage: Some(whole.usage.read()),
        stop: whole.stop_reason.as_deref().map(stop_of),
        complete: true,
        output_bytes: 0,
        failed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Stop;

    const STREAM: &[u8] =
        b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[],\
\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\r\n\r\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\
\"text\":\"message_stop \\\"error\\\" is only text here, and long enough to be seen\"}}\n\n\
event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null},\
\"usage\":{\"output_tokens\":42}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn tallied(pieces: &[&'static [u8]]) -> Counted {
        let mut tally = tally();
        for piece in pieces {
            tally.feed(&Bytes::from_static(piece));
        }
        tally.counted()
    }

    #[test]
    fn every_cut_counts_the_same() {
        for cut in 0..STREAM.len() {
            let counted = tallied(&[&STREAM[..cut], &STREAM[cut..]]);
            let usage = Usage { input: 10, cache_read: 5, output: 42, ..Usage::default() };
            assert_eq!(counted.usage, Some(usage), "cut at {cut}");
            assert_eq!((counted.stop, counted.complete, counted.failed), (Some(Stop::Refusal), true, false));
            assert!(counted.output_bytes > 50 && counted.output_bytes < 90, "{}", counted.output_bytes);
        }
        let letters: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert!(tallied(&letters).complete);
    }

    #[test]
    fn an_error_event_is_seen_and_is_no_end() {
        let counted =
            tallied(&[b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"]);
        assert!(counted.failed && !counted.complete);
    }

    #[test]
    fn a_body_that_is_no_answer_counts_as_none() {
        assert!(count(b"{\"type\":\"error\"}").is_none());
        assert!(count(b"<html>").is_none());
    }
}
