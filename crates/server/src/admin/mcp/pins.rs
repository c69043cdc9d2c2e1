//! Contract pins: every version of what MCP servers offer, what changed between two of them, and what is offered of it.

use axum::Json;
use axum::extract::State;
use gatehouse_store::{PinRow, PinnedItem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::acts::{Act, Changed};
use super::super::auth::Granted;
use super::super::cursor;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Parameters};
use super::super::rows::{Page, Rows};
use crate::control::{Control, McpChanges, McpDecision};

const NO_ITEM: &str = "GET /api/v1/mcp/pins lists items and their versions.";

/// One version of one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpPin {
    /// The server.
    server: String,
    /// `tool`, `prompt`, `template` or `instructions`.
    kind: String,
    /// Its name on its server; empty for instructions.
    name: String,
    /// SHA-256 of its canonical form (RFC 8785).
    hash: String,
    /// `approved`, `pending` or `held`. Only approved versions are offered.
    state: String,
    /// Unix milliseconds: when it was first seen.
    seen_unix_ms: u64,
    /// Unix milliseconds: when somebody decided; absent while it is the policy's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_unix_ms: Option<u64>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
}

impl From<PinRow> for McpPin {
    fn from(row: PinRow) -> Self {
        let PinRow { server, kind, name, hash, state, seen_unix_ms, decided_unix_ms, decided_by, .. } = row;
        Self { server, kind, name, hash, state, seen_unix_ms, decided_unix_ms, decided_by }
    }
}

/// Which versions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this server.
    server: Option<String>,
    /// Only of this kind: tool, prompt, template or instructions.
    kind: Option<String>,
    /// Only in this state: approved, pending or held.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// Every version of what MCP servers offer, by server, kind and name, the oldest of each first.
#[utoipa::path(get, path = "/mcp/pins", tag = "mcp", operation_id = "list_mcp_pins", params(Which),
    responses((status = 200, body = Rows<McpPin>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Rows<McpPin>>, ApiError> {
    let limit = Page { cursor: None, limit: which.limit }.limit()?;
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let mut rows: Vec<McpPin> = control.store.mcp_pins().await?.into_iter().map(McpPin::from).collect();
    rows.retain(|row| is(&which.server, &row.server) && is(&which.kind, &row.kind) && is(&which.state, &row.state));
    let place = |row: &McpPin| [&*row.server, &row.kind, &row.name, &row.hash].join("\0");
    if let Some(at) = which.cursor.as_deref().map(cursor::row).transpose()? {
        let found = rows.iter().position(|row| place(row) == at).ok_or_else(cursor::foreign)?;
        rows.drain(..=found);
    }
    Ok(Json(Rows::page(rows, limit, |row| cursor::after(&place(row)))))
}

/// Which item, and which two versions of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuestion {
    /// The server.
    server: String,
    /// `tool`, `prompt`, `template` or `instructions`.
    kind: String,
    /// The item's name on its server; empty for instructions.
    #[serde(default)]
    name: String,
    /// The hash of the older version; the last approved one before the other if not given.
    from: Option<String>,
    /// The hash of the newer version; the newest if not given.
    to: Option<String>,
}

/// Two versions, and what changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpDiff {
    /// The older version; absent if there is none to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<McpPin>,
    /// The newer version.
    to: McpPin,
    /// What changed.
    #[serde(flatten)]
    changes: McpChanges,
    /// The newer version as the server wrote it.
    document: String,
}

/// What changed between two versions of an item, and how much it matters to who calls.
#[utoipa::path(get, path = "/mcp/pins/diff", tag = "mcp", operation_id = "diff_mcp_pins", params(DiffQuestion),
    responses((status = 200, body = McpDiff), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn diff(
    State(control): State<Control>,
    Parameters(question): Parameters<DiffQuestion>,
) -> Result<Json<McpDiff>, ApiError> {
    let versions = versions(&control, &question.server, &question.kind, &question.name).await?;
    let to = one(&versions, question.to.as_deref())?.clone();
    let from = match &question.from {
        Some(hash) => Some(one(&versions, Some(hash))?.clone()),
        None => before(&versions, &to).cloned(),
    };
    // Without an older version everything is new, and the document says it all.
    let older = from.as_ref().unwrap_or(&to);
    let changes = control.operations.diff_mcp(&question.kind, &older.document, &to.document);
    let document = to.document.clone();
    Ok(Json(McpDiff { from: from.map(McpPin::from), to: to.into(), changes, document }))
}

/// What to approve.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Approve {
    /// The server.
    server: String,
    /// `tool`, `prompt`, `template` or `instructions`; every kind if not given.
    kind: Option<String>,
    /// The item's name on its server; everything of the server that is pending if not given.
    name: Option<String>,
    /// The version; the newest if not given.
    hash: Option<String>,
}

/// What to take back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RollBack {
    /// The server.
    server: String,
    /// `tool`, `prompt`, `template` or `instructions`.
    kind: String,
    /// The item's name on its server; empty for instructions.
    name: String,
    /// The version to hold; the newest if not given.
    hash: Option<String>,
}

/// What was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpDecided {
    /// The versions whose state is another now.
    rows: Vec<McpPin>,
}

/// Lets versions through: one, or everything of a server that is pending.
#[utoipa::path(post, path = "/mcp/pins/approve", tag = "mcp", operation_id = "approve_mcp_pins", request_body = Approve,
    responses((status = 200, body = McpDecided), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn approve(
    State(control): State<Control>,
    granted: Granted,
    Body(wanted): Body<Approve>,
) -> Result<Changed<McpDecided>, ApiError> {
    let Approve { server, kind, name, hash } = wanted;
    let versions = match (&kind, &name) {
        (Some(kind), Some(name)) => {
            let versions = versions(&control, &server, kind, name).await?;
            vec![one(&versions, hash.as_deref())?.clone()]
        }
        (None, Some(_)) => return Err(ApiError::invalid("No kind was named.", "Send `kind`, too: tool, prompt, …")),
        _ => {
            let all = control.store.mcp_pins().await?.into_iter();
            let wanted = |row: &PinRow| row.server == server && kind.as_ref().is_none_or(|kind| row.kind == *kind);
            newest_pending(all.filter(wanted).collect())
        }
    };
    decide(&control, &granted, versions, true).await
}

/// Takes a version back: it is held, and an older one that was approved counts again when the server goes back to it.
#[utoipa::path(post, path = "/mcp/pins/rollback", tag = "mcp", operation_id = "rollback_mcp_pin", request_body = RollBack,
    responses((status = 200, body = McpDecided), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn rollback(
    State(control): State<Control>,
    granted: Granted,
    Body(wanted): Body<RollBack>,
) -> Result<Changed<McpDecided>, ApiError> {
    let versions = versions(&control, &wanted.server, &wanted.kind, &wanted.name).await?;
    let version = one(&versions, wanted.hash.as_deref())?.clone();
    decide(&control, &granted, vec![version], false).await
}

async fn decide(
    control: &Control,
    granted: &Granted,
    versions: Vec<PinRow>,
    approved: bool,
) -> Result<Changed<McpDecided>, ApiError> {
    let (action, state) = if approved { ("mcp.pins.approve", "approved") } else { ("mcp.pins.rollback", "held") };
    let (mut acts, mut rows) = (Vec::new(), Vec::new());
    for version in versions.into_iter().filter(|version| version.state != state) {
        let decision = McpDecision {
            server: version.server.clone(),
            kind: version.kind.clone(),
            name: version.name.clone(),
            hash: version.hash.clone(),
            approved,
            by: granted.actor.user.as_ref().unwrap_or(&granted.actor.name).to_string(),
        };
        if !control.operations.decide_mcp(decision).await? {
            return Err(ApiError::not_found("version", NO_ITEM));
        }
        let object = format!("{} {}.{} {}", version.kind, version.server, version.name, version.hash);
        acts.push(Act {
            before: Some(version.state.clone().into()),
            after: Some(state.into()),
            ..Act::on(action, "mcp_pins", &object)
        });
        rows.push(McpPin { state: state.to_owned(), ..version.into() });
    }
    if rows.is_empty() {
        return Ok(Changed::nothing(McpDecided { rows }));
    }
    Ok(Changed::by(acts, McpDecided { rows }))
}

async fn versions(control: &Control, server: &str, kind: &str, name: &str) -> Result<Vec<PinRow>, ApiError> {
    let versions = control.store.mcp_pin_versions(PinnedItem { server, kind, name }).await?;
    if versions.is_empty() { Err(ApiError::not_found("item", NO_ITEM)) } else { Ok(versions) }
}

/// The version of a hash, or of the beginning of one; the newest without.
fn one<'a>(versions: &'a [PinRow], hash: Option<&str>) -> Result<&'a PinRow, ApiError> {
    let found = match hash {
        None => versions.last(),
        Some(hash) => versions.iter().find(|version| !hash.is_empty() && version.hash.starts_with(hash)),
    };
    found.ok_or_else(|| ApiError::not_found("version", NO_ITEM))
}

/// What was offered before a version came.
fn before<'a>(versions: &'a [PinRow], to: &PinRow) -> Option<&'a PinRow> {
    let earlier = || versions.iter().take_while(|version| version.hash != to.hash);
    earlier().filter(|version| version.state == "approved").last().or_else(|| earlier().last())
}

/// Of each item its newest version, if that is pending.
fn newest_pending(rows: Vec<PinRow>) -> Vec<PinRow> {
    let same =
        |one: &PinRow, other: &PinRow| (&one.server, &one.kind, &one.name) == (&other.server, &other.kind, &other.name);
    let newest = rows.chunk_by(same).filter_map(<[PinRow]>::last);
    newest.filter(|version| version.state == "pending").cloned().collect()
}
