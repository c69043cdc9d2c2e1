//! Clients that register themselves (RFC 7591). Anybody can: a registration is a name and addresses that nobody has checked, and
//! what it is good for is decided by people who are asked. Those that are never used are forgotten after a day.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use gatehouse_oauth::server::client::Metadata;
use gatehouse_oauth::server::{Oops, Wrong};
use gatehouse_store::OAuthClientRow;
use http::StatusCode;
use serde_json::Value;

use super::audit::By;
use super::{Server, clients, now_ms, replies, secret, stored};
use crate::admin::address;

/// The endpoint.
pub(super) async fn register(State(server): State<Server>, request: Request) -> Response {
    match answer(&server, request).await {
        Ok(registered) => replies::json(StatusCode::CREATED, &registered),
        Err(oops) => replies::refusal(&oops),
    }
}

async fn answer(server: &Server, request: Request) -> Result<Value, Oops> {
    let settings = server.settings()?;
    if !settings.oauth.registration {
        let what = "clients do not register here; use the address of a client metadata document, or ask whoever runs the gateway";
        return Err(Oops::new(Wrong::AccessDenied, what));
    }
    let (parts, body) = request.into_parts();
    let address = address(&parts.extensions);
    server.registrations.step(address, Instant::now())?;
    let body = axum::body::to_bytes(body, super::BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Oops::new(Wrong::Metadata, "the body cannot be read, or is longer than 64 KiB"))?;
    let metadata = Metadata::registration(&body)?;
    let shared = metadata.token_endpoint_auth_method.starts_with("client_secret");
    let (id, secret) = (clients::new_id()?, if shared { Some(secret()?) } else { None });
    let now = now_ms();
    let row = OAuthClientRow {
        id: id.clone(),
        kind: "registered".to_owned(),
        metadata: serde_json::to_string(&metadata).map_err(|_| Oops::new(Wrong::Server, "it cannot be stored"))?,
        secret: secret.as_ref().map(|secret| server.hash("client secret", secret)),
        created_unix_ms: now,
        created_from: Some(address.to_string()),
        used_unix_ms: None,
        revoked_unix_ms: None,
    };
    let by = By { who: None, client: Some(&id), address };
    server.note(by, "oauth.register", ("oauth_client", &id), None).await?;
    server.control.store.put_oauth_client(&row).await.map_err(stored)?;
    Ok(metadata.registered(&id, secret.as_deref(), now / 1_000))
}
