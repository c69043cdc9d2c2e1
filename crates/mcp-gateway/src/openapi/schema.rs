//! Schemas of a document as JSON Schema 2020-12 that stands alone: what they refer to comes along under `$defs`, words of
//! OpenAPI 3.0 are said in JSON Schema's, and bounds hold however the document is knotted.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::refs;

/// Depth of one schema.
const DEPTH_MAX: usize = 64;
/// Objects and lists in the schemas of one tool.
const NODES_MAX: usize = 20_000;
/// Schemas under `$defs` of one tool.
const DEFINITIONS_MAX: usize = 256;

/// Words of OpenAPI that JSON Schema does not have, or that would make a schema mean another place.
const LEFT_OUT: [&str; 8] = ["nullable", "discriminator", "xml", "externalDocs", "example", "$id", "$schema", "id"];

/// A schema that cannot be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Makes the schemas of one tool, and gathers what they refer to.
pub(super) struct Schemas<'a> {
    document: &'a Value,
    /// OpenAPI 3.0, where `nullable` and its like are words.
    old: bool,
    nodes: usize,
    /// Reference to name under `$defs`.
    named: BTreeMap<String, String>,
    /// References whose schemas are still to be made.
    open: Vec<String>,
    definitions: Map<String, Value>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Value, old: bool) -> Self {
        let (named, open, definitions) = (BTreeMap::new(), Vec::new(), Map::new());
        Self { document, old, nodes: 0, named, open, definitions }
    }

    /// One schema, as it will stand in the tool's.
    pub(super) fn convert(&mut self, schema: &Value) -> Result<Value, TooLarge> {
        self.schema(schema, 0)
    }

    /// Everything the converted ones refer to, for `$defs`.
    pub(super) fn definitions(mut self) -> Result<Map<String, Value>, TooLarge> {
        while let Some(reference) = self.open.pop() {
            let schema = match refs::find(self.document, &reference) {
                Some(found) => self.schema(found, 0)?,
                None => json!({}),
            };
            if let Some(name) = self.named.get(&reference) {
                self.definitions.insert(name.clone(), schema);
            }
        }
        Ok(self.definitions)
    }

    fn schema(&mut self, schema: &Value, depth: usize) -> Result<Value, TooLarge> {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(TooLarge);
        }
        let Value::Object(written) = schema else {
            // `true` and `false` are schemas; anything else is none, and allows everything.
            return Ok(if schema.is_boolean() { schema.clone() } else { json!({}) });
        };
        let mut made = Map::new();
        for (word, value) in written {
            if let Some(value) = self.word(word, value, depth)? {
                made.insert(word.clone(), value);
            }
        }
        if self.old {
            bounds_of_3_0(&mut made);
            if written.get("nullable") == Some(&Value::Bool(true)) {
                return Ok(or_null(made));
            }
        }
        Ok(Value::Object(made))
    }

    fn word(&mut self, word: &str, value: &Value, depth: usize) -> Result<Option<Value>, TooLarge> {
        Ok(Some(match word {
            _ if LEFT_OUT.contains(&word) || word.starts_with("x-") => return Ok(None),
            "$ref" => match self.reference(value)? {
                Some(reference) => reference,
                None => return Ok(None),
            },
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => match value {
                Value::Object(members) => Value::Object(
                    members
                        .iter()
                        .map(|(name, member)| Ok((name.clone(), self.schema(member, depth + 1)?)))
                        .collect::<Result<_, TooLarge>>()?,
                ),
                _ => return Ok(None),
            },
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => match value {
                Value::Array(items) if !items.is_empty() => Value::Array(
                    items.iter().map(|item| self.schema(item, depth + 1)).collect::<Result<_, TooLarge>>()?,
                ),
                _ => return Ok(None),
            },
            "items"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => self.schema(value, depth + 1)?,
            // Values, not schemas: copied within the same bounds.
            _ => {
                self.count(value, depth)?;
                value.clone()
            }
        }))
    }

    fn count(&mut self, value: &Value, depth: usize) -> Result<(), TooLarge> {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(TooLarge);
        }
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.count(item, depth + 1)),
            Value::Object(members) => members.values().try_for_each(|member| self.count(member, depth + 1)),
            _ => Ok(()),
        }
    }

    /// A reference into `$defs`; `None` for one that leads out of the document, which then says nothing.
    fn reference(&mut self, value: &Value) -> Result<Option<Value>, TooLarge> {
        let Some(reference) = value.as_str().filter(|reference| reference.starts_with("#/")) else { return Ok(None) };
        if let Some(name) = self.named.get(reference) {
            return Ok(Some(format!("#/$defs/{name}").into()));
        }
        if self.named.len() >= DEFINITIONS_MAX {
            return Err(TooLarge);
        }
        let last = reference.rsplit('/').next().unwrap_or_default();
        let stem: String =
            last.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(*letter)).collect();
        let stem = if stem.is_empty() { "schema".to_owned() } else { stem };
        let taken = |name: &String| self.named.values().any(|known| known == name);
        let name =
            (2..).map(|n| format!("{stem}_{n}")).find(|name| !taken(name)).filter(|_| taken(&stem)).unwrap_or(stem);
        self.named.insert(reference.to_owned(), name.clone());
        self.open.push(reference.to_owned());
        Ok(Some(format!("#/$defs/{name}").into()))
    }
}

/// In 3.0, `exclusiveMinimum` is a flag beside `minimum`.
fn bounds_of_3_0(schema: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => {
                if let Some(value) = schema.remove(bound) {
                    schema.insert(exclusive.to_owned(), value);
                } else {
                    schema.remove(exclusive);
                }
            }
            Some(Value::Bool(false)) => drop(schema.remove(exclusive)),
            _ => {}
        }
    }
}

/// In 3.0, `nullable: true` stands beside a type.
fn or_null(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => {
            *kind = json!([kind.take(), "null"]);
            Value::Object(schema)
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}
