//! YAML text to a tree in which every key and value knows its line and column. Bounded in size, depth and aliases.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Options, Spanned};

use crate::problem::Position;

/// The largest file that is read.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The deepest nesting; the deepest key there is stands at depth 6.
const DEPTH_MAX: usize = 32;

/// A value and where it stands.
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Position,
}

/// A YAML value, scalars typed by the YAML 1.2 core schema. Never printed: it may hold secrets.
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// Text that came out of a `${…}`: it may also stand for a number or a truth value.
    Resolved(String),
    /// Text in which a stored secret stands: only a field for secrets takes it.
    Secret(String),
    /// A `${…}` that could not be resolved. It was reported; whatever is checked later keeps silent about it.
    Unresolved,
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

/// Why a text is not YAML.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Reads one document.
///
/// # Errors
/// When it is not UTF-8, not YAML, too large or too deep.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, Unreadable> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; {FILE_BYTES_MAX} are allowed", bytes.len());
        return Err(Unreadable { at: Position { line: 1, column: 1 }, message, hint: None });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, error.valid_up_to()))?;
    serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options())
        .map(Node::from)
        .map_err(|error| not_yaml(text, &error))
}

fn options() -> Options {
    let mut options = Options::default();
    // `off` and `yes` are words, not truth values: YAML 1.2, and `telemetry.content: off`.
    options.strict_booleans = true;
    // Found by the shape check, which reports all of them and where the first one stands.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.alias_limits.max_total_replayed_events = 20_000;
    options.budget = serde_saphyr::budget! {
        max_depth: DEPTH_MAX,
        flow_nesting_limit: DEPTH_MAX,
        max_events: 500_000,
        max_nodes: 250_000,
        max_aliases: 1_000,
        max_anchors: 1_000,
        max_merge_keys: 1_000,
        max_documents: 1,
    };
    options
}

fn not_text(bytes: &[u8], valid: usize) -> Unreadable {
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Unreadable {
        at: Position { line: small(line as u64), column: small(column as u64) },
        message: "this byte is not UTF-8".to_owned(),
        hint: Some("save the file as UTF-8".to_owned()),
    }
}

fn not_yaml(text: &str, error: &serde_saphyr::Error) -> Unreadable {
    let at = error.location().map_or(Position { line: 1, column: 1 }, position);
    let full = error.without_snippet().to_string();
    // The library ends its sentence with the place, which we print in front.
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(head, _)| head);
    let line = text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
    let hint = if line.contains('\t') {
        Some("indent with spaces, not tabs".to_owned())
    } else if line.contains("${") && line.contains('{') {
        Some("put values with `${…}` in quotes: \"${NAME}\"".to_owned())
    } else {
        None
    };
    Unreadable { at, message: format!("not readable as YAML: {message}"), hint }
}

fn position(location: Location) -> Position {
    Position { line: small(location.line()), column: small(location.column()) }
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { value: spanned.value, at: position(spanned.referenced) }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::Text(value.to_string()), Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(item.into());
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = items.next_key::<Spanned<String>>()? {
            let key_at = position(key.referenced);
            map.push(Entry { key: key.value, key_at, value: items.next_value::<Spanned<Value>>()?.into() });
        }
        Ok(Value::Map(map))
    }
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Resolved(_) | Self::Secret(_) | Self::Unresolved => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}
