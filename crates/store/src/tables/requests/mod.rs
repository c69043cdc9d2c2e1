//! `requests`: the request log, one row per call whose caller is known, and `request_subjects`: what rows are about. For
//! looking at what happened, not for counting money: rows may be dropped when the database is slower than the calls, and
//! are deleted when they are old. How they are written is told in `entry`.
//!
//! Calls of callers nobody knows get no row, so that whoever knocks with wrong keys cannot fill a disk: they are counted in
//! the metrics and, a minute's worth at a time, in the audit log.

mod entry;
mod json;

use gatehouse_domain::{Money, RequestId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use uuid::Uuid;

use super::ledger::{first_id, id_floor, past_id};
use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

pub use entry::{RequestEntry, RequestLog};

use entry::DAY_MS;

/// Rows deleted in one transaction.
const PURGE_BATCH: u32 = 1_000;
/// The most rows of one answer, and one more to know that there is a next page.
const ROWS_MAX: u32 = 1_001;

/// One call. As JSON, names that are empty are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestRow {
    /// The call: `x-gatehouse-request-id`.
    pub id: RequestId,
    /// Unix milliseconds at which its head had been read.
    pub started_unix_ms: u64,
    /// Whose it is.
    pub organisation: String,
    /// The team that pays; empty for none.
    pub team: String,
    /// The person it was done for; empty for none.
    pub user: String,
    /// The agent that did it; empty for none.
    pub agent: String,
    /// The key's id.
    pub key: String,
    /// The caller's dialect.
    pub dialect: String,
    /// What was asked for.
    pub operation: String,
    /// The model as the client named it; empty if it got not so far.
    pub model: String,
    /// Who answered in the end; empty if nobody was asked.
    pub provider: String,
    /// That provider's model.
    pub upstream_model: String,
    /// The run it belongs to; empty for none.
    pub run: String,
    /// Tags of key and call: `env=prod,job=nightly`.
    pub tags: String,
    /// Streamed answer?
    pub stream: bool,
    /// The HTTP status the client got.
    pub status: u16,
    /// The stable code it was refused with; empty if it was not.
    pub code: String,
    /// Upstream attempts.
    pub attempts: u32,
    /// Input tokens of all attempts.
    pub input_tokens: u64,
    /// Output tokens of all attempts.
    pub output_tokens: u64,
    /// What all attempts cost.
    pub cost: Money,
    /// Microseconds from head to last byte.
    pub duration_us: u64,
    /// Microseconds from head to first byte.
    pub first_byte_us: u64,
    /// Microseconds the gateway itself added.
    pub overhead_us: u64,
    /// What each guardrail did: a JSON list of `{name, point, ran, action, findings}`.
    pub guardrails: String,
    /// The policies that decided.
    pub decision: String,
}

/// Which calls. Everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Only this organisation.
    pub organisation: Option<String>,
    /// Only this team.
    pub team: Option<String>,
    /// Only this person.
    pub user: Option<String>,
    /// Only this agent.
    pub agent: Option<String>,
    /// Only this key.
    pub key: Option<String>,
    /// Only this model, as clients name it.
    pub model: Option<String>,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only this run.
    pub run: Option<String>,
    /// Only this code.
    pub code: Option<String>,
    /// The lowest and the highest HTTP status.
    pub status: Option<(u16, u16)>,
    /// At or after (Unix milliseconds).
    pub since_unix_ms: Option<u64>,
    /// Before (Unix milliseconds).
    pub until_unix_ms: Option<u64>,
    /// That cost at least so much.
    pub min_cost: Option<Money>,
    /// With this in any name, whatever the case: who, model, provider, run, tags, code.
    pub text: Option<String>,
    /// Only calls before this one, in the order asked for.
    pub cursor: Option<RequestId>,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
    /// At most so many.
    pub limit: u32,
}

/// The sums over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunSums {
    /// Calls.
    pub calls: u64,
    /// Calls that were refused or failed.
    pub failed: u64,
    /// Upstream attempts.
    pub attempts: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// What it cost.
    pub cost: Money,
    /// Unix milliseconds of the first call.
    pub first_unix_ms: u64,
    /// Unix milliseconds of the last call.
    pub last_unix_ms: u64,
}

/// Calls with their subjects, as [`read_row`] takes them. `CROSS JOIN` keeps the order of the tables, so that a page is
/// read from one end of the log and not sorted.
const CALLS: &str = "SELECT r.id, r.started_ms, s.organisation, s.team, s.user, s.agent, s.key, s.dialect, s.operation,
    coalesce(r.model, s.model) AS model, s.provider, s.upstream_model, coalesce(r.run, '') AS run,
    coalesce(r.tags, s.tags) AS tags, s.stream, s.status, s.code, s.attempts, r.input, r.output, r.cost_nano_usd,
    r.duration_us, r.first_byte_us, r.overhead_us, coalesce(r.guardrails, s.guardrails) AS guardrails, s.decision
    FROM requests r CROSS JOIN request_subjects s ON s.number = r.subject";

/// The names a text search looks at.
const NAMES: &str = "s.organisation || ' ' || s.team || ' ' || s.user || ' ' || s.agent || ' ' || s.key || ' ' || \
                     coalesce(r.model, s.model) || ' ' || s.provider || ' ' || s.upstream_model || ' ' || \
                     coalesce(r.run, '') || ' ' || coalesce(r.tags, s.tags) || ' ' || s.code";

impl Store {
    /// Calls, newest first unless asked otherwise; at most a thousand and one.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Vec<RequestRow>, StoreError> {
        let mut sql = QueryBuilder::new(format!("{CALLS} WHERE 1"));
        filter.conditions(&mut sql);
        sql.push(if filter.oldest_first { " ORDER BY r.id ASC LIMIT " } else { " ORDER BY r.id DESC LIMIT " });
        sql.push_bind(filter.limit.min(ROWS_MAX));
        sql.build().fetch_all(&self.pool).await?.iter().map(read_row).collect()
    }

    /// One call by its id, if the log has it.
    ///
    /// # Errors
    /// When the database fails or the row is damaged.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        let sql = format!("{CALLS} WHERE r.id = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&id.0.as_bytes()[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_row).transpose()
    }

    /// The sums over a run, of one organisation or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_sums(&self, run: &str, organisation: Option<&str>) -> Result<RunSums, StoreError> {
        let sql = "SELECT count(*) AS calls, coalesce(sum(s.code <> ''), 0) AS failed,
                       coalesce(sum(s.attempts), 0) AS attempts, coalesce(sum(r.input), 0) AS input,
                       coalesce(sum(r.output), 0) AS output, coalesce(sum(r.cost_nano_usd), 0) AS cost,
                       coalesce(min(r.started_ms), 0) AS first, coalesce(max(r.started_ms), 0) AS last
                   FROM requests r CROSS JOIN request_subjects s ON s.number = r.subject
                   WHERE r.run = ?1 AND (?2 IS NULL OR s.organisation = ?2)";
        let row = sqlx::query(sql).bind(run).bind(organisation).fetch_one(&self.pool).await?;
        let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
        Ok(RunSums {
            calls: count("calls")?,
            failed: count("failed")?,
            attempts: count("attempts")?,
            input_tokens: count("input")?,
            output_tokens: count("output")?,
            cost: Money::from_nano_usd(row.try_get("cost")?),
            first_unix_ms: count("first")?,
            last_unix_ms: count("last")?,
        })
    }

    /// Deletes a batch of the calls from before a moment, oldest first, and says how many went. Call it until none did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge_requests(&self, before_unix_ms: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE id < ? ORDER BY id LIMIT ?)";
        let done = sqlx::query(sql).bind(&id_floor(before_unix_ms)[..]).bind(PURGE_BATCH).execute(&self.behind).await?;
        if done.rows_affected() == 0 {
            let sql = "DELETE FROM request_subjects WHERE day < ?";
            sqlx::query(sql).bind(signed(before_unix_ms / DAY_MS)).execute(&self.behind).await?;
        }
        Ok(done.rows_affected())
    }
}

impl RequestFilter {
    /// Only words of this file go into the text; everything a caller says is bound.
    fn conditions(&self, sql: &mut QueryBuilder<Sqlite>) {
        for (column, value) in [
            ("s.organisation", &self.organisation),
            ("s.team", &self.team),
            ("s.user", &self.user),
            ("s.agent", &self.agent),
            ("s.key", &self.key),
            ("coalesce(r.model, s.model)", &self.model),
            ("s.provider", &self.provider),
            ("r.run", &self.run),
            ("s.code", &self.code),
        ] {
            if let Some(value) = value {
                sql.push(format!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        if let Some((low, high)) = self.status {
            sql.push(" AND s.status BETWEEN ").push_bind(low).push(" AND ").push_bind(high);
        }
        if let Some(since) = self.since_unix_ms {
            sql.push(" AND r.id >= ").push_bind(first_id(since).to_vec());
            sql.push(" AND r.started_ms >= ").push_bind(signed(since));
        }
        if let Some(until) = self.until_unix_ms {
            sql.push(" AND r.id < ").push_bind(past_id(until).to_vec());
            sql.push(" AND r.started_ms < ").push_bind(signed(until));
        }
        if let Some(cost) = self.min_cost {
            sql.push(" AND r.cost_nano_usd >= ").push_bind(cost.nano_usd);
        }
        if let Some(text) = &self.text {
            sql.push(format!(" AND instr(lower({NAMES}), lower(")).push_bind(text.clone()).push(")) > 0");
        }
        if let Some(cursor) = self.cursor {
            sql.push(if self.oldest_first { " AND r.id > " } else { " AND r.id < " });
            sql.push_bind(cursor.0.as_bytes().to_vec());
        }
    }
}

fn read_row(row: &SqliteRow) -> Result<RequestRow, StoreError> {
    let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
    let id: &[u8] = row.try_get("id")?;
    let id =
        Uuid::from_slice(id).map_err(|_| StoreError::Row { table: "requests", what: "an id is not 16 bytes long" })?;
    Ok(RequestRow {
        id: RequestId(id),
        started_unix_ms: count("started_ms")?,
        organisation: row.try_get("organisation")?,
        team: row.try_get("team")?,
        user: row.try_get("user")?,
        agent: row.try_get("agent")?,
        key: row.try_get("key")?,
        dialect: row.try_get("dialect")?,
        operation: row.try_get("operation")?,
        model: row.try_get("model")?,
        provider: row.try_get("provider")?,
        upstream_model: row.try_get("upstream_model")?,
        run: row.try_get("run")?,
        tags: row.try_get("tags")?,
        stream: row.try_get("stream")?,
        status: row.try_get("status")?,
        code: row.try_get("code")?,
        attempts: row.try_get("attempts")?,
        input_tokens: count("input")?,
        output_tokens: count("output")?,
        cost: Money::from_nano_usd(row.try_get("cost_nano_usd")?),
        duration_us: count("duration_us")?,
        first_byte_us: count("first_byte_us")?,
        overhead_us: count("overhead_us")?,
        guardrails: row.try_get("guardrails")?,
        decision: row.try_get("decision")?,
    })
}
