//! Clients and grants of the authorization server: what there is, and ending it.

use axum::Json;
use axum::extract::State;
use gatehouse_oauth::server::client::{Client, Metadata};
use gatehouse_store::{OAuthClientRow, OAuthGrantQuery, OAuthGrantRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::acts::{Act, Changed};
use super::auth::Granted;
use super::error::{AdminCode, ApiError, ErrorBody};
use super::extract::{Name, Parameters};
use super::rows::{Page, Rows};
use super::{cursor, now_ms};
use crate::control::Control;
use crate::control::oauth::Settings;
use crate::oauth::of_configuration;

/// A client of the authorization server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthClient {
    /// Its id.
    id: String,
    /// How it became known: `file`, `registered` or `document`.
    kind: String,
    /// What people are shown.
    name: String,
    /// Where answers to it may be sent.
    redirect_uris: Vec<String>,
    /// Its ways to a token.
    grant_types: Vec<String>,
    /// Does it prove to be itself?
    confidential: bool,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_unix_ms: Option<u64>,
    /// The address it registered from.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_from: Option<String>,
    /// Unix milliseconds of its last token.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_unix_ms: Option<u64>,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_unix_ms: Option<u64>,
}

/// What somebody let a client do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthGrant {
    /// Its id: what access tokens of it name.
    id: String,
    /// The grant type it came from.
    kind: String,
    /// The client.
    client_id: String,
    /// How that one calls itself.
    client_name: String,
    /// Whose it is.
    subject: String,
    /// For which resource.
    resource: String,
    /// For which scopes.
    scopes: String,
    /// Unix milliseconds.
    created_unix_ms: u64,
    /// Unix milliseconds of its last token.
    last_used_unix_ms: u64,
    /// Unix milliseconds at which it ends if no token is asked for before.
    expires_unix_ms: u64,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_unix_ms: Option<u64>,
    /// Who or what revoked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_by: Option<String>,
}

/// Which grants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those of this client.
    client: Option<String>,
    /// Ended and revoked ones, too?
    ended: Option<bool>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// What a revocation ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// Its id.
    id: String,
    /// Grants that ended.
    grants: usize,
}

/// Clients: those of the configuration first, then those that registered or were used.
#[utoipa::path(get, path = "/oauth/clients", tag = "oauth", operation_id = "list_oauth_clients", params(Page),
    responses((status = 200, body = Rows<OAuthClient>), (status = 401, body = ErrorBody)))]
pub(crate) async fn clients(
    State(control): State<Control>,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<OAuthClient>>, ApiError> {
    let limit = page.limit()?;
    let after = page.cursor.as_deref().map(cursor::row).transpose()?;
    let mut rows: Vec<OAuthClient> = Vec::new();
    if after.is_none()
        && let Some(Settings { oauth, .. }) = control.oauth.settings()
    {
        rows.extend(oauth.clients.iter().map(|declared| shown(&of_configuration(declared), "file", None)));
    }
    let stored = control.store.oauth_clients(after.as_deref(), limit + 1).await?;
    let more = stored.len() > limit as usize;
    let stored = &stored[..stored.len().min(limit as usize)];
    let next_cursor = stored.last().filter(|_| more).map(|row| cursor::after(&row.id));
    rows.extend(stored.iter().map(of_row));
    Ok(Json(Rows { rows, next_cursor }))
}

/// Revokes a client: it gets no more tokens, and every grant it has ends.
#[utoipa::path(post, path = "/oauth/clients/{id}/revoke", tag = "oauth", operation_id = "revoke_oauth_client",
    params(("id" = String, Path, description = "Its id, percent-encoded.")),
    responses((status = 200, body = Revoked), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_client(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Changed<Revoked>, ApiError> {
    let declared =
        control.oauth.settings().is_some_and(|settings| settings.oauth.clients.iter().any(|own| own.id == id));
    if declared {
        let message = "This client is declared in the configuration file.";
        return Err(ApiError::of(AdminCode::DeclaredInFile, message, "Take it out of oauth.clients there."));
    }
    let known = control.store.oauth_client(&id).await?;
    if known.is_none() {
        return Err(ApiError::not_found("client", "GET /api/v1/oauth/clients lists them."));
    }
    let now = now_ms();
    control.store.revoke_oauth_client(&id, now).await?;
    let ended = control.store.revoke_grants_of(&id, &granted.actor.name, now).await?;
    ended.iter().for_each(|grant| control.oauth.grant_revoked(grant));
    let act = Act::on("oauth.clients.revoke", "oauth_client", &id);
    Ok(Changed::by(act, Revoked { id, grants: ended.len() }))
}

/// Grants.
#[utoipa::path(get, path = "/oauth/grants", tag = "oauth", operation_id = "list_oauth_grants", params(Which),
    responses((status = 200, body = Rows<OAuthGrant>), (status = 401, body = ErrorBody)))]
pub(crate) async fn grants(
    State(control): State<Control>,
    granted: Granted,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Rows<OAuthGrant>>, ApiError> {
    let page = Page { cursor: which.cursor, limit: which.limit };
    let limit = page.limit()?;
    let query = OAuthGrantQuery {
        organisation: (!granted.actor.operator).then(|| granted.actor.organisation.to_string()),
        client_id: which.client,
        ended: which.ended.unwrap_or(false),
        after: page.cursor.as_deref().map(cursor::row).transpose()?,
        limit: limit + 1,
    };
    let rows = control.store.grants(&query, now_ms()).await?.into_iter().map(grant_of).collect();
    Ok(Json(Rows::page(rows, limit, |grant: &OAuthGrant| cursor::after(&grant.id))))
}

/// Revokes a grant: its tokens open nothing from now on.
#[utoipa::path(post, path = "/oauth/grants/{id}/revoke", tag = "oauth", operation_id = "revoke_oauth_grant",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = Revoked), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_grant(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Changed<Revoked>, ApiError> {
    let known = control.store.grant(&id).await?;
    let theirs = |grant: &OAuthGrantRow| granted.actor.operator || *granted.actor.organisation == *grant.organisation;
    let Some(known) = known.filter(theirs) else {
        return Err(ApiError::not_found("grant", "GET /api/v1/oauth/grants lists them."));
    };
    let ended = control.store.revoke_grant(&id, &granted.actor.name, now_ms()).await?;
    control.oauth.grant_revoked(&id);
    let before: Value = json!({"client": known.client_id, "subject": known.subject_id, "scopes": known.scopes});
    let act = Act { before: Some(before), ..Act::on("oauth.grants.revoke", "oauth_grant", &id) };
    Ok(Changed::by(act, Revoked { id, grants: usize::from(ended) }))
}

/// Makes a new key to sign access tokens with. Tokens signed with the one before stay good until they end.
#[utoipa::path(post, path = "/oauth/keys/rotate", tag = "oauth", operation_id = "rotate_oauth_keys",
    responses((status = 200, body = Value), (status = 401, body = ErrorBody)))]
pub(crate) async fn rotate_keys(State(control): State<Control>) -> Result<Changed<Value>, ApiError> {
    control.signing.rotate().await?;
    control.oauth.signing_keys_changed();
    let document: Value = serde_json::from_str(&control.signing.document()).unwrap_or_default();
    let kids: Vec<&Value> = document["keys"].as_array().into_iter().flatten().map(|key| &key["kid"]).collect();
    Ok(Changed::by(Act::of("oauth.keys.rotate"), json!({"keys": kids})))
}

fn of_row(row: &OAuthClientRow) -> OAuthClient {
    let metadata: Metadata = serde_json::from_str(&row.metadata).unwrap_or_default();
    let kind = gatehouse_oauth::server::client::Kind::Registered;
    shown(&Client { id: row.id.clone(), kind, metadata }, &row.kind, Some(row))
}

fn shown(client: &Client, kind: &str, row: Option<&OAuthClientRow>) -> OAuthClient {
    OAuthClient {
        id: client.id.clone(),
        kind: kind.to_owned(),
        name: client.shown(),
        redirect_uris: client.metadata.redirect_uris.clone(),
        grant_types: client.metadata.grant_types.clone(),
        confidential: client.is_confidential(),
        created_unix_ms: row.map(|row| row.created_unix_ms),
        created_from: row.and_then(|row| row.created_from.clone()),
        last_used_unix_ms: row.and_then(|row| row.used_unix_ms),
        revoked_unix_ms: row.and_then(|row| row.revoked_unix_ms),
    }
}

fn grant_of(row: OAuthGrantRow) -> OAuthGrant {
    OAuthGrant {
        id: row.id,
        kind: row.kind,
        client_id: row.client_id,
        client_name: row.client_name,
        subject: row.subject_id,
        resource: row.resource,
        scopes: row.scopes,
        created_unix_ms: row.created_unix_ms,
        last_used_unix_ms: row.used_unix_ms,
        expires_unix_ms: row.expires_unix_ms,
        revoked_unix_ms: row.revoked_unix_ms,
        revoked_by: row.revoked_by,
    }
}
