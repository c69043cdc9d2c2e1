//! Which field is a JSON error about? serde knows the line and column only; this walks the body up to there and keeps
//! the path. It runs on the error path alone, so good requests pay nothing for it.

use gatehouse_domain::{Code, Fault};
use serde::Deserialize;

/// Longest path reported: keys are the caller's, and may be anything.
const PARAM_BYTES_MAX: usize = 200;
/// Longest excerpt of serde's own words in a message; they may quote the caller's value in full.
const WORDS_MAX: usize = 200;

/// Reads JSON, checked for UTF-8 as a whole: serde_json would check each string by itself, which costs more than reading
/// a small frame.
///
/// # Errors
/// serde_json's.
pub(in crate::dialects) fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    }
}

/// Reads a request body.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` with `param` naming the field.
pub(in crate::dialects) fn read_request<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    json(body).map_err(|error| blame(body, &error))
}

/// Reads a whole answer, or one event of a streamed one.
///
/// # Errors
/// `UpstreamBroken`.
pub(in crate::dialects) fn read_upstream<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    json(body).map_err(|error| {
        Fault::new(Code::UpstreamBroken, format!("the provider's answer does not have the expected shape: {error}"))
    })
}

/// A fault about one field of a request, found after parsing.
pub(in crate::dialects) fn wrong(path: impl Into<String>, why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Code::InvalidRequest, why).at(path)
}

/// The fault for a request `body` that serde refused: `InvalidJson`, or `InvalidRequest` naming the field.
fn blame(body: &[u8], error: &serde_json::Error) -> Fault {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let words = text.strip_suffix(&position).unwrap_or(&text);
    let reason = words.char_indices().nth(WORDS_MAX).map_or(words, |(cut, _)| &words[..cut]);
    if !error.is_data() {
        return Fault::new(Code::InvalidJson, format!("the request body is not JSON: {reason}{position}"));
    }
    let mut param = path_at(body, offset_of(body, error.line(), error.column()));
    if let Some(name) = reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        push_key(&mut param, name);
    }
    if param.is_empty() {
        return Fault::new(Code::InvalidRequest, format!("the request is not what this path takes: {reason}"));
    }
    Fault::new(Code::InvalidRequest, format!("`{param}` is not what this path takes: {reason}")).at(param)
}

fn offset_of(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        start += memchr::memchr(b'\n', &body[start..]).map_or(0, |end| end + 1);
    }
    (start + column).min(body.len())
}

/// One level of nesting.
enum Step<'a> {
    /// In an object, at this key once it was read.
    Key(Option<&'a [u8]>),
    /// In an array, at this element once it began.
    Index(Option<usize>),
}

/// The path of the value that ends or stands at `offset`.
fn path_at(body: &[u8], offset: usize) -> String {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut wants_key = false;
    let mut at = 0;
    while at < offset {
        let byte = body[at];
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b']' | b',')
            && let Some(Step::Index(index @ None)) = steps.last_mut()
        {
            *index = Some(0);
        }
        match byte {
            b'"' => {
                let end = string_end(body, at + 1);
                if wants_key && let Some(Step::Key(key)) = steps.last_mut() {
                    *key = body.get(at + 1..end);
                    wants_key = false;
                }
                at = end;
            }
            b'{' => {
                steps.push(Step::Key(None));
                wants_key = true;
            }
            b'[' => steps.push(Step::Index(None)),
            b'}' | b']' => {
                steps.pop();
                wants_key = false;
            }
            b',' => match steps.last_mut() {
                Some(Step::Key(_)) => wants_key = true,
                Some(Step::Index(Some(index))) => *index += 1,
                _ => {}
            },
            _ => {}
        }
        at += 1;
    }
    render(&steps)
}

/// Index of the closing quote of the string whose first character is at `at`.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at.min(body.len())
}

fn render(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(Some(key)) => push_key(&mut path, &String::from_utf8_lossy(key)),
            Step::Index(Some(index)) => path.push_str(&format!("[{index}]")),
            Step::Key(None) | Step::Index(None) => {}
        }
        if path.len() > PARAM_BYTES_MAX {
            let end = (0..=PARAM_BYTES_MAX).rev().find(|&end| path.is_char_boundary(end)).unwrap_or_default();
            path.truncate(end);
            break;
        }
    }
    path
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    struct Sample {
        #[serde(default)]
        items: Vec<Inner>,
        #[serde(default)]
        last: Option<u8>,
    }

    #[derive(Debug, Default, Deserialize)]
    struct Inner {
        name: String,
    }

    fn fault(body: &str) -> Fault {
        let read = read_request::<Sample>(body.as_bytes());
        read.map(|sample| (sample.items.first().map(|item| item.name.len()), sample.last)).unwrap_err()
    }

    #[test]
    fn a_wrong_type_is_blamed_on_its_field() {
        for (body, field) in [
            (r#"{"items":3}"#, "items"),
            (r#"{"items":{"a\"b":1}}"#, "items"),
            (r#"{"items":[{"name":"a"},{"name":7}]}"#, "items[1].name"),
            (r#"{"items":[{"name":"a, b: [{\"\\"},  "x"]}"#, "items[1]"),
            (r#"{"items":[ {"x":[1,{"y":2}]} ]}"#, "items[0].name"),
            ("{\n \"items\": [],\n \"last\" : 300}", "last"),
        ] {
            assert_eq!(fault(body).param.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        let fault = fault("{\"items\": [");
        assert_eq!(fault.code, Code::InvalidJson);
        assert!(fault.message.contains("line 1 column"), "{}", fault.message);
    }

    #[test]
    fn a_caller_that_sends_novels_gets_a_short_answer() {
        let long = "x".repeat(10_000);
        assert!(fault(&format!(r#"{{"last":"{long}"}}"#)).message.len() < 300);
        assert!(fault(&format!(r#"{{"items":[{{"{long}":1}}]}}"#)).param.is_some_and(|param| param.len() < 300));
    }
}
