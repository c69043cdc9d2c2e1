//! Comparing findings with labels.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::{Detector, Finding, secrets};
use super::{Case, Expected, Row, Tally};

/// So many equal characters in a row make a sample a placeholder.
const PLACEHOLDER: usize = 8;
/// What other collections count among secrets and Gatehouse does not.
const NOT_SECRETS: &[&str] = &["ip_public", "high_entropy_strings"];

/// Runs a detector over the cases that are for it and over those in which nothing is to be found.
///
/// Rows come in the order of their sources' names, sums last. Secrets have two sums: one takes the labels as they are, the
/// other only whole fixtures, where the label says what the text holds (docs/guardrails.md says which those are).
#[must_use]
pub fn evaluate(detector: &dyn Detector, cases: &[Case]) -> Vec<Row> {
    let kind = detector.kind();
    let ours: Vec<&Case> = cases.iter().filter(|case| case.detector.is_none_or(|wanted| wanted == kind)).collect();
    let mut rows: BTreeMap<String, Tally> = BTreeMap::new();
    let mut sums: BTreeMap<&str, Tally> = BTreeMap::new();
    let doubtful = doubtful(&ours);
    for (n, case) in ours.iter().enumerate() {
        let mut found = Vec::new();
        detector.find(&case.text, &mut found);
        match &case.expected {
            Expected::Text { positive, rule } => {
                if kind == "pii" && case.detector.is_some() && recognised_as(rule).is_none() {
                    continue;
                }
                let hit = found.iter().any(|finding| case.detector.is_none() || counts(kind, rule, *positive, finding));
                let tally = text_tally(*positive, hit);
                if kind == "secrets" && case.detector.is_some() {
                    add(rows.entry(format!("{} as labelled", case.source)).or_default(), tally);
                    if !doubtful.contains(&n) {
                        add(rows.entry(format!("{} whole fixtures", case.source)).or_default(), tally);
                        add(sums.entry("all, whole fixtures").or_default(), tally);
                    }
                    add(sums.entry("all, as labelled").or_default(), tally);
                } else {
                    add(rows.entry(case.source.clone()).or_default(), tally);
                    let sum = if case.detector.is_some() { "all" } else { "all, nothing to find" };
                    add(sums.entry(sum).or_default(), tally);
                }
            }
            Expected::Spans(spans) => {
                for (kind, tally) in span_tallies(spans, &found) {
                    add(rows.entry(format!("{} {kind}", case.source)).or_default(), tally);
                    add(sums.entry("all with spans").or_default(), tally);
                }
            }
        }
    }
    let row = |(source, tally): (String, Tally)| Row { source, tally };
    let sums = sums.into_iter().map(|(source, tally)| (source.to_owned(), tally));
    rows.into_iter().chain(sums).map(row).collect()
}

fn add(sum: &mut Tally, one: Tally) {
    sum.texts += one.texts;
    sum.found += one.found;
    sum.missed += one.missed;
    sum.false_positives += one.false_positives;
}

fn text_tally(positive: bool, hit: bool) -> Tally {
    Tally {
        texts: 1,
        found: usize::from(positive && hit),
        missed: usize::from(positive && !hit),
        false_positives: usize::from(!positive && hit),
    }
}

/// Whether a finding answers a text that was made for a rule. A text that a rule must not match may well hold something else:
/// it is a negative of its own rule only.
fn counts(kind: &str, rule: &str, positive: bool, finding: &Finding) -> bool {
    let word = |name: &str| name.split(['-', '_']).next().unwrap_or_default().to_owned();
    match kind {
        "secrets" if positive => true,
        "secrets" if secrets::has_form(rule, "").is_some() => *finding.rule == *rule,
        "secrets" => &*finding.rule == "generic-api-key" || word(&finding.rule) == word(rule),
        "pii" => recognised_as(rule) == Some(&*finding.rule),
        _ => true,
    }
}

/// The kind that answers a recogniser of Presidio's.
fn recognised_as(recognizer: &str) -> Option<&'static str> {
    Some(match recognizer {
        "credit_card" => "credit_card",
        "iban" => "iban",
        "email" => "email",
        "ip" => "ip",
        "us_ssn" => "us_ssn",
        "phone" => "phone",
        "es_nif"
        | "es_nie"
        | "it_fiscal_code"
        | "fi_personal_identity_code"
        | "se_personnummer"
        | "pl_pesel"
        | "uk_nhs"
        | "in_aadhaar"
        | "ca_sin" => "national_id",
        _ => return None,
    })
}

/// Secrets' texts whose label does not say what they hold: the same text is labelled both ways; or it is a positive that is a
/// placeholder, a piece without the rule's form, or of a kind that Gatehouse does not count among secrets.
fn doubtful(cases: &[&Case]) -> BTreeSet<usize> {
    let mut labels: BTreeMap<(&str, &str), [bool; 2]> = BTreeMap::new();
    for case in cases {
        if let Expected::Text { positive, rule } = &case.expected {
            labels.entry((rule, &case.text)).or_default()[usize::from(*positive)] = true;
        }
    }
    let doubted = |case: &Case| match &case.expected {
        Expected::Spans(_) => false,
        Expected::Text { positive, rule } => {
            labels.get(&(rule.as_str(), case.text.as_str())) == Some(&[true, true])
                || (*positive
                    && (NOT_SECRETS.contains(&rule.as_str())
                        || is_placeholder(&case.text)
                        || secrets::has_form(rule, &case.text) == Some(false)))
        }
    };
    cases.iter().enumerate().filter(|(_, case)| doubted(case)).map(|(n, _)| n).collect()
}

fn is_placeholder(text: &str) -> bool {
    text.as_bytes()
        .windows(PLACEHOLDER)
        .any(|part| part.iter().all(|byte| *byte == part[0] && byte.is_ascii_alphanumeric()))
}

/// Per kind: which spans were found. A finding answers a span when they share more than half of what they cover together.
fn span_tallies(spans: &[(&'static str, Range<usize>)], found: &[Finding]) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let answers = |span: &Range<usize>, finding: &Finding| {
        let shared = span.end.min(finding.span.end).saturating_sub(span.start.max(finding.span.start));
        let both = span.end.max(finding.span.end) - span.start.min(finding.span.start);
        2 * shared > both
    };
    for (kind, span) in spans {
        let hit = found.iter().any(|finding| *finding.rule == **kind && answers(span, finding));
        add(tallies.entry((*kind).to_owned()).or_default(), text_tally(true, hit));
    }
    for finding in found {
        let answered = spans.iter().any(|(kind, span)| *finding.rule == **kind && answers(span, finding));
        if !answered {
            add(tallies.entry(finding.rule.to_string()).or_default(), text_tally(false, true));
        }
    }
    tallies
}

#[cfg(test)]
mod tests {
    use super::super::super::{PiiKind, Spec, build};
    use super::super::read_cases;
    use super::*;

    fn tally(rows: &[Row], source: &str) -> Tally {
        rows.iter().find(|row| row.source == source).unwrap().tally
    }

    #[test]
    fn spans_are_counted_by_kind_and_a_finding_nobody_expects_is_false() {
        let lines = r#"
            {"text": "card 4111111111111111", "spans": [{"type": "CREDIT_CARD", "start": 5, "end": 21}], "src": "s"}
            {"text": "card 4111111111111112", "spans": [{"type": "CREDIT_CARD", "start": 5, "end": 21}], "src": "s"}
            {"text": "ada@example.com", "spans": [], "src": "s"}
            {"text": "nothing here", "label": 0, "kind": "mail", "src": "b"}"#;
        let pii = build(&Spec::Pii { kinds: PiiKind::ALL.to_vec() }).unwrap();
        let rows = evaluate(&*pii, &read_cases("f", lines).unwrap());
        let cards = tally(&rows, "s credit_card");
        assert_eq!((cards.found, cards.missed, cards.false_positives), (1, 1, 0));
        let sum = tally(&rows, "all with spans");
        assert_eq!((sum.precision(), sum.recall()), (Some(0.5), Some(0.5)));
        assert_eq!(tally(&rows, "b mail"), Tally { texts: 1, ..Tally::default() });
    }

    #[test]
    fn a_text_labelled_both_ways_counts_only_as_labelled() {
        let lines = r#"
            {"text": "s.aaaaaaaaaaaaaaaaaaaaaaaa", "label": 1, "rule": "vault-service-token", "src": "g"}
            {"text": "s.aaaaaaaaaaaaaaaaaaaaaaaa", "label": 0, "rule": "vault-service-token", "src": "g"}"#;
        let secrets = build(&Spec::Secrets).unwrap();
        let rows = evaluate(&*secrets, &read_cases("f", lines).unwrap());
        assert_eq!(tally(&rows, "all, as labelled").texts, 2);
        assert!(rows.iter().all(|row| row.source != "all, whole fixtures"));
    }
}
