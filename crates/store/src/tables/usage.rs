//! Usage reports: sums over the ledger by any of its dimensions.

use std::fmt::Write as _;
use std::str::FromStr;

use gatehouse_domain::{Money, ServiceTier};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap, Serializer};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::tables::ledger::{first_id, past_id, status_word};
use crate::{Store, StoreError};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// The most rows a report has, unless asked for fewer.
const MOST_ROWS: u32 = 10_000;

/// What a report can be broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageDimension {
    /// The caller's key (its id).
    Key,
    /// The organisation everything of the caller belongs to.
    Organisation,
    /// The team that pays; null for none.
    Team,
    /// The person it was done for; null for none.
    User,
    /// The agent that did it; null for none.
    Agent,
    /// Tags of key and call together; null for none.
    Tags,
    /// The run it belongs to; null for none.
    Run,
    /// The model as clients name it.
    Model,
    /// The provider.
    Provider,
    /// The provider's model.
    UpstreamModel,
    /// The MCP server; null for what is no MCP.
    McpServer,
    /// The tool, as `server.tool`; null for what calls none.
    Tool,
    /// The caller's dialect.
    Dialect,
    /// What was asked for.
    Operation,
    /// How attempts ended.
    Status,
    /// How urgently the provider served them: standard, batch, flex or priority.
    ServiceTier,
    /// The day in UTC an attempt started (`2026-11-22`).
    Day,
    /// The hour in UTC (`2026-11-22T16:00Z`).
    Hour,
    /// Each attempt by itself: the id of its row. Its first 30 digits are the call's request id.
    Attempt,
}

/// A report to make.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    /// One row for each combination of these; none makes one row for everything.
    pub by: Vec<UsageDimension>,
    /// Only attempts that started at or after this (Unix milliseconds).
    pub since_unix_ms: Option<u64>,
    /// Only attempts that started before this (Unix milliseconds).
    pub until_unix_ms: Option<u64>,
    /// Only this organisation.
    pub organisation: Option<String>,
    /// Only this key (its id).
    pub key: Option<String>,
    /// Only this team.
    pub team: Option<String>,
    /// Only this person.
    pub user: Option<String>,
    /// Only this run.
    pub run: Option<String>,
    /// At most so many rows; 0 for the most there can be (10,000).
    pub limit: u32,
}

/// One row of a report. As JSON it has one field per dimension asked for, and the counters; `cost_usd` is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The dimensions asked for, in that order; `None` is a call without a team.
    pub dimensions: Vec<(UsageDimension, Option<String>)>,
    /// Upstream attempts.
    pub attempts: u64,
    /// All input tokens, cached ones included.
    pub input_tokens: u64,
    /// All output tokens, reasoning included.
    pub output_tokens: u64,
    /// Of the input: read from a cache.
    pub cache_read_tokens: u64,
    /// Of the input: written to a cache.
    pub cache_write_tokens: u64,
    /// Of the output: reasoning.
    pub reasoning_tokens: u64,
    /// Exact cost; where attempts were priced again, by the latest correction.
    pub cost: Money,
    /// Attempts that cost nothing because there was no price.
    pub unpriced_attempts: u64,
    /// Attempts whose tokens the gateway counted, or whose cost it assumed.
    pub estimated_attempts: u64,
}

impl UsageDimension {
    /// Every dimension.
    pub const ALL: [Self; 19] = [
        Self::Key,
        Self::Organisation,
        Self::Team,
        Self::User,
        Self::Agent,
        Self::Tags,
        Self::Run,
        Self::Model,
        Self::Provider,
        Self::UpstreamModel,
        Self::McpServer,
        Self::Tool,
        Self::Dialect,
        Self::Operation,
        Self::Status,
        Self::ServiceTier,
        Self::Day,
        Self::Hour,
        Self::Attempt,
    ];

    /// The word on the command line, in the API and in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Organisation => "organisation",
            Self::Team => "team",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Tags => "tags",
            Self::Run => "run",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::UpstreamModel => "upstream_model",
            Self::McpServer => "mcp_server",
            Self::Tool => "tool",
            Self::Dialect => "dialect",
            Self::Operation => "operation",
            Self::Status => "status",
            Self::ServiceTier => "service_tier",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Attempt => "attempt",
        }
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Key => "s.key",
            Self::Organisation => "s.organisation",
            Self::Team => "s.team",
            Self::User => "s.user",
            Self::Agent => "s.agent",
            Self::Tags => "s.tags",
            Self::Run => "coalesce(l.run, '')",
            Self::Model => "s.model",
            Self::Provider => "s.provider",
            Self::UpstreamModel => "s.upstream_model",
            Self::McpServer => "CASE WHEN s.dialect = 'mcp' THEN s.provider ELSE '' END",
            Self::Tool => "CASE WHEN s.dialect = 'mcp' AND s.operation = 'tools/call' THEN s.model ELSE '' END",
            Self::Dialect => "s.dialect",
            Self::Operation => "s.operation",
            Self::Status => "l.status",
            Self::ServiceTier => "l.flags >> 2",
            Self::Day => "l.started_ms / 86400000",
            Self::Hour => "l.started_ms / 3600000",
            Self::Attempt => "lower(hex(l.id))",
        }
    }

    fn read(self, row: &SqliteRow, column: usize) -> Result<Option<String>, StoreError> {
        Ok(match self {
            Self::Status => Some(status_word(row.try_get(column)?).to_owned()),
            Self::ServiceTier => Some(tier_word(row.try_get(column)?).to_owned()),
            Self::Day => Some(moment(row.try_get(column)?, DAY_MS, "%Y-%m-%d")),
            Self::Hour => Some(moment(row.try_get(column)?, HOUR_MS, "%Y-%m-%dT%H:%MZ")),
            _ => Some(row.try_get::<String, _>(column)?).filter(|text| !text.is_empty()),
        })
    }
}

/// The words of [`UsageDimension::as_str`].
impl FromStr for UsageDimension {
    type Err = UnknownDimension;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|dimension| dimension.as_str() == text)
            .ok_or_else(|| UnknownDimension(text.to_owned()))
    }
}

/// A word that is no dimension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is nothing a report can be broken down by; there are key, organisation, team, user, agent, tags, run, model, \
     provider, upstream_model, mcp_server, tool, dialect, operation, status, service_tier, day, hour and attempt"
)]
pub struct UnknownDimension(String);

impl Store {
    /// Makes a report. Rows are ordered by time if a time is asked for, else by cost, dearest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>, StoreError> {
        let limit = if query.limit == 0 { MOST_ROWS } else { query.limit.min(MOST_ROWS) };
        let since = query.since_unix_ms.unwrap_or(0);
        let until = query.until_unix_ms.unwrap_or(u64::MAX);
        let mut bound = sqlx::query(sqlx::AssertSqlSafe(sql(query)))
            .bind(&first_id(since)[..])
            .bind(&past_id(until)[..])
            .bind(signed(since))
            .bind(signed(until));
        for (_, filter) in filters(query) {
            bound = bound.bind(filter);
        }
        let rows = bound.bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(|row| read_row(row, &query.by)).collect()
    }
}

/// The conditions asked for, with what is bound to each.
fn filters(query: &UsageQuery) -> impl Iterator<Item = (&'static str, &String)> {
    [
        (" AND s.organisation = ?", &query.organisation),
        (" AND s.key = ?", &query.key),
        (" AND s.team = ?", &query.team),
        (" AND s.user = ?", &query.user),
        (" AND l.run = ?", &query.run),
    ]
    .into_iter()
    .filter_map(|(condition, filter)| Some((condition, filter.as_ref()?)))
}

/// Only words of this file go into the text; everything a caller says is bound.
fn sql(query: &UsageQuery) -> String {
    let mut sql = String::from("SELECT ");
    for dimension in &query.by {
        sql.push_str(dimension.sql());
        sql.push_str(", ");
    }
    sql.push_str(
        "count(*) AS attempts, coalesce(sum(l.input), 0) AS input, coalesce(sum(l.output), 0) AS output,
         coalesce(sum(l.cache_read), 0) AS cache_read,
         coalesce(sum(l.cache_write_5m + l.cache_write_1h), 0) AS cache_write,
         coalesce(sum(l.reasoning), 0) AS reasoning, coalesce(sum(coalesce(c.cost_nano_usd, l.cost_nano_usd)), 0) AS cost,
         coalesce(sum((l.flags & 2) != 0 AND c.attempt IS NULL), 0) AS unpriced,
         coalesce(sum(l.flags & 1), 0) AS estimated
         FROM ledger l JOIN ledger_subjects s ON s.id = l.subject LEFT JOIN ledger_corrected c ON c.attempt = l.id
         WHERE l.id >= ? AND l.id < ? AND l.started_ms >= ? AND l.started_ms < ?",
    );
    for (condition, _) in filters(query) {
        sql.push_str(condition);
    }
    let places: Vec<String> = (1..=query.by.len()).map(|place| place.to_string()).collect();
    if !places.is_empty() {
        let _written = write!(sql, " GROUP BY {}", places.join(", "));
    }
    let timed = query.by.iter().position(|by| matches!(by, UsageDimension::Day | UsageDimension::Hour));
    let first = timed.map_or_else(|| "cost DESC".to_owned(), |place| format!("{}, cost DESC", place + 1));
    let _written = write!(sql, " ORDER BY {first}, attempts DESC LIMIT ?");
    sql
}

fn read_row(row: &SqliteRow, by: &[UsageDimension]) -> Result<UsageRow, StoreError> {
    let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
    let dimensions = by
        .iter()
        .enumerate()
        .map(|(column, dimension)| Ok((*dimension, dimension.read(row, column)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(UsageRow {
        dimensions,
        attempts: count("attempts")?,
        input_tokens: count("input")?,
        output_tokens: count("output")?,
        cache_read_tokens: count("cache_read")?,
        cache_write_tokens: count("cache_write")?,
        reasoning_tokens: count("reasoning")?,
        cost: Money::from_nano_usd(row.try_get("cost")?),
        unpriced_attempts: count("unpriced")?,
        estimated_attempts: count("estimated")?,
    })
}

fn tier_word(number: i64) -> &'static str {
    ServiceTier::of_number(u8::try_from(number).unwrap_or_default()).as_str()
}

fn moment(bucket: i64, length_ms: i64, format: &str) -> String {
    let moment = Timestamp::from_millisecond(bucket.saturating_mul(length_ms)).unwrap_or(Timestamp::MAX);
    moment.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

impl Serialize for UsageRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (dimension, value) in &self.dimensions {
            map.serialize_entry(dimension.as_str(), value)?;
        }
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("input_tokens", &self.input_tokens)?;
        map.serialize_entry("output_tokens", &self.output_tokens)?;
        map.serialize_entry("cache_read_tokens", &self.cache_read_tokens)?;
        map.serialize_entry("cache_write_tokens", &self.cache_write_tokens)?;
        map.serialize_entry("reasoning_tokens", &self.reasoning_tokens)?;
        map.serialize_entry("cost_usd", &self.cost.usd())?;
        map.serialize_entry("unpriced_attempts", &self.unpriced_attempts)?;
        map.serialize_entry("estimated_attempts", &self.estimated_attempts)?;
        map.end()
    }
}
