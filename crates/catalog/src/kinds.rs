//! The kinds of object that can be declared, in the file or through the admin API: one row each. Paths of the API, the
//! command line, the merge of file and database and the mask over secrets all go by this table.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use crate::schema::{self, Known};

/// The schema of the whole file: it is asked for every object of every reload.
static WHOLE: LazyLock<Json> = LazyLock::new(|| schema::exact(Known::NOTHING));

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
    /// Is it about everybody? Then only the organisation that runs this instance may declare it.
    pub of_instance: bool,
    /// The struct of `written` that describes one.
    definition: &'static str,
    /// Fields that only the configuration file may have, because they start programs or read files of this machine.
    only_in_file: &'static [&'static str],
}

/// Every kind. Keys are not among them: their secrets are made here, so they have an API of their own.
pub const KINDS: &[Kind] = &[
    Kind::mapping("agents", "agent", "agents", "Agent"),
    Kind::list("guardrails", "guardrail", "Guardrail").of_instance(),
    Kind::list("limits", "limit", "LimitsOn").of_instance(),
    Kind {
        only_in_file: &["command", "env", "cwd"],
        ..Kind::mapping("mcp_servers", "MCP server", "mcp_servers", "McpServer")
    },
    Kind::mapping("models", "model", "models", "Model"),
    Kind::mapping("organisations", "organisation", "organisations", "Organisation").of_instance(),
    Kind::list("policies", "policy", "Policy").of_instance(),
    Kind::mapping("prices", "price", "prices.overrides", "Price"),
    Kind::mapping("providers", "provider", "providers", "Provider"),
    Kind::mapping("service_accounts", "service account", "service_accounts", "ServiceAccount"),
    Kind::mapping("teams", "team", "teams", "Team"),
    Kind::mapping("toolsets", "toolset", "toolsets", "Toolset"),
    Kind::mapping("users", "user", "users", "User"),
];

impl Kind {
    const fn mapping(name: &'static str, one: &'static str, section: &'static str, definition: &'static str) -> Self {
        Self { name, one, section, list: false, of_instance: false, definition, only_in_file: &[] }
    }

    const fn list(name: &'static str, one: &'static str, definition: &'static str) -> Self {
        Self { list: true, ..Self::mapping(name, one, name, definition) }
    }

    const fn of_instance(self) -> Self {
        Self { of_instance: true, ..self }
    }

    /// Why an object of the database may not be as it is, and which of its fields is to blame: what starts programs or reads
    /// files comes from the configuration file alone, never over the network.
    pub(crate) fn of_the_file_alone(&self, body: &Json) -> Option<(&'static str, &'static str)> {
        let field = self.only_in_file.iter().find(|field| body.get(**field).is_some_and(|value| !value.is_null()));
        if let Some(field) = field {
            return Some((field, "declare the server in the configuration file"));
        }
        let names_a_file = self.name == "mcp_servers" && body.get("openapi").is_some_and(Json::is_string);
        names_a_file.then_some(("openapi", "send the document itself in place of the name of a file"))
    }

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

    /// The JSON Schema of one object's body, definitions included. Its name is no part of it.
    #[must_use]
    pub fn schema(&self) -> Json {
        let mut definitions = WHOLE["$defs"].clone();
        if self.list {
            let one = &mut definitions[self.definition];
            if let Some(properties) = one["properties"].as_object_mut() {
                properties.remove("name");
            }
            if let Some(required) = one["required"].as_array_mut() {
                required.retain(|field| field != "name");
            }
        }
        json!({ "$ref": format!("#/$defs/{}", self.definition), "$defs": definitions })
    }

    /// Has an object of this kind such a field?
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        WHOLE["$defs"][self.definition]["properties"].get(field).is_some()
    }

    /// Calls `visit` with every value of a body that stands where a secret belongs, and the JSON pointer to it.
    pub fn secrets(&self, body: &mut Json, visit: &mut dyn FnMut(&str, &mut Json)) {
        walk(&WHOLE, &WHOLE["$defs"][self.definition], body, &mut String::new(), visit);
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
