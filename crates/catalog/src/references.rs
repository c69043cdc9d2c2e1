//! `${NAME}`, `${NAME:-default}`, `${file:/path}` and `${secret:NAME}`, resolved on values after parsing: what a variable
//! holds can never become YAML. `$${` stands for `${` itself.
//!
//! The file may have all four; objects of the database only the last, because what comes over the network reads no
//! environment and no file. A secret stays marked as one until the shape check has seen that it stands where a secret
//! belongs: every other field is shown, logged or exported.

use std::path::Path;

use gatehouse_domain::DEFAULT_ORGANISATION;

use crate::check::{Check, Place, join, nth};
use crate::load::Surroundings;
use crate::problem::did_you_mean;
use crate::secrets::{Secrets, is_secret_name};
use crate::yaml::{Node, Value};

/// The most bytes one value may grow to.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Resolves every reference of a configuration file's tree in place. What cannot be resolved is reported and becomes
/// `Unresolved`.
pub(crate) fn resolve(root: &mut Node, around: &Surroundings<'_>, check: &mut Check) {
    each(root, "", check, &|path, text| {
        // Whose secrets could be open before the vault is?
        if path.starts_with("storage.") && text.contains(SECRET) {
            return Err(reason("what opens the vault cannot be kept in it", "write ${NAME} or ${file:/path}"));
        }
        expand(text, "${", &|reference| in_file(reference, around))
    });
}

/// The same for a file of objects. References to secrets stay: the gateway that will have the objects follows them. So what
/// comes out is text as its admin API takes it, in which a plain `${` is written `$${`.
pub(crate) fn resolve_but_secrets(root: &mut Node, around: &Surroundings<'_>, check: &mut Check) {
    let look_up = |reference: &str| match in_file(reference, around)? {
        Found::Secret(_) => Ok(Found::Text(format!("${{{reference}}}"))),
        Found::Text(text) => Ok(Found::Text(text.replace("${", "$${"))),
    };
    each(root, "", check, &|_, text| expand(text, "$${", &look_up));
}

fn each(node: &mut Node, path: &str, check: &mut Check, expanded: &dyn Fn(&str, &str) -> Result<Value, Reason>) {
    match &mut node.value {
        Value::List(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                each(item, &nth(path, n), check, expanded);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                each(&mut entry.value, &join(path, &entry.key), check, expanded);
            }
        }
        Value::Text(text) if text.contains("${") => {
            node.value = expanded(path, text).unwrap_or_else(|reason| {
                check.error(Place::At(path, node.at), reason.message, reason.hint);
                Value::Unresolved
            });
        }
        _ => {}
    }
}

/// The value of a text of the database, whose only references are to secrets of its own organisation.
pub(crate) fn of_database(text: &str, organisation: &str, around: &Surroundings<'_>) -> Result<Value, Reason> {
    let look_up = |reference: &str| match reference.strip_prefix("secret:") {
        Some(name) => secret(name, organisation, around.secrets),
        None => Err(reason(
            "only the file may refer to the environment or to files",
            "write the value itself, or ${secret:NAME}; `gatehouse apply` resolves references where it runs",
        )),
    };
    expand(text, "${", &look_up)
}

/// Is this text a reference to a secret, and nothing else? Such a text is no secret itself.
#[must_use]
pub fn refers_to_a_secret(text: &str) -> bool {
    text.strip_prefix(SECRET).and_then(|rest| rest.strip_suffix('}')).is_some_and(is_secret_name)
}

const SECRET: &str = "${secret:";

/// Why a reference leads nowhere.
pub(crate) struct Reason {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

fn reason(message: impl Into<String>, hint: impl Into<String>) -> Reason {
    Reason { message: message.into(), hint: Some(hint.into()) }
}

/// What a reference stands for.
enum Found {
    Text(String),
    Secret(String),
}

/// The value of a text; `plain` is what `$${` becomes.
fn expand(text: &str, plain: &str, look_up: &dyn Fn(&str) -> Result<Found, Reason>) -> Result<Value, Reason> {
    let (mut out, mut secret) = (String::with_capacity(text.len()), false);
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str(plain);
            rest = after;
            continue;
        }
        out.push_str(before);
        let end = after.find('}').ok_or_else(|| reason("`${` without its `}`", "write `$${` for a plain `${`"))?;
        let found = look_up(&after[..end])?;
        secret |= matches!(found, Found::Secret(_));
        let (Found::Text(found) | Found::Secret(found)) = found;
        out.push_str(&found);
        if out.len() > VALUE_BYTES_MAX {
            return Err(reason("the value grows beyond 256 KiB", "refer to a smaller file"));
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(if secret { Value::Secret(out) } else { Value::Resolved(out) })
}

fn in_file(reference: &str, around: &Surroundings<'_>) -> Result<Found, Reason> {
    if let Some(name) = reference.strip_prefix("secret:") {
        return secret(name, DEFAULT_ORGANISATION, around.secrets);
    }
    if let Some(path) = reference.strip_prefix("file:") {
        let path = around.folder.join(Path::new(path.trim()));
        return match (around.read)(&path) {
            // Editors and `echo` end files with a line break that is no part of a secret.
            Ok(text) => Ok(Found::Text(text.trim_end_matches(['\r', '\n']).to_owned())),
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
            "write ${NAME}, ${NAME:-default}, ${file:/path} or ${secret:NAME}; $${ for a plain ${",
        ));
    }
    match ((around.env)(name), default) {
        (Some(value), None) => Ok(Found::Text(value)),
        (Some(value), Some(_)) if !value.is_empty() => Ok(Found::Text(value)),
        (_, Some(default)) => Ok(Found::Text(default.to_owned())),
        (None, None) => Err(reason(
            format!("environment variable {name} is not set"),
            format!("set it, or write ${{{name}:-default}}"),
        )),
    }
}

fn secret(name: &str, organisation: &str, secrets: Secrets<'_>) -> Result<Found, Reason> {
    if !is_secret_name(name) {
        return Err(reason(
            format!("`${{secret:{name}}}` names no secret"),
            "a name has 1 to 128 letters, digits and any of . _ - /",
        ));
    }
    match secrets {
        // Long enough for what is only checked for its length, and no two alike.
        Secrets::NotOpen => Ok(Found::Secret(format!("the secret {name}, which is not open yet"))),
        Secrets::Open(open) => match open.get(organisation, name) {
            Some(Ok(secret)) => Ok(Found::Secret(secret.reveal().to_owned())),
            Some(Err(why)) => Err(Reason { message: format!("the secret `{name}` does not open: {why}"), hint: None }),
            None => Err(Reason {
                message: format!("there is no secret `{name}`"),
                hint: did_you_mean(name, open.names(organisation))
                    .or_else(|| Some(format!("store it: gatehouse secrets set {name}"))),
            }),
        },
    }
}
