//! PUT, DELETE and apply: planned, stored, put in force, and then answered.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gatehouse_catalog::{KINDS, Kind};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::plan::{Change, Edit, Plan, Step, not_allowed};
use super::{Object, diff, etag};
use crate::admin::Admin;
use crate::admin::actor::Actor;
use crate::admin::acts::Changed;
use crate::admin::auth::Granted;
use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::extract::{Body, Name, Parameters};
use crate::admin::rights::{self, Reach};

/// Objects of one apply.
const OBJECTS_MAX: usize = 1_000;

/// How a change is meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Only say what would change.
    pub(crate) dry_run: bool,
}

/// What a change did, or would do.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    change: Change,
    dry_run: bool,
    diff: Vec<diff::Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
}

pub(super) async fn put(
    State(admin): State<Admin>,
    Extension(kind): Extension<&'static Kind>,
    granted: Granted,
    Name(name): Name,
    Parameters(how): Parameters<How>,
    headers: HeaderMap,
    Body(body): Body<Value>,
) -> Result<Response, ApiError> {
    let edit = Edit { kind, name, body: Some(body), headers: Some(&headers) };
    one(&admin, &granted, edit, how).await
}

pub(super) async fn delete(
    State(admin): State<Admin>,
    Extension(kind): Extension<&'static Kind>,
    granted: Granted,
    Name(name): Name,
    Parameters(how): Parameters<How>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let edit = Edit { kind, name, body: None, headers: Some(&headers) };
    one(&admin, &granted, edit, how).await
}

/// One edit and its answer.
async fn one(admin: &Admin, granted: &Granted, edit: Edit<'_>, how: How) -> Result<Response, ApiError> {
    let _one_at_a_time = admin.changing.lock().await;
    let mut plan = Plan::make(&admin.control, &granted.actor, vec![edit]).await?;
    if how.dry_run || !plan.changes_something() {
        let outcome = plan.steps.pop().map(|step| Outcome::of(step, how.dry_run, None));
        return Ok(Changed::nothing(outcome).into_response());
    }
    plan.carry_out().await?;
    let acts = plan.acts();
    let stored = match plan.steps.first() {
        Some(step) => plan.stored(step).await?,
        None => None,
    };
    let tag = stored.as_ref().map(|stored| etag(stored.version));
    let created = plan.steps.first().is_some_and(|step| step.change == Change::Created);
    let outcome = plan.steps.pop().map(|step| Outcome::of(step, false, stored.map(Object::of)));
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = Changed::by(acts, outcome).status(status).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Many objects at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    /// Objects as they shall be.
    #[schema(max_items = 1000)]
    objects: Vec<Applied>,
    /// Delete every other object of the database that you may change.
    #[serde(default)]
    prune: bool,
}

/// One of many objects.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applied {
    /// `providers`, `models`, …
    kind: String,
    /// Its name.
    name: String,
    /// Its body, in the words of the configuration file.
    #[schema(value_type = Object)]
    body: Value,
}

/// What became of many objects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedRows {
    /// Was nothing written?
    dry_run: bool,
    /// One row for each object, in the order given; those that were pruned last.
    rows: Vec<AppliedRow>,
}

/// What became of one of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedRow {
    /// Its kind.
    kind: &'static str,
    /// Its name.
    name: String,
    /// created, updated, unchanged or deleted.
    #[schema(value_type = String)]
    change: Change,
    /// Each value that changes.
    #[schema(value_type = Vec<Object>)]
    diff: Vec<diff::Line>,
}

/// Makes and replaces many objects at once, all of them or none: they may refer to each other.
#[utoipa::path(post, path = "/apply", tag = "apply", operation_id = "apply", request_body = Apply, params(How),
    responses((status = 200, body = AppliedRows), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
pub(crate) async fn apply(
    State(admin): State<Admin>,
    granted: Granted,
    Parameters(how): Parameters<How>,
    Body(wanted): Body<Apply>,
) -> Result<Changed<AppliedRows>, ApiError> {
    let _one_at_a_time = admin.changing.lock().await;
    let edits = edits(&admin, &granted, wanted).await?;
    let plan = Plan::make(&admin.control, &granted.actor, edits).await?;
    let dry_run = how.dry_run;
    let written = !dry_run && plan.changes_something();
    if written {
        plan.carry_out().await?;
    }
    let acts = if written { plan.acts() } else { Vec::new() };
    let row = |step: Step| AppliedRow { kind: step.kind.name, name: step.name, change: step.change, diff: step.diff };
    Ok(Changed::by(acts, AppliedRows { dry_run, rows: plan.steps.into_iter().map(row).collect() }))
}

/// The edits of an apply, each object once.
async fn edits(admin: &Admin, granted: &Granted, wanted: Apply) -> Result<Vec<Edit<'static>>, ApiError> {
    if wanted.objects.len() > OBJECTS_MAX {
        return Err(ApiError::invalid("There are too many objects.", format!("At most {OBJECTS_MAX} at once.")));
    }
    let mut edits: Vec<Edit<'static>> = Vec::with_capacity(wanted.objects.len());
    for Applied { kind, name, body } in wanted.objects {
        let kind = Kind::named(&kind).ok_or_else(|| {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            ApiError::invalid(format!("There is no kind {kind:?}."), format!("There are {}.", known.join(", ")))
        })?;
        if !may_change(&granted.actor, kind) {
            return Err(not_allowed(&format!("The {} are not yours to change.", kind.name)));
        }
        if edits.iter().any(|edit| edit.kind.name == kind.name && edit.name == name) {
            return Err(ApiError::invalid(format!("{}/{name} is there twice.", kind.name), "Send each object once."));
        }
        edits.push(Edit { kind, name, body: Some(body), headers: None });
    }
    if wanted.prune {
        for kind in KINDS.iter().filter(|kind| may_change(&granted.actor, kind)) {
            for object in admin.control.store.objects(&granted.actor.organisation, kind.name).await? {
                if !edits.iter().any(|edit| edit.kind.name == kind.name && edit.name == object.name) {
                    edits.push(Edit { kind, name: object.name, body: None, headers: None });
                }
            }
        }
    }
    Ok(edits)
}

/// The right to apply is not the right to every kind.
fn may_change(actor: &Actor, kind: &Kind) -> bool {
    let row = rights::row("PUT", &format!("/{}/{{name}}", kind.name));
    row.is_some_and(|row| row.reach(actor) != Reach::Nothing)
}

impl Outcome {
    fn of(step: Step, dry_run: bool, stored: Option<Object>) -> Self {
        let object = stored.or_else(|| step.unchanged());
        Self { change: step.change, dry_run, diff: step.diff, object }
    }
}
