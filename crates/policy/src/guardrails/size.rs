//! Texts that are too long: everything beyond a number of characters is one finding.

use std::sync::Arc;

use super::{Detector, Finding, View};

/// What stands for the rest of a text.
pub(super) const LABEL: &str = "[REDACTED:size]";

/// Finds what stands beyond `max_chars` characters.
pub(super) struct Size {
    max_chars: usize,
    rule: Arc<str>,
}

impl Size {
    pub(super) fn new(max_chars: usize) -> Self {
        Self { max_chars, rule: "size".into() }
    }
}

impl Detector for Size {
    fn kind(&self) -> &'static str {
        "size"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let end = view.text.len();
        let allowed = self.max_chars.saturating_sub(view.chars_before);
        // A text has at least as many bytes as characters: most need no counting.
        if end > allowed {
            let beyond = view.text.char_indices().nth(allowed).map_or(end, |(at, _)| at).max(view.from);
            if beyond < end {
                found.push(Finding { span: beyond..end, rule: self.rule.clone(), label: LABEL });
            }
        }
        end
    }

    fn reach(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beyond(text: &str) -> Option<&str> {
        let mut found = Vec::new();
        Size::new(3).find(text, &mut found);
        found.first().map(|finding| &text[finding.span.clone()])
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(beyond("äöü"), None);
        assert_eq!(beyond("äöüß!"), Some("ß!"));
    }
}
