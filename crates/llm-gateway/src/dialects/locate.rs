//! Which field a refused request body is about: serde says line and column, a client wants `messages[2].content`.

use gatehouse_domain::{Code, Fault};
use serde_json::error::Category;

/// Longest excerpt of serde's own words in a message; they may quote the client's value in full.
const WORDS_MAX: usize = 200;

/// The fault for a request body that serde refused: `InvalidJson`, or `InvalidRequest` naming the field.
pub(crate) fn refused(body: &[u8], error: &serde_json::Error) -> Fault {
    let mut words = error.to_string();
    if let Some((cut, _)) = words.char_indices().nth(WORDS_MAX) {
        words.truncate(cut);
    }
    if error.classify() != Category::Data {
        return Fault::new(Code::InvalidJson, format!("the body is not valid JSON: {words}"));
    }
    let fault = Fault::new(Code::InvalidRequest, format!("the body is not what this path takes: {words}"));
    let path = path_at(body, offset(body, error.line(), error.column()));
    if path.is_empty() { fault } else { fault.at(path) }
}

/// A fault about one field, found after parsing.
pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Fault {
    Fault::new(Code::InvalidRequest, message.into()).at(param)
}

fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let before = line.saturating_sub(1);
    let start = match before {
        0 => 0,
        _ => memchr::memchr_iter(b'\n', body).nth(before - 1).map_or(0, |at| at + 1),
    };
    (start + column).min(body.len())
}

/// One open container and where in it the scan stands.
enum Level<'a> {
    Object { key: Option<&'a [u8]>, wants_key: bool },
    Array(usize),
}

/// The path of the value that is open, or was just read, at `end`.
fn path_at(body: &[u8], end: usize) -> String {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while at < end {
        match body[at] {
            b'{' => levels.push(Level::Object { key: None, wants_key: true }),
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => {
                levels.pop();
            }
            b',' => match levels.last_mut() {
                Some(Level::Object { wants_key, .. }) => *wants_key = true,
                Some(Level::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let close = string_end(body, at + 1);
                if let Some(Level::Object { key, wants_key }) = levels.last_mut()
                    && std::mem::take(wants_key)
                {
                    *key = body.get(at + 1..close);
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    render(&levels)
}

/// Index of the quote that ends the string whose first byte is at `at`; the end of the body if none does.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at.min(body.len())
}

fn render(levels: &[Level<'_>]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object { key: Some(key), .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(key));
            }
            Level::Object { key: None, .. } => {}
            Level::Array(index) => {
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

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Turn {
        #[serde(default)]
        text: String,
    }
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Body {
        #[serde(default)]
        turns: Vec<Turn>,
        #[serde(default)]
        heat: f64,
    }

    fn param(body: &str) -> Option<String> {
        let error = serde_json::from_str::<Body>(body).expect_err("must be refused");
        refused(body.as_bytes(), &error).param
    }

    #[test]
    fn the_refused_field_is_named_wherever_it_stands() {
        assert_eq!(param(r#"{"heat":"hot"}"#).as_deref(), Some("heat"));
        assert_eq!(param(r#"{"turns":[{"text":"a"},{"text":7}]}"#).as_deref(), Some("turns[1].text"));
        assert_eq!(param("{\n \"turns\": [\n  {\"text\": {\"x\": 1}}]}").as_deref(), Some("turns[0].text"));
        assert_eq!(param(r#"{"turns":{"a\"b":1}}"#).as_deref(), Some("turns"));
    }

    #[test]
    fn what_is_not_json_is_called_so() {
        let error = serde_json::from_str::<Body>("{\"heat\":").expect_err("must be refused");
        assert_eq!(refused(b"{\"heat\":", &error).code, Code::InvalidJson);
    }
}
