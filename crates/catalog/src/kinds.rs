//! The kinds of object that can be declared, in the file or through the admin API: one row each. Paths of the API, the
//! command line, the merge of file and database and the mask over secrets all go by this table.

use serde_json::{Value as Json, json};

use crate::schema::{self, Known};

/// One kind of object.
#[derive(Debug)]
pub struct Kind {
    /// The word in paths and commands: `providers`.
    pub name: &'static str,
    /// The word for one of them: `provider`.
    pub one: &'static str,
    /// Where the file has them, by dots.
    pub section: &'static str,
    /// Whether the section is a list whose items carry a `name`, rather than a mapping by name.
    pub list: bool,
    /// The struct of `written` that describes one.
    definition: &'static str,
}

/// Every kind. Keys are not among them: their secrets are made here, so they have an API of their own.
pub const KINDS: &[Kind] = &[
    Kind { name: "models", one: "model", section: "models", list: false, definition: "Model" },
    Kind { name: "prices", one: "price", section: "prices.overrides", list: false, definition: "Price" },
    Kind { name: "providers", one: "provider", section: "providers", list: false, definition: "Provider" },
];

impl Kind {
    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The name of the schema of one object, among its definitions.
    #[must_use]
    pub const fn definition(&self) -> &'static str {
        self.definition
    }

    /// The JSON Schema of one object, definitions included.
    #[must_use]
    pub fn schema(&self) -> Json {
        let whole = schema::exact(Known::NOTHING);
        json!({ "$ref": format!("#/$defs/{}", self.definition), "$defs": whole["$defs"] })
    }

    /// Has an object of this kind such a field?
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        let schema = self.schema();
        schema::follow(&schema, &schema)["properties"].get(field).is_some()
    }

    /// Calls `visit` with every value of a body that stands where a secret belongs, and the JSON pointer to it.
    pub fn secrets(&self, body: &mut Json, visit: &mut dyn FnMut(&str, &mut Json)) {
        let schema = self.schema();
        walk(&schema, &schema, body, &mut String::new(), visit);
    }
}

/// What is shown in place of a secret: that there is one, and its end where four characters do not say too much.
#[must_use]
pub fn mask(secret: &str) -> Json {
    const LONG: usize = 16;
    let count = secret.chars().count();
    let last4: String = if count >= LONG { secret.chars().skip(count - 4).collect() } else { String::new() };
    json!({ "secret": true, "last4": last4 })
}

fn walk(root: &Json, schema: &Json, value: &mut Json, at: &mut String, visit: &mut dyn FnMut(&str, &mut Json)) {
    let schema = schema::follow(root, schema);
    if schema.get("writeOnly") == Some(&Json::Bool(true)) {
        if !value.is_null() {
            visit(at, value);
        }
        return;
    }
    let length = at.len();
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                let known = schema.get("properties").and_then(|known| known.get(name));
                let Some(inner) = known.or_else(|| schema.get("additionalProperties")) else { continue };
                at.push('/');
                at.push_str(&escaped(name));
                walk(root, inner, field, at, visit);
                at.truncate(length);
            }
        }
        Json::Array(items) => {
            let Some(inner) = schema.get("items") else { return };
            for (n, item) in items.iter_mut().enumerate() {
                at.push_str(&format!("/{n}"));
                walk(root, inner, item, at, visit);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// A name inside a JSON pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The rest of a path (`.targets[0].provider`) as a JSON pointer (`/targets/0/provider`).
pub(crate) fn pointer(rest: &str) -> String {
    let mut pointer = String::with_capacity(rest.len());
    for step in rest.split(['.', '[']).filter(|step| !step.is_empty()) {
        pointer.push('/');
        pointer.push_str(&escaped(step.strip_suffix(']').unwrap_or(step)));
    }
    pointer
}
