//! Objects: everything that can be declared, through one pair of routes for each kind of the catalog.
//!
//! Objects of the file are shown and never changed here; objects of the database belong to the organisation of whoever made
//! them, and to others do not exist. What is in force is always the file and the database together.
//!
//! - `change`: PUT, DELETE and apply, from the request to what is in force.
//! - `plan`: a change checked as a whole before anything is written.
//! - `secret_fields`: what goes in and is never shown.
//! - `diff`: what a change would change.
//! - `document`: the routes in the OpenAPI document.

pub(super) mod change;
mod diff;
#[cfg(test)]
pub(super) mod document;
mod plan;
mod secret_fields;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use gatehouse_catalog::{KINDS, Kind};
use gatehouse_store::StoredObject;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::Admin;
use super::actor::Actor;
use super::auth::Granted;
use super::cursor;
use super::error::ApiError;
use super::extract::{Name, Parameters};
use super::rows::{Page, Rows};
use crate::control::{Control, FileObject, Source};

pub(super) use change::How;

/// An object as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Object {
    kind: String,
    name: String,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<String>,
    body: Value,
}

/// The routes of every kind.
pub(super) fn routes() -> Router<Admin> {
    KINDS.iter().fold(Router::new(), |all, kind: &'static Kind| {
        let one = get(one).put(change::put).delete(change::delete);
        let routes = Router::new().route(&format!("/{}", kind.name), get(list));
        all.merge(routes.route(&format!("/{}/{{name}}", kind.name), one).layer(Extension(kind)))
    })
}

async fn list(
    State(control): State<Control>,
    Extension(kind): Extension<&'static Kind>,
    granted: Granted,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<Object>>, ApiError> {
    let limit = page.limit()?;
    let after = page.cursor.as_deref().map(cursor::row).transpose()?;
    let file = control.operations.file_objects().into_iter();
    let file = file.filter(|object| object.kind == kind.name && is_shown(object, &granted.actor));
    let mut rows: Vec<Object> = file.map(Object::of_file).collect();
    let stored = control.store.objects(&granted.actor.organisation, kind.name).await?;
    let hidden = |object: &StoredObject| rows.iter().any(|of_file| of_file.name == object.name);
    let stored: Vec<Object> = stored.into_iter().filter(|object| !hidden(object)).map(Object::of).collect();
    rows.extend(stored);
    rows.retain(|row| after.as_ref().is_none_or(|after| row.name > *after));
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Rows::page(rows, limit, |row| cursor::after(&row.name))))
}

async fn one(
    State(control): State<Control>,
    Extension(kind): Extension<&'static Kind>,
    granted: Granted,
    Name(name): Name,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(object) = of_file(&control, kind, &name).filter(|object| is_shown(object, &granted.actor)) {
        return Ok(Json(Object::of_file(object)).into_response());
    }
    let stored = control.store.object(&granted.actor.organisation, kind.name, &name).await?;
    let stored = stored.ok_or_else(|| no_such(kind))?;
    let tag = etag(stored.version);
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Json(Object::of(stored)).into_response() };
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// What is about one organisation does not exist for the others, but for the one that runs the instance.
fn is_shown(object: &FileObject, actor: &Actor) -> bool {
    actor.runs_the_instance() || object.organisation.as_ref().is_none_or(|about| **about == *actor.organisation)
}

/// The object of the file with this name.
fn of_file(control: &Control, kind: &Kind, name: &str) -> Option<FileObject> {
    control.operations.file_objects().into_iter().find(|object| object.kind == kind.name && object.name == name)
}

fn no_such(kind: &Kind) -> ApiError {
    ApiError::not_found(kind.one, &format!("GET /api/v1/{} lists them.", kind.name))
}

/// The entity tag of a version.
fn etag(version: u64) -> HeaderValue {
    // A number in quotes is a header's value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Does a list of entity tags (RFC 9110 §13.1) name this one, or any?
fn names(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(list), Ok(tag)) = (list.to_str(), tag.to_str()) else { return false };
    list.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

impl Object {
    fn of(stored: StoredObject) -> Self {
        Self {
            kind: stored.kind,
            name: stored.name,
            source: Source::Database,
            organisation: Some(stored.organisation.into()),
            version: Some(stored.version.to_string()),
            created_unix_ms: Some(stored.created_unix_ms),
            created_by: Some(stored.created_by),
            changed_unix_ms: Some(stored.changed_unix_ms),
            changed_by: Some(stored.changed_by),
            body: stored.body,
        }
    }

    fn of_file(object: FileObject) -> Self {
        Self {
            kind: object.kind.to_owned(),
            name: object.name,
            source: Source::File,
            organisation: object.organisation,
            version: None,
            created_unix_ms: None,
            created_by: None,
            changed_unix_ms: None,
            changed_by: None,
            body: object.body,
        }
    }
}
