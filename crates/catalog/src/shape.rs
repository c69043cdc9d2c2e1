//! Holds the tree against the schema: unknown, repeated and missing keys, wrong types, names outside a closed list.
//! All of them are reported, each with its place; what is sound comes back as JSON, so that the checks of meaning can
//! run on it even when something else is wrong.

use std::collections::HashMap;

use serde_json::{Map, Number, Value as Json, json};

use crate::check::{Check, Place, join, nth};
use crate::schema::allows;
use crate::yaml::{Entry, Node, Value};

/// Sections of the contract that this release does not have.
const LATER: &[&str] = &["registry"];

/// Checks the whole file.
pub(crate) fn check(root: &Node, schema: &Json, check: &mut Check) -> Json {
    let mut shape = Shape { schema, check };
    match &root.value {
        Value::Null => json!({}),
        Value::Map(entries) => shape.object(entries, schema, "").unwrap_or_else(|| json!({})),
        other => {
            let message = format!("expected a mapping of sections, found {}", other.noun());
            let hint = "start with a line such as `listen: 127.0.0.1:8080`".to_owned();
            shape.check.error(Place::At("", root.at), message, Some(hint));
            json!({})
        }
    }
}

struct Shape<'a> {
    schema: &'a Json,
    check: &'a mut Check,
}

impl<'a> Shape<'a> {
    /// The sound form of a value, or `None` if it has none (which was reported).
    fn value(&mut self, node: &Node, schema: &'a Json, path: &str) -> Option<Json> {
        let schema = self.follow(schema, node);
        if let Some(names) = names_of(schema) {
            return self.name(node, &names, path);
        }
        let kinds = schema.get("type");
        match &node.value {
            Value::Unresolved => None,
            Value::Secret(text) if schema.get("writeOnly") == Some(&Json::Bool(true)) => Some(json!(text)),
            Value::Secret(_) => self.secret(node, path),
            Value::Map(entries) if allows(kinds, "object") => self.object(entries, schema, path),
            Value::List(items) if allows(kinds, "array") => self.list(items, schema, path),
            Value::Text(text) | Value::Resolved(text) if allows(kinds, "string") => Some(json!(text)),
            Value::Bool(yes) if allows(kinds, "boolean") => Some(json!(yes)),
            Value::Number(number) if allows(kinds, "number") => Some(json!(number)),
            Value::Number(number) if allows(kinds, "integer") => self.integer(number, schema, path, node),
            Value::Resolved(text) => self.typed(text, schema, path, node),
            other if kinds.is_none() && holds_a_secret(other) => self.secret(node, path),
            other if kinds.is_none() => Some(untyped(other)),
            other => {
                let hint = (allows(kinds, "string") && !matches!(other, Value::List(_) | Value::Map(_) | Value::Null))
                    .then(|| "put it in quotes".to_owned());
                self.wrong(node, path, format!("expected {}, found {}", noun(kinds), other.noun()), hint)
            }
        }
    }

    fn secret(&mut self, node: &Node, path: &str) -> Option<Json> {
        let message = "a stored secret may not stand here: this field is shown";
        self.wrong(node, path, message.to_owned(), Some("fields for keys, tokens and headers take one".to_owned()))
    }

    fn wrong(&mut self, node: &Node, path: &str, message: String, hint: Option<String>) -> Option<Json> {
        self.check.error(Place::At(path, node.at), message, hint);
        None
    }

    /// Text out of a reference, where something else than text is expected.
    fn typed(&mut self, text: &str, schema: &'a Json, path: &str, node: &Node) -> Option<Json> {
        let kinds = schema.get("type");
        let text = text.trim();
        if text.is_empty() && allows(kinds, "null") {
            return Some(Json::Null);
        }
        if allows(kinds, "boolean")
            && let Ok(yes) = text.parse::<bool>()
        {
            return Some(json!(yes));
        }
        if (allows(kinds, "integer") || allows(kinds, "number"))
            && let Ok(number) = serde_json::from_str::<Number>(text)
        {
            return if allows(kinds, "number") {
                Some(json!(number))
            } else {
                self.integer(&number, schema, path, node)
            };
        }
        // The text itself is not shown: it came from the environment.
        self.wrong(node, path, format!("expected {}, but the reference resolves to something else", noun(kinds)), None)
    }

    fn integer(&mut self, number: &Number, schema: &Json, path: &str, node: &Node) -> Option<Json> {
        let max = match schema.get("format").and_then(Json::as_str) {
            Some("uint8") => u64::from(u8::MAX),
            Some("uint16") => u64::from(u16::MAX),
            Some("uint32") => u64::from(u32::MAX),
            _ => u64::MAX,
        };
        match number.as_u64() {
            Some(n) if n <= max => Some(json!(n)),
            _ => self.wrong(node, path, format!("expected a whole number from 0 to {max}, found {number}"), None),
        }
    }

    fn name(&mut self, node: &Node, names: &[&str], path: &str) -> Option<Json> {
        match &node.value {
            Value::Unresolved => None,
            Value::Secret(_) => self.secret(node, path),
            Value::Text(text) | Value::Resolved(text) if names.contains(&text.as_str()) => Some(json!(text)),
            Value::Text(text) => {
                let hint = self.check.near(text, names.iter().copied());
                self.wrong(node, path, format!("`{}` is not a known value", short(text)), hint)
            }
            other => {
                self.wrong(node, path, format!("expected one of {}, found {}", names.join(", "), other.noun()), None)
            }
        }
    }

    fn list(&mut self, items: &[Node], schema: &'a Json, path: &str) -> Option<Json> {
        let Some(item_schema) = schema.get("items").filter(|schema| schema.is_object()) else {
            if let Some(item) = items.iter().find(|item| holds_a_secret(&item.value)) {
                return self.secret(item, path);
            }
            return Some(Json::Array(items.iter().map(|item| untyped(&item.value)).collect()));
        };
        let checked: Vec<Option<Json>> =
            items.iter().enumerate().map(|(n, item)| self.value(item, item_schema, &nth(path, n))).collect();
        // An item left out would shift the places of all that follow it.
        checked.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
    }

    fn object(&mut self, entries: &[Entry], schema: &'a Json, path: &str) -> Option<Json> {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let mut sound = Map::new();
        let mut seen: HashMap<&str, u32> = HashMap::with_capacity(entries.len());
        for entry in entries {
            if let Some(first) = seen.insert(&entry.key, entry.key_at.line) {
                let message = format!("written twice; another one is in line {first}");
                self.check.error(
                    Place::At(&join(path, &entry.key), entry.key_at),
                    message,
                    Some("keep one".to_owned()),
                );
                continue;
            }
            let Some(value_schema) = properties.and_then(|known| known.get(&entry.key)).or(others) else {
                self.unknown(entry, properties, path);
                continue;
            };
            // A section whose lines are all comments is a section left out.
            if matches!(entry.value.value, Value::Null) && properties.is_some() && !required(schema, &entry.key) {
                continue;
            }
            if let Some(value) = self.value(&entry.value, value_schema, &join(path, &entry.key)) {
                sound.insert(entry.key.clone(), value);
            }
        }
        self.nothing_missing(entries, &sound, schema, path).then_some(Json::Object(sound))
    }

    fn unknown(&mut self, entry: &Entry, properties: Option<&Map<String, Json>>, path: &str) {
        let place = join(path, &entry.key);
        let (message, hint) = if path.is_empty() && LATER.contains(&entry.key.as_str()) {
            ("this section comes with a later release".to_owned(), Some("remove it".to_owned()))
        } else {
            let known = properties.into_iter().flat_map(|known| known.keys().map(String::as_str));
            ("unknown key".to_owned(), self.check.near(&entry.key, known))
        };
        self.check.error(Place::At(&place, entry.key_at), message, hint);
    }

    /// Reports what is required and not written. False if anything required is not there in a sound form.
    fn nothing_missing(&mut self, entries: &[Entry], sound: &Map<String, Json>, schema: &Json, path: &str) -> bool {
        let names = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        let mut complete = true;
        for name in names {
            complete &= sound.contains_key(name);
            if !entries.iter().any(|entry| entry.key == name) {
                self.check.error(Place::Path(path), format!("`{name}` is missing"), Some(format!("add `{name}: …`")));
            }
        }
        complete
    }

    /// The schema a reference leads to; of `X or null` the X; of a word or a mapping the one that is written.
    fn follow(&self, schema: &'a Json, node: &Node) -> &'a Json {
        let mut schema = schema;
        // The schema is ours; the bound is there so that no mistake in it can hang a start-up.
        for _ in 0..8 {
            if let Some(pointer) = schema.get("$ref").and_then(Json::as_str).and_then(|to| to.strip_prefix('#')) {
                let Some(target) = self.schema.pointer(pointer) else { break };
                schema = target;
            } else if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
                let mut choices = choices.iter().filter(|choice| !allows(choice.get("type"), "null"));
                let Some(first) = choices.next() else { break };
                schema = match &node.value {
                    Value::Map(_) => choices.find(|choice| self.is_object(choice)).unwrap_or(first),
                    _ => first,
                };
            } else {
                break;
            }
        }
        schema
    }

    fn is_object(&self, schema: &Json) -> bool {
        let target =
            schema.get("$ref").and_then(Json::as_str).and_then(|to| self.schema.pointer(to.strip_prefix('#')?));
        allows(target.unwrap_or(schema).get("type"), "object")
    }
}

fn required(schema: &Json, key: &str) -> bool {
    schema.get("required").and_then(Json::as_array).is_some_and(|names| names.iter().any(|name| name == key))
}

/// The names of a closed list: `enum`, or `oneOf` with a description for each.
fn names_of(schema: &Json) -> Option<Vec<&str>> {
    if let Some(names) = schema.get("enum").and_then(Json::as_array) {
        return Some(names.iter().filter_map(Json::as_str).collect());
    }
    let choices = schema.get("oneOf").and_then(Json::as_array)?;
    Some(choices.iter().filter_map(|choice| choice.get("const").and_then(Json::as_str)).collect())
}

/// A value whose type the schema leaves open.
pub(crate) fn untyped(value: &Value) -> Json {
    match value {
        Value::Null | Value::Unresolved | Value::Secret(_) => Json::Null,
        Value::Bool(yes) => json!(yes),
        Value::Number(number) => json!(number),
        Value::Text(text) | Value::Resolved(text) => json!(text),
        Value::List(items) => Json::Array(items.iter().map(|item| untyped(&item.value)).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), untyped(&entry.value.value))).collect())
        }
    }
}

/// Does a stored secret stand anywhere in it?
pub(crate) fn holds_a_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(items) => items.iter().any(|item| holds_a_secret(&item.value)),
        Value::Map(entries) => entries.iter().any(|entry| holds_a_secret(&entry.value.value)),
        _ => false,
    }
}

fn noun(kinds: Option<&Json>) -> &'static str {
    const NOUNS: &[(&str, &str)] = &[
        ("object", "a mapping"),
        ("array", "a list"),
        ("boolean", "true or false"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("string", "text"),
    ];
    NOUNS.iter().find(|(kind, _)| allows(kinds, kind)).map_or("another value", |(_, noun)| noun)
}

/// Enough of a wrong name to recognise it.
fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}
