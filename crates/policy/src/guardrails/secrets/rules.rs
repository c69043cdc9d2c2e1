//! The rules as data, and the one search for their anchors.

use std::sync::{Arc, LazyLock, OnceLock};

use gatehouse_domain::ENCODED;
use regex_automata::util::syntax;

use super::super::anchors::{Anchors, Literal, is_word};
use super::super::machine::Machine;
use super::{LONGEST, LONGEST_PRIVATE_KEY, LONGEST_STRETCH};

/// Every rule. Reading them compiles none of their patterns.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::read(include_str!("rules.tsv")));

/// A form of credential.
pub(super) struct Rule {
    /// `aws-access-token`.
    pub(super) name: Arc<str>,
    /// `[REDACTED:aws-access-token]`.
    pub(super) label: String,
    /// The entropy in bits per byte that the secret must exceed.
    pub(super) entropy: Option<f64>,
    pattern: &'static str,
    built: OnceLock<Option<Built>>,
}

/// A rule that has been asked for.
pub(super) struct Built {
    pub(super) machine: Machine,
    /// The longest match in bytes.
    pub(super) longest: usize,
}

impl Rule {
    /// The compiled pattern. `None` if it does not compile, which a test rules out.
    pub(super) fn built(&self) -> Option<&Built> {
        self.built.get_or_init(|| self.build()).as_ref()
    }

    /// Does a match begin with a word's edge? Read off the pattern, as compiling every one would take longer than starting up.
    fn at_edge(&self) -> bool {
        self.pattern.trim_start_matches("(?i)").starts_with(r"\b")
    }

    fn build(&self) -> Option<Built> {
        // Bytes and ASCII: the rules were written for an engine that reads them so, and word boundaries stay one byte wide.
        let config = syntax::Config::new().unicode(false).utf8(false);
        let hir = syntax::parse_with(self.pattern, &config).ok()?;
        let bound = match &*self.name {
            "private-key" => LONGEST_PRIVATE_KEY,
            "kubernetes-secret-yaml" | "curl-auth-user" | "curl-auth-header" => LONGEST_STRETCH,
            _ => LONGEST,
        };
        let longest = hir.properties().maximum_len().map_or(bound, |longest| longest.min(bound));
        let machine = Machine::new(self.pattern, config, true).ok()?;
        Some(Built { machine, longest })
    }
}

/// How many bytes before its anchor a match begins: at least and at most.
type Distance = (usize, usize);

/// An anchor in a text: the rules to try, by their place, each with its distance, and where it begins.
pub(super) type Anchor = (&'static [(usize, Distance)], usize);

/// All rules and where to try them.
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    /// `None` if the table's anchors cannot be used, which a test rules out.
    pub(super) anchors: Option<Anchors>,
    /// For each anchor its rules, by their place. The words of [`ENCODED`] are among the anchors, and have none.
    pub(super) rules_of: Vec<Vec<(usize, Distance)>>,
    /// The longest stretch from a match's beginning to the end of its anchor, where it begins before that.
    longest_lead: usize,
}

impl Rules {
    fn read(table: &'static str) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        let mut placed: Vec<(String, usize, Distance)> = Vec::new();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.splitn(5, '\t');
            let mut column = || columns.next().unwrap_or_default();
            let (name, anchors, distance, entropy, pattern) = (column(), column(), column(), column(), column());
            let (least, most) = distance.split_once('-').unwrap_or((distance, distance));
            let distance = (least.parse().unwrap_or(0), most.parse().unwrap_or(0));
            let anchors: Vec<String> = serde_json::from_str(anchors).unwrap_or_default();
            placed.extend(anchors.into_iter().map(|anchor| (anchor, rules.len(), distance)));
            rules.push(Rule {
                name: name.into(),
                label: format!("[REDACTED:{name}]"),
                entropy: entropy.parse().ok(),
                pattern,
                built: OnceLock::new(),
            });
        }
        let literal = |(anchor, rule, distance): &(String, usize, Distance)| Literal {
            edge: *distance == (0, 0) && rules[*rule].at_edge() && anchor.bytes().next().is_some_and(is_word),
            ..Literal::anywhere(anchor)
        };
        let encoded = ENCODED.into_iter().map(Literal::anywhere);
        let anchors = Anchors::new(placed.iter().map(literal).chain(encoded)).ok();
        let of = |anchor: &Literal| {
            let named = placed.iter().filter(|(text, ..)| *text == anchor.text);
            named.map(|&(_, rule, distance)| (rule, distance)).collect()
        };
        let lead = |(anchor, _, (_, most)): &(String, usize, Distance)| anchor.len() + most;
        Self {
            rules_of: anchors.iter().flat_map(Anchors::literals).map(of).collect(),
            longest_lead: placed.iter().filter(|(_, _, (_, most))| *most > 0).map(lead).max().unwrap_or(0),
            anchors,
            rules,
        }
    }

    /// Every anchor in the text from a place on.
    pub(super) fn anchors_in(&'static self, text: &[u8], from: usize) -> impl Iterator<Item = Anchor> {
        let hits = self.anchors.iter().flat_map(move |anchors| anchors.hits(text, from));
        hits.map(|(anchor, at)| (self.rules_of[anchor].as_slice(), at))
    }

    /// Where the end of a text that goes on may be the beginning of a match whose anchor is still to come.
    pub(super) fn unfinished(&self, text: &[u8], from: usize) -> usize {
        // A piece of a token may stand before its anchor, and one byte before that.
        let token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_~.-:".contains(byte);
        let back = from.max(text.len().saturating_sub(self.longest_lead));
        let run = text[back..].iter().rev().take_while(token).count();
        let token_from = (text.len() - run).saturating_sub(1).max(from);
        self.anchors.as_ref().map_or(token_from, |anchors| anchors.unfinished(text, from).min(token_from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_anchors_and_compiles() {
        assert!(RULES.rules.len() > 220);
        for rule in &RULES.rules {
            assert!(rule.built().is_some(), "{}", rule.name);
        }
        for n in 0..RULES.rules.len() {
            assert!(RULES.rules_of.iter().flatten().any(|(rule, _)| *rule == n), "{}", RULES.rules[n].name);
        }
        assert!(RULES.anchors.is_some());
    }

    #[test]
    fn a_rule_that_is_tried_at_edges_only_matches_nowhere_else() {
        for (literal, rules) in RULES.anchors.iter().flat_map(Anchors::literals).zip(&RULES.rules_of) {
            let first = literal.text.as_bytes()[0];
            for (rule, _) in rules.iter().filter(|_| literal.edge) {
                let rule = &RULES.rules[*rule];
                let opens = |byte| rule.built().unwrap().machine.opens(&[b'a', byte], 1);
                assert!(!opens(first) && !opens(first.to_ascii_uppercase()), "{}", rule.name);
            }
        }
    }

    #[test]
    fn no_rule_but_private_keys_reaches_further_than_it_says() {
        for rule in &RULES.rules {
            let longest = rule.built().map_or(0, |built| built.longest);
            assert!(longest <= LONGEST || &*rule.name == "private-key", "{}", rule.name);
        }
    }

    #[test]
    fn the_end_of_a_text_is_unfinished_only_where_a_match_may_begin() {
        let unfinished = |text: &'static str| &text[RULES.unfinished(text.as_bytes(), 0)..];
        assert_eq!(unfinished("all is said. "), " ");
        assert_eq!(unfinished("it is AKI"), " AKI");
        assert_eq!(unfinished("<add ke"), "<add ke");
    }
}
