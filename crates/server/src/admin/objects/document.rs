//! The routes of objects in the OpenAPI document: for each kind the same four operations with the kind's own schema.

use gatehouse_catalog::{KINDS, Kind};
use serde_json::{Map, Value, json};

/// Adds every kind to a document.
pub(in crate::admin) fn add(document: &mut Value) {
    for kind in KINDS {
        document["paths"][format!("/{}", kind.name)] = json!({ "get": list(kind) });
        document["paths"][format!("/{}/{{name}}", kind.name)] =
            json!({ "get": get(kind), "put": put(kind), "delete": delete(kind) });
        let schemas = &mut document["components"]["schemas"];
        for (name, schema) in definitions(kind) {
            schemas[format!("Declared{name}")] = schema;
        }
        schemas[object_name(kind)] = object(kind);
        schemas[rows_name(kind)] = rows(kind);
        schemas[change_name(kind)] = change(kind);
    }
    document["components"]["schemas"]["SecretMask"] = json!({
        "type": "object",
        "description": "What is shown in place of a secret. Sent back, it means: the secret that is there stays.",
        "required": ["secret"],
        "properties": {
            "secret": { "type": "boolean", "const": true },
            "last4": { "type": "string", "description": "Its last four characters; empty if it is shorter than 16." }
        }
    });
}

fn list(kind: &Kind) -> Value {
    let parameters = json!([
        { "name": "cursor", "in": "query", "description": "`next_cursor` of the page before.", "schema": { "type": "string" } },
        { "name": "limit", "in": "query", "description": "Rows on this page: 1 to 1000, 100 if not given.",
          "schema": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 1000 } }
    ]);
    json!({
        "tags": [kind.name],
        "operationId": format!("list_{}", kind.name),
        "summary": format!("The {}, by name, those of the file and those of the database.", kind.name),
        "parameters": parameters,
        "responses": { "200": answer(&rows_name(kind)) },
    })
}

fn get(kind: &Kind) -> Value {
    json!({
        "tags": [kind.name],
        "operationId": format!("get_{}", kind.one.replace(' ', "_")),
        "summary": format!("One {}.", kind.one),
        "parameters": [name(kind), header("If-None-Match", "Answers 304 if the object is still in this version.")],
        "responses": {
            "200": with_etag(answer(&object_name(kind))),
            "304": { "description": "Not Modified", "headers": etag() },
        },
    })
}

fn put(kind: &Kind) -> Value {
    let definition = format!("#/components/schemas/Declared{}", kind.definition());
    json!({
        "tags": [kind.name],
        "operationId": format!("put_{}", kind.one.replace(' ', "_")),
        "summary": format!("Makes {}, or replaces it. In force when the answer is there.", any(kind)),
        "parameters": [
            name(kind), dry_run(),
            header("If-Match", "Only if the object is in this version."),
            header("If-None-Match", "`*`: only if there is no such object."),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": definition } } } },
        "responses": {
            "200": with_etag(answer(&change_name(kind))),
            "201": with_etag(answer(&change_name(kind))),
            "409": error(), "412": error(),
        },
    })
}

fn delete(kind: &Kind) -> Value {
    json!({
        "tags": [kind.name],
        "operationId": format!("delete_{}", kind.one.replace(' ', "_")),
        "summary": format!("Deletes {}, unless something refers to it.", any(kind)),
        "parameters": [name(kind), dry_run(), header("If-Match", "Only if the object is in this version.")],
        "responses": { "200": answer(&change_name(kind)), "409": error(), "412": error() },
    })
}

fn object(kind: &Kind) -> Value {
    json!({
        "type": "object",
        "description": format!("How {} is shown.", any(kind)),
        "required": ["kind", "name", "source", "body"],
        "properties": {
            "kind": { "type": "string", "const": kind.name },
            "name": { "type": "string" },
            "source": { "$ref": "#/components/schemas/Source" },
            "organisation": { "type": "string", "description": "Whose it is; objects of the file are everybody's." },
            "version": { "type": "string", "description": "Another one after every change; the ETag without its quotes." },
            "created_unix_ms": { "type": "integer", "format": "int64", "minimum": 0 },
            "created_by": { "type": "string", "description": "The key's id, `admin_key` or `claimed_key`." },
            "changed_unix_ms": { "type": "integer", "format": "int64", "minimum": 0 },
            "changed_by": { "type": "string" },
            "body": { "$ref": format!("#/components/schemas/Declared{}", kind.definition()) },
        },
    })
}

fn rows(kind: &Kind) -> Value {
    json!({
        "type": "object",
        "required": ["rows"],
        "properties": {
            "rows": { "type": "array", "items": { "$ref": format!("#/components/schemas/{}", object_name(kind)) } },
            "next_cursor": { "type": "string", "description": "Pass it as `cursor`; absent on the last page." },
        },
    })
}

fn change(kind: &Kind) -> Value {
    json!({
        "type": "object",
        "description": "What a change did, or would do.",
        "required": ["change", "dry_run", "diff"],
        "properties": {
            "change": { "type": "string", "enum": ["created", "updated", "unchanged", "deleted"] },
            "dry_run": { "type": "boolean", "description": "Nothing was written." },
            "diff": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer"],
                    "properties": { "pointer": { "type": "string" }, "before": {}, "after": {} },
                },
            },
            "object": { "$ref": format!("#/components/schemas/{}", object_name(kind)) },
        },
    })
}

/// The kind's structs as schemas of the document. A secret goes in as text and comes out as its mask.
fn definitions(kind: &Kind) -> Map<String, Value> {
    let mut definitions = kind.schema()["$defs"].as_object().cloned().unwrap_or_default();
    let needed = needed(&definitions, kind.definition());
    definitions.retain(|name, _| needed.iter().any(|known| known == name));
    definitions.values_mut().for_each(adapt);
    definitions.values_mut().for_each(allow_null);
    definitions
}

/// What need not be there may be null, which means that it is not.
fn allow_null(definition: &mut Value) {
    let required: Vec<Value> = definition.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required.iter().any(|known| known == *name)) {
        let is_null = |schema: &Value| schema == "null" || schema.get("type").is_some_and(|kind| kind == "null");
        let schemas = [property.get("type"), property.get("anyOf")].into_iter().flatten().filter_map(Value::as_array);
        if !schemas.flatten().any(is_null) {
            *property = json!({ "anyOf": [property.take(), { "type": "null" }] });
        }
    }
}

/// A definition and those it leads to.
fn needed(all: &Map<String, Value>, first: &str) -> Vec<String> {
    let mut names = vec![first.to_owned()];
    let mut next = 0;
    while let Some(schema) = names.get(next).and_then(|name| all.get(name)) {
        let text = schema.to_string();
        let led_to = text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next());
        let fresh: Vec<String> =
            led_to.filter(|name| !names.iter().any(|known| known == name)).map(str::to_owned).collect();
        names.extend(fresh);
        names.dedup();
        next += 1;
    }
    names
}

fn adapt(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("writeOnly") == Some(&Value::Bool(true)) {
                fields.clear();
                fields.insert(
                    "anyOf".to_owned(),
                    json!([{ "type": "string" }, { "$ref": "#/components/schemas/SecretMask" }]),
                );
                return;
            }
            if let Some(Value::String(to)) = fields.get_mut("$ref") {
                *to = to.replace("#/$defs/", "#/components/schemas/Declared");
            }
            fields.values_mut().for_each(adapt);
        }
        Value::Array(items) => items.iter_mut().for_each(adapt),
        _ => {}
    }
}

/// `a team`, `an agent`, `an MCP server`.
fn any(kind: &Kind) -> String {
    let article = if kind.one.starts_with(['a', 'e', 'i', 'o', 'M']) { "an" } else { "a" };
    format!("{article} {}", kind.one)
}

fn object_name(kind: &Kind) -> String {
    format!("{}Object", kind.definition())
}

fn rows_name(kind: &Kind) -> String {
    format!("{}Rows", kind.definition())
}

fn change_name(kind: &Kind) -> String {
    format!("{}Change", kind.definition())
}

fn name(kind: &Kind) -> Value {
    let description = format!("The {}'s name, percent-encoded.", kind.one);
    json!({ "name": "name", "in": "path", "required": true, "description": description,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 } })
}

fn dry_run() -> Value {
    json!({ "name": "dry_run", "in": "query", "description": "Only say what would change.", "schema": { "type": "boolean" } })
}

fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } })
}

fn answer(schema: &str) -> Value {
    let schema = format!("#/components/schemas/{schema}");
    json!({ "description": "", "content": { "application/json": { "schema": { "$ref": schema } } } })
}

fn with_etag(mut answer: Value) -> Value {
    answer["headers"] = etag();
    answer
}

fn etag() -> Value {
    json!({ "ETag": { "description": "The version of an object of the database.", "schema": { "type": "string" } } })
}

fn error() -> Value {
    answer("ErrorBody")
}
