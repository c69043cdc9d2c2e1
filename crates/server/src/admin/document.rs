//! The OpenAPI document: what the handlers say of themselves, the routes of objects, and for every operation each error it
//! can give. It is made in the tests only, which hold `openapi.json` to it; that is what is served.

use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use super::{Admin, closed_paths, objects, open_paths};

/// Adds a path to the document.
pub(super) type Describe = fn(OpenApiRouter<Admin>) -> OpenApiRouter<Admin>;

/// The frame of the document; paths and schemas come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Gatehouse admin API", description = "Keys, usage and the state of the gateway."),
    servers((url = "/api/v1")),
    security(("admin_key" = [])),
    modifiers(&AdminKeyScheme)
)]
struct Frame;

struct AdminKeyScheme;

impl Modify for AdminKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("admin_key", scheme);
    }
}

/// The document as it is to be served.
pub(super) fn written() -> String {
    let paths = open_paths().into_iter().chain(closed_paths());
    let frame = OpenApiRouter::with_openapi(Frame::openapi());
    let described = paths.fold(frame, |document, served| (served.describe)(document));
    format!("{:#}\n", finish(&described.into_openapi()))
}

fn finish(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    objects::document::add(&mut document);
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, methods) in paths {
            for (method, operation) in methods.as_object_mut().into_iter().flatten() {
                for status in errors(path, method, operation) {
                    add_error(operation, status);
                }
                describe(operation);
            }
        }
    }
    document
}

/// The errors an operation can give, by what it takes.
fn errors(path: &str, method: &str, operation: &Value) -> Vec<u16> {
    let open = path == "/claim";
    let mut errors = vec![401, 403, 429, 500, 503];
    if operation.get("requestBody").is_some() {
        errors.extend([400, 413, 415]);
    }
    if operation["parameters"].as_array().is_some_and(|all| !all.is_empty()) {
        errors.push(400);
    }
    if path.contains('{') || (method == "get" && path == "/price") {
        errors.push(404);
    }
    errors.retain(|status| !(open && *status == 404));
    errors
}

fn add_error(operation: &mut Value, status: u16) {
    let responses = &mut operation["responses"];
    let response = &mut responses[status.to_string()];
    if response.is_null() {
        *response = json!({
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } }
        });
    }
    match status {
        401 => response["headers"]["WWW-Authenticate"] = json!({ "schema": { "type": "string" } }),
        429 | 503 => {
            response["headers"]["Retry-After"] = json!({ "description": "Seconds.", "schema": { "type": "integer" } });
        }
        _ => {}
    }
}

/// OpenAPI wants a description for every answer; what there is to say is mostly its status.
fn describe(operation: &mut Value) {
    for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
        let reason = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
        answer["description"] = json!(reason.unwrap_or("Done"));
    }
}
