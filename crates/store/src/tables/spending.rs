//! What everybody has used in a span of time: what limits and budgets must be told when they begin to count.
//!
//! Two passes over the ledger, however many payers there are: by what rows are about, and by run.

use std::sync::Arc;

use gatehouse_domain::Money;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::tables::ledger::{first_id, past_id};
use crate::{Store, StoreError};

/// Runs that are listed at most, the latest of them.
const RUNS_MAX: u32 = 65_536;

/// A span of time, in slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Unix milliseconds at which it begins.
    pub since_unix_ms: u64,
    /// Unix milliseconds before which it ends.
    pub until_unix_ms: u64,
    /// Milliseconds of each slice; the last one may be cut short.
    pub slice_ms: u64,
}

/// What was used in attempts that started in one slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Unix milliseconds at which the slice begins.
    pub slice_unix_ms: u64,
    /// Calls that reached at least one upstream.
    pub calls: u64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// Money.
    pub cost: Money,
}

/// Who used it, as the ledger attributed it at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spender {
    /// The key's id.
    pub key: Arc<str>,
    /// The organisation.
    pub organisation: Arc<str>,
    /// The team that paid.
    pub team: Option<Arc<str>>,
    /// The person it was done for.
    pub user: Option<Arc<str>>,
    /// The agent that did it.
    pub agent: Option<Arc<str>>,
    /// Tags, as [`gatehouse_domain::tags`] writes them.
    pub tags: Option<Arc<str>>,
    /// The model as the client named it, or `server.tool`.
    pub model: Arc<str>,
    /// The caller's dialect.
    pub dialect: Arc<str>,
    /// What was asked for.
    pub operation: Arc<str>,
}

const SUMS: &str = "sum(substr(l.id, 16) = X'00') AS calls, sum(l.input + l.output) AS tokens,
                    sum(coalesce(c.cost_nano_usd, l.cost_nano_usd)) AS cost";
/// What was priced again counts at its new price, as in reports.
const LEDGER: &str = "ledger l LEFT JOIN ledger_corrected c ON c.attempt = l.id";
const IN_SPAN: &str = "l.id >= ?1 AND l.id < ?2 AND l.started_ms >= ?3 AND l.started_ms < ?4";

impl Store {
    /// What everybody used in a span, slice by slice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spending(&self, span: Span) -> Result<Vec<(Spender, Spent)>, StoreError> {
        let sql = format!(
            "SELECT s.key, s.organisation, s.team, s.user, s.agent, s.tags, s.model, s.dialect, s.operation, l.slice,
                 sum(l.calls) AS calls, sum(l.tokens) AS tokens, sum(l.cost) AS cost
             FROM (SELECT l.subject, (l.started_ms - ?3) / ?5 AS slice, {SUMS} FROM {LEDGER} WHERE {IN_SPAN}
                   GROUP BY l.subject, slice) l
             JOIN ledger_subjects s ON s.id = l.subject
             GROUP BY s.key, s.organisation, s.team, s.user, s.agent, s.tags, s.model, s.dialect, s.operation, l.slice"
        );
        let rows = self.in_span(&sql, span).await?;
        rows.iter().map(|row| Ok((read_spender(row)?, read_spent(row, span)?))).collect()
    }

    /// What each run used in a span, slice by slice; the latest 65,536 of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spending_of_runs(&self, span: Span) -> Result<Vec<(String, Spent)>, StoreError> {
        let sql = format!(
            "SELECT l.run, (l.started_ms - ?3) / ?5 AS slice, {SUMS} FROM {LEDGER} WHERE {IN_SPAN} AND l.run IS NOT NULL
             GROUP BY l.run, slice ORDER BY max(l.id) DESC LIMIT {RUNS_MAX}"
        );
        let rows = self.in_span(&sql, span).await?;
        rows.iter().map(|row| Ok((row.try_get("run")?, read_spent(row, span)?))).collect()
    }

    async fn in_span(&self, sql: &str, span: Span) -> Result<Vec<SqliteRow>, StoreError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(first_id(span.since_unix_ms).to_vec())
            .bind(past_id(span.until_unix_ms).to_vec())
            .bind(signed(span.since_unix_ms))
            .bind(signed(span.until_unix_ms))
            .bind(signed(span.slice_ms.max(1)));
        Ok(query.fetch_all(&self.pool).await?)
    }
}

fn read_spender(row: &SqliteRow) -> Result<Spender, StoreError> {
    let name = |column| Ok::<_, sqlx::Error>(Arc::<str>::from(row.try_get::<String, _>(column)?));
    let perhaps = |column| Ok::<_, sqlx::Error>(Some(name(column)?).filter(|name| !name.is_empty()));
    Ok(Spender {
        key: name("key")?,
        organisation: name("organisation")?,
        team: perhaps("team")?,
        user: perhaps("user")?,
        agent: perhaps("agent")?,
        tags: perhaps("tags")?,
        model: name("model")?,
        dialect: name("dialect")?,
        operation: name("operation")?,
    })
}

fn read_spent(row: &SqliteRow, span: Span) -> Result<Spent, StoreError> {
    let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
    let slice = count("slice")?.saturating_mul(span.slice_ms);
    Ok(Spent {
        slice_unix_ms: span.since_unix_ms.saturating_add(slice),
        calls: count("calls")?,
        tokens: count("tokens")?,
        cost: Money::from_nano_usd(row.try_get("cost")?),
    })
}
