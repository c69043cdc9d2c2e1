//! Keys: made, listed, rotated and taken back. The secret is in one answer and nowhere else.

use axum::Json;
use axum::extract::State;
use gatehouse_domain::{Code, Role};
use gatehouse_store::{KeyRecord, keys};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::acts::{Act, Changed};
use super::auth::{Granted, Whose};
use super::cursor;
use super::error::{AdminCode, ApiError, ErrorBody};
use super::extract::{Body, Name, Parameters};
use super::new_key::CreateKey;
use super::rows::{Page, Rows};
use super::terms::{BudgetWords, LimitWords};
use super::{now_ms, rights};
use crate::control::{Control, FileKey, Holder, Source};

/// How long the old secret of a rotated key stays good if nobody says: one deployment.
const OVERLAP_SECS: u64 = 3_600;
/// And at most: 30 days.
const OVERLAP_SECS_MAX: u64 = 30 * 86_400;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    /// The public id: in logs, usage and URLs.
    id: String,
    /// What people call it.
    name: String,
    /// Where it comes from. Keys of the file are changed in the file.
    source: Source,
    /// Whether it works.
    state: KeyState,
    /// The first characters of the secret, to recognise it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    /// The organisation it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    /// The team that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    /// The person it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The service account it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    /// The agent it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Models it may use: names and `prefix*`; none means all.
    models: Vec<String>,
    /// MCP servers it may use; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mcp_servers: Vec<String>,
    /// Toolsets it may use; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    toolsets: Vec<String>,
    /// Agents it may call; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    agents: Vec<String>,
    /// Addresses it may be used from; none means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ip_ranges: Vec<String>,
    /// Tags its usage is counted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<String>,
    /// What it may do in the admin API.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// How fast it may call.
    #[schema(value_type = Vec<LimitWords>)]
    limits: Box<RawValue>,
    /// How much it may spend.
    #[schema(value_type = Vec<BudgetWords>)]
    budgets: Box<RawValue>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_unix_ms: Option<u64>,
    /// The first moment it no longer works.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_unix_ms: Option<u64>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_unix_ms: Option<u64>,
    /// When it was last used, within about a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_unix_ms: Option<u64>,
    /// Until when the secret from before the last rotation is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until_unix_ms: Option<u64>,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    /// It does.
    Active,
    /// Its date has passed.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A key with its secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedKey {
    /// What callers present. It cannot be shown again.
    secret: String,
    /// The key.
    key: Key,
}

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RotateKey {
    /// Seconds for which the secret it has stays good: 3,600 if not given, 30 days at most. 0 for a leaked one.
    overlap_secs: Option<u64>,
}

/// Every key: those of the file first, then the others by age.
#[utoipa::path(get, path = "/keys", tag = "keys", operation_id = "list_keys", params(Page),
    responses((status = 200, body = Rows<Key>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    granted: Granted,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<Key>>, ApiError> {
    let limit = page.limit()?;
    let after = page.cursor.as_deref().map(cursor::row).transpose()?;
    let now = now_ms();
    let file = control.operations.file_keys();
    let stored = control.store.list_keys().await?;
    let mut rows: Vec<Key> = file
        .into_iter()
        .map(|key| Key::of_file(key, now))
        .chain(stored.into_iter().map(|key| Key::of(key, now)))
        .filter(|key| key.is_seen(&control, &granted))
        .collect();
    if let Some(after) = after {
        let place = rows.iter().position(|key| key.id == after).ok_or_else(cursor::foreign)?;
        rows.drain(..=place);
    }
    Ok(Json(Rows::page(rows, limit, |key| cursor::after(&key.id))))
}

/// Makes a key. The answer holds its secret, which is shown this once.
#[utoipa::path(post, path = "/keys", tag = "keys", operation_id = "create_key", request_body = CreateKey,
    responses((status = 201, body = IssuedKey), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn create(
    State(control): State<Control>,
    granted: Granted,
    Body(wanted): Body<CreateKey>,
) -> Result<Changed<IssuedKey>, ApiError> {
    let now = now_ms();
    let checked = wanted.by(&control, &granted)?.check(&control, now)?;
    let id = keys::new_id()?;
    let minted = keys::mint(&control.operations.environment(), &id)?;
    let key = checked.key(id, &minted, keys::hash(&control.pepper, minted.secret.reveal()), now)?;
    control.store.create_key(&key).await?;
    control.operations.keys_changed().await;
    let key = Key::of(KeyRecord { key, old_hash: None, revoked_unix_ms: None, last_used_unix_ms: None }, now);
    let act = Act { after: key.seen(), ..Act::on("keys.create", "keys", &key.id) };
    let issued = IssuedKey { secret: minted.secret.reveal().to_owned(), key };
    Ok(Changed::by(act, issued).status(StatusCode::CREATED))
}

/// One key.
#[utoipa::path(get, path = "/keys/{id}", tag = "keys", operation_id = "get_key",
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = Key), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn one(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Json<Key>, ApiError> {
    let of_file = control.operations.file_keys().into_iter().find(|key| key.id == id);
    match of_file.map(|key| Key::of_file(key, now_ms())).filter(|key| key.is_seen(&control, &granted)) {
        Some(key) => Ok(Json(key)),
        None => stored(&control, &granted, &id).await.map(Json),
    }
}

/// Takes a key back, at once and for good.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", operation_id = "revoke_key",
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = Key), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn revoke(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Changed<Key>, ApiError> {
    not_of_file(&control, &granted, &id)?;
    let before = stored(&control, &granted, &id).await?.seen();
    control.store.revoke_key(&id, now_ms()).await?;
    control.operations.keys_changed().await;
    let key = stored(&control, &granted, &id).await?;
    let act = Act { before, after: key.seen(), ..Act::on("keys.revoke", "keys", &id) };
    Ok(Changed::by(act, key))
}

/// Gives a key a new secret under the same id: team, limits, budgets and history stay.
#[utoipa::path(post, path = "/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key", request_body = RotateKey,
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = IssuedKey), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn rotate(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
    Body(how): Body<RotateKey>,
) -> Result<Changed<IssuedKey>, ApiError> {
    let overlap = how.overlap_secs.unwrap_or(OVERLAP_SECS);
    if overlap > OVERLAP_SECS_MAX {
        return Err(ApiError::invalid("overlap_secs is out of range.", "0 to 2592000 (30 days)."));
    }
    not_of_file(&control, &granted, &id)?;
    // From here on there is such a key: it can only be revoked, never deleted.
    let key = stored(&control, &granted, &id).await?;
    key.may_be_held_by(&granted)?;
    let before = key.seen();
    let minted = keys::mint(&control.operations.environment(), &id)?;
    let hash = keys::hash(&control.pepper, minted.secret.reveal());
    if !control.store.rotate_key(&id, &hash, &minted.shown, now_ms() + overlap * 1_000).await? {
        return Err(ApiError::conflict("The key is revoked.", "Make a new one: POST /api/v1/keys."));
    }
    control.operations.keys_changed().await;
    let key = stored(&control, &granted, &id).await?;
    let act = Act { before, after: key.seen(), ..Act::on("keys.rotate", "keys", &id) };
    Ok(Changed::by(act, IssuedKey { secret: minted.secret.reveal().to_owned(), key }))
}

impl Key {
    /// Does it exist for whoever is asking?
    fn is_seen(&self, control: &Control, granted: &Granted) -> bool {
        let who = control.operations.stands_for(&Holder {
            organisation: self.organisation.clone(),
            team: self.team.clone(),
            user: self.user.clone(),
            service_account: self.service_account.clone(),
            agent: self.agent.clone(),
        });
        granted.sees(Whose { key: &self.id, ..Whose::of(&who) })
    }

    /// Whoever gets its secret gets its role: nobody gets more than the own one so, but the key itself.
    fn may_be_held_by(&self, granted: &Granted) -> Result<(), ApiError> {
        let role = self.role.as_deref().and_then(|role| role.parse::<Role>().ok());
        if *granted.actor.name == *self.id || role.is_none_or(|role| rights::gives(granted.actor.role, role)) {
            return Ok(());
        }
        let hint = "Ask somebody with this role; only owners have keys of owners.";
        Err(ApiError::new(Code::NotAllowed, "The role of this key is not yours to give.", hint))
    }

    /// As the audit log sees it: there is no secret in it.
    fn seen(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self).ok()
    }

    fn of(record: KeyRecord, now: u64) -> Self {
        let key = record.key;
        let overlap = record.old_hash.map(|(_, until)| until).filter(|until| *until > now);
        Self {
            id: key.id,
            name: key.name,
            source: Source::Database,
            state: state(key.expires_unix_ms, record.revoked_unix_ms, now),
            shown: Some(key.shown),
            organisation: key.organisation,
            team: key.team,
            user: key.user,
            service_account: key.service_account,
            agent: key.agent,
            models: key.models,
            mcp_servers: key.mcp_servers,
            toolsets: key.toolsets,
            agents: key.agents,
            ip_ranges: key.ip_ranges,
            tags: key.tags,
            role: key.role,
            limits: key.limits,
            budgets: key.budgets,
            created_unix_ms: Some(key.created_unix_ms),
            expires_unix_ms: key.expires_unix_ms,
            revoked_unix_ms: record.revoked_unix_ms,
            last_used_unix_ms: record.last_used_unix_ms,
            old_secret_until_unix_ms: overlap,
        }
    }

    fn of_file(key: FileKey, now: u64) -> Self {
        Self {
            id: key.id,
            name: key.name,
            source: Source::File,
            state: state(key.expires_unix_ms, None, now),
            shown: None,
            organisation: key.holder.organisation,
            team: key.holder.team,
            user: key.holder.user,
            service_account: key.holder.service_account,
            agent: key.holder.agent,
            models: key.models,
            mcp_servers: key.mcp_servers,
            toolsets: key.toolsets,
            agents: key.agents,
            ip_ranges: key.ip_ranges,
            tags: key.tags,
            role: key.role.map(str::to_owned),
            limits: key.limits,
            budgets: key.budgets,
            created_unix_ms: None,
            expires_unix_ms: key.expires_unix_ms,
            revoked_unix_ms: None,
            last_used_unix_ms: None,
            old_secret_until_unix_ms: None,
        }
    }
}

fn state(expires: Option<u64>, revoked: Option<u64>, now: u64) -> KeyState {
    match (expires, revoked) {
        (_, Some(_)) => KeyState::Revoked,
        (Some(moment), None) if moment <= now => KeyState::Expired,
        _ => KeyState::Active,
    }
}

async fn stored(control: &Control, granted: &Granted, id: &str) -> Result<Key, ApiError> {
    let record = control.store.key(id).await?.ok_or_else(no_such_key)?;
    Some(Key::of(record, now_ms())).filter(|key| key.is_seen(control, granted)).ok_or_else(no_such_key)
}

fn not_of_file(control: &Control, granted: &Granted, id: &str) -> Result<(), ApiError> {
    let of_file = control.operations.file_keys().into_iter().find(|key| key.id == id);
    if of_file.is_some_and(|key| Key::of_file(key, now_ms()).is_seen(control, granted)) {
        return Err(ApiError::of(
            AdminCode::DeclaredInFile,
            "This key is declared in the configuration file.",
            "Change it there: a good change is in force within a second.",
        ));
    }
    Ok(())
}

fn no_such_key() -> ApiError {
    ApiError::not_found("key", "GET /api/v1/keys lists them.")
}
