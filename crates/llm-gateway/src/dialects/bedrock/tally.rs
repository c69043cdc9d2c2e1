//! Counts a ConverseStream that is forwarded untouched. Frames are walked by their declared lengths; only `messageStop`,
//! `metadata` and exceptions are decoded, all others are skipped without being looked at beyond their headers.

use bytes::Bytes;
use gatehouse_domain::Fault;
use memchr::memmem;
use serde::Deserialize;

use super::frames::{Frames, PRELUDE_BYTES, declared_length, prelude};
use super::usage::{TierIn, UsageIn, stop_of};
use crate::dialects::{Counted, Tally};

/// What surrounds the text in the payload of a delta, about: `{"contentBlockIndex":0,"delta":{"text":""},"p":"abcdefgh"}`.
const DELTA_FRAME_BYTES: usize = 60;
/// CRC at a frame's end.
const CRC_BYTES: usize = 4;
/// Three headers take less than 100 bytes.
const HEADER_BYTES_MAX: usize = 4 << 10;
/// A guardrail's trace rides in `metadata`; a longer frame is given up.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A tally of a ConverseStream.
pub(super) fn tally() -> Box<dyn Tally> {
    Box::new(ConverseTally::default())
}

#[derive(Default)]
struct ConverseTally {
    counted: Counted,
    /// The start of the current frame, or all of it if it is of interest. Reused.
    held: Vec<u8>,
    /// Bytes of the current frame still to be skipped.
    skip: usize,
    /// The framing was lost: nothing can be counted any more.
    lost: bool,
}

impl Tally for ConverseTally {
    fn feed(&mut self, bytes: &Bytes) {
        let mut rest: &[u8] = bytes;
        while !rest.is_empty() && !self.lost {
            if self.skip > 0 {
                let skipped = self.skip.min(rest.len());
                self.skip -= skipped;
                rest = &rest[skipped..];
                continue;
            }
            let Some(wanted) = self.wanted() else {
                self.lost = true;
                return;
            };
            let taken = wanted.saturating_sub(self.held.len()).min(rest.len());
            self.held.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if self.held.len() >= PRELUDE_BYTES {
                self.advance();
            }
        }
    }

    fn counted(&self) -> Counted {
        self.counted.clone()
    }
}

impl ConverseTally {
    /// How much of the frame must be held before the next decision. `None`: this is no frame.
    fn wanted(&self) -> Option<usize> {
        let Some((total, headers)) = prelude(&self.held) else { return Some(PRELUDE_BYTES) };
        declared_length(&self.held).ok()?;
        let head = PRELUDE_BYTES + headers;
        if headers > HEADER_BYTES_MAX {
            return None;
        }
        Some(if self.held.len() < head { head } else { total })
    }

    /// Decides once the headers are there; reads once an interesting frame is whole.
    fn advance(&mut self) {
        let Some((total, headers)) = prelude(&self.held) else { return };
        let head = PRELUDE_BYTES + headers;
        if self.held.len() < head {
            return;
        }
        let names = &self.held[PRELUDE_BYTES..head];
        let has = |word: &[u8]| memmem::find(names, word).is_some();
        let telling = has(b"messageStop") || has(b"metadata") || has(b"xception") || has(b":error-code");
        if !telling || total > KEPT_BYTES_MAX {
            if has(b"contentBlockDelta") {
                let payload = total.saturating_sub(head + CRC_BYTES);
                self.counted.output_bytes += payload.saturating_sub(DELTA_FRAME_BYTES) as u64;
            }
            self.skip = total.saturating_sub(self.held.len());
            self.held.clear();
        } else if self.held.len() >= total {
            let counted = &mut self.counted;
            let read: Result<(), Fault> = Frames::default().feed(&self.held, &mut |frame| {
                read(counted, frame.exception, frame.name, frame.payload);
                Ok(())
            });
            self.lost = read.is_err();
            self.held.clear();
        }
    }
}

fn read(counted: &mut Counted, exception: bool, name: &str, payload: &[u8]) {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Telling {
        stop_reason: Option<String>,
        usage: Option<UsageIn>,
        service_tier: Option<TierIn>,
    }
    if exception {
        counted.failed = true;
        return;
    }
    let Ok(telling) = serde_json::from_slice::<Telling>(payload) else { return };
    if let Some(word) = &telling.stop_reason {
        counted.stop = Some(stop_of(word));
    }
    if let Some(usage) = &telling.usage {
        counted.usage = Some(usage.read().served(telling.service_tier.as_ref().and_then(TierIn::word)));
    }
    counted.complete |= name == "messageStop";
}

/// Counts a whole answer.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Whole {
        usage: UsageIn,
        stop_reason: String,
        #[serde(default)]
        service_tier: Option<TierIn>,
    }
    let whole: Whole = serde_json::from_slice(body).ok()?;
    Some(Counted {
        usage: Some(whole.usage.read().served(whole.service_tier.as_ref().and_then(TierIn::word))),
        stop: Some(stop_of(&whole.stop_reason)),
        complete: true,
        output_bytes: 0,
        failed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::frames::from_jsonl;
    use super::*;
    use crate::form::Stop;

    fn stream() -> Vec<u8> {
        from_jsonl(
            r#"{"type":"messageStart","payload":{"role":"assistant"}}
{"type":"contentBlockDelta","payload":{"contentBlockIndex":0,"delta":{"text":"metadata messageStop exception, all of it text"}}}
{"type":"messageStop","payload":{"stopReason":"guardrail_intervened"}}
{"type":"metadata","payload":{"usage":{"inputTokens":7,"outputTokens":9,"totalTokens":16},"metrics":{"latencyMs":1}}}"#,
        )
        .unwrap_or_default()
    }

    #[test]
    fn every_cut_counts_the_same() {
        let bytes = Bytes::from(stream());
        for cut in 0..=bytes.len() {
            let mut tally = tally();
            tally.feed(&bytes.slice(..cut));
            tally.feed(&bytes.slice(cut..));
            let counted = tally.counted();
            assert_eq!(counted.usage.map(|usage| (usage.input, usage.output)), Some((7, 9)), "cut at {cut}");
            assert_eq!((counted.stop, counted.complete), (Some(Stop::ContentFilter), true));
            assert!(counted.output_bytes > 20 && !counted.failed);
        }
    }

    #[test]
    fn noise_is_survived() {
        let mut tally = tally();
        tally.feed(&Bytes::from_static(b"<html>this is no event stream</html>"));
        tally.feed(&Bytes::from(stream()));
        assert!(!tally.counted().complete);
    }
}
