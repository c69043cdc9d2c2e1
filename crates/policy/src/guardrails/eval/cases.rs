//! Reading labelled texts: JSON, one object a line. What a line is for shows in its fields.

use std::ops::Range;

use serde::Deserialize;

use super::{Case, Expected};

/// The fields of every kind of line.
#[derive(Deserialize)]
struct Line {
    text: String,
    /// 1: there is something to find.
    label: Option<u8>,
    /// Secrets: the rule the text was made for.
    rule: Option<String>,
    /// Prompts: what kind of text it is.
    kind: Option<String>,
    /// Personal data: what is where.
    spans: Option<Vec<Span>>,
    /// Personal data: the recogniser the text was made for, and how many findings it expects.
    recognizer: Option<String>,
    n: Option<usize>,
    src: Option<String>,
}

#[derive(Deserialize)]
struct Span {
    #[serde(rename = "type")]
    kind: String,
    start: usize,
    end: usize,
}

/// Reads a data set. `name` is the source of lines that do not say theirs.
///
/// # Errors
/// The number of a line that is none of the known kinds, and why.
pub fn read_cases(name: &str, lines: &str) -> Result<Vec<Case>, String> {
    let texts = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    texts
        .map(|(n, line)| {
            let line: Line = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", n + 1))?;
            case(name, line).ok_or_else(|| format!("line {}: no label, spans or recognizer", n + 1))
        })
        .collect()
}

fn case(name: &str, line: Line) -> Option<Case> {
    let Line { text, label, rule, kind, spans, recognizer, n, src } = line;
    let src = src.unwrap_or_else(|| name.to_owned());
    let positive = label.is_some_and(|label| label > 0);
    let (detector, source, expected) = if let Some(spans) = spans {
        (Some("pii"), src, Expected::Spans(in_bytes(&text, &spans)))
    } else if let Some(rule) = recognizer {
        (Some("pii"), format!("{src} {rule}"), Expected::Text { positive: n.unwrap_or(0) > 0, rule })
    } else if let Some(rule) = rule {
        label?;
        (Some("secrets"), src, Expected::Text { positive, rule })
    } else {
        label?;
        let kind = kind.unwrap_or_default();
        let detector = positive.then_some("injection");
        (detector, format!("{src} {kind}"), Expected::Text { positive, rule: kind })
    };
    Some(Case { detector, source, text, expected })
}

/// The data sets count characters; kinds we do not look for are left out.
fn in_bytes(text: &str, spans: &[Span]) -> Vec<(&'static str, Range<usize>)> {
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let known = |span: &Span| Some((kind(&span.kind)?, byte(span.start)..byte(span.end)));
    spans.iter().filter_map(known).collect()
}

/// Our word for a data set's.
fn kind(theirs: &str) -> Option<&'static str> {
    Some(match theirs {
        "CREDIT_CARD" => "credit_card",
        "IBAN_CODE" => "iban",
        "EMAIL_ADDRESS" => "email",
        "IP_ADDRESS" => "ip",
        "US_SSN" => "us_ssn",
        "PHONE_NUMBER" => "phone",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_by_its_fields_what_it_is_for() {
        let lines = r#"
            {"text": "é 4111", "spans": [{"type": "CREDIT_CARD", "start": 2, "end": 6}, {"type": "PERSON", "start": 0, "end": 1}], "src": "synth"}
            {"text": "a", "label": 1, "rule": "jwt", "src": "s"}
            {"text": "b", "label": 0, "kind": "mail", "src": "b"}
            {"text": "c", "label": 1, "kind": "direct"}"#;
        let cases = read_cases("file", lines).unwrap();
        assert_eq!(cases[0].expected, Expected::Spans(vec![("credit_card", 3..7)]));
        let detectors: Vec<_> = cases.iter().map(|case| case.detector).collect();
        assert_eq!(detectors, [Some("pii"), Some("secrets"), None, Some("injection")]);
        assert_eq!(cases[3].source, "file direct");
    }

    #[test]
    fn a_line_that_says_nothing_is_an_error_with_its_number() {
        assert!(
            read_cases("f", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}").unwrap_err().starts_with("line 2")
        );
    }
}
