//! The audit log: who did what, and whether the log is still what was written.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use gatehouse_store::audit::{AuditEntry, AuditOutcome, AuditQuery, AuditReport};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Granted;
use super::error::{ApiError, ErrorBody};
use super::extract::Parameters;
use super::rows::{Page, Rows};
use super::{export, moment, now_ms};
use crate::control::Control;

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuestion {
    /// Only this organisation's chain.
    organisation: Option<String>,
    /// Only this actor: a user, an agent, `admin`, `gateway`.
    actor: Option<String>,
    /// Only this action: `keys.create`; `keys.*` for all that begin so, `call.*` for refused calls.
    action: Option<String>,
    /// Only acts on the object of this name.
    object: Option<String>,
    /// Only what ended so: begun, done, failed or refused.
    outcome: Option<String>,
    /// Only this reason: a code of docs/errors.md.
    code: Option<String>,
    /// At or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).
    since: Option<String>,
    /// Before this.
    until: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// One entry.
#[derive(ToSchema)]
#[schema(as = AuditEntry)]
#[expect(dead_code, reason = "describes how the store's own entry is written")]
pub(crate) struct AuditEntryForm {
    /// Its number in its organisation's chain.
    seq: u64,
    at_unix_ms: u64,
    organisation: String,
    actor: ActorForm,
    /// `keys.create`, `config.reload`, `call.chat`, …
    action: String,
    object: Option<ObjectForm>,
    /// SHA-256 of the object before.
    before: Option<String>,
    /// And after.
    after: Option<String>,
    request_id: Option<String>,
    /// begun, done, failed or refused.
    outcome: String,
    /// The reason.
    code: Option<String>,
    /// How many refusals this entry stands for, if not one.
    count: Option<u64>,
    /// SHA-256 of the entry before and this one.
    hash: String,
}

/// Who did it.
#[derive(ToSchema)]
#[schema(as = AuditActor)]
#[expect(dead_code, reason = "describes how the store's own entry is written")]
pub(crate) struct ActorForm {
    /// Empty for a caller nobody knows.
    who: String,
    /// The key's public id.
    key: Option<String>,
    role: Option<String>,
    address: Option<String>,
}

/// What it was done to.
#[derive(ToSchema)]
#[schema(as = AuditObject)]
#[expect(dead_code, reason = "describes how the store's own entry is written")]
pub(crate) struct ObjectForm {
    kind: String,
    name: String,
}

/// Entries of the audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "list_audit", params(AuditQuestion),
    responses((status = 200, body = Rows<AuditEntryForm>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    granted: Granted,
    Parameters(question): Parameters<AuditQuestion>,
) -> Result<Json<Rows<AuditEntry>>, ApiError> {
    let limit = Page { cursor: None, limit: question.limit }.limit()?;
    let (since_unix_ms, until_unix_ms) = moment::span(question.since.as_deref(), question.until.as_deref())?;
    let actor = &granted.actor;
    let own = (!actor.operator).then(|| actor.organisation.to_string());
    if own.is_some() && question.organisation.is_some() && question.organisation != own {
        return Ok(Json(Rows::all(Vec::new())));
    }
    let query = AuditQuery {
        organisation: own.or(question.organisation),
        actor: question.actor,
        action: question.action,
        object: question.object,
        outcome: question.outcome.as_deref().map(outcome).transpose()?,
        code: question.code,
        since_unix_ms,
        until_unix_ms,
        before: question.cursor.as_deref().map(cursor).transpose()?,
        limit: limit + 1,
    };
    let entries = control.store.audit()?.list(&query).await?;
    Ok(Json(Rows::page(entries, limit, |entry| entry.id.to_string())))
}

/// Whether every chain is what was written.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Are all of them?
    sound: bool,
    /// The public key their statements are signed with, in hexadecimal.
    public_key: String,
    /// One for each organisation.
    #[schema(value_type = Vec<ReportForm>)]
    chains: Vec<AuditReport>,
}

/// What was found of one chain.
#[derive(ToSchema)]
#[schema(as = AuditReport)]
#[expect(dead_code, reason = "describes how the store's own report is written")]
pub(crate) struct ReportForm {
    organisation: String,
    /// Entries looked at.
    entries: u64,
    /// Signed statements looked at.
    statements: u64,
    /// The first entry there is: more than 1 after retention.
    first: u64,
    last: u64,
    /// The last entry that a signature vouches for.
    signed_to: u64,
    sound: bool,
    /// What is wrong, the first hundred: `finding` is changed, moved, removed, cut_off, forged, rewritten,
    /// checkpoint_removed or unreadable.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    findings: Vec<serde_json::Value>,
    /// How many more there are.
    more: u64,
}

/// Checks the whole log against its hashes and signatures. Takes about a second for a hundred thousand entries.
#[utoipa::path(get, path = "/audit/verify", tag = "audit", operation_id = "verify_audit",
    responses((status = 200, body = Verified), (status = 401, body = ErrorBody)))]
pub(crate) async fn verify(State(control): State<Control>) -> Result<Json<Verified>, ApiError> {
    let log = control.store.audit()?;
    let chains = log.verify().await?;
    let sound = chains.iter().all(|chain| chain.sound);
    Ok(Json(Verified { sound, public_key: log.public_key(), chains }))
}

/// From when on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuestion {
    /// Entries from this on: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`). All, if not given.
    since: Option<String>,
}

/// Every chain as JSON lines, with all that is signed about them: `gatehouse audit verify --file` checks it by itself.
#[utoipa::path(get, path = "/audit/export", tag = "audit", operation_id = "export_audit", params(ExportQuestion),
    responses((status = 200, content((String = "application/x-ndjson"))), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(crate) async fn export(
    State(control): State<Control>,
    Parameters(question): Parameters<ExportQuestion>,
) -> Result<Response, ApiError> {
    let (since, _) = moment::span(question.since.as_deref(), None)?;
    let mut export = control.store.audit()?.export(since.unwrap_or(0), now_ms());
    let (pieces, file) = export::file("audit.jsonl", "application/x-ndjson");
    tokio::spawn(async move {
        let mut open = Some(pieces);
        while let Some(pieces) = open {
            open = pieces.pass_on(export.next().await).await;
        }
    });
    Ok(file)
}

fn outcome(text: &str) -> Result<AuditOutcome, ApiError> {
    let all = [AuditOutcome::Begun, AuditOutcome::Done, AuditOutcome::Failed, AuditOutcome::Refused];
    all.into_iter()
        .find(|outcome| outcome.as_str() == text)
        .ok_or_else(|| ApiError::invalid("outcome is none.", "There are begun, done, failed and refused."))
}

fn cursor(text: &str) -> Result<u64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid("The cursor is not one of this listing.", "Start again without a cursor."))
}
