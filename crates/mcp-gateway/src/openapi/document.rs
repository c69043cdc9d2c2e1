//! The operations of a document as tools, and why some are left out.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::body::{Body, Kind};
use super::names::Names;
use super::parameter::{Location, Parameter, Style};
use super::path::Template;
use super::refs::follow;
use super::schema::{Schemas, TooLarge};

/// Operations of one document that become tools.
const OPERATIONS_MAX: usize = 2_000;
/// Parameters of one operation.
const PARAMETERS_MAX: usize = 200;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Bytes of a tool's definition.
const TOOL_BYTES_MAX: usize = 256 << 10;

/// Methods that become tools, and what may be said of a call of each: reads only, destroys, does the same twice as once.
const METHODS: [(&str, Method, [bool; 3]); 5] = [
    ("get", Method::GET, [true, false, true]),
    ("put", Method::PUT, [false, true, true]),
    ("post", Method::POST, [false, true, false]),
    ("delete", Method::DELETE, [false, true, true]),
    ("patch", Method::PATCH, [false, true, false]),
];

/// An HTTP API, read.
#[derive(Clone, Debug)]
pub struct Api {
    /// What it calls itself.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What it says of itself, cut where it is long.
    pub description: Option<String>,
    /// What can be called, in the order of paths and methods.
    pub operations: Vec<Operation>,
    /// What cannot.
    pub skipped: Vec<Skipped>,
}

/// One operation as a tool.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The tool's name.
    pub name: Arc<str>,
    /// The tool's definition as `tools/list` shows it.
    pub tool: Value,
    pub(super) method: Method,
    pub(super) template: Template,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
}

/// An operation that became no tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Method and path.
    pub operation: String,
    /// Why, in a few words.
    pub why: &'static str,
}

/// Why a document is no API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiFault {
    /// No `openapi`, or none of the versions that are read.
    #[error("it is no OpenAPI document of version 3.0 or 3.1 (`openapi: 3.x.y` is missing or something else)")]
    Version,
    /// No `paths`.
    #[error("it has no `paths`")]
    NoPaths,
    /// Not one operation can be called.
    #[error("none of its operations can become a tool; the first one: {0}")]
    Nothing(Skipped),
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.why)
    }
}

impl Api {
    /// Reads a document. Nothing but the document is looked at, and work and memory are bounded.
    ///
    /// # Errors
    /// See [`ApiFault`]. An operation that cannot be read is left out and listed, the others stay.
    pub fn read(document: &Value) -> Result<Self, ApiFault> {
        let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
        let old = version.starts_with("3.0.");
        if !old && !version.starts_with("3.1.") {
            return Err(ApiFault::Version);
        }
        let paths = document.get("paths").and_then(Value::as_object).ok_or(ApiFault::NoPaths)?;
        let mut reader = Reader { document, old, names: Names::default(), operations: Vec::new(), skipped: Vec::new() };
        let mut sorted: Vec<(&String, &Value)> = paths.iter().collect();
        sorted.sort_by_key(|(path, _)| *path);
        for (path, item) in sorted {
            reader.path(path, item);
        }
        let Reader { operations, skipped, .. } = reader;
        if let (true, Some(first)) = (operations.is_empty(), skipped.first()) {
            return Err(ApiFault::Nothing(first.clone()));
        }
        let info = |member: &str| document.pointer(&format!("/info/{member}")).and_then(Value::as_str);
        Ok(Self {
            title: clip(info("title").unwrap_or("OpenAPI"), 200),
            version: clip(info("version").unwrap_or("0"), 100),
            description: info("description").map(|text| clip(text, DESCRIPTION_CHARS_MAX)),
            operations,
            skipped,
        })
    }

    /// The operation behind a tool.
    #[must_use]
    pub fn find(&self, tool: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| &*operation.name == tool)
    }
}

struct Reader<'a> {
    document: &'a Value,
    old: bool,
    names: Names,
    operations: Vec<Operation>,
    skipped: Vec<Skipped>,
}

impl<'a> Reader<'a> {
    fn path(&mut self, path: &str, item: &'a Value) {
        let Some(item) = follow(self.document, item) else {
            return self.skipped.push(Skipped { operation: clip(path, 200), why: "its `$ref` leads nowhere in here" });
        };
        let shared = item.get("parameters");
        for (word, method, traits) in &METHODS {
            let Some(written) = item.get(*word).filter(|written| written.is_object()) else { continue };
            let read = if self.operations.len() < OPERATIONS_MAX {
                self.operation(path, word, method, *traits, shared, written)
            } else {
                Err("there are more than 2000 operations before it")
            };
            match read {
                Ok(operation) => self.operations.push(operation),
                Err(why) => self.skipped.push(Skipped { operation: format!("{word} {}", clip(path, 200)), why }),
            }
        }
    }

    fn operation(
        &mut self,
        path: &str,
        word: &str,
        method: &Method,
        traits: [bool; 3],
        shared: Option<&'a Value>,
        written: &'a Value,
    ) -> Result<Operation, &'static str> {
        let template = Template::read(path).ok_or("its path is none")?;
        let mut arguments = Names::default();
        let parameters = self.parameters(shared, written.get("parameters"), &mut arguments)?;
        let unfilled = |place: &str| {
            !parameters.iter().any(|parameter| parameter.location == Location::Path && parameter.name == place)
        };
        if template.places().any(unfilled) {
            return Err("a place in its path has no parameter");
        }
        let body = match written.get("requestBody") {
            Some(body) => self.body(body, &mut arguments)?,
            None => None,
        };
        let schema = self.input_schema(&parameters, body.as_ref()).map_err(|TooLarge| "its schemas are too large")?;
        let name = self.names.tool(written.get("operationId").and_then(Value::as_str), word, path);
        let tool = definition(&name, written, schema, traits);
        if tool.to_string().len() > TOOL_BYTES_MAX {
            return Err("its definition has more than 256 KiB");
        }
        Ok(Operation { name: name.into(), tool, method: method.clone(), template, parameters, body })
    }

    /// Parameters of the path, and those of the operation, which count before them.
    fn parameters(
        &self,
        shared: Option<&'a Value>,
        own: Option<&'a Value>,
        arguments: &mut Names,
    ) -> Result<Vec<Parameter>, &'static str> {
        let listed = |list: Option<&'a Value>| list.and_then(Value::as_array).into_iter().flatten();
        let mut found: Vec<Parameter> = Vec::new();
        for written in listed(own).chain(listed(shared)).take(PARAMETERS_MAX + 1) {
            let written = follow(self.document, written).ok_or("the `$ref` of a parameter leads nowhere in here")?;
            let text = |member: &str| written.get(member).and_then(Value::as_str);
            let (name, place) = text("name").zip(text("in")).ok_or("a parameter has no name or place")?;
            let required = place == "path" || written.get("required") == Some(&Value::Bool(true));
            let Some(location) = Location::read(place, name) else {
                // Headers that are not the caller's to set are left out (OpenAPI says so of some itself).
                if place == "header" {
                    continue;
                }
                return Err("a parameter is in a place there is none of");
            };
            if found.iter().any(|known| known.name == name && known.location == location) {
                continue;
            }
            if found.len() == PARAMETERS_MAX {
                return Err("it has more than 200 parameters");
            }
            let (style, schema) = match written.get("content").and_then(Value::as_object) {
                Some(content) => (Some(Style::Json), content.values().next().and_then(|media| media.get("schema"))),
                None => (Style::read(text("style"), &location), written.get("schema")),
            };
            let style = style.ok_or("a parameter has a style that its place does not have")?;
            let by_default = matches!(style, Style::Form | Style::DeepObject);
            found.push(Parameter {
                name: name.to_owned(),
                argument: String::new(),
                explode: written.get("explode").and_then(Value::as_bool).unwrap_or(by_default),
                location,
                style,
                required,
                description: text("description").map(|text| clip(text, DESCRIPTION_CHARS_MAX)),
                schema: schema.cloned().unwrap_or_else(|| json!({})),
            });
        }
        // What stands in the path says what a call is about: it keeps its name where two have the same.
        for in_path in [true, false] {
            for parameter in found.iter_mut().filter(|known| (known.location == Location::Path) == in_path) {
                parameter.argument = arguments.argument(&parameter.name, parameter.location.word());
            }
        }
        Ok(found)
    }

    fn body(&self, written: &'a Value, arguments: &mut Names) -> Result<Option<Body>, &'static str> {
        let written = follow(self.document, written).ok_or("the `$ref` of its body leads nowhere in here")?;
        let content = written.get("content").and_then(Value::as_object).ok_or("its body has no `content`")?;
        let Some((name, media)) = content.iter().min_by_key(|(name, _)| Kind::of(name)) else { return Ok(None) };
        let kind = Kind::of(name);
        let content_type = if name.contains('*') { "application/json" } else { name.as_str() };
        let schema = match (kind, media.get("schema")) {
            (Kind::Bytes, _) => json!({"type": "string", "contentEncoding": "base64"}),
            (_, Some(schema)) => schema.clone(),
            (Kind::Text, None) => json!({"type": "string"}),
            (_, None) => json!({}),
        };
        Ok(Some(Body {
            argument: arguments.argument("body", "content"),
            kind,
            content_type: HeaderValue::try_from(content_type).map_err(|_| "its content type is none")?,
            required: written.get("required") == Some(&Value::Bool(true)),
            description: written.get("description").and_then(Value::as_str).map(|t| clip(t, DESCRIPTION_CHARS_MAX)),
            schema,
        }))
    }

    fn input_schema(&self, parameters: &[Parameter], body: Option<&Body>) -> Result<Value, TooLarge> {
        let mut schemas = Schemas::new(self.document, self.old);
        let mut properties = Map::new();
        let mut required = Vec::new();
        let body = body.map(|body| (&body.argument, &body.schema, &body.description, body.required));
        let parameters = parameters.iter().map(|one| (&one.argument, &one.schema, &one.description, one.required));
        for (argument, schema, description, needed) in parameters.chain(body) {
            let mut made = schemas.convert(schema)?;
            if let (Value::Object(made), Some(description)) = (&mut made, description) {
                made.entry("description").or_insert_with(|| description.clone().into());
            }
            properties.insert(argument.clone(), made);
            if needed {
                required.push(Value::from(argument.clone()));
            }
        }
        let definitions = schemas.definitions()?;
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if !definitions.is_empty() {
            schema["$defs"] = definitions.into();
        }
        Ok(schema)
    }
}

fn definition(name: &str, written: &Value, input_schema: Value, [reads, destroys, same]: [bool; 3]) -> Value {
    let text =
        |member: &str| written.get(member).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let (summary, long) = (text("summary"), text("description"));
    let mut description = match (summary, long) {
        (Some(summary), Some(long)) if long.starts_with(summary) => long.to_owned(),
        (Some(summary), Some(long)) => format!("{summary}\n\n{long}"),
        (one, other) => one.or(other).unwrap_or(name).to_owned(),
    };
    if written.get("deprecated") == Some(&Value::Bool(true)) {
        description.insert_str(0, "Deprecated. ");
    }
    let mut tool = json!({
        "name": name,
        "description": clip(&description, DESCRIPTION_CHARS_MAX),
        "inputSchema": input_schema,
        "annotations": {
            "readOnlyHint": reads, "destructiveHint": destroys, "idempotentHint": same, "openWorldHint": true
        },
    });
    if let Some(summary) = summary {
        tool["title"] = clip(summary, 200).into();
    }
    tool
}

fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
