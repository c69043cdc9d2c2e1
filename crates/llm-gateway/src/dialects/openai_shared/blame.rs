//! Names the field a JSON error is about. Runs only when reading failed, so the reading itself keeps no paths.

use gatehouse_domain::{Code, Fault};

/// Longest field name reported.
const PARAM_BYTES_MAX: usize = 200;

/// Turns an error of `serde_json` over `body` into a fault that names the field.
pub(crate) fn blame(body: &[u8], error: &serde_json::Error) -> Fault {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let reason = text.strip_suffix(&position).unwrap_or(&text);
    if !error.is_data() {
        return Fault::new(Code::InvalidJson, format!("The request body is not JSON: {reason}{position}."));
    }
    let mut param = path_at(body, offset_of(body, error.line(), error.column()));
    if let Some(name) = reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        push_key(&mut param, name);
    }
    if param.is_empty() {
        return Fault::new(Code::InvalidRequest, format!("The request is not what this path takes: {reason}."));
    }
    Fault::new(Code::InvalidRequest, format!("`{param}` is not what this path takes: {reason}.")).at(param)
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
