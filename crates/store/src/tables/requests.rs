//! `requests`: the request log, one row per call whose caller is known. For looking at what happened, not for counting
//! money: rows may be dropped when the database is slower than the calls, and are deleted when they are old.
//!
//! Calls of callers nobody knows get no row, so that whoever knocks with wrong keys cannot fill a disk: they are counted in
//! the metrics and, a minute's worth at a time, in the audit log.

use std::sync::LazyLock;

use gatehouse_domain::{AttemptOutcome, CallOutcome, GuardrailRun, Money, RequestId};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::ledger::{first_id, id_floor, past_id};
use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// Bytes of a name: the model is the caller's word.
const NAME_MAX: usize = 256;
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

const COLUMNS: [&str; 26] = [
    "id",
    "started_ms",
    "organisation",
    "team",
    "user",
    "agent",
    "key",
    "dialect",
    "operation",
    "model",
    "provider",
    "upstream_model",
    "run",
    "tags",
    "stream",
    "status",
    "code",
    "attempts",
    "input",
    "output",
    "cost_nano_usd",
    "duration_us",
    "first_byte_us",
    "overhead_us",
    "guardrails",
    "decision",
];

/// The names a text search looks at.
const NAMES: &str = "organisation || ' ' || team || ' ' || user || ' ' || agent || ' ' || key || ' ' || model || ' ' || \
                     provider || ' ' || upstream_model || ' ' || run || ' ' || tags || ' ' || code";

impl RequestRow {
    /// The row of a call; `None` if nobody knows who called.
    #[must_use]
    pub fn of(call: &CallOutcome) -> Option<Self> {
        let who = call.who.as_ref()?;
        let last = call.attempts.last();
        let sum = |count: fn(&AttemptOutcome) -> u64| call.attempts.iter().map(count).fold(0, u64::saturating_add);
        Some(Self {
            id: call.id,
            started_unix_ms: call.started_unix_ms,
            organisation: name(Some(&who.organisation)),
            team: name(who.team.as_ref()),
            user: name(who.user.as_ref()),
            agent: name(who.agent.as_ref()),
            key: name(Some(&who.key)),
            dialect: call.dialect.to_owned(),
            operation: call.operation.to_owned(),
            model: name(call.model.as_ref()),
            provider: name(last.map(|attempt| &attempt.provider)),
            upstream_model: name(last.map(|attempt| &attempt.upstream_model)),
            run: name(call.run.as_ref()),
            tags: call.tags.as_deref().unwrap_or_default().to_owned(),
            stream: call.stream,
            status: call.status,
            code: call.fault.unwrap_or_default().to_owned(),
            attempts: u32::try_from(call.attempts.len()).unwrap_or(u32::MAX),
            input_tokens: sum(|attempt| attempt.usage.input_total()),
            output_tokens: sum(|attempt| attempt.usage.output_total()),
            cost: call.attempts.iter().map(|attempt| attempt.cost).sum(),
            duration_us: call.duration_us,
            first_byte_us: call.first_byte_us,
            overhead_us: call.overhead_us,
            guardrails: guardrails(&call.guardrails),
            decision: name(call.decision.as_ref()),
        })
    }
}

impl Store {
    /// Adds calls to the request log in one transaction; one that is there already stays as it is.
    ///
    /// # Errors
    /// When the database fails; then none was added.
    pub async fn insert_requests(&self, rows: &[RequestRow]) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut rest = rows;
        for (size, sql) in INSERTS.iter() {
            while rest.len() >= *size {
                let (chunk, later) = rest.split_at(*size);
                insert_chunk(&mut transaction, sql, chunk).await?;
                rest = later;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Calls, newest first unless asked otherwise; at most a thousand and one.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Vec<RequestRow>, StoreError> {
        let mut sql = QueryBuilder::new(format!("SELECT {} FROM requests WHERE 1", COLUMNS.join(", ")));
        filter.conditions(&mut sql);
        sql.push(if filter.oldest_first { " ORDER BY id ASC LIMIT " } else { " ORDER BY id DESC LIMIT " });
        sql.push_bind(filter.limit.min(ROWS_MAX));
        sql.build().fetch_all(&self.pool).await?.iter().map(read_row).collect()
    }

    /// One call by its id, if the log has it.
    ///
    /// # Errors
    /// When the database fails or the row is damaged.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        let sql = format!("SELECT {} FROM requests WHERE id = ?", COLUMNS.join(", "));
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&id.0.as_bytes()[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_row).transpose()
    }

    /// The sums over a run, of one organisation or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_sums(&self, run: &str, organisation: Option<&str>) -> Result<RunSums, StoreError> {
        let sql = "SELECT count(*) AS calls, coalesce(sum(code <> ''), 0) AS failed,
                       coalesce(sum(attempts), 0) AS attempts, coalesce(sum(input), 0) AS input,
                       coalesce(sum(output), 0) AS output, coalesce(sum(cost_nano_usd), 0) AS cost,
                       coalesce(min(started_ms), 0) AS first, coalesce(max(started_ms), 0) AS last
                   FROM requests WHERE run = ?1 AND run <> '' AND (?2 IS NULL OR organisation = ?2)";
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
        let done = sqlx::query(sql).bind(&id_floor(before_unix_ms)[..]).bind(PURGE_BATCH).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }
}

impl RequestFilter {
    /// Only words of this file go into the text; everything a caller says is bound.
    fn conditions(&self, sql: &mut QueryBuilder<Sqlite>) {
        for (column, value) in [
            ("organisation", &self.organisation),
            ("team", &self.team),
            ("user", &self.user),
            ("agent", &self.agent),
            ("key", &self.key),
            ("model", &self.model),
            ("provider", &self.provider),
            ("run", &self.run),
            ("code", &self.code),
        ] {
            if let Some(value) = value {
                sql.push(format!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        // An index on a part of the rows is used only by those who say which part.
        if self.run.is_some() {
            sql.push(" AND run <> ''");
        }
        if let Some((low, high)) = self.status {
            sql.push(" AND status BETWEEN ").push_bind(low).push(" AND ").push_bind(high);
        }
        if let Some(since) = self.since_unix_ms {
            sql.push(" AND id >= ").push_bind(first_id(since).to_vec());
            sql.push(" AND started_ms >= ").push_bind(signed(since));
        }
        if let Some(until) = self.until_unix_ms {
            sql.push(" AND id < ").push_bind(past_id(until).to_vec());
            sql.push(" AND started_ms < ").push_bind(signed(until));
        }
        if let Some(cost) = self.min_cost {
            sql.push(" AND cost_nano_usd >= ").push_bind(cost.nano_usd);
        }
        if let Some(text) = &self.text {
            sql.push(format!(" AND instr(lower({NAMES}), lower(")).push_bind(text.clone()).push(")) > 0");
        }
        if let Some(cursor) = self.cursor {
            sql.push(if self.oldest_first { " AND id > " } else { " AND id < " });
            sql.push_bind(cursor.0.as_bytes().to_vec());
        }
    }
}

/// A few sizes of insert, largest first: each is prepared once, and any number of rows takes few statements.
static INSERTS: LazyLock<[(usize, String); 4]> = LazyLock::new(|| {
    [128, 32, 8, 1].map(|rows| {
        let tuple = format!("({})", vec!["?"; COLUMNS.len()].join(", "));
        let tuples = vec![tuple; rows].join(", ");
        (rows, format!("INSERT INTO requests ({}) VALUES {tuples} ON CONFLICT DO NOTHING", COLUMNS.join(", ")))
    })
});

async fn insert_chunk(
    connection: &mut SqliteConnection,
    sql: &'static str,
    rows: &[RequestRow],
) -> Result<(), StoreError> {
    let mut query = sqlx::query(sql);
    for row in rows {
        query = query
            .bind(row.id.0.as_bytes().to_vec())
            .bind(signed(row.started_unix_ms))
            .bind(&row.organisation)
            .bind(&row.team)
            .bind(&row.user)
            .bind(&row.agent)
            .bind(&row.key)
            .bind(&row.dialect)
            .bind(&row.operation)
            .bind(&row.model)
            .bind(&row.provider)
            .bind(&row.upstream_model)
            .bind(&row.run)
            .bind(&row.tags)
            .bind(row.stream)
            .bind(row.status)
            .bind(&row.code)
            .bind(row.attempts)
            .bind(signed(row.input_tokens))
            .bind(signed(row.output_tokens))
            .bind(row.cost.nano_usd)
            .bind(signed(row.duration_us))
            .bind(signed(row.first_byte_us))
            .bind(signed(row.overhead_us))
            .bind(&row.guardrails)
            .bind(&row.decision);
    }
    query.execute(connection).await?;
    Ok(())
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

fn name(text: Option<&std::sync::Arc<str>>) -> String {
    let text = text.map_or("", |text| text);
    text[..text.floor_char_boundary(NAME_MAX)].to_owned()
}

fn guardrails(runs: &[GuardrailRun]) -> String {
    let run = |run: &GuardrailRun| {
        serde_json::json!({
            "name": &*run.name,
            "point": run.point,
            "ran": run.ran.as_str(),
            "action": run.action,
            "findings": run.findings,
        })
    };
    if runs.is_empty() { "[]".to_owned() } else { serde_json::Value::Array(runs.iter().map(run).collect()).to_string() }
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

impl Serialize for RequestRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id.to_string())?;
        map.serialize_entry("started_unix_ms", &self.started_unix_ms)?;
        for (field, text) in [
            ("organisation", &self.organisation),
            ("team", &self.team),
            ("user", &self.user),
            ("agent", &self.agent),
            ("key", &self.key),
            ("dialect", &self.dialect),
            ("operation", &self.operation),
            ("model", &self.model),
            ("provider", &self.provider),
            ("upstream_model", &self.upstream_model),
            ("run", &self.run),
            ("tags", &self.tags),
            ("code", &self.code),
            ("decision", &self.decision),
        ] {
            if !text.is_empty() {
                map.serialize_entry(field, text)?;
            }
        }
        map.serialize_entry("stream", &self.stream)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("input_tokens", &self.input_tokens)?;
        map.serialize_entry("output_tokens", &self.output_tokens)?;
        map.serialize_entry("cost_usd", &self.cost.usd())?;
        map.serialize_entry("duration_ms", &ms(self.duration_us))?;
        map.serialize_entry("first_byte_ms", &ms(self.first_byte_us))?;
        map.serialize_entry("overhead_ms", &ms(self.overhead_us))?;
        if let Ok(guardrails) = serde_json::from_str::<&RawValue>(&self.guardrails) {
            map.serialize_entry("guardrails", guardrails)?;
        }
        map.end()
    }
}

impl Serialize for RunSums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("calls", &self.calls)?;
        map.serialize_entry("failed", &self.failed)?;
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("input_tokens", &self.input_tokens)?;
        map.serialize_entry("output_tokens", &self.output_tokens)?;
        map.serialize_entry("cost_usd", &self.cost.usd())?;
        map.serialize_entry("first_unix_ms", &self.first_unix_ms)?;
        map.serialize_entry("last_unix_ms", &self.last_unix_ms)?;
        map.end()
    }
}
