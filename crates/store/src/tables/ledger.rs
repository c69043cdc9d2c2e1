//! `ledger`: one row per upstream attempt, and `ledger_subjects`: what rows are about.
//!
//! Rows are only ever appended, by the shipper, and an id that is already there is left as it is: shipping the same
//! record twice changes nothing.

use std::sync::LazyLock;

use gatehouse_domain::{AttemptId, AttemptOutcome, AttemptStatus, Money, ServiceTier, Usage};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use super::inserts::{Inserts, Values};
use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// An id's time is its call's start; an attempt starts at most this much later (milliseconds). Also forgives clocks.
const ID_SLACK_MS: u64 = 86_400_000;

/// Of a plain row's answer.
const PLAIN_HTTP_STATUS: u16 = 200;

const ESTIMATED: i32 = 1;
const UNPRICED: i32 = 2;
/// The service tier's number stands above the flags.
pub(crate) const TIER_SHIFT: i32 = 2;

/// A provider that reports more than this (a trillion tokens of one kind, a million dollars) is wrong, and must not break
/// the sums of everybody's reports.
const MOST_TOKENS: u64 = 1_000_000_000_000;
const DEAREST: i64 = 1_000_000_000_000_000;

/// What a row is about: everything that repeats from call to call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) key: String,
    pub(crate) organisation: String,
    /// Empty for no team, as the three after it for none.
    pub(crate) team: String,
    pub(crate) user: String,
    pub(crate) agent: String,
    pub(crate) tags: String,
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) upstream_model: String,
    pub(crate) dialect: String,
    pub(crate) operation: String,
    pub(crate) stream: bool,
}

/// One row, with the number of its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) id: u128,
    pub(crate) subject: i64,
    /// Empty for none.
    pub(crate) run: Box<str>,
    pub(crate) started_ms: u64,
    pub(crate) status: AttemptStatus,
    pub(crate) http_status: u16,
    pub(crate) estimated: bool,
    pub(crate) priced: bool,
    pub(crate) usage: Usage,
    pub(crate) cost: Money,
    pub(crate) duration_us: u64,
    pub(crate) first_byte_us: u64,
}

/// Which of the latest rows.
#[derive(Clone, Debug, Default)]
pub struct LatestQuery {
    /// Only this organisation.
    pub organisation: Option<String>,
    /// Only this team.
    pub team: Option<String>,
    /// Only this person.
    pub user: Option<String>,
    /// Only this key (its id).
    pub key: Option<String>,
    /// Only what came before this one.
    pub before: Option<AttemptId>,
    /// So many at most, up to [`LatestQuery::MOST`].
    pub limit: u32,
}

impl LatestQuery {
    /// A page of the longest kind, and one row more to know whether another follows.
    pub const MOST: u32 = 1_001;
}

/// A ledger row as people see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerEntry {
    /// The attempt.
    pub id: AttemptId,
    /// Unix milliseconds at which it was sent.
    pub started_unix_ms: u64,
    /// The key's id.
    pub key: String,
    /// The organisation it belongs to.
    pub organisation: String,
    /// The team that pays.
    pub team: Option<String>,
    /// The person it was done for.
    pub user: Option<String>,
    /// The agent that did it.
    pub agent: Option<String>,
    /// Tags: `name=value`, by commas.
    pub tags: Option<String>,
    /// The run it belongs to.
    pub run: Option<String>,
    /// The model as the client named it.
    pub model: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's model.
    pub upstream_model: String,
    /// The caller's dialect.
    pub dialect: String,
    /// What was asked for.
    pub operation: String,
    /// Streamed answer?
    pub stream: bool,
    /// How it ended: one of [`AttemptStatus::as_str`].
    pub status: &'static str,
    /// The upstream's HTTP status; 0 if there was none.
    pub http_status: u16,
    /// Tokens by kind.
    pub usage: Usage,
    /// Were the tokens counted by us?
    pub estimated: bool,
    /// Was there a price?
    pub priced: bool,
    /// What it cost, in nano-dollars; by the latest correction, if it was priced again.
    pub cost: Money,
    /// Microseconds from sending to the end.
    pub duration_us: u64,
    /// Microseconds from sending to the first byte of the body; 0 if none came.
    pub first_byte_us: u64,
}

/// Counters that are nearly always zero; only then is the column not null.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Extra {
    #[serde(skip_serializing_if = "is_zero")]
    input_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    input_image: u64,
    #[serde(skip_serializing_if = "is_zero")]
    input_tool: u64,
    #[serde(skip_serializing_if = "is_zero")]
    output_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    output_image: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Rows with their subjects, as [`read_entry`] takes them.
const ENTRIES: &str = "SELECT l.id AS attempt, l.started_ms, l.status, l.http_status, l.flags, l.input, l.output,
    l.cache_read, l.cache_write_5m, l.cache_write_1h, l.reasoning, l.extra, c.cost_nano_usd AS corrected,
    l.cost_nano_usd, l.duration_us, l.first_byte_us,
    l.run, s.key, s.organisation, s.team, s.user, s.agent, s.tags, s.model, s.provider, s.upstream_model, s.dialect,
    s.operation, s.stream FROM ledger l JOIN ledger_subjects s ON s.id = l.subject
    LEFT JOIN ledger_corrected c ON c.attempt = l.id";

impl Store {
    /// The latest rows, newest first; at most 1,000.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn recent(&self, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        self.latest(&LatestQuery { limit, ..LatestQuery::default() }).await
    }

    /// The same of some callers only.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn latest(&self, query: &LatestQuery) -> Result<Vec<LedgerEntry>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "{ENTRIES} WHERE s.organisation = coalesce(?, s.organisation) AND s.team = coalesce(?, s.team)
                 AND s.user = coalesce(?, s.user) AND s.key = coalesce(?, s.key) AND l.id < ?
             ORDER BY l.id DESC LIMIT ?"
        ));
        let asked = sqlx::query(sql).bind(&query.organisation).bind(&query.team).bind(&query.user).bind(&query.key);
        // One byte more than any id, so that it comes after all of them.
        let before = query.before.map_or_else(|| vec![0xFF; 17], |id| id.0.as_bytes().to_vec());
        asked
            .bind(before)
            .bind(query.limit.min(LatestQuery::MOST))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read_entry)
            .collect()
    }

    /// Rows in the order in which their calls began, at most 1,000, of attempts that started at or after `since` and before
    /// `until` (Unix milliseconds). Give the id of the last row to go on after it.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn ledger_page(
        &self,
        since: u64,
        until: u64,
        after: Option<AttemptId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "{ENTRIES} WHERE l.id > ? AND l.id < ? AND l.started_ms >= ? AND l.started_ms < ? ORDER BY l.id LIMIT 1000"
        ));
        let after = after.map_or_else(|| before(first_id(since)), |after| *after.0.as_bytes());
        let rows = sqlx::query(sql)
            .bind(after.to_vec())
            .bind(past_id(until).to_vec())
            .bind(signed(since))
            .bind(signed(until))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_entry).collect()
    }

    /// Adds attempts to the ledger without a journal: imports and tests. Returns how many were not there yet.
    ///
    /// # Errors
    /// When the database fails; then none was added.
    pub async fn insert_attempts(&self, attempts: &[AttemptOutcome]) -> Result<u64, StoreError> {
        let mut rows = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let subject = self.subject_id(&Subject::of(attempt)).await?;
            rows.push(LedgerRow::of(attempt, subject));
        }
        self.insert_rows(rows.iter()).await
    }

    /// The number of a subject, given to it now if it is new.
    pub(crate) async fn subject_id(&self, subject: &Subject) -> Result<i64, StoreError> {
        // An update that changes nothing, because a conflict that does nothing returns no row.
        let sql = "INSERT INTO ledger_subjects (key, organisation, team, user, agent, tags, model, provider,
                       upstream_model, dialect, operation, stream)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET stream = excluded.stream RETURNING id";
        Ok(sqlx::query_scalar(sql)
            .bind(&subject.key)
            .bind(&subject.organisation)
            .bind(&subject.team)
            .bind(&subject.user)
            .bind(&subject.agent)
            .bind(&subject.tags)
            .bind(&subject.model)
            .bind(&subject.provider)
            .bind(&subject.upstream_model)
            .bind(&subject.dialect)
            .bind(&subject.operation)
            .bind(subject.stream)
            .fetch_one(&self.ledger)
            .await?)
    }

    /// Appends rows in one transaction that survives a power cut. Returns how many were not there yet.
    ///
    /// Plain rows first, then the others, each in the order of their ids: appending to the end of the table is cheaper than
    /// inserting near it, and few statements are cheaper than many.
    pub(crate) async fn insert_rows(&self, rows: impl Iterator<Item = &LedgerRow>) -> Result<u64, StoreError> {
        // References are sorted, as a row is a fifth of a kilobyte.
        let (mut plain, mut others): (Vec<&LedgerRow>, Vec<&LedgerRow>) = rows.partition(|row| row.is_plain());
        plain.sort_unstable_by_key(|row| row.id);
        others.sort_unstable_by_key(|row| row.id);
        let mut connection = self.ledger.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let inserted = PLAIN.run(&mut transaction, &plain, |values, row| row.bind_plain(values)).await?
            + ANY.run(&mut transaction, &others, |values, row| row.bind(values)).await?;
        transaction.commit().await?;
        Ok(inserted)
    }
}

/// Rows with every value bound.
static ANY: LazyLock<Inserts> = LazyLock::new(|| inserts("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
/// Plain rows: what they have in common stands in the statement, for a bound value costs as much as one that is stored.
static PLAIN: LazyLock<Inserts> = LazyLock::new(|| {
    let ok = AttemptStatus::Ok as u8;
    inserts(&format!("(?, ?, ?, ?, ?, ?, ?, ?, {ok}, {PLAIN_HTTP_STATUS}, 0, 0, 0, 0, 0, NULL, NULL)"))
});

fn inserts(tuple: &str) -> Inserts {
    let head = "INSERT INTO ledger (id, subject, started_ms, input, output, cost_nano_usd, duration_us, first_byte_us,
                    status, http_status, flags, cache_read, cache_write_5m, cache_write_1h, reasoning, extra, run)";
    Inserts::new(head, tuple, "ON CONFLICT DO NOTHING")
}

fn bounded(usage: &Usage) -> Usage {
    let most = |tokens: u64| tokens.min(MOST_TOKENS);
    Usage {
        input: most(usage.input),
        cache_read: most(usage.cache_read),
        cache_write_5m: most(usage.cache_write_5m),
        cache_write_1h: most(usage.cache_write_1h),
        input_audio: most(usage.input_audio),
        input_image: most(usage.input_image),
        input_tool: most(usage.input_tool),
        output: most(usage.output),
        reasoning: most(usage.reasoning),
        output_audio: most(usage.output_audio),
        output_image: most(usage.output_image),
        tier: usage.tier,
    }
}

fn extra(usage: &Usage) -> Option<String> {
    let extra = Extra {
        input_audio: usage.input_audio,
        input_image: usage.input_image,
        input_tool: usage.input_tool,
        output_audio: usage.output_audio,
        output_image: usage.output_image,
    };
    if extra == Extra::default() { None } else { serde_json::to_string(&extra).ok() }
}

impl Subject {
    pub(crate) fn of(attempt: &AttemptOutcome) -> Self {
        Self {
            key: attempt.who.key.to_string(),
            organisation: attempt.who.organisation.to_string(),
            team: attempt.who.team.as_deref().unwrap_or_default().to_owned(),
            user: attempt.who.user.as_deref().unwrap_or_default().to_owned(),
            agent: attempt.who.agent.as_deref().unwrap_or_default().to_owned(),
            tags: attempt.tags.as_deref().unwrap_or_default().to_owned(),
            model: attempt.model.to_string(),
            provider: attempt.provider.to_string(),
            upstream_model: attempt.upstream_model.to_string(),
            dialect: attempt.dialect.to_owned(),
            operation: attempt.operation.to_owned(),
            stream: attempt.stream,
        }
    }
}

impl LedgerRow {
    /// A priced success of no run, with nothing but fresh input and visible output? Most rows are like this.
    fn is_plain(&self) -> bool {
        let Usage { input, output, .. } = self.usage;
        self.status == AttemptStatus::Ok
            && self.http_status == PLAIN_HTTP_STATUS
            && self.flags() == 0
            && self.run.is_empty()
            && self.usage == Usage { input, output, ..Usage::default() }
    }

    fn flags(&self) -> i32 {
        let estimated = if self.estimated { ESTIMATED } else { 0 };
        let unpriced = if self.priced { 0 } else { UNPRICED };
        estimated | unpriced | i32::from(self.usage.tier as u8) << TIER_SHIFT
    }

    fn bind_plain(&self, values: &mut Values) {
        let usage = bounded(&self.usage);
        values
            .bind(&self.id.to_be_bytes()[..])
            .bind(self.subject)
            .bind(signed(self.started_ms))
            .bind(signed(usage.input_total()))
            .bind(signed(usage.output_total()))
            .bind(self.cost.nano_usd.clamp(-DEAREST, DEAREST))
            .bind(signed(self.duration_us))
            .bind(signed(self.first_byte_us));
    }

    fn bind(&self, values: &mut Values) {
        self.bind_plain(values);
        let usage = bounded(&self.usage);
        values
            .bind(i32::from(self.status as u8))
            .bind(i32::from(self.http_status))
            .bind(self.flags())
            .bind(signed(usage.cache_read))
            .bind(signed(usage.cache_write_5m))
            .bind(signed(usage.cache_write_1h))
            .bind(signed(usage.reasoning))
            .bind(extra(&usage))
            .bind(Some(&*self.run).filter(|run| !run.is_empty()));
    }

    fn of(attempt: &AttemptOutcome, subject: i64) -> Self {
        Self {
            id: attempt.id.0.as_u128(),
            subject,
            run: attempt.run.as_deref().unwrap_or_default().into(),
            started_ms: attempt.started_unix_ms,
            status: attempt.status,
            http_status: attempt.http_status,
            estimated: attempt.estimated,
            priced: attempt.priced,
            usage: attempt.usage,
            cost: attempt.cost,
            duration_us: attempt.duration_us,
            first_byte_us: attempt.first_byte_us,
        }
    }
}

fn read_entry(row: &SqliteRow) -> Result<LedgerEntry, StoreError> {
    let count = |column| Ok::<_, sqlx::Error>(unsigned(row.try_get(column)?));
    let id: &[u8] = row.try_get("attempt")?;
    let id = Uuid::from_slice(id).map_err(|_| row_error("an id is not 16 bytes long"))?;
    let extra = match row.try_get::<Option<&str>, _>("extra")? {
        Some(text) => serde_json::from_str(text).map_err(|_| row_error("extra counters are not JSON"))?,
        None => Extra::default(),
    };
    let flags: i32 = row.try_get("flags")?;
    let mut usage = Usage {
        input: 0,
        cache_read: count("cache_read")?,
        cache_write_5m: count("cache_write_5m")?,
        cache_write_1h: count("cache_write_1h")?,
        input_audio: extra.input_audio,
        input_image: extra.input_image,
        input_tool: extra.input_tool,
        output: 0,
        reasoning: count("reasoning")?,
        output_audio: extra.output_audio,
        output_image: extra.output_image,
        tier: tier(flags),
    };
    usage.input = count("input")?.saturating_sub(usage.input_total());
    usage.output = count("output")?.saturating_sub(usage.output_total());
    let name = |column| {
        let text: String = row.try_get(column)?;
        Ok::<_, sqlx::Error>(Some(text).filter(|text| !text.is_empty()))
    };
    let corrected: Option<i64> = row.try_get("corrected")?;
    Ok(LedgerEntry {
        id: AttemptId(id),
        started_unix_ms: count("started_ms")?,
        key: row.try_get("key")?,
        organisation: row.try_get("organisation")?,
        team: name("team")?,
        user: name("user")?,
        agent: name("agent")?,
        tags: name("tags")?,
        run: row.try_get("run")?,
        model: row.try_get("model")?,
        provider: row.try_get("provider")?,
        upstream_model: row.try_get("upstream_model")?,
        dialect: row.try_get("dialect")?,
        operation: row.try_get("operation")?,
        stream: row.try_get("stream")?,
        status: status_word(row.try_get("status")?),
        http_status: row.try_get("http_status")?,
        usage,
        estimated: flags & ESTIMATED != 0,
        priced: flags & UNPRICED == 0 || corrected.is_some(),
        cost: Money::from_nano_usd(match corrected {
            Some(cost) => cost,
            None => row.try_get("cost_nano_usd")?,
        }),
        duration_us: count("duration_us")?,
        first_byte_us: count("first_byte_us")?,
    })
}

/// The tier in stored flags.
pub(crate) fn tier(flags: i32) -> ServiceTier {
    ServiceTier::of_number(u8::try_from(flags >> TIER_SHIFT).unwrap_or_default())
}

/// The word of a stored status; a later version may have written ones this one does not know.
pub(crate) fn status_word(code: i64) -> &'static str {
    let known = usize::try_from(code).ok().and_then(|code| AttemptStatus::ALL.get(code));
    known.map_or("unknown", |status| status.as_str())
}

/// The smallest id an attempt that started at this moment can have.
pub(crate) fn first_id(started_unix_ms: u64) -> [u8; 16] {
    id_floor(started_unix_ms.saturating_sub(ID_SLACK_MS))
}

/// The id right before this one.
fn before(id: [u8; 16]) -> [u8; 16] {
    u128::from_be_bytes(id).saturating_sub(1).to_be_bytes()
}

/// An id no attempt that started before this moment can reach.
pub(crate) fn past_id(started_unix_ms: u64) -> [u8; 16] {
    id_floor(started_unix_ms.saturating_add(ID_SLACK_MS))
}

/// The smallest UUIDv7 of a millisecond: its first 48 bits are the time.
pub(crate) fn id_floor(unix_ms: u64) -> [u8; 16] {
    let unix_ms = unix_ms.min((1 << 48) - 1);
    (u128::from(unix_ms) << 80).to_be_bytes()
}

fn row_error(what: &'static str) -> StoreError {
    StoreError::Row { table: "ledger", what }
}
