//! Patterns and words an operator writes down: `regex`, `keywords` and `topic`.
//!
//! Matches are leftmost-first and do not overlap, as in every regex library, and at most [`LONGEST`] bytes long. Patterns run
//! in linear time, so none can be written that stalls a call.

use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::machine::{Machine, Probe};
use super::{BuildError, Detector, Finding, Pattern, View};

/// The longest match of a pattern in bytes.
pub(super) const LONGEST: usize = 1024;
/// A character behind a match that `\b` or `$` may look at.
const BEHIND: usize = 4;
/// What all patterns of one guardrail may take when compiled.
const MAX_BYTES: usize = 8 << 20;

/// Finds patterns.
pub(super) struct Patterned {
    kind: &'static str,
    label: &'static str,
    patterns: Vec<Compiled>,
}

struct Compiled {
    rule: Arc<str>,
    regex: Regex,
    /// Tells at the end of a stream's text whether a match may still begin.
    machine: Machine,
    longest: usize,
}

/// What one pattern found: its matches, and the place up to which it is settled.
struct Looked {
    matches: Vec<(usize, usize)>,
    settled: usize,
}

impl Patterned {
    pub(super) fn regex(patterns: &[Pattern]) -> Result<Self, BuildError> {
        let patterns: Result<_, _> = patterns.iter().map(|one| Compiled::new(&one.name, &one.regex)).collect();
        Ok(Self { kind: "regex", label: "[REDACTED:regex]", patterns: patterns? })
    }

    pub(super) fn keywords(words: &[String]) -> Result<Self, BuildError> {
        let patterns = any_of(words)?.map(|regex| Compiled::new("keyword", &regex)).transpose()?;
        Ok(Self { kind: "keywords", label: "[REDACTED:keyword]", patterns: patterns.into_iter().collect() })
    }

    pub(super) fn topic(words: &[String]) -> Result<Self, BuildError> {
        let patterns = any_of(words)?.map(|regex| Compiled::new("topic", &regex)).transpose()?;
        Ok(Self { kind: "topic", label: "[REDACTED:topic]", patterns: patterns.into_iter().collect() })
    }
}

/// One pattern for a list of words: whole words, any case, the longest first.
fn any_of(words: &[String]) -> Result<Option<String>, BuildError> {
    let mut words: Vec<&str> = words.iter().map(|word| word.trim()).collect();
    if words.iter().any(|word| word.is_empty()) {
        return Err(BuildError::new("A keyword is empty. Remove it, or write the word that is meant."));
    }
    if let Some(long) = words.iter().find(|word| word.len() > LONGEST) {
        return Err(BuildError::new(format!("A keyword has {} bytes; the most is {LONGEST}.", long.len())));
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let edge = |end: Option<char>| if end.is_some_and(char::is_alphanumeric) { r"\b" } else { "" };
    let one = |word: &&str| format!("{}{}{}", edge(word.chars().next()), escape(word), edge(word.chars().next_back()));
    let alternatives: Vec<String> = words.iter().map(one).collect();
    Ok((!alternatives.is_empty()).then(|| format!("(?i)(?:{})", alternatives.join("|"))))
}

/// The pattern that matches just this word.
fn escape(word: &str) -> String {
    let special = |c: char| c.is_ascii_punctuation() || c == '#' || c == '~';
    word.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

impl Compiled {
    fn new(name: &str, pattern: &str) -> Result<Self, BuildError> {
        let problem =
            |what: &dyn std::fmt::Display| BuildError::new(format!("The pattern `{name}` cannot be used: {what}"));
        let config = Regex::config().nfa_size_limit(Some(MAX_BYTES)).hybrid_cache_capacity(256 << 10);
        let regex = Regex::builder()
            .configure(config)
            .build(pattern)
            .map_err(|error| problem(&error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string)))?;
        let hir = syntax::parse(pattern).map_err(|error| problem(&error))?;
        let properties = hir.properties();
        if properties.minimum_len().is_none_or(|least| least == 0) {
            return Err(problem(&"it matches the empty text. Write what must be there, for example `+` for `*`."));
        }
        let longest = properties.maximum_len().map_or(LONGEST, |most| most.clamp(1, LONGEST));
        let machine = Machine::new(pattern, syntax::Config::new(), false).map_err(|error| problem(&error))?;
        Ok(Self { rule: name.into(), regex, machine, longest })
    }

    fn look(&self, view: View<'_>) -> Looked {
        let end = view.text.len();
        let certain = |start: usize| view.last || start + self.longest + BEHIND <= end;
        let mut matches = Vec::new();
        let mut at = view.from;
        while let Some(found) = self.regex.search(&Input::new(view.text).range(at..)) {
            if !certain(found.start()) {
                break;
            }
            match self.bounded(view.text, found.start(), found.end()) {
                Some(stop) => {
                    matches.push((found.start(), stop));
                    at = stop;
                }
                None => at = next_char(view.text, found.start()),
            }
        }
        if view.last {
            return Looked { matches, settled: end };
        }
        // No match begins before the last stretch that a match could fill; in it, each place is asked for itself.
        at = at.max(view.text.floor_char_boundary(end.saturating_sub(self.longest + BEHIND)));
        while at < end {
            match self.machine.probe(view.text.as_bytes(), at, at + self.longest, false) {
                Probe::Open => break,
                Probe::Match(stop) if view.text.is_char_boundary(stop) => {
                    matches.push((at, stop));
                    at = stop;
                }
                Probe::Match(_) | Probe::Dead => at = next_char(view.text, at),
            }
        }
        Looked { matches, settled: at }
    }

    /// The end of a match, cut at the longest a match may be; `None` if nothing shorter matches there.
    fn bounded(&self, text: &str, start: usize, end: usize) -> Option<usize> {
        if end - start <= self.longest {
            return Some(end);
        }
        let stop = text.floor_char_boundary(start + self.longest);
        let input = Input::new(text).range(start..stop).anchored(Anchored::Yes);
        self.regex.search_half(&input).map(|half| half.offset())
    }
}

fn next_char(text: &str, at: usize) -> usize {
    text.ceil_char_boundary(at + 1)
}

impl Detector for Patterned {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let looked: Vec<Looked> = self.patterns.iter().map(|pattern| pattern.look(view)).collect();
        let mut settled = looked.iter().map(|one| one.settled).min().unwrap_or(view.text.len());
        // Everyone goes on from the same place: where that is inside a match, from its beginning, so that it is found again
        // and the search goes on behind it.
        loop {
            let inside = |&&(start, end): &&(usize, usize)| start < settled && settled < end;
            let Some(&(start, _)) = looked.iter().flat_map(|one| &one.matches).find(inside) else { break };
            settled = start;
        }
        for (pattern, one) in self.patterns.iter().zip(&looked) {
            let finding = |&(start, end): &(usize, usize)| Finding {
                span: start..end,
                rule: pattern.rule.clone(),
                label: self.label,
            };
            found.extend(one.matches.iter().map(finding));
        }
        settled
    }

    fn reach(&self) -> usize {
        self.patterns.iter().map(|pattern| pattern.longest + BEHIND).max().unwrap_or(0)
    }
}
