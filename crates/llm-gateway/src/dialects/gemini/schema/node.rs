//! What happens to one node of a schema on its own: values, type, required names.

use super::Members;
use super::tree::{Json, find, set};

/// `enum` and `const`: Gemini takes strings only; other values are told in words.
pub(super) fn values(members: &Members, out: &mut Members) {
    let one;
    let list = match (find(members, "enum"), find(members, "const")) {
        (Some(Json::Array(list)), _) => list.as_slice(),
        (_, Some(value)) => {
            one = [value.clone()];
            &one
        }
        _ => return,
    };
    if list.contains(&Json::Null) {
        set(out, "nullable", Json::Bool(true));
    }
    let rest: Vec<&Json> = list.iter().filter(|value| **value != Json::Null).collect();
    if rest.is_empty() {
        return;
    }
    if rest.iter().all(|value| value.as_str().is_some()) {
        set(out, "type", Json::string("STRING"));
        set(out, "enum", Json::Array(rest.into_iter().cloned().collect()));
        return;
    }
    if find(out, "type").is_none() {
        set(out, "type", Json::string(type_of(rest[0])));
    }
    let told: Vec<String> = rest.iter().filter_map(|value| serde_json::to_string(value).ok()).collect();
    let told = format!("One of: {}.", told.join(", "));
    let description = match find(out, "description").and_then(Json::as_str) {
        Some(old) => format!("{old} {told}"),
        None => told,
    };
    set(out, "description", Json::String(description));
}

/// What must hold of the whole node: a known format, a type, only required properties that exist.
pub(super) fn finish(members: &Members, out: &mut Members) {
    let format = find(members, "format").and_then(Json::as_str);
    if let Some(format @ ("enum" | "date-time" | "float" | "double" | "int32" | "int64")) = format {
        set(out, "format", Json::string(format));
    }
    if find(members, "nullable") == Some(&Json::Bool(true)) {
        set(out, "nullable", Json::Bool(true));
    }
    if let Some(Json::Array(names)) = find(members, "required") {
        merge(out, vec![("required".to_owned(), Json::Array(names.clone()))]);
    }
    let known: Vec<String> = match find(out, "properties") {
        Some(Json::Object(properties)) => properties.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    };
    if let Some((_, Json::Array(names))) = out.iter_mut().find(|(key, _)| key == "required") {
        names.retain(|name| name.as_str().is_some_and(|name| known.iter().any(|known| known == name)));
    }
    out.retain(|(key, value)| key != "required" || *value != Json::Array(Vec::new()));
    if find(out, "type").is_none() && find(out, "anyOf").is_none() {
        let guess = if find(out, "properties").is_some() {
            "OBJECT"
        } else if find(out, "items").is_some() {
            "ARRAY"
        } else {
            "STRING"
        };
        out.insert(0, kind(guess));
    }
}

/// Joins `more` into `out`: properties and required names add up, everything else is overwritten.
pub(super) fn merge(out: &mut Members, more: Members) {
    for (key, value) in more {
        let old = out.iter_mut().find(|(name, _)| *name == key).map(|(_, old)| old);
        match (old, value) {
            (Some(Json::Object(old)), Json::Object(new)) if key == "properties" => {
                for (name, schema) in new {
                    set(old, &name, schema);
                }
            }
            (Some(Json::Array(old)), Json::Array(new)) if key == "required" => {
                for name in new {
                    if !old.contains(&name) {
                        old.push(name);
                    }
                }
            }
            (Some(old), value) => *old = value,
            (None, value) => out.push((key, value)),
        }
    }
}

/// The `type` member.
pub(super) fn kind(word: &str) -> (String, Json) {
    ("type".to_owned(), Json::string(word))
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "BOOLEAN",
        Json::Number(number) if number.is_f64() => "NUMBER",
        Json::Number(_) => "INTEGER",
        Json::Array(_) => "ARRAY",
        Json::Object(_) => "OBJECT",
        Json::Null | Json::String(_) => "STRING",
    }
}
