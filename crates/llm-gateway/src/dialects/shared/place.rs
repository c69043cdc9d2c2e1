//! Which field is a JSON error about? serde knows the line and column only; this walks the body up to there and keeps
//! the path. It runs on the error path alone, so good requests pay nothing for it.

use gatehouse_domain::{Code, Fault};
use serde::Deserialize;
use serde_json::error::Category;

/// Longest piece of a path: keys are the caller's, and may be anything.
const KEY_CHARS_MAX: usize = 64;

/// Reads a request body.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` with `param` naming the field.
pub(in crate::dialects) fn read_request<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => {
            let fault =
                Fault::new(Code::InvalidRequest, format!("the request does not have the expected shape: {error}"));
            match path_at(body, offset(body, error.line(), error.column())) {
                path if path.is_empty() => fault,
                path => fault.at(path),
            }
        }
        Category::Io | Category::Syntax | Category::Eof => {
            Fault::new(Code::InvalidJson, format!("the request body is not JSON: {error}"))
        }
    })
}

/// Reads a whole answer, or one event of a streamed one.
///
/// # Errors
/// `UpstreamBroken`.
pub(in crate::dialects) fn read_upstream<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::new(Code::UpstreamBroken, format!("the provider's answer does not have the expected shape: {error}"))
    })
}

/// A fault about one field of a request.
pub(in crate::dialects) fn wrong(path: impl Into<String>, why: &'static str) -> Fault {
    Fault::new(Code::InvalidRequest, why).at(path)
}

/// Bytes consumed when serde stopped at this line and column.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let line_start = match line.checked_sub(2) {
        Some(newline) => memchr::memchr_iter(b'\n', body).nth(newline).map_or(0, |at| at + 1),
        None => 0,
    };
    line_start.saturating_add(column).min(body.len())
}

enum Step {
    Field(String),
    Item(usize),
}

/// The path (`messages[2].content`) of the value that holds byte `end`.
fn path_at(body: &[u8], end: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut text_start = None;
    let mut last_text = "";
    let mut at = 0;
    // A closing bracket or comma as the last byte still belongs to the value that went wrong.
    while at < end {
        let byte = body[at];
        match (text_start, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(start), b'"') => {
                last_text = std::str::from_utf8(&body[start..at]).unwrap_or("?");
                text_start = None;
            }
            (Some(_), _) => {}
            (None, b'"') => text_start = Some(at + 1),
            (None, b'{') => steps.push(Step::Field(String::new())),
            (None, b'[') => steps.push(Step::Item(0)),
            (None, b'}' | b']') if at + 1 < end => drop(steps.pop()),
            (None, b':') => {
                if let Some(Step::Field(name)) = steps.last_mut() {
                    name.extend(last_text.chars().take(KEY_CHARS_MAX));
                }
            }
            (None, b',') if at + 1 < end => match steps.last_mut() {
                Some(Step::Item(index)) => *index += 1,
                Some(Step::Field(name)) => name.clear(),
                None => {}
            },
            (None, _) => {}
        }
        at += 1;
    }
    written(&steps)
}

fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) if name.is_empty() => {}
            Step::Field(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Item(index) => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "n")]
        _n: Option<u64>,
        #[serde(rename = "list")]
        _list: Option<Vec<Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(rename = "text")]
        _text: Option<String>,
    }

    fn param(body: &str) -> Option<String> {
        read_request::<Body>(body.as_bytes()).err().and_then(|fault| fault.param)
    }

    #[test]
    fn the_field_of_a_wrong_type_is_named() {
        assert_eq!(param(r#"{"n":"x"}"#).as_deref(), Some("n"));
        assert_eq!(param("{\n \"n\" : {},\n \"list\": []}").as_deref(), Some("n"));
        assert_eq!(param(r#"{"list":[{"text":"a, ]}\""},{"text": 7}]}"#).as_deref(), Some("list[1].text"));
        assert_eq!(param(r#"{"list":[{},"x"]}"#).as_deref(), Some("list[1]"));
    }

    #[test]
    fn half_a_body_is_not_json() {
        let code = read_request::<Body>(br#"{"n":"#).err().map(|fault| fault.code);
        assert_eq!(code, Some(Code::InvalidJson));
    }
}
