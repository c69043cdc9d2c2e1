//! How well a detector does on labelled texts: cases in, figures out.
//!
//! A data set says one of two things about a text: whether there is something to find ([`Expected::Text`]), or where
//! ([`Expected::Spans`]). Figures are kept for every source by itself: a mean over sources hides the one that fails.

mod cases;
mod judge;

pub use cases::read_cases;
pub use judge::evaluate;

use std::ops::Range;

/// What a data set says about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is something to find, or there is not. `rule` is what the data set calls it.
    Text {
        /// Whether there is.
        positive: bool,
        /// The name of the rule or recogniser the text was made for.
        rule: String,
    },
    /// What there is to find, by kind and bytes.
    Spans(Vec<(&'static str, Range<usize>)>),
}

/// A labelled text.
#[derive(Clone, Debug)]
pub struct Case {
    /// The detector it is for: `secrets`, `pii`, `injection`; `None` if none of them should find anything in it.
    pub detector: Option<&'static str>,
    /// Where it comes from: data set and kind.
    pub source: String,
    /// The text.
    pub text: String,
    /// What is to be found in it.
    pub expected: Expected,
}

/// What was counted. Of [`Expected::Spans`] findings are counted, of [`Expected::Text`] texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Texts looked at.
    pub texts: usize,
    /// To be found, and found.
    pub found: usize,
    /// To be found, and missed.
    pub missed: usize,
    /// Not to be found, and found.
    pub false_positives: usize,
}

impl Tally {
    /// The share of what was found that was right; `None` if nothing was found.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.false_positives)
    }

    /// The share of what was there that was found; `None` if nothing was there.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.found + self.missed)
    }

    /// The harmonic mean of both.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.found, 2 * self.found + self.missed + self.false_positives)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of texts")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The figures of one source, or a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The source; for sums, how the labels were read.
    pub source: String,
    /// What was counted.
    pub tally: Tally,
}
