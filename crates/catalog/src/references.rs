//! `${NAME}`, `${NAME:-default}` and `${file:/path}`, resolved on values after parsing: what a variable holds can never
//! become YAML. `$${` stands for `${` itself.

use std::path::Path;

use crate::check::{Check, Place, join, nth};
use crate::load::Surroundings;
use crate::yaml::{Node, Value};

/// The most bytes one value may grow to.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Resolves every reference of the tree in place. What cannot be resolved is reported and becomes `Unresolved`.
pub(crate) fn resolve(node: &mut Node, path: &str, around: &Surroundings<'_>, check: &mut Check) {
    match &mut node.value {
        Value::List(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                resolve(item, &nth(path, n), around, check);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                resolve(&mut entry.value, &join(path, &entry.key), around, check);
            }
        }
        Value::Text(text) if text.contains("${") => {
            node.value = match expand(text, around) {
                Ok(text) => Value::Resolved(text),
                Err(reason) => {
                    check.error(Place::At(path, node.at), reason.message, reason.hint);
                    Value::Unresolved
                }
            };
        }
        _ => {}
    }
}

struct Reason {
    message: String,
    hint: Option<String>,
}

fn reason(message: impl Into<String>, hint: impl Into<String>) -> Reason {
    Reason { message: message.into(), hint: Some(hint.into()) }
}

fn expand(text: &str, around: &Surroundings<'_>) -> Result<String, Reason> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let end = after.find('}').ok_or_else(|| reason("`${` without its `}`", "write `$${` for a plain `${`"))?;
        out.push_str(&look_up(&after[..end], around)?);
        if out.len() > VALUE_BYTES_MAX {
            return Err(reason("the value grows beyond 256 KiB", "refer to a smaller file"));
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn look_up(reference: &str, around: &Surroundings<'_>) -> Result<String, Reason> {
    if let Some(path) = reference.strip_prefix("file:") {
        let path = around.folder.join(Path::new(path.trim()));
        return match (around.read)(&path) {
            // Editors and `echo` end files with a line break that is no part of a secret.
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                Err(reason(format!("cannot read {}: {error}", path.display()), "check that it exists and is readable"))
            }
        };
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(reason(
            format!("`${{{reference}}}` is not a reference"),
            "write ${NAME}, ${NAME:-default} or ${file:/path}; $${ for a plain ${",
        ));
    }
    match ((around.env)(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(reason(
            format!("environment variable {name} is not set"),
            format!("set it, or write ${{{name}:-default}}"),
        )),
    }
}
