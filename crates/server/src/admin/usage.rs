//! What was used: sums over the ledger, and its latest rows.

use axum::Json;
use axum::extract::State;
use gatehouse_domain::{AttemptId, Principal, Usage};
use gatehouse_store::{LatestQuery, LedgerEntry, RequestFilter, Store, UsageDimension, UsageQuery, UsageRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Granted;
use super::cursor;
use super::error::{ApiError, ErrorBody};
use super::extract::Parameters;
use super::moment;
use super::rights::Reach;
use super::rows::{Page, Rows};
use crate::control::Control;

/// Rows of a report.
const ROWS_MAX: u32 = 10_000;

/// What to sum up.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuestion {
    /// Dimensions, separated by commas: key, organisation, team, user, agent, tags, run,
    /// model, provider, upstream_model, mcp_server, tool, dialect, operation, status, service_tier, day, hour, attempt.
    by: Option<String>,
    /// Attempts that started at or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).
    since: Option<String>,
    /// Attempts that started before this.
    until: Option<String>,
    /// Only this key (its id).
    key: Option<String>,
    /// Only this team.
    team: Option<String>,
    /// Only this person.
    user: Option<String>,
    /// Only this run.
    run: Option<String>,
    /// Rows at most: 10,000 if not given, and at most.
    #[param(maximum = 10000)]
    limit: Option<u32>,
}

/// A row: the dimensions asked for, and the counters.
#[derive(ToSchema)]
#[schema(as = UsageRow)]
#[expect(dead_code, reason = "describes how the store's own row is written")]
pub(crate) struct UsageRowForm {
    key: Option<String>,
    organisation: Option<String>,
    /// Null for calls without a team.
    team: Option<String>,
    /// Null for calls of no person.
    user: Option<String>,
    /// Null for calls of no agent.
    agent: Option<String>,
    /// `name=value` by commas; null for calls without tags.
    tags: Option<String>,
    /// Null for calls of no run.
    run: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    upstream_model: Option<String>,
    /// Null for what is no MCP.
    mcp_server: Option<String>,
    /// As `server.tool`; null for what calls none.
    tool: Option<String>,
    dialect: Option<String>,
    operation: Option<String>,
    status: Option<String>,
    /// standard, batch, flex or priority.
    service_tier: Option<String>,
    /// UTC.
    day: Option<String>,
    /// UTC.
    hour: Option<String>,
    /// Upstream attempts.
    attempts: u64,
    /// Cached ones included.
    input_tokens: u64,
    /// Reasoning included.
    output_tokens: u64,
    /// Of the input.
    cache_read_tokens: u64,
    /// Of the input.
    cache_write_tokens: u64,
    /// Of the output.
    reasoning_tokens: u64,
    cost_usd: f64,
    /// Attempts that cost nothing because there was no price.
    unpriced_attempts: u64,
    /// Attempts whose tokens the gateway counted, or whose cost it assumed.
    estimated_attempts: u64,
}

/// What was used, summed up by the dimensions asked for; by time if a time is among them, else dearest first.
#[utoipa::path(get, path = "/usage", tag = "usage", operation_id = "get_usage", params(UsageQuestion),
    responses((status = 200, body = Rows<UsageRowForm>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn usage(
    State(control): State<Control>,
    granted: Granted,
    Parameters(question): Parameters<UsageQuestion>,
) -> Result<Json<Rows<UsageRow>>, ApiError> {
    let query = question.query()?;
    let Some(scope) = Scope::of(&granted) else { return Ok(Json(Rows::all(Vec::new()))) };
    let Some(query) = scope.narrow(query) else { return Ok(Json(Rows::all(Vec::new()))) };
    Ok(Json(Rows::all(control.store.usage(&query).await?)))
}

/// The same of one caller's own key, for that caller.
pub(crate) async fn of_key(
    store: &Store,
    caller: &Principal,
    question: UsageQuestion,
) -> Result<Rows<UsageRow>, ApiError> {
    let organisation = Some(caller.organisation.to_string());
    let query = UsageQuery { organisation, key: Some(caller.key.to_string()), ..question.query()? };
    Ok(Rows::all(store.usage(&query).await?))
}

impl UsageQuestion {
    fn query(self) -> Result<UsageQuery, ApiError> {
        if self.limit.is_some_and(|limit| limit > ROWS_MAX) {
            return Err(ApiError::invalid("limit is out of range.", format!("At most {ROWS_MAX} rows.")));
        }
        let (since_unix_ms, until_unix_ms) = moment::span(self.since.as_deref(), self.until.as_deref())?;
        Ok(UsageQuery {
            by: dimensions(self.by.as_deref().unwrap_or_default())?,
            since_unix_ms,
            until_unix_ms,
            organisation: None,
            key: self.key,
            team: self.team,
            user: self.user,
            run: self.run,
            limit: self.limit.unwrap_or_default(),
        })
    }
}

/// Each dimension once, so that a row has no name twice.
fn dimensions(text: &str) -> Result<Vec<UsageDimension>, ApiError> {
    let mut by: Vec<UsageDimension> = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let dimension: UsageDimension = word.parse().map_err(|_| {
            let known: Vec<_> = UsageDimension::ALL.iter().map(|dimension| dimension.as_str()).collect();
            ApiError::invalid(
                format!("by: there is no dimension {word:?}."),
                format!("There are {}.", known.join(", ")),
            )
        })?;
        if !by.contains(&dimension) {
            by.push(dimension);
        }
    }
    Ok(by)
}

/// One upstream attempt.
#[derive(Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// The attempt. Its first 30 characters are those of the call's `x-gatehouse-request-id`; the last two count attempts.
    id: String,
    /// The call.
    request_id: String,
    /// When it was sent.
    started_unix_ms: u64,
    /// The key's id.
    key: String,
    /// The organisation it belongs to.
    organisation: String,
    /// The team that pays.
    team: Option<String>,
    /// The person it was done for.
    user: Option<String>,
    /// The agent that did it.
    agent: Option<String>,
    /// Tags: `name=value`, by commas.
    tags: Option<String>,
    /// The run it belongs to.
    run: Option<String>,
    /// The model as the client named it.
    model: String,
    /// The provider.
    provider: String,
    /// The provider's model.
    upstream_model: String,
    /// The caller's dialect.
    dialect: String,
    /// What was asked for.
    operation: String,
    /// Streamed answer?
    stream: bool,
    /// How it ended: ok, rejected, limited, failed, truncated, cancelled, timed_out or interrupted.
    status: &'static str,
    /// The upstream's HTTP status; 0 if there was none.
    http_status: u16,
    /// Tokens by kind; no token is in two of them.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    usage: Usage,
    /// All input tokens.
    input_tokens: u64,
    /// All output tokens.
    output_tokens: u64,
    /// Were the tokens counted by the gateway?
    estimated: bool,
    /// Was there a price?
    priced: bool,
    /// What it cost.
    cost_usd: f64,
    /// From sending to the end.
    duration_ms: f64,
    /// From sending to the first byte of the answer; 0 if none came.
    first_byte_ms: f64,
}

/// The latest upstream attempts, newest first.
#[utoipa::path(get, path = "/attempts", tag = "usage", operation_id = "list_attempts", params(Page),
    responses((status = 200, body = Rows<Attempt>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn attempts(
    State(control): State<Control>,
    granted: Granted,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Rows<Attempt>>, ApiError> {
    let limit = page.limit()?;
    let cursor = |text: &str| Uuid::try_parse(text).map(AttemptId).map_err(|_| cursor::foreign());
    let before = page.cursor.as_deref().map(cursor).transpose()?;
    let Some(Scope { organisation, team, user, key }) = Scope::of(&granted) else {
        return Ok(Json(Rows::all(Vec::new())));
    };
    let query = LatestQuery { organisation, team, user, key, before, limit: limit + 1 };
    let entries = control.store.latest(&query).await?;
    Ok(Json(Rows::page(entries.into_iter().map(Attempt::of).collect(), limit, |last| last.id.clone())))
}

/// Whose usage somebody sees.
pub(super) struct Scope {
    organisation: Option<String>,
    team: Option<String>,
    user: Option<String>,
    key: Option<String>,
}

impl Scope {
    /// `None`: nobody's.
    pub(super) fn of(granted: &Granted) -> Option<Self> {
        let actor = &granted.actor;
        let organisation = (!actor.operator).then(|| actor.organisation.to_string());
        let everything = Self { organisation, team: None, user: None, key: None };
        match (granted.reach, actor.team.as_deref(), actor.user.as_deref()) {
            (Reach::Nothing, ..) | (Reach::Team, None, _) => None,
            (Reach::All, ..) => Some(everything),
            (Reach::Team, Some(team), _) => Some(Self { team: Some(team.to_owned()), ..everything }),
            (Reach::Own, _, Some(user)) => Some(Self { user: Some(user.to_owned()), ..everything }),
            (Reach::Own, _, None) => Some(Self { key: Some(actor.name.to_string()), ..everything }),
        }
    }

    /// A question about no more than this. `None` if it is about something else only.
    fn narrow(self, query: UsageQuery) -> Option<UsageQuery> {
        Some(UsageQuery {
            organisation: self.organisation,
            team: both(self.team, query.team)?,
            user: both(self.user, query.user)?,
            key: both(self.key, query.key)?,
            ..query
        })
    }

    /// The same for calls.
    pub(super) fn calls(self, filter: RequestFilter) -> Option<RequestFilter> {
        Some(RequestFilter {
            organisation: both(self.organisation, filter.organisation)?,
            team: both(self.team, filter.team)?,
            user: both(self.user, filter.user)?,
            key: both(self.key, filter.key)?,
            ..filter
        })
    }
}

/// The narrower of what is one's own and what is asked for. `None` if they exclude each other.
fn both(own: Option<String>, asked: Option<String>) -> Option<Option<String>> {
    match (own, asked) {
        (Some(own), Some(asked)) if own != asked => None,
        (own, asked) => Some(own.or(asked)),
    }
}

impl Attempt {
    fn of(entry: LedgerEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            request_id: entry.id.request().to_string(),
            started_unix_ms: entry.started_unix_ms,
            key: entry.key,
            organisation: entry.organisation,
            team: entry.team,
            user: entry.user,
            agent: entry.agent,
            tags: entry.tags,
            run: entry.run,
            model: entry.model,
            provider: entry.provider,
            upstream_model: entry.upstream_model,
            dialect: entry.dialect,
            operation: entry.operation,
            stream: entry.stream,
            status: entry.status,
            http_status: entry.http_status,
            usage: entry.usage,
            input_tokens: entry.usage.input_total(),
            output_tokens: entry.usage.output_total(),
            estimated: entry.estimated,
            priced: entry.priced,
            cost_usd: entry.cost.usd(),
            duration_ms: ms(entry.duration_us),
            first_byte_ms: ms(entry.first_byte_us),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}
