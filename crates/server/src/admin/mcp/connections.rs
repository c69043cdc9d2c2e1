//! Who has agreed that an MCP server is used in their name. Tokens are never shown.

use axum::Json;
use axum::extract::State;
use gatehouse_store::{McpConnection, McpConnectionState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::acts::{Act, Changed};
use super::super::auth::Granted;
use super::super::cursor;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Name, Parameters};
use super::super::rows::{Page, Rows};
use crate::control::Control;

/// One person's agreement with one server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpConnectionRow {
    /// Its id.
    id: String,
    /// The server.
    server: String,
    /// The organisation.
    organisation: String,
    /// Whose it is: `user/…`, `agent/…`, `service_account/…` or `key/…`.
    owner: String,
    /// `connected`, or `needs_consent`: they have to agree again.
    state: &'static str,
    /// Why they have to.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who issued the tokens.
    issuer: String,
    /// What was asked for and granted.
    scopes: String,
    /// Unix milliseconds at which the access token ends; absent where the issuer did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_unix_ms: Option<u64>,
    /// Is it refreshed then?
    refreshable: bool,
    /// Unix milliseconds.
    created_unix_ms: u64,
    /// Unix milliseconds of the last change: a consent, a refresh.
    changed_unix_ms: u64,
}

impl From<McpConnection> for McpConnectionRow {
    fn from(row: McpConnection) -> Self {
        Self {
            id: row.id,
            server: row.server,
            organisation: row.organisation,
            owner: row.owner,
            state: match row.state {
                McpConnectionState::Connected => "connected",
                McpConnectionState::NeedsConsent => "needs_consent",
            },
            reason: Some(row.reason).filter(|reason| !reason.is_empty()),
            issuer: row.issuer,
            scopes: row.scopes,
            expires_unix_ms: row.expires_unix_ms,
            refreshable: row.refreshable,
            created_unix_ms: row.created_unix_ms,
            changed_unix_ms: row.changed_unix_ms,
        }
    }
}

/// Which connections.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only with this server.
    server: Option<String>,
    /// Only this owner's.
    owner: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// Who has agreed to which server, and how it stands.
#[utoipa::path(get, path = "/mcp/connections", tag = "mcp", operation_id = "list_mcp_connections", params(Which),
    responses((status = 200, body = Rows<McpConnectionRow>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    granted: Granted,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Rows<McpConnectionRow>>, ApiError> {
    let limit = Page { cursor: None, limit: which.limit }.limit()?;
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let mut rows = control.store.mcp_connections(0).await?;
    rows.retain(|row| is(&which.server, &row.server) && is(&which.owner, &row.owner) && theirs(&granted, row));
    if let Some(at) = which.cursor.as_deref().map(cursor::row).transpose()? {
        let found = rows.iter().position(|row| row.id == at).ok_or_else(cursor::foreign)?;
        rows.drain(..=found);
    }
    let rows = rows.into_iter().map(McpConnectionRow::from).collect();
    Ok(Json(Rows::page(rows, limit, |row: &McpConnectionRow| cursor::after(&row.id))))
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpDisconnected {
    /// The connection.
    id: String,
}

/// Forgets a connection and its tokens: its owner is asked for consent again.
#[utoipa::path(post, path = "/mcp/connections/{id}/revoke", tag = "mcp", operation_id = "revoke_mcp_connection",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = McpDisconnected), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Changed<McpDisconnected>, ApiError> {
    let known = control.store.mcp_connections(0).await?.into_iter().find(|row| row.id == id && theirs(&granted, row));
    let known = known.ok_or_else(|| ApiError::not_found("connection", "GET /api/v1/mcp/connections lists them."))?;
    control.oauth.disconnect(id.clone()).await?;
    let before = json!({"server": known.server, "owner": known.owner, "issuer": known.issuer, "scopes": known.scopes});
    let act = Act { before: Some(before), ..Act::on("mcp.connections.revoke", "mcp_connection", &id) };
    Ok(Changed::by(act, McpDisconnected { id }))
}

fn theirs(granted: &Granted, row: &McpConnection) -> bool {
    granted.actor.operator || *granted.actor.organisation == *row.organisation
}
