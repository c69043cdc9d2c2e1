//! Names that may end in `*`.

use std::collections::BTreeMap;
use std::ops::Bound;

/// The part of `name` that the `*` of `pattern` stands for; empty for a plain name that is equal. `None`: no match.
#[must_use]
pub fn matched<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.strip_prefix(prefix),
        None => (pattern == name).then_some(""),
    }
}

/// The pattern that serves a name: the name itself, else the longest pattern with a `*` that matches.
#[must_use]
pub fn best<'p>(patterns: impl IntoIterator<Item = &'p str>, name: &str) -> Option<&'p str> {
    patterns
        .into_iter()
        .filter(|pattern| matched(pattern, name).is_some())
        .max_by_key(|pattern| (!pattern.ends_with('*'), pattern.len()))
}

/// The names of a file, ready for look-ups.
pub(crate) struct Names<'a, V> {
    exact: &'a BTreeMap<String, V>,
    open: Vec<&'a str>,
}

impl<'a, V> Names<'a, V> {
    pub(crate) fn of(exact: &'a BTreeMap<String, V>) -> Self {
        Self { exact, open: exact.keys().map(String::as_str).filter(|name| name.ends_with('*')).collect() }
    }

    /// The name or pattern that serves a name.
    pub(crate) fn serving(&self, name: &str) -> Option<&'a str> {
        match self.exact.get_key_value(name) {
            Some((name, _)) => Some(name),
            None => best(self.open.iter().copied(), name),
        }
    }

    /// Whether a name or pattern takes in anything that is served.
    pub(crate) fn meets(&self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            None => self.serving(pattern).is_some(),
            // Under a model `openai/*`, both `open*` and `openai/gpt-*` take something in.
            Some(prefix) => {
                let next = self.exact.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).next();
                next.is_some_and(|(name, _)| name.starts_with(prefix)) || self.serving(prefix).is_some()
            }
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.exact.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest_of_the_name() {
        assert_eq!(matched("openai/*", "openai/gpt-5"), Some("gpt-5"));
        assert_eq!(matched("*", "anything"), Some("anything"));
        assert_eq!(matched("fast", "fast"), Some(""));
        assert_eq!(matched("fast", "faster"), None);
    }

    #[test]
    fn the_exact_name_wins_over_patterns_and_a_long_pattern_over_a_short_one() {
        assert_eq!(best(["*", "gpt-*", "gpt-5"], "gpt-5"), Some("gpt-5"));
        assert_eq!(best(["*", "gpt-*", "gpt-5"], "gpt-6"), Some("gpt-*"));
        assert_eq!(best(["gpt-*"], "claude"), None);
    }
}
