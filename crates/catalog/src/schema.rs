//! The JSON Schema of the configuration file. It is derived from the structs in `written` and comes along as the file
//! `schema.json`, which a test holds to them: the program brings the schema, not what derives it.

use std::collections::BTreeMap;

use gatehouse_packed::packed;
use serde_json::{Value, json};

use crate::written;

/// The names other crates own: which kinds of provider and which strategies there are.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Values of `providers.*.kind`.
    pub provider_kinds: &'a [&'a str],
    /// Values of `models.*.strategy`.
    pub strategies: &'a [&'a str],
}

impl Known<'_> {
    /// For those who ask about shapes only.
    pub(crate) const NOTHING: Self = Self { provider_kinds: &[], strategies: &[] };
}

/// The schema a reference leads to, and of `X or null` the X.
pub(crate) fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    // The schema is ours; the bound is there so that no mistake in it can hang a start-up.
    for _ in 0..8 {
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#')) {
            let Some(target) = root.pointer(pointer) else { break };
            schema = target;
        } else if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let Some(choice) = choices.iter().find(|choice| !allows(choice.get("type"), "null")) else { break };
            schema = choice;
        } else {
            break;
        }
    }
    schema
}

/// The schema editors use (`gatehouse schema`): every value may also be a `${…}` reference.
#[must_use]
pub fn published(known: Known<'_>) -> Value {
    let mut schema = exact(known);
    let defs = schema.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flat_map(|defs| defs.values_mut());
    for object in defs {
        allow_references(object);
    }
    allow_references(&mut schema);
    schema
}

/// The schemas of one limit and of one budget, each whole in itself, for the document of the admin API.
#[must_use]
pub fn terms() -> [Value; 2] {
    let whole = || {
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
    };
    let limit = whole().into_generator().into_root_schema_for::<written::Limit>();
    let budget = whole().into_generator().into_root_schema_for::<written::Budget>();
    [limit.to_value(), budget.to_value()]
}

/// The schema of one definition, by the name of its struct.
pub(crate) fn of(definition: &str) -> Value {
    let definitions = exact(Known::NOTHING)["$defs"].take();
    let mut schema = definitions[definition].clone();
    schema["$defs"] = definitions;
    schema
}

/// The schema after references are resolved: what the shape check walks.
pub(crate) fn exact(known: Known<'_>) -> Value {
    // A test reads the same text; an empty schema would allow no field at all.
    let mut schema = serde_json::from_str(&packed!("schema.json")).unwrap_or_default();
    limit_names(&mut schema, "Provider", "kind", known.provider_kinds);
    limit_names(&mut schema, "Model", "strategy", known.strategies);
    schema
}

fn limit_names(schema: &mut Value, object: &str, property: &str, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    let place = schema.pointer_mut(&format!("/$defs/{object}/properties/{property}")).and_then(Value::as_object_mut);
    if let Some(place) = place {
        place.insert("enum".to_owned(), json!(names));
        place.insert("type".to_owned(), json!("string"));
    }
}

/// Numbers, truth values and closed lists of names also take text with a reference in it.
fn allow_references(object: &mut Value) {
    let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for property in properties.values_mut() {
        let Some(fields) = property.as_object_mut() else { continue };
        let closed = fields.contains_key("enum")
            || ["integer", "number", "boolean"].iter().any(|kind| allows(fields.get("type"), kind));
        if !closed {
            continue;
        }
        let mut outer = BTreeMap::new();
        for kept in ["description", "default"] {
            if let Some(value) = fields.remove(kept) {
                outer.insert(kept, value);
            }
        }
        let reference = json!({ "type": "string", "pattern": r"\$\{.+\}" });
        outer.insert("anyOf", json!([Value::Object(std::mem::take(fields)), reference]));
        *property = json!(outer);
    }
}

/// Whether a `type` of a schema, one name or a list of them, allows a type.
pub(crate) fn allows(kinds: Option<&Value>, kind: &str) -> bool {
    match kinds {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What editors and the check of a file go by is what the file is read by. `UPDATE_GOLDEN=1` rewrites it.
    #[test]
    fn the_schema_that_comes_along_is_that_of_the_structs() {
        let derived = format!("{:#}\n", schemars::schema_for!(written::File).to_value());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema.json"), derived).unwrap();
            return;
        }
        assert!(
            derived == packed!("schema.json"),
            "the schema has changed: UPDATE_GOLDEN=1 cargo test, and read the diff"
        );
    }
}
