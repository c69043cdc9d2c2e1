//! Rewriting a text: findings are replaced by their labels.
//!
//! Findings that overlap or touch become one, under the label of the one that begins first (of those, the longest): nothing
//! that was found is ever left standing, and the result does not depend on the order in which detectors ran.

use std::cmp::Reverse;
use std::ops::Range;

use super::{Finding, size};

/// The text with its findings replaced.
#[must_use]
pub fn redact(text: &str, findings: &[Finding]) -> String {
    let mut marks: Vec<Mark> = findings.iter().map(Mark::new).collect();
    marks.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut pen = Pen::default();
    for mark in &marks {
        pen.mark(mark, |span| &text[span], &mut out);
    }
    pen.rest(text.len(), |span| &text[span], &mut out);
    out
}

/// A finding on its way into a text, in the order in which findings are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) start: usize,
    /// False for the rest of a text that is too long: it comes first, since a stream does not know how long it is.
    bounded: bool,
    end: Reverse<usize>,
    pub(super) label: &'static str,
}

impl Mark {
    pub(super) fn new(finding: &Finding) -> Self {
        let Range { start, end } = finding.span;
        Self { start, bounded: finding.label != size::LABEL, end: Reverse(end), label: finding.label }
    }

    pub(super) fn end(&self) -> usize {
        self.end.0
    }
}

/// Writes a text from left to right, marks in their order.
#[derive(Debug, Default)]
pub(super) struct Pen {
    /// Up to here the text has been written or is covered by a label.
    at: usize,
    /// The end of the last label's span.
    covered: Option<usize>,
}

impl Pen {
    /// Writes what stands before the mark, and its label unless the last one goes on.
    pub(super) fn mark<'t>(&mut self, mark: &Mark, text: impl Fn(Range<usize>) -> &'t str, out: &mut String) {
        let Reverse(end) = mark.end;
        if self.covered.is_none_or(|covered| mark.start > covered) {
            if mark.start > self.at {
                out.push_str(text(self.at..mark.start));
            }
            out.push_str(mark.label);
        }
        self.covered = Some(self.covered.map_or(end, |covered| covered.max(end)));
        self.at = self.at.max(end);
    }

    /// Writes on up to `end`.
    pub(super) fn rest<'t>(&mut self, end: usize, text: impl Fn(Range<usize>) -> &'t str, out: &mut String) {
        if end > self.at {
            out.push_str(text(self.at..end));
            self.at = end;
        }
    }

    /// Up to here nothing of the text is needed any more.
    pub(super) fn at(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(span: Range<usize>, label: &'static str) -> Finding {
        Finding { span, rule: "rule".into(), label }
    }

    #[test]
    fn a_finding_is_replaced_by_its_label() {
        assert_eq!(redact("card 4111, ok", &[finding(5..9, "[card]")]), "card [card], ok");
    }

    #[test]
    fn overlapping_and_touching_findings_become_one_under_the_first_label() {
        let found = [finding(4..6, "[c]"), finding(2..5, "[b]"), finding(2..4, "[a]")];
        assert_eq!(redact("0123456789", &found), "01[b]6789");
        assert_eq!(redact("0123456789", &[finding(0..3, "[a]"), finding(3..5, "[b]")]), "[a]56789");
    }

    #[test]
    fn the_order_of_findings_does_not_matter() {
        let found = [finding(0..2, "[a]"), finding(1..9, "[b]"), finding(5..6, "[c]")];
        let back: Vec<_> = found.iter().rev().cloned().collect();
        assert_eq!(redact("0123456789", &found), redact("0123456789", &back));
    }
}
