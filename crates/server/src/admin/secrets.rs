//! Stored secrets: what `${secret:NAME}` of the configuration file and of objects stands for. They go in, are used, and are
//! never shown. Each organisation has its own.

use axum::Json;
use axum::extract::State;
use gatehouse_catalog::is_secret_name;
use gatehouse_domain::Secret;
use gatehouse_store::vault::{CONFIG_SECRET, SecretInfo};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acts::{Act, Changed};
use super::auth::Granted;
use super::error::{AdminCode, ApiError, ErrorBody};
use super::extract::{Body, Name, Parameters};
use super::objects::How;
use super::rows::{Page, Rows};
use super::{Admin, cursor, now_ms};
use crate::control::Control;

/// The longest secret: a service account's JSON is about 2,400 bytes.
const BYTES_MAX: usize = 64 * 1024;

/// A secret as it is shown.
#[derive(ToSchema)]
#[schema(as = StoredSecret)]
#[expect(dead_code, reason = "describes how the store's own listing is written")]
pub(crate) struct SecretForm {
    /// Stays when the value is replaced.
    id: String,
    organisation: String,
    /// `config` for those that `${secret:NAME}` names; other kinds belong to objects, connections and the gateway itself.
    kind: String,
    name: String,
    /// Tells two secrets apart, keyed so that it verifies no guess.
    fingerprint: String,
    /// Its last four characters; empty if it is shorter than 16.
    last4: String,
    /// The master key it is wrapped by.
    master_key: String,
    created_unix_ms: u64,
    /// When its value was last set.
    changed_unix_ms: u64,
}

/// A secret on its way in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Value {
    /// 1 to 65536 bytes.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 65536)]
    value: String,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretChange {
    /// created, updated, unchanged or deleted.
    change: &'static str,
    /// Was nothing written?
    dry_run: bool,
    /// The secret as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SecretForm>)]
    secret: Option<SecretInfo>,
}

/// What a rotation did.
#[derive(ToSchema)]
#[schema(as = MasterKeyRotated)]
#[expect(dead_code, reason = "describes how the store's own answer is written")]
pub(crate) struct RotatedForm {
    /// The master key everything is wrapped by now.
    master_key: String,
    /// Secrets that were wrapped anew.
    rewrapped: u64,
    /// Master keys that no secret needs any longer.
    retired: Vec<String>,
}

/// The stored secrets of the organisation: names, fingerprints, last four characters.
#[utoipa::path(get, path = "/secrets", tag = "secrets", operation_id = "list_secrets", params(Page),
    responses((status = 200, body = Rows<SecretForm>), (status = 400, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    granted: Granted,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<SecretInfo>>, ApiError> {
    let limit = page.limit()?;
    let after = page.cursor.as_deref().map(cursor::row).transpose()?;
    let place = |secret: &SecretInfo| format!("{} {}", secret.kind, secret.name);
    let mut rows = control.store.vault()?.list(Some(&granted.actor.organisation)).await?;
    rows.sort_by_key(place);
    rows.retain(|row| after.as_ref().is_none_or(|after| place(row) > *after));
    Ok(Json(Rows::page(rows, limit, |row| cursor::after(&place(row)))))
}

/// One that `${secret:NAME}` names, without its value.
#[utoipa::path(get, path = "/secrets/{name}", tag = "secrets", operation_id = "get_secret",
    params(("name" = String, Path, description = "Its name, percent-encoded.")),
    responses((status = 200, body = SecretForm)))]
pub(crate) async fn one(
    State(control): State<Control>,
    granted: Granted,
    Name(name): Name,
) -> Result<Json<SecretInfo>, ApiError> {
    shown(&control, &granted, &name).await?.map(Json).ok_or_else(no_such)
}

/// Stores a secret, or replaces its value. In force when the answer is there.
#[utoipa::path(put, path = "/secrets/{name}", tag = "secrets", operation_id = "put_secret", request_body = Value,
    params(("name" = String, Path, description = "1 to 128 letters, digits and any of . _ - /, percent-encoded."), How),
    responses((status = 200, body = SecretChange), (status = 201, body = SecretChange), (status = 400, body = ErrorBody)))]
pub(crate) async fn put(
    State(admin): State<Admin>,
    granted: Granted,
    Name(name): Name,
    Parameters(how): Parameters<How>,
    Body(Value { value }): Body<Value>,
) -> Result<Changed<SecretChange>, ApiError> {
    if !is_secret_name(&name) {
        let hint = "Use 1 to 128 letters, digits and any of . _ - /";
        return Err(ApiError::invalid("The name cannot be used.", hint));
    }
    if value.is_empty() || value.len() > BYTES_MAX {
        return Err(ApiError::invalid("The value cannot be used.", "A secret has 1 to 65536 bytes."));
    }
    let value = Secret::new(value);
    let (control, organisation) = (&admin.control, &*granted.actor.organisation);
    let _one_at_a_time = admin.changing.lock().await;
    let vault = control.store.vault()?;
    let before = shown(control, &granted, &name).await?;
    // One that does not open is not the same.
    let kept = vault.get(organisation, CONFIG_SECRET, &name).await.ok().flatten();
    if kept.is_some_and(|kept| kept.reveal() == value.reveal()) {
        return Ok(Changed::nothing(SecretChange { change: "unchanged", dry_run: how.dry_run, secret: before }));
    }
    let wrong = control.operations.check_secret(organisation, &name, Some(value.clone())).await;
    if !wrong.is_empty() {
        let hint = "`wrong` lists every reason; they are those of `gatehouse check`.";
        let message = "The configuration would not work with this value.";
        return Err(ApiError::of(AdminCode::InvalidObject, message, hint).wrong(wrong));
    }
    let change = if before.is_some() { "updated" } else { "created" };
    if how.dry_run {
        return Ok(Changed::nothing(SecretChange { change, dry_run: true, secret: before }));
    }
    let after = vault.put(organisation, CONFIG_SECRET, &name, &value, now_ms()).await?;
    put_in_force(control).await;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let act = act("secrets.put", &name, before.as_ref(), Some(&after));
    Ok(Changed::by(act, SecretChange { change, dry_run: false, secret: Some(after) }).status(status))
}

/// Deletes a secret, unless something refers to it.
#[utoipa::path(delete, path = "/secrets/{name}", tag = "secrets", operation_id = "delete_secret",
    params(("name" = String, Path, description = "Its name, percent-encoded."), How),
    responses((status = 200, body = SecretChange), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    State(admin): State<Admin>,
    granted: Granted,
    Name(name): Name,
    Parameters(how): Parameters<How>,
) -> Result<Changed<SecretChange>, ApiError> {
    let (control, organisation) = (&admin.control, &*granted.actor.organisation);
    let _one_at_a_time = admin.changing.lock().await;
    let before = shown(control, &granted, &name).await?.ok_or_else(no_such)?;
    let wrong = control.operations.check_secret(organisation, &name, None).await;
    if !wrong.is_empty() {
        let (message, hint) = ("What is to be deleted is still referred to.", "Change what refers to it first.");
        return Err(ApiError::of(AdminCode::StillReferenced, message, hint).wrong(wrong));
    }
    let answer = SecretChange { change: "deleted", dry_run: how.dry_run, secret: None };
    if how.dry_run {
        return Ok(Changed::nothing(answer));
    }
    control.store.vault()?.delete(organisation, CONFIG_SECRET, &name).await?;
    put_in_force(control).await;
    Ok(Changed::by(act("secrets.delete", &name, Some(&before), None), answer))
}

/// Wraps every stored secret by a new master key.
#[utoipa::path(post, path = "/master_key/rotate", tag = "secrets", operation_id = "rotate_master_key",
    responses((status = 200, body = RotatedForm)))]
pub(crate) async fn rotate(
    State(control): State<Control>,
) -> Result<Changed<gatehouse_store::vault::Rotated>, ApiError> {
    let rotated = control.store.vault()?.rotate().await?;
    Ok(Changed::by(Act::of("master_key.rotate"), rotated))
}

/// A configuration that is refused for other reasons stays refused: GET /api/v1/config says why.
async fn put_in_force(control: &Control) {
    drop(control.operations.objects_changed().await);
}

/// The secret of this name in the organisation of whoever asks.
async fn shown(control: &Control, granted: &Granted, name: &str) -> Result<Option<SecretInfo>, ApiError> {
    let known = control.store.vault()?.list(Some(&granted.actor.organisation)).await?;
    Ok(known.into_iter().find(|secret| secret.kind == CONFIG_SECRET && secret.name == name))
}

/// The log knows a secret by its fingerprint.
fn act(action: &str, name: &str, before: Option<&SecretInfo>, after: Option<&SecretInfo>) -> Act {
    let seen = |secret: &SecretInfo| json!({ "id": secret.id, "fingerprint": secret.fingerprint });
    Act { before: before.map(seen), after: after.map(seen), ..Act::on(action, "secrets", name) }
}

fn no_such() -> ApiError {
    ApiError::not_found("secret", "GET /api/v1/secrets lists them.")
}
