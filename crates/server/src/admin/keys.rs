//! Keys: made, listed, rotated and taken back. The secret is in one answer and nowhere else.

use axum::extract::State;
use axum::{Extension, Json};
use gatehouse_domain::Code;
use gatehouse_store::{KeyRecord, NewKey, keys};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::audited::Notes;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Name, Parameters};
use super::moment;
use super::rows::{Page, Rows};
use super::terms::{Budget, Limit};
use crate::control::{Control, FileKey, Source};

/// How long the old secret of a rotated key stays good if nobody says: one deployment.
const OVERLAP_SECS: u64 = 3_600;
/// And at most: 30 days.
const OVERLAP_SECS_MAX: u64 = 30 * 86_400;
/// Characters of a name.
const NAME_MAX: usize = 128;
/// Models, limits or budgets of one key.
const TERMS_MAX: usize = 256;

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
    /// The team that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    /// Models it may use: names and `prefix*`; none means all.
    models: Vec<String>,
    /// How fast it may call.
    #[schema(value_type = Vec<Limit>)]
    limits: Box<RawValue>,
    /// How much it may spend.
    #[schema(value_type = Vec<Budget>)]
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

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateKey {
    /// What people call it.
    name: String,
    /// The team that pays.
    #[serde(default)]
    team: Option<String>,
    /// Models it may use: names and `prefix*`; none means all.
    #[serde(default)]
    models: Vec<String>,
    /// How fast it may call.
    #[serde(default)]
    limits: Vec<Limit>,
    /// How much it may spend.
    #[serde(default)]
    budgets: Vec<Budget>,
    /// The first moment it no longer works: `2027-01-01` (UTC) or `2027-01-01T12:00:00Z`.
    #[serde(default)]
    expires: Option<String>,
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
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<Key>>, ApiError> {
    let limit = page.limit()?;
    let now = now_ms();
    let file = control.operations.file_keys();
    let stored = control.store.list_keys().await?;
    let mut rows: Vec<Key> = file
        .into_iter()
        .map(|key| Key::of_file(key, now))
        .chain(stored.into_iter().map(|key| Key::of(key, now)))
        .collect();
    if let Some(cursor) = page.cursor {
        let Some(place) = rows.iter().position(|key| key.id == cursor) else {
            return Err(ApiError::invalid("The cursor is not one of this listing.", "Start again without a cursor."));
        };
        rows.drain(..=place);
    }
    Ok(Json(Rows::page(rows, limit, |key| key.id.clone())))
}

/// Makes a key. The answer holds its secret, which is shown this once.
#[utoipa::path(post, path = "/keys", tag = "keys", operation_id = "create_key", request_body = CreateKey,
    responses((status = 201, body = IssuedKey), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn create(
    State(control): State<Control>,
    Extension(notes): Extension<Notes>,
    Body(wanted): Body<CreateKey>,
) -> Result<(StatusCode, Json<IssuedKey>), ApiError> {
    let now = now_ms();
    let expires_unix_ms = wanted.check(&control, now)?;
    let minted = keys::mint()?;
    let key = NewKey {
        id: keys::new_id()?,
        name: wanted.name,
        shown: minted.shown,
        hash: keys::hash(&control.pepper, minted.secret.reveal()),
        team: wanted.team.filter(|team| !team.is_empty()),
        models: wanted.models,
        limits: raw(&wanted.limits)?,
        budgets: raw(&wanted.budgets)?,
        created_unix_ms: now,
        expires_unix_ms,
    };
    control.store.create_key(&key).await?;
    control.operations.keys_changed().await;
    let key = Key::of(KeyRecord { key, old_hash: None, revoked_unix_ms: None, last_used_unix_ms: None }, now);
    notes.name(&key.id);
    notes.after(&key);
    Ok((StatusCode::CREATED, Json(IssuedKey { secret: minted.secret.reveal().to_owned(), key })))
}

/// One key.
#[utoipa::path(get, path = "/keys/{id}", tag = "keys", operation_id = "get_key",
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = Key), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn one(State(control): State<Control>, Name(id): Name) -> Result<Json<Key>, ApiError> {
    if let Some(key) = control.operations.file_keys().into_iter().find(|key| key.id == id) {
        return Ok(Json(Key::of_file(key, now_ms())));
    }
    stored(&control, &id).await.map(Json)
}

/// Takes a key back, at once and for good.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", operation_id = "revoke_key",
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = Key), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn revoke(
    State(control): State<Control>,
    Extension(notes): Extension<Notes>,
    Name(id): Name,
) -> Result<Json<Key>, ApiError> {
    not_of_file(&control, &id)?;
    notes.before(&stored(&control, &id).await?);
    if !control.store.revoke_key(&id, now_ms()).await? {
        return Err(no_such_key());
    }
    control.operations.keys_changed().await;
    let key = stored(&control, &id).await?;
    notes.after(&key);
    Ok(Json(key))
}

/// Gives a key a new secret under the same id: team, limits, budgets and history stay.
#[utoipa::path(post, path = "/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key", request_body = RotateKey,
    params(("id" = String, Path, description = "The key's public id")),
    responses((status = 200, body = IssuedKey), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn rotate(
    State(control): State<Control>,
    Extension(notes): Extension<Notes>,
    Name(id): Name,
    Body(how): Body<RotateKey>,
) -> Result<Json<IssuedKey>, ApiError> {
    let overlap = how.overlap_secs.unwrap_or(OVERLAP_SECS);
    if overlap > OVERLAP_SECS_MAX {
        return Err(ApiError::invalid("overlap_secs is out of range.", "0 to 2592000 (30 days)."));
    }
    not_of_file(&control, &id)?;
    // From here on there is such a key: it can only be revoked, never deleted.
    notes.before(&stored(&control, &id).await?);
    let minted = keys::mint()?;
    let hash = keys::hash(&control.pepper, minted.secret.reveal());
    if !control.store.rotate_key(&id, &hash, &minted.shown, now_ms() + overlap * 1_000).await? {
        return Err(ApiError::conflict("The key is revoked.", "Make a new one: POST /api/v1/keys."));
    }
    control.operations.keys_changed().await;
    let key = stored(&control, &id).await?;
    notes.after(&key);
    Ok(Json(IssuedKey { secret: minted.secret.reveal().to_owned(), key }))
}

impl CreateKey {
    /// Refuses what has no meaning, and says when the key expires.
    fn check(&self, control: &Control, now: u64) -> Result<Option<u64>, ApiError> {
        for (field, text) in [("name", Some(&self.name)), ("team", self.team.as_ref())] {
            if text.is_some_and(|text| text.chars().count() > NAME_MAX || text.chars().any(char::is_control)) {
                return Err(ApiError::invalid(
                    format!("{field} is too long or has control characters."),
                    format!("At most {NAME_MAX} characters."),
                ));
            }
        }
        if self.name.trim().is_empty() {
            return Err(ApiError::invalid("name is empty.", "Give the key a name for reports."));
        }
        if [self.models.len(), self.limits.len(), self.budgets.len()].into_iter().any(|count| count > TERMS_MAX) {
            return Err(ApiError::invalid("There are too many models, limits or budgets.", "At most 256 of each."));
        }
        self.limits.iter().try_for_each(Limit::check)?;
        self.budgets.iter().try_for_each(Budget::check)?;
        let known = control.operations.models();
        if let Some(name) = self.models.iter().find(|name| !known.iter().any(|model| meet(&model.name, name))) {
            return Err(ApiError::new(
                Code::UnknownModel,
                format!("There is no model {name:?}."),
                "GET /api/v1/models lists them; `prefix*` stands for every model that starts so.",
            ));
        }
        let Some(expires) = &self.expires else { return Ok(None) };
        match moment::point(expires).and_then(|moment| u64::try_from(moment.as_millisecond()).ok()) {
            Some(moment) if moment > now => Ok(Some(moment)),
            Some(_) => Err(ApiError::invalid("expires is in the past.", "Such a key would never work.")),
            None => Err(ApiError::invalid("expires is not a date.", "Write 2027-01-01 or 2027-01-01T12:00:00Z.")),
        }
    }
}

impl Key {
    fn of(record: KeyRecord, now: u64) -> Self {
        let key = record.key;
        let overlap = record.old_hash.map(|(_, until)| until).filter(|until| *until > now);
        Self {
            id: key.id,
            name: key.name,
            source: Source::Database,
            state: state(key.expires_unix_ms, record.revoked_unix_ms, now),
            shown: Some(key.shown),
            team: key.team,
            models: key.models,
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
            team: key.team,
            models: key.models,
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

async fn stored(control: &Control, id: &str) -> Result<Key, ApiError> {
    let record = control.store.key(id).await?.ok_or_else(no_such_key)?;
    Ok(Key::of(record, now_ms()))
}

fn not_of_file(control: &Control, id: &str) -> Result<(), ApiError> {
    if control.operations.file_keys().iter().any(|key| key.id == id) {
        return Err(ApiError::conflict(
            "This key is declared in the configuration file.",
            "Change it there: a good change is in force within a second.",
        ));
    }
    Ok(())
}

fn no_such_key() -> ApiError {
    ApiError::not_found("key", "GET /api/v1/keys lists them.")
}

/// Could the two mean the same model? Either may end in `*`.
fn meet(model: &str, pattern: &str) -> bool {
    match (model.strip_suffix('*'), pattern.strip_suffix('*')) {
        (None, None) => model == pattern,
        (Some(prefix), None) => pattern.starts_with(prefix),
        (None, Some(prefix)) => model.starts_with(prefix),
        (Some(a), Some(b)) => a.starts_with(b) || b.starts_with(a),
    }
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, ApiError> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| ApiError::invalid(error.to_string(), "Numbers must be finite."))
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
