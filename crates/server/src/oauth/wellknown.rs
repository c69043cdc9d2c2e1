//! Where clients begin: what the resources and the authorization server say of themselves.

use axum::extract::{Path, State};
use axum::response::Response;
use gatehouse_domain::split_origin;
use gatehouse_oauth::server::metadata::{self, Offers};
use gatehouse_oauth::server::{Oops, Wrong, resource as resources};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Server, replies};

/// The server's metadata.
pub(super) async fn server(State(server): State<Server>) -> Response {
    answer(&server, "")
}

/// The same, behind a name with the path of the issuer (RFC 8414 §3.1).
pub(super) async fn server_of(State(server): State<Server>, Path(path): Path<String>) -> Response {
    answer(&server, &format!("/{path}"))
}

fn answer(server: &Server, path: &str) -> Response {
    let Ok(settings) = server.settings() else { return not_here() };
    if !path.is_empty() && split_origin(&settings.issuer).1 != path {
        return not_here();
    }
    let offers =
        Offers { registration: settings.oauth.registration, client_documents: settings.oauth.client_documents };
    replies::document(&metadata::document(&settings.issuer, offers))
}

/// The metadata of `/mcp`, for clients that know no other name.
pub(super) async fn root(State(server): State<Server>) -> Response {
    match server.settings() {
        Ok(settings) => replies::document(&resources::document(&settings.issuer, resources::ROOT)),
        Err(_) => not_here(),
    }
}

/// The metadata of one resource (RFC 9728 §3.1).
pub(super) async fn resource(State(server): State<Server>, Path(path): Path<String>) -> Response {
    let Ok(settings) = server.settings() else { return not_here() };
    let path = format!("/{path}");
    let below = path.strip_prefix(split_origin(&settings.issuer).1);
    match below.and_then(resources::path) {
        Some(path) => replies::document(&resources::document(&settings.issuer, path)),
        None => not_here(),
    }
}

/// The keys access tokens are signed with.
pub(super) async fn key_set(State(server): State<Server>) -> Response {
    let document: Value =
        serde_json::from_str(&server.control.signing.document()).unwrap_or_else(|_| json!({"keys": []}));
    replies::document(&document)
}

/// What this gateway says of itself as a client.
pub(super) async fn own_document(State(server): State<Server>) -> Response {
    match server.control.oauth.client_document() {
        Some(document) => replies::document(&document),
        None => not_here(),
    }
}

fn not_here() -> Response {
    let oops = Oops::new(Wrong::Request, "there is no such document here");
    replies::json(StatusCode::NOT_FOUND, &oops.body())
}
