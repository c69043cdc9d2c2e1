//! The request log: every call, searched; one call; and the calls of a run.

use axum::Json;
use axum::extract::State;
use gatehouse_domain::{Money, RequestId};
use gatehouse_store::{RequestFilter, RequestRow, RunSums};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Granted, Whose};
use super::error::{ApiError, ErrorBody};
use super::extract::{Name, Parameters};
use super::moment;
use super::rights::Reach;
use super::rows::{Page, Rows};
use super::usage::Scope;
use crate::control::Control;

/// Calls of a run that are shown with its sums.
const RUN_ROWS: u32 = 1_000;
/// Bytes of a search text.
const TEXT_MAX: usize = 256;

/// Which calls. Everything given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestQuestion {
    /// Only this organisation.
    organisation: Option<String>,
    /// Only this team.
    team: Option<String>,
    /// Only this person.
    user: Option<String>,
    /// Only this agent.
    agent: Option<String>,
    /// Only this key (its id).
    key: Option<String>,
    /// Only this model, as clients name it.
    model: Option<String>,
    /// Only this provider.
    provider: Option<String>,
    /// Only this run.
    run: Option<String>,
    /// Only this HTTP status, or a class of them: `429`, `4xx`.
    status: Option<String>,
    /// Only calls refused with this code.
    code: Option<String>,
    /// Calls that began at or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).
    since: Option<String>,
    /// Calls that began before this.
    until: Option<String>,
    /// Calls that cost at least so much, in USD.
    min_cost: Option<f64>,
    /// Calls with this in a name, whatever the case: who, model, provider, run, tags or code.
    q: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows on this page: 1 to 1000, 100 if not given.
    limit: Option<u32>,
}

/// One call. Names that do not apply are left out.
#[derive(ToSchema)]
#[schema(as = Request)]
#[expect(dead_code, reason = "describes how the store's own row is written")]
pub(crate) struct RequestForm {
    /// `x-gatehouse-request-id` of its answer.
    id: String,
    started_unix_ms: u64,
    organisation: String,
    team: Option<String>,
    user: Option<String>,
    agent: Option<String>,
    /// The key's public id.
    key: String,
    dialect: String,
    operation: String,
    /// As the client named it.
    model: Option<String>,
    /// Who answered in the end.
    provider: Option<String>,
    upstream_model: Option<String>,
    run: Option<String>,
    /// `env=prod,job=nightly`
    tags: Option<String>,
    stream: bool,
    /// The HTTP status the client got.
    status: u16,
    /// Why it was refused or failed.
    code: Option<String>,
    /// Upstream attempts.
    attempts: u32,
    /// Of all attempts.
    input_tokens: u64,
    /// Of all attempts.
    output_tokens: u64,
    /// Of all attempts.
    cost_usd: f64,
    duration_ms: f64,
    first_byte_ms: f64,
    /// What the gateway itself added.
    overhead_ms: f64,
    /// What each guardrail did.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    guardrails: Vec<serde_json::Value>,
    /// The policies that decided.
    decision: Option<String>,
}

/// Calls, newest first.
#[utoipa::path(get, path = "/requests", tag = "requests", operation_id = "list_requests", params(RequestQuestion),
    responses((status = 200, body = Rows<RequestForm>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    State(control): State<Control>,
    granted: Granted,
    Parameters(question): Parameters<RequestQuestion>,
) -> Result<Json<Rows<RequestRow>>, ApiError> {
    let limit = Page { cursor: None, limit: question.limit }.limit()?;
    let filter = RequestFilter { limit: limit + 1, ..question.filter()? };
    let Some(filter) = Scope::of(&granted).and_then(|scope| scope.calls(filter)) else {
        return Ok(Json(Rows::all(Vec::new())));
    };
    let rows = control.store.requests(&filter).await?;
    Ok(Json(Rows::page(rows, limit, |row| row.id.to_string())))
}

/// One call.
#[utoipa::path(get, path = "/requests/{id}", tag = "requests", operation_id = "get_request",
    params(("id" = String, Path, description = "The call's x-gatehouse-request-id")),
    responses((status = 200, body = RequestForm), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn one(
    State(control): State<Control>,
    granted: Granted,
    Name(id): Name,
) -> Result<Json<RequestRow>, ApiError> {
    let row = match request_id(&id) {
        Some(id) => control.store.request(id).await?,
        None => None,
    };
    row.filter(|row| granted.sees(whose(row))).map(Json).ok_or_else(|| {
        ApiError::not_found(
            "call",
            "It may be too new (a second), too old (telemetry.requests.keep_days) or never came.",
        )
    })
}

/// A run: its sums, and its calls in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Run {
    /// The run.
    run: String,
    /// Over all of its calls.
    #[schema(value_type = SumsForm)]
    sums: RunSums,
    /// Its calls, oldest first, the first thousand.
    #[schema(value_type = Vec<RequestForm>)]
    rows: Vec<RequestRow>,
}

/// The sums over a run.
#[derive(ToSchema)]
#[schema(as = RunSums)]
#[expect(dead_code, reason = "describes how the store's own sums are written")]
pub(crate) struct SumsForm {
    calls: u64,
    /// Refused or broken off.
    failed: u64,
    /// Upstream attempts.
    attempts: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost_usd: f64,
    first_unix_ms: u64,
    last_unix_ms: u64,
}

/// The calls of one run in order, and their sums.
#[utoipa::path(get, path = "/runs/{run}", tag = "requests", operation_id = "get_run",
    params(("run" = String, Path, description = "What calls name in x-gatehouse-run, or the trace they belong to")),
    responses((status = 200, body = Run), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn run(
    State(control): State<Control>,
    granted: Granted,
    Name(run): Name,
) -> Result<Json<Run>, ApiError> {
    let no_such =
        || ApiError::not_found("run", "GET /api/v1/requests lists calls; `run` says which one they belong to.");
    let filter =
        RequestFilter { run: Some(run.clone()), oldest_first: true, limit: RUN_ROWS, ..RequestFilter::default() };
    let filter = Scope::of(&granted).and_then(|scope| scope.calls(filter)).ok_or_else(no_such)?;
    let rows = control.store.requests(&filter).await?;
    // The sums are of the whole run: they are for those who see all of it.
    let sums = control.store.run_sums(&run, filter.organisation.as_deref()).await?;
    let seen = matches!(granted.reach, Reach::All) || u64::try_from(rows.len()).is_ok_and(|rows| rows == sums.calls);
    if rows.is_empty() || !seen {
        return Err(no_such());
    }
    Ok(Json(Run { run, sums, rows }))
}

impl RequestQuestion {
    fn filter(self) -> Result<RequestFilter, ApiError> {
        let (since_unix_ms, until_unix_ms) = moment::span(self.since.as_deref(), self.until.as_deref())?;
        if self.q.as_ref().is_some_and(|text| text.len() > TEXT_MAX) {
            return Err(ApiError::invalid("q is too long.", format!("At most {TEXT_MAX} bytes.")));
        }
        Ok(RequestFilter {
            organisation: self.organisation,
            team: self.team,
            user: self.user,
            agent: self.agent,
            key: self.key,
            model: self.model,
            provider: self.provider,
            run: self.run,
            code: self.code,
            status: self.status.as_deref().map(status).transpose()?,
            since_unix_ms,
            until_unix_ms,
            min_cost: self.min_cost.map(cost).transpose()?,
            text: self.q,
            cursor: self.cursor.as_deref().map(cursor).transpose()?,
            oldest_first: false,
            limit: 0,
        })
    }
}

/// Whose a call is.
fn whose(row: &RequestRow) -> Whose<'_> {
    let some = |text: &'_ str| !text.is_empty();
    Whose {
        organisation: &row.organisation,
        team: Some(&*row.team).filter(|text| some(text)),
        user: Some(&*row.user).filter(|text| some(text)),
        key: &row.key,
    }
}

/// `429`, or `4xx`.
fn status(text: &str) -> Result<(u16, u16), ApiError> {
    let class =
        text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..=5).contains(class));
    let exact = || text.parse::<u16>().ok().filter(|status| (100..600).contains(status)).map(|status| (status, status));
    class
        .map(|class| (class * 100, class * 100 + 99))
        .or_else(exact)
        .ok_or_else(|| ApiError::invalid("status is none.", "Write a status (429) or a class of them (4xx)."))
}

fn cost(usd: f64) -> Result<Money, ApiError> {
    if usd.is_finite() && usd >= 0.0 {
        return Ok(Money::from_usd(usd));
    }
    Err(ApiError::invalid("min_cost is not an amount.", "Write USD, 0 or more."))
}

fn cursor(text: &str) -> Result<RequestId, ApiError> {
    request_id(text).ok_or_else(super::cursor::foreign)
}

fn request_id(text: &str) -> Option<RequestId> {
    Uuid::try_parse(text).ok().map(RequestId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_number_or_a_class() {
        assert_eq!(status("429").unwrap(), (429, 429));
        assert_eq!(status("4xx").unwrap(), (400, 499));
        for text in ["", "xx", "9xx", "4x", "42", "-1", "700", "４xx"] {
            assert!(status(text).is_err(), "{text:?}");
        }
    }
}
