//! Many literals looked for at once: where patterns are worth trying.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::BuildError;

/// Literals, in any ASCII case.
pub(super) struct Anchors {
    automaton: AhoCorasick,
    /// Lower-case and sorted; a hit names its literal by its place here.
    literals: Vec<String>,
    longest: usize,
}

impl Anchors {
    /// # Errors
    /// If the literals are more than an automaton can hold.
    pub(super) fn new(literals: impl IntoIterator<Item = String>) -> Result<Self, BuildError> {
        let mut literals: Vec<String> = literals.into_iter().map(|literal| literal.to_ascii_lowercase()).collect();
        literals.sort_unstable();
        literals.dedup();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // The library's own choice for this many literals is small and several times slower; every byte of a call passes here.
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals)
            .map_err(|error| BuildError::new(error.to_string()))?;
        let longest = literals.iter().map(String::len).max().unwrap_or(0);
        Ok(Self { automaton, literals, longest })
    }

    /// The literals, sorted.
    pub(super) fn literals(&self) -> &[String] {
        &self.literals
    }

    /// Every literal in the text from a place on, overlapping ones too: which it is and where it begins.
    pub(super) fn hits(&self, text: &[u8], from: usize) -> impl Iterator<Item = (usize, usize)> {
        let hits = self.automaton.find_overlapping_iter(&text[from..]);
        hits.map(move |hit| (hit.pattern().as_usize(), from + hit.start()))
    }

    /// Where the end of the text is the beginning of a literal; the text's length if nowhere.
    pub(super) fn unfinished(&self, text: &[u8], from: usize) -> usize {
        let end = text.len();
        let begins = |at: &usize| {
            let tail = text[*at..].to_ascii_lowercase();
            let next = self.literals.partition_point(|literal| literal.as_bytes() < tail.as_slice());
            self.literals.get(next).is_some_and(|literal| literal.as_bytes().starts_with(&tail))
        };
        (from.max((end + 1).saturating_sub(self.longest))..end).find(begins).unwrap_or(end)
    }
}
