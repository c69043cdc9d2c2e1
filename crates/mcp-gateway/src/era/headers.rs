//! Headers that repeat parts of the body (2026-07-28, streamable HTTP, request metadata), on requests that come in and on
//! those that go out.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use serde_json::Value;

use crate::wire::{Kind, Raw, shown};

use super::Refusal;

/// `MCP-Protocol-Version`
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// `Mcp-Method`
pub const METHOD: &str = "mcp-method";
/// `Mcp-Name`
pub const NAME: &str = "mcp-name";
/// `Mcp-Session-Id` (legacy)
pub const SESSION_ID: &str = "mcp-session-id";
/// What the name of a header that mirrors an argument begins with.
pub const PARAM_PREFIX: &str = "mcp-param-";

/// The most arguments of one tool that are repeated: so many headers a request can carry.
pub const MIRRORS_MAX: usize = 64;

/// One argument that a tool wants repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The header's name, in lower case: `mcp-param-region`.
    pub header: Arc<str>,
    /// The way to the argument, through `properties` only.
    pub path: Vec<Arc<str>>,
}

/// An `x-mcp-header` annotation that may not be. The tool it belongs to is left out of lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("x-mcp-header: {0}")]
pub struct BadMirror(pub String);

/// The arguments that a tool's `inputSchema` wants repeated.
///
/// # Errors
/// When any annotation breaks a rule.
pub fn mirrors(input_schema: &Raw) -> Result<Vec<Mirror>, BadMirror> {
    let mut found = Vec::new();
    // Nearly no tool has any, and a schema without the word has none.
    if memchr::memmem::find(input_schema.bytes(), b"x-mcp-").is_none() && !input_schema.as_json().contains("\\u") {
        return Ok(found);
    }
    schema(&input_schema.value(), Some(&mut Vec::new()), &mut found)?;
    Ok(found)
}

/// Keywords whose value is a map of schemas under names that are nobody's keywords.
const MAPS: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is data, whatever it looks like.
const DATA: &[&str] = &["const", "enum", "default", "examples"];

/// Looks through one schema. `way` is the way there where it consists of `properties` alone.
fn schema(node: &Value, mut way: Option<&mut Vec<Arc<str>>>, found: &mut Vec<Mirror>) -> Result<(), BadMirror> {
    match node {
        Value::Array(schemas) => schemas.iter().try_for_each(|inner| schema(inner, None, found)),
        Value::Object(members) => {
            for (name, inner) in members {
                match (name.as_str(), inner) {
                    ("x-mcp-header", header) => found.push(mirror(node, header, way.as_deref(), found)?),
                    ("properties", Value::Object(properties)) => {
                        for (property, inner) in properties {
                            let Some(way) = way.as_deref_mut() else {
                                schema(inner, None, found)?;
                                continue;
                            };
                            way.push(property.as_str().into());
                            schema(inner, Some(way), found)?;
                            way.pop();
                        }
                    }
                    (map, Value::Object(schemas)) if MAPS.contains(&map) => {
                        schemas.values().try_for_each(|inner| schema(inner, None, found))?;
                    }
                    (data, _) if DATA.contains(&data) => {}
                    (_, inner) => schema(inner, None, found)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn mirror(node: &Value, header: &Value, way: Option<&Vec<Arc<str>>>, found: &[Mirror]) -> Result<Mirror, BadMirror> {
    let name = header.as_str().ok_or_else(|| BadMirror("the name must be a string".into()))?;
    let bad = |why: &str| BadMirror(format!("`{}`: {why}", shown(name)));
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(bad("the name must be a header token"));
    }
    let path = way.filter(|way| !way.is_empty());
    let path = path.ok_or_else(|| bad("it is not reachable through `properties` alone"))?;
    if !is_primitive(node.get("type")) {
        return Err(bad("only string, integer and boolean parameters can be mirrored"));
    }
    if found.len() >= MIRRORS_MAX {
        return Err(bad("too many parameters have one"));
    }
    let header: Arc<str> = format!("{PARAM_PREFIX}{}", name.to_ascii_lowercase()).into();
    if found.iter().any(|other| other.header == header) {
        return Err(bad("two parameters have it"));
    }
    Ok(Mirror { header, path: path.clone() })
}

/// One of the three types, perhaps with `null` beside it.
fn is_primitive(kind: Option<&Value>) -> bool {
    let named = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    match kind {
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter(|kind| kind.as_str() != Some("null"));
            kinds.next().is_some_and(named) && kinds.next().is_none()
        }
        Some(kind) => named(kind),
        None => false,
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Compares the `Mcp-Param-*` headers of a call with its arguments. Integers are compared as numbers.
///
/// # Errors
/// `HeaderMismatch`.
pub fn check_params(headers: &HeaderMap, mirrors: &[Mirror], arguments: Option<&Raw>) -> Result<(), Refusal> {
    for mirror in mirrors {
        let name = &mirror.header;
        let bad = |what: &str| Refusal::HeaderMismatch(format!("{name} {what}"));
        let argument = mirror.argument(arguments);
        if !headers.contains_key(&**name) {
            if argument.as_ref().is_some_and(|argument| plain(argument).is_some()) {
                return Err(bad("is missing, though the argument it mirrors is there"));
            }
            continue;
        }
        let header = only(headers, name).ok_or_else(|| bad("is sent more than once"))?;
        let header = decode(header).ok_or_else(|| bad("has invalid characters or encoding"))?;
        let argument = argument.ok_or_else(|| bad("is sent, but the argument it mirrors is not"))?;
        let same = match argument.as_whole() {
            Some(number) => Raw::trusted(header.into_owned().into()).as_whole() == Some(number),
            None => plain(&argument).is_some_and(|plain| plain == header),
        };
        if !same {
            return Err(bad("does not match the argument it mirrors"));
        }
    }
    Ok(())
}

/// The `Mcp-Param-*` headers to send with these arguments, ready for the wire. An argument that is missing or `null` has none.
#[must_use]
pub fn params(mirrors: &[Mirror], arguments: Option<&Raw>) -> Vec<(Arc<str>, Arc<str>)> {
    let header = |mirror: &Mirror| {
        let value = plain(&mirror.argument(arguments)?)?;
        Some((mirror.header.clone(), encode(&value).into()))
    };
    mirrors.iter().filter_map(header).collect()
}

impl Mirror {
    fn argument(&self, arguments: Option<&Raw>) -> Option<Raw> {
        let path: Vec<&str> = self.path.iter().map(|step| &**step).collect();
        arguments?.get(&path).filter(|argument| argument.kind() != Kind::Null)
    }
}

/// A primitive argument as text; `None` for what cannot be mirrored.
fn plain(argument: &Raw) -> Option<String> {
    match argument.kind() {
        Kind::Text => argument.as_text().map(Cow::into_owned),
        Kind::Bool => Some(argument.as_json().to_owned()),
        Kind::Number => argument.as_whole().map(|number| number.to_string()),
        _ => None,
    }
}

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// A value as it stands in a header: itself where it is plain, else `=?base64?…?=`.
#[must_use]
pub fn encode(value: &str) -> Cow<'_, str> {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = value.as_bytes();
    let plain = bytes.iter().all(|byte| is_plain(*byte)) && !blank(bytes.first()) && !blank(bytes.last());
    if plain && !(value.starts_with(OPEN) && value.ends_with(CLOSE)) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{OPEN}{}{CLOSE}", BASE64.encode(value)))
}

/// What a header's value says. `None` when it is neither plain nor well-formed base64 of UTF-8.
#[must_use]
pub fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let value = std::str::from_utf8(value).ok()?;
    if let Some(encoded) = value.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) {
        return String::from_utf8(BASE64.decode(encoded).ok()?).ok().map(Cow::Owned);
    }
    value.bytes().all(is_plain).then_some(Cow::Borrowed(value))
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7e)
}

/// The value of a header that is there exactly once, without blanks around it.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    // A request has few headers: to walk them costs less than to read and to hash a name that is looked for.
    let mut values = headers.iter().filter(|(header, _)| header.as_str() == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}
