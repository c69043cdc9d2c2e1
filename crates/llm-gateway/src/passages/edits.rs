//! Replacements in a body, applied all at once.

use std::ops::Range;

/// Bytes to be put in the place of others. Ranges come in order and do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Range<usize>, Vec<u8>)>);

impl Edits {
    pub(crate) fn put(&mut self, at: Range<usize>, bytes: Vec<u8>) {
        self.0.push((at, bytes));
    }

    /// Puts a text there as a JSON string.
    pub(crate) fn put_text(&mut self, at: Range<usize>, text: &str) {
        self.put(at, serde_json::Value::from(text).to_string().into_bytes());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body with everything in its place; `None` if nothing is to be changed.
    pub(crate) fn apply(mut self, body: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|(at, _)| at.start);
        let mut out = Vec::with_capacity(body.len() + 64);
        let mut from = 0;
        for (at, bytes) in self.0 {
            out.extend_from_slice(&body[from..at.start]);
            out.extend_from_slice(&bytes);
            from = at.end;
        }
        out.extend_from_slice(&body[from..]);
        Some(out)
    }
}
