//! A stream of text under guardrails: what may still become part of a finding is held back, everything else flows.
//!
//! One window per content block. Its output, put together, equals [`super::redact`] of the whole text, however the text was
//! cut. What is held back is what a detector calls unsettled: for most text nothing or the last few bytes, for the opening
//! line of a private key the key. Guardrails that only observe hold nothing back.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::redact::{Mark, Pen};
use super::{Action, Finding, Guardrail, LOOKBACK, View};

/// Settled text is dropped in pieces of at least this many bytes.
const DROP: usize = 1024;

/// The hold-back for one text. Places are bytes of the stream.
pub struct Window {
    lanes: Vec<Lane>,
    /// What is still needed of the stream, from `offset` on.
    text: String,
    offset: usize,
    chars_before: usize,
    /// Redactions that are not written yet.
    marks: BTreeSet<Mark>,
    pen: Pen,
    /// The most bytes `text` may grow to.
    max_bytes: usize,
    blocked: Option<usize>,
}

/// One guardrail on its way through the stream.
struct Lane {
    guardrail: Arc<Guardrail>,
    /// Up to here it is settled.
    settled: usize,
    /// Not before the stream is this long does it look again.
    next_look: usize,
    /// Findings beyond `settled`, which the next look finds again.
    seen: BTreeSet<(usize, usize, Arc<str>)>,
    failed: bool,
}

/// What a push brought.
#[derive(Debug, Default)]
pub struct Released<'a> {
    /// Text that may go on, redacted.
    pub text: Cow<'a, str>,
    /// New findings: the guardrail's place in the list the window was made with, and the finding in bytes of the stream.
    pub found: Vec<(usize, Finding)>,
    /// The guardrail that blocks, if one does. Nothing is released from then on.
    pub blocked: Option<usize>,
    /// Guardrails that gave up with this push: the text they need whole is longer than the window holds. One that is not
    /// `fail_open` and acts blocks, too.
    pub failed: Vec<usize>,
}

impl Window {
    /// A window for one text. It holds at most about `max_bytes`; a guardrail that would need more fails.
    #[must_use]
    pub fn new(guardrails: &[Arc<Guardrail>], max_bytes: usize) -> Self {
        let lane = |guardrail: &Arc<Guardrail>| Lane {
            guardrail: guardrail.clone(),
            settled: 0,
            next_look: 0,
            seen: BTreeSet::new(),
            failed: false,
        };
        Self {
            lanes: guardrails.iter().map(lane).collect(),
            text: String::new(),
            offset: 0,
            chars_before: 0,
            marks: BTreeSet::new(),
            pen: Pen::default(),
            max_bytes,
            blocked: None,
        }
    }

    /// Takes the next chunk and returns what may go on.
    pub fn push<'a>(&mut self, chunk: &'a str) -> Released<'a> {
        if self.lanes.is_empty() {
            return Released { text: Cow::Borrowed(chunk), ..Released::default() };
        }
        let mut released = Released { blocked: self.blocked, ..Released::default() };
        if self.blocked.is_some() {
            return released;
        }
        let untouched = self.pen.at() == self.end();
        self.text.push_str(chunk);
        self.look(false, &mut released);
        self.shed(&mut released);
        if released.blocked.is_none() {
            let limit = self.limit();
            if untouched && self.marks.is_empty() && limit == self.end() {
                self.pen.rest(limit, |_| "", &mut String::new());
                released.text = Cow::Borrowed(chunk);
            } else {
                released.text = Cow::Owned(self.write(limit));
            }
            self.forget();
        }
        released
    }

    /// The text is over: returns what is left of it. The window starts anew.
    pub fn finish(&mut self) -> Released<'static> {
        let mut released = Released { blocked: self.blocked, ..Released::default() };
        if self.blocked.is_none() && !self.lanes.is_empty() {
            self.look(true, &mut released);
            if released.blocked.is_none() {
                released.text = Cow::Owned(self.write(self.end()));
            }
        }
        let guardrails: Vec<_> = self.lanes.iter().map(|lane| lane.guardrail.clone()).collect();
        *self = Self::new(&guardrails, self.max_bytes);
        released
    }

    /// Bytes that came in and did not go out yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.end().saturating_sub(self.pen.at())
    }

    fn end(&self) -> usize {
        self.offset + self.text.len()
    }

    /// Every guardrail looks at what is new.
    fn look(&mut self, last: bool, released: &mut Released<'_>) {
        let end = self.end();
        let mut fresh = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.failed || (end < lane.next_look && !last) {
                continue;
            }
            let view = View {
                text: &self.text,
                from: lane.settled - self.offset,
                chars_before: self.chars_before,
                first: lane.settled == 0,
                last,
            };
            fresh.clear();
            lane.settled = lane.guardrail.detector.scan(view, &mut fresh) + self.offset;
            // A long unsettled stretch is looked at again only once it has grown by an eighth: a stream that is cut into
            // single bytes costs a constant factor, not a square.
            lane.next_look = end + ((end - lane.settled) / 8).max(1);
            for mut finding in fresh.drain(..) {
                finding.span = finding.span.start + self.offset..finding.span.end + self.offset;
                if !lane.seen.insert((finding.span.start, finding.span.end, finding.rule.clone())) {
                    continue;
                }
                match lane.guardrail.action {
                    Action::Redact => drop(self.marks.insert(Mark::new(&finding))),
                    Action::Block => released.blocked = released.blocked.or(Some(index)),
                    Action::Observe => {}
                }
                released.found.push((index, finding));
            }
            let settled = lane.settled;
            lane.seen.retain(|(_, end, _)| *end > settled);
        }
        self.blocked = released.blocked;
    }

    /// Gives up guardrails that need more text than may be held.
    fn shed(&mut self, released: &mut Released<'_>) {
        if self.text.len() <= self.max_bytes {
            return;
        }
        let bound = self.end() - self.max_bytes;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.failed || lane.settled >= bound {
                continue;
            }
            lane.failed = true;
            released.failed.push(index);
            if lane.guardrail.action != Action::Observe && !lane.guardrail.fail_open {
                released.blocked = released.blocked.or(Some(index));
            }
        }
        self.blocked = released.blocked;
    }

    /// How far the text may go on.
    fn limit(&self) -> usize {
        let holding = self.lanes.iter().filter(|lane| !lane.failed && lane.guardrail.action != Action::Observe);
        holding.map(|lane| lane.settled).min().unwrap_or_else(|| self.end())
    }

    fn write(&mut self, limit: usize) -> String {
        let Self { text, offset, marks, pen, .. } = self;
        let text = |span: Range<usize>| &text[span.start - *offset..span.end - *offset];
        let mut out = String::new();
        while let Some(mark) = marks.first().filter(|mark| mark.start < limit) {
            pen.mark(mark, text, &mut out);
            marks.pop_first();
        }
        pen.rest(limit, text, &mut out);
        out
    }

    /// Drops what nobody needs any more.
    fn forget(&mut self) {
        let looked_at = self.lanes.iter().filter(|lane| !lane.failed).map(|lane| lane.settled.saturating_sub(LOOKBACK));
        let needed = looked_at.min().unwrap_or(usize::MAX).min(self.pen.at()).min(self.end());
        let drop = self.text.floor_char_boundary(needed - self.offset.min(needed));
        if drop >= DROP.max(self.text.len() / 2) {
            self.chars_before += self.text[..drop].chars().count();
            self.text.drain(..drop);
            self.offset += drop;
        }
    }
}

#[cfg(test)]
mod tests;
