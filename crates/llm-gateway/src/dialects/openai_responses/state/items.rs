//! The items of a request in the long form in which they are kept and listed: each with a type and an id.

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialects::openai_shared::wire::{TextOr, broken, raw_elements};
use crate::dialects::shared::place::read_request;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    input: TextOr<serde::de::IgnoredAny>,
}

/// What decides how an item must be completed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    r#type: Option<String>,
    id: Option<String>,
    role: Option<String>,
    content: TextOr<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    role: &'a str,
    content: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// The input items of a request. Missing ids are made of the response's id and the item's place.
pub(super) fn with_ids(body: &[u8], response_id: &str) -> Result<Vec<Box<RawValue>>, Fault> {
    let Input { input } = read_request(body)?;
    let call = response_id.trim_start_matches("resp_");
    match input {
        TextOr::Text(text) => Ok(vec![message(&format!("msg_{call}_in0"), "user", &text)?]),
        TextOr::Parts(_) => raw_elements(body, "input")
            .into_iter()
            .enumerate()
            .map(|(index, raw)| complete(raw, &format!("{call}_in{index}")))
            .collect(),
        TextOr::None | TextOr::Other => Ok(Vec::new()),
    }
}

fn complete(raw: Box<RawValue>, suffix: &str) -> Result<Box<RawValue>, Fault> {
    let head: Head = serde_json::from_str(raw.get()).map_err(broken)?;
    let is_message = head.r#type.as_deref().is_none_or(|kind| kind == "message");
    if let (true, TextOr::Text(text)) = (is_message, &head.content) {
        let id = head.id.unwrap_or_else(|| format!("msg_{suffix}"));
        return message(&id, head.role.as_deref().unwrap_or("user"), text);
    }
    let mut missing = String::new();
    if head.id.is_none() {
        let prefix = prefix_of(head.r#type.as_deref());
        missing.push_str(&format!("\"id\":\"{prefix}_{suffix}\","));
    }
    if head.r#type.is_none() {
        missing.push_str("\"type\":\"message\",");
    }
    if missing.is_empty() {
        return Ok(raw);
    }
    // An item is never an empty object here: a message has a role, everything else a type.
    let rest = raw.get().trim_start().strip_prefix('{').unwrap_or_default();
    from_text(format!("{{{missing}{rest}"))
}

/// How ids of this type of item begin.
fn prefix_of(kind: Option<&str>) -> &'static str {
    match kind {
        None | Some("message") => "msg",
        Some("function_call") => "fc",
        Some("function_call_output") => "fco",
        Some("reasoning") => "rs",
        Some(_) => "item",
    }
}

fn message(id: &str, role: &str, text: &str) -> Result<Box<RawValue>, Fault> {
    let part = if role == "assistant" { "output_text" } else { "input_text" };
    let content = [Part { r#type: part, text }];
    let message = Message { id, r#type: "message", status: "completed", role, content };
    serde_json::value::to_raw_value(&message).map_err(defect)
}

fn from_text(text: String) -> Result<Box<RawValue>, Fault> {
    RawValue::from_string(text).map_err(defect)
}

fn defect(_: serde_json::Error) -> Fault {
    Fault::new(Code::Internal, "An item of the request cannot be kept.")
}
