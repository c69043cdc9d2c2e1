//! Credentials: keys, tokens, passwords in assignments, private keys.
//!
//! The rules are those of gitleaks ([`rules`]). One pass over the text finds the anchors of all rules at once; only where one
//! stands is its rule's pattern tried, at that place and nowhere else. So what a rule says depends on a bounded stretch of
//! text, which is what makes streams exact, and most rules are never even compiled. A match becomes a finding once it is
//! random enough for its rule and no sample, name or path ([`judge`]).

mod judge;
mod rules;
mod written;

use super::machine::Probe;
use super::{Detector, Finding, View};
use rules::{Anchor, RULES, Rule, Rules};

/// The longest match of a rule that has no bound of its own. What goes on behind it is not covered.
const LONGEST: usize = 2048;
/// The longest match of rules that let anything stand between two of their parts.
const LONGEST_STRETCH: usize = 512;
/// Private keys are longer: an RSA key of 16,384 bits still fits.
const LONGEST_PRIVATE_KEY: usize = 16 * 1024;

/// Finds credentials.
pub(super) struct Secrets {
    rules: &'static Rules,
}

impl Secrets {
    pub(super) fn new() -> Self {
        Self { rules: &RULES }
    }
}

/// What a rule says about one place.
enum Said {
    Nothing,
    Secret { start: usize, end: usize },
    Undecided,
}

/// Tries a rule where its match would begin.
fn probe(rule: &Rule, text: &str, start: usize, last: bool) -> Said {
    let Some(built) = rule.built() else { return Said::Nothing };
    let bytes = text.as_bytes();
    let end = match built.machine.probe(bytes, start, start + built.longest, last) {
        Probe::Dead => return Said::Nothing,
        Probe::Open => return Said::Undecided,
        Probe::Match(end) => end,
    };
    // The secret is the first group that took part; without groups it is all of the match.
    let groups = built.machine.groups(bytes, start, end);
    let group = groups.as_ref().and_then(|groups| (1..groups.group_len()).find_map(|n| groups.get_group(n)));
    let (from, to) = group.map_or((start, end), |span| (span.start, span.end));
    if from == to || !judge::is_secret(rule, bytes, start, from..to) {
        return Said::Nothing;
    }
    // Patterns match bytes: a class like `[^"]` may stop inside a character.
    Said::Secret { start: text.floor_char_boundary(from), end: text.ceil_char_boundary(to) }
}

impl Secrets {
    /// Tries the rules of every anchor; the rest is that of [`Detector::scan`].
    fn try_at(&self, anchors: impl Iterator<Item = Anchor>, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let text = view.text;
        let mut settled = if view.last { text.len() } else { self.rules.unfinished(text.as_bytes(), view.from) };
        for (rules, anchor_at) in anchors {
            for &(rule, (least, most)) in rules {
                let rule = &self.rules.rules[rule];
                for back in (least..=most).rev() {
                    let Some(start) = anchor_at.checked_sub(back).filter(|start| *start >= view.from) else { continue };
                    match probe(rule, text, start, view.last) {
                        Said::Nothing => {}
                        Said::Undecided => settled = settled.min(start),
                        Said::Secret { start, end } => {
                            found.push(Finding { span: start..end, rule: rule.name.clone(), label: &rule.label });
                            break;
                        }
                    }
                }
            }
        }
        found.dedup();
        text.floor_char_boundary(settled)
    }
}

impl Detector for Secrets {
    fn kind(&self) -> &'static str {
        "secrets"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        self.try_at(self.rules.anchors_in(view.text.as_bytes(), view.from), view, found)
    }

    fn reach(&self) -> usize {
        LONGEST_PRIVATE_KEY
    }

    fn clears(&self, json: &[u8]) -> bool {
        written::clears(self.rules, json)
    }
}

/// Whether a rule's form stands somewhere in the text, random or not; `None` if there is no such rule. For the evaluation.
pub(super) fn has_form(name: &str, text: &str) -> Option<bool> {
    let mut known = false;
    for rule in RULES.rules.iter().filter(|rule| *rule.name == *name) {
        known = true;
        let Some(built) = rule.built() else { continue };
        let matches = |start| built.machine.probe(text.as_bytes(), start, start + built.longest, true) != Probe::Dead;
        if (0..text.len()).any(matches) {
            return Some(true);
        }
    }
    known.then_some(false)
}

#[cfg(test)]
mod tests;
