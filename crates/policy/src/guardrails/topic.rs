//! What a text is about, by its words: some must not be there, one of some must be.

use std::sync::Arc;

use super::pattern::Patterned;
use super::{BuildError, Detector, Finding, View};

const LABEL: &str = "[REDACTED:topic]";

/// Finds denied words; and the whole text if no allowed word is in it.
pub(super) struct Topic {
    denied: Patterned,
    allowed: Option<Patterned>,
    off: Arc<str>,
}

impl Topic {
    pub(super) fn new(allow: &[String], deny: &[String]) -> Result<Self, BuildError> {
        let allowed = if allow.is_empty() { None } else { Some(Patterned::topic(allow)?) };
        Ok(Self { denied: Patterned::topic(deny)?, allowed, off: "off_topic".into() })
    }
}

impl Detector for Topic {
    fn kind(&self) -> &'static str {
        "topic"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let settled = self.denied.scan(view, found);
        // Settling anything means that an allowed word was seen: until then the text may turn out to be off topic.
        let (true, Some(allowed)) = (view.first, &self.allowed) else { return settled };
        let mut words = Vec::new();
        allowed.scan(view, &mut words);
        if !words.is_empty() {
            return settled;
        }
        if view.last && !view.text.is_empty() {
            found.push(Finding { span: 0..view.text.len(), rule: self.off.clone(), label: LABEL });
        }
        if view.last { view.text.len() } else { 0 }
    }

    fn reach(&self) -> usize {
        if self.allowed.is_some() { usize::MAX } else { self.denied.reach() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str], text: &str) -> Vec<String> {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut found = Vec::new();
        Topic::new(&words(allow), &words(deny)).unwrap().find(text, &mut found);
        found.iter().map(|finding| finding.rule.to_string()).collect()
    }

    #[test]
    fn a_denied_word_is_found_as_a_whole_word_in_any_case() {
        assert_eq!(rules(&[], &["poker"], "POKER night"), ["topic"]);
        assert!(rules(&[], &["poker"], "pokerface").is_empty());
    }

    #[test]
    fn a_text_without_any_allowed_word_is_off_topic() {
        assert_eq!(rules(&["invoice", "billing"], &[], "the weather"), ["off_topic"]);
        assert!(rules(&["invoice", "billing"], &[], "my Invoice").is_empty());
    }
}
