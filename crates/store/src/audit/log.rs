//! The tables behind the audit log. An append is one transaction that survives a power cut; then the newest entry of each
//! chain it touched is signed into a file beside the database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::chain::{self, BEGINNING, Hash};
use super::event::{AuditEvent, AuditOutcome};
use super::head;
use super::statement::{InstanceKey, Statement, StatementKind};
use super::verify::{AuditReport, AuditVerifier, Link};
use crate::database::{signed, unsigned};
use crate::hex::{hex, unhex};
use crate::{Store, StoreError};

/// A checkpoint is signed at every entry whose number is a multiple of this.
const CHECKPOINT_EVERY: u64 = 256;
/// Entries read at once by verification and export, deleted at once by retention.
pub(super) const PAGE: u64 = 500;

/// The audit log of one installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog {
    store: Store,
    key: Arc<InstanceKey>,
    heads: PathBuf,
}

/// An entry as listings show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its place over all chains; what a cursor names.
    #[serde(skip)]
    pub id: u64,
    /// Its number in its chain, from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

/// Which entries to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only this chain.
    pub organisation: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this action; one that ends in `*` stands for every action that begins so.
    pub action: Option<String>,
    /// Only acts on objects of this name.
    pub object: Option<String>,
    /// Only what ended so.
    pub outcome: Option<AuditOutcome>,
    /// Only this reason.
    pub code: Option<String>,
    /// At or after (Unix milliseconds).
    pub since_unix_ms: Option<u64>,
    /// Before (Unix milliseconds).
    pub until_unix_ms: Option<u64>,
    /// Only entries before this [`AuditEntry::id`].
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

impl AuditLog {
    pub(crate) fn new(store: Store, key: Arc<InstanceKey>, heads: PathBuf) -> Self {
        Self { store, key, heads }
    }

    /// The public key that statements of this log are signed with, in hexadecimal.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public()
    }

    /// Appends events, each to its organisation's chain, all or none.
    ///
    /// # Errors
    /// When the database fails or is busy: nothing was written then, and what was to be audited must not be done. When only
    /// the file beside it cannot be written, the entries are there and the error says so.
    pub async fn append(&self, events: Vec<AuditEvent>) -> Result<(), StoreError> {
        let mut chains: BTreeMap<String, Vec<AuditEvent>> = BTreeMap::new();
        for event in events.into_iter().map(AuditEvent::bounded) {
            chains.entry(event.organisation.clone()).or_default().push(event);
        }
        let mut connection = self.store.ledger.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut heads = Vec::with_capacity(chains.len());
        for (organisation, events) in chains {
            heads.push(self.append_to_chain(&mut transaction, &organisation, events).await?);
        }
        transaction.commit().await?;
        let folder = self.heads.clone();
        let written = tokio::task::spawn_blocking(move || heads.iter().try_for_each(|it| head::write(&folder, it)));
        written.await.unwrap_or(Err(row_error("the writer of the heads died")))
    }

    async fn append_to_chain(
        &self,
        connection: &mut SqliteConnection,
        organisation: &str,
        events: Vec<AuditEvent>,
    ) -> Result<Statement, StoreError> {
        let (mut seq, mut hash) = tip(connection, organisation).await?;
        self.keep_contradicted_head(connection, organisation, seq).await?;
        let mut number = newest_number(connection, organisation).await?;
        let mut at = 0;
        for event in events {
            seq += 1;
            at = event.at_unix_ms;
            let event = numbered(&event, seq)?;
            hash = chain::next(&hash, &event);
            sqlx::query("INSERT INTO audit (organisation, seq, event, hash) VALUES (?, ?, ?, ?)")
                .bind(organisation)
                .bind(signed(seq))
                .bind(chain::canonical(&event))
                .bind(&hash[..])
                .execute(&mut *connection)
                .await?;
            if seq.is_multiple_of(CHECKPOINT_EVERY) {
                number += 1;
                let statement = self.key.state(StatementKind::Checkpoint, organisation, number, (seq, &hash), at);
                insert_statement(connection, &statement).await?;
            }
        }
        Ok(self.key.state(StatementKind::Head, organisation, number, (seq, &hash), at))
    }

    /// If the file beside the database knows more than the database, or something else, the next head must not hide it.
    async fn keep_contradicted_head(
        &self,
        connection: &mut SqliteConnection,
        organisation: &str,
        last: u64,
    ) -> Result<(), StoreError> {
        let Some(known) = head::read(&self.heads, organisation) else { return Ok(()) };
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM audit WHERE organisation = ? AND seq = ?")
            .bind(organisation)
            .bind(signed(known.seq))
            .fetch_optional(connection)
            .await?;
        // No entry of that number and later ones: retention deleted it.
        let agrees = found.map_or(known.seq < last, |hash| hex(&hash) == known.hash);
        if agrees { Ok(()) } else { head::keep_as_evidence(&self.heads, &known) }
    }

    /// Signs a checkpoint for every chain that has grown since its last one. To be called every hour and at shutdown; says
    /// how many were signed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self, now_unix_ms: u64) -> Result<u64, StoreError> {
        let organisations: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT organisation FROM audit").fetch_all(&self.store.pool).await?;
        let mut made = 0;
        for organisation in organisations {
            let mut connection = self.store.ledger.acquire().await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let (seq, hash) = tip(&mut transaction, &organisation).await?;
            let last = statements(&mut transaction, &organisation).await?.pop();
            if last.as_ref().is_none_or(|last| last.seq < seq) {
                let number = last.map_or(0, |last| last.number) + 1;
                let at = (seq, &hash);
                let statement = self.key.state(StatementKind::Checkpoint, &organisation, number, at, now_unix_ms);
                insert_statement(&mut transaction, &statement).await?;
                made += 1;
            }
            transaction.commit().await?;
        }
        Ok(made)
    }

    /// Entries, newest first, at most a thousand.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn list(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = query.sql().build().fetch_all(&self.store.pool).await?;
        let entry = |row: &sqlx::sqlite::SqliteRow| {
            let event = serde_json::from_str(row.try_get("event")?).map_err(|_| row_error("an event is not JSON"))?;
            let hash: &[u8] = row.try_get("hash")?;
            let (id, seq) = (unsigned(row.try_get("id")?), unsigned(row.try_get("seq")?));
            Ok(AuditEntry { id, seq, event, hash: hex(hash) })
        };
        rows.iter().map(entry).collect()
    }

    /// Every chain, checked against its own hashes, the statements in the database and the heads beside it.
    ///
    /// # Errors
    /// When the database or the folder of heads cannot be read. What is wrong with a chain is in its report.
    pub async fn verify(&self) -> Result<Vec<AuditReport>, StoreError> {
        let (heads, damaged) = head::all(&self.heads)?;
        let mut reports = Vec::new();
        for organisation in self.organisations(&heads).await? {
            reports.push(self.verify_chain(&organisation, &heads).await?);
        }
        if !damaged.is_empty() {
            let mut report = AuditVerifier::new("", Vec::new(), &self.public_bytes());
            damaged.into_iter().for_each(|name| report.unreadable(format!("audit-heads/{name}")));
            reports.push(report.finish());
        }
        Ok(reports)
    }

    async fn verify_chain(&self, organisation: &str, heads: &[Statement]) -> Result<AuditReport, StoreError> {
        let mut connection = self.store.pool.acquire().await?;
        let in_database = statements(&mut connection, organisation).await?;
        // Only a checkpoint or a tombstone belongs there: a head or the start of an export, put there, would lie.
        let is_of_series = |s: &Statement| matches!(s.kind, StatementKind::Checkpoint | StatementKind::Tombstone);
        let (series, strays): (Vec<_>, Vec<_>) = in_database.into_iter().partition(is_of_series);
        let heads = heads.iter().filter(|head| head.organisation == organisation && head.kind == StatementKind::Head);
        let known = series.into_iter().chain(heads.cloned()).collect();
        let mut verifier = AuditVerifier::new(organisation, known, &self.public_bytes());
        for stray in strays {
            verifier.unreadable(format!("checkpoint {}", stray.number));
        }
        let mut from = 0;
        loop {
            let page = links(&mut connection, organisation, from, u64::MAX).await?;
            for (seq, link) in &page {
                match link {
                    Some(link) => verifier.link(link),
                    None => verifier.unreadable(format!("entry {seq}")),
                }
            }
            match page.last() {
                Some((seq, _)) => from = seq + 1,
                None => return Ok(verifier.finish()),
            }
        }
    }

    /// Deletes entries from before a moment, oldest first and never the newest of a chain. Each batch is a whole prefix with
    /// a signed tombstone in its place. Says how many went.
    ///
    /// # Errors
    /// When the database fails; what was deleted by then has its tombstone.
    pub async fn delete_before(&self, unix_ms: u64, now_unix_ms: u64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for organisation in self.organisations(&[]).await? {
            loop {
                let gone = self.delete_batch(&organisation, unix_ms, now_unix_ms).await?;
                deleted += gone;
                if gone == 0 {
                    break;
                }
            }
        }
        Ok(deleted)
    }

    async fn delete_batch(&self, organisation: &str, unix_ms: u64, now_unix_ms: u64) -> Result<u64, StoreError> {
        let mut connection = self.store.ledger.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let (newest, _) = tip(&mut transaction, organisation).await?;
        let page = links(&mut transaction, organisation, 0, newest).await?;
        let old = page.iter().map_while(|(seq, link)| {
            let link = link.as_ref()?;
            (*seq < newest && link.event["at_unix_ms"].as_u64()? < unix_ms).then_some((*seq, link.hash))
        });
        let Some((seq, hash)) = old.last() else { return Ok(0) };
        let number = newest_number(&mut transaction, organisation).await? + 1;
        let at = (seq, &hash);
        let statement = self.key.state(StatementKind::Tombstone, organisation, number, at, now_unix_ms);
        insert_statement(&mut transaction, &statement).await?;
        let gone = sqlx::query("DELETE FROM audit WHERE organisation = ? AND seq <= ?")
            .bind(organisation)
            .bind(signed(seq))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(gone.rows_affected())
    }

    /// Every chain there is or was.
    pub(super) async fn organisations(&self, heads: &[Statement]) -> Result<BTreeSet<String>, StoreError> {
        let sql = "SELECT organisation FROM audit UNION SELECT organisation FROM audit_checkpoints";
        let stored: Vec<String> = sqlx::query_scalar(sql).fetch_all(&self.store.pool).await?;
        Ok(stored.into_iter().chain(heads.iter().map(|head| head.organisation.clone())).collect())
    }

    pub(super) fn key(&self) -> &InstanceKey {
        &self.key
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn public_bytes(&self) -> [u8; 32] {
        unhex(&self.key.public()).unwrap_or_default()
    }
}

impl AuditQuery {
    fn sql(&self) -> QueryBuilder<Sqlite> {
        let mut sql = QueryBuilder::new("SELECT id, seq, event, hash FROM audit WHERE 1");
        let mut equals = |path: &str, value: Option<&str>| {
            if let Some(value) = value {
                sql.push(format!(" AND json_extract(event, '$.{path}') = ")).push_bind(value.to_owned());
            }
        };
        let (prefix, action) = match self.action.as_deref() {
            Some(action) => action.strip_suffix('*').map_or((None, Some(action)), |prefix| (Some(prefix), None)),
            None => (None, None),
        };
        equals("actor.who", self.actor.as_deref());
        equals("action", action);
        equals("object.name", self.object.as_deref());
        equals("outcome", self.outcome.map(AuditOutcome::as_str));
        equals("code", self.code.as_deref());
        if let Some(prefix) = prefix {
            let text = prefix.to_owned();
            sql.push(" AND substr(json_extract(event, '$.action'), 1, length(").push_bind(text.clone()).push(")) = ");
            sql.push_bind(text);
        }
        if let Some(organisation) = &self.organisation {
            sql.push(" AND organisation = ").push_bind(organisation.clone());
        }
        for (compare, moment) in [(">=", self.since_unix_ms), ("<", self.until_unix_ms)] {
            if let Some(moment) = moment {
                sql.push(format!(" AND json_extract(event, '$.at_unix_ms') {compare} ")).push_bind(signed(moment));
            }
        }
        if let Some(id) = self.before {
            sql.push(" AND id < ").push_bind(signed(id));
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(self.limit.min(1_001));
        sql
    }
}

/// The event as it is hashed and stored: with its number.
fn numbered(event: &AuditEvent, seq: u64) -> Result<Value, StoreError> {
    let mut value = serde_json::to_value(event).map_err(|_| row_error("an event cannot be written as JSON"))?;
    value["seq"] = seq.into();
    Ok(value)
}

/// The newest entry of a chain, or what stands before its first.
pub(super) async fn tip(connection: &mut SqliteConnection, organisation: &str) -> Result<(u64, Hash), StoreError> {
    let row = sqlx::query("SELECT seq, hash FROM audit WHERE organisation = ? ORDER BY seq DESC LIMIT 1")
        .bind(organisation)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok((0, BEGINNING)) };
    let hash: &[u8] = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|_| row_error("a hash is not 32 bytes long"))?;
    Ok((unsigned(row.try_get("seq")?), hash))
}

/// A page of entries from a number on, up to another; `None` for a row that is none.
pub(super) async fn links(
    connection: &mut SqliteConnection,
    organisation: &str,
    from: u64,
    to: u64,
) -> Result<Vec<(u64, Option<Link>)>, StoreError> {
    let sql =
        "SELECT seq, event, hash FROM audit WHERE organisation = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT ?";
    let rows = sqlx::query(sql)
        .bind(organisation)
        .bind(signed(from))
        .bind(signed(to))
        .bind(signed(PAGE))
        .fetch_all(connection)
        .await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let seq = unsigned(row.try_get("seq")?);
        let event = serde_json::from_str(row.try_get("event")?).ok();
        let hash = row.try_get::<&[u8], _>("hash")?.try_into().ok();
        Ok((seq, event.zip(hash).map(|(event, hash)| Link { seq, event, hash })))
    };
    rows.iter().map(read).collect()
}

/// The signed statements of a chain, in order. A row that is none counts as a forged one.
pub(super) async fn statements(
    connection: &mut SqliteConnection,
    organisation: &str,
) -> Result<Vec<Statement>, StoreError> {
    let sql = "SELECT number, statement FROM audit_checkpoints WHERE organisation = ? ORDER BY number";
    let rows = sqlx::query(sql).bind(organisation).fetch_all(connection).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let number = unsigned(row.try_get("number")?);
        let statement: Option<Statement> = serde_json::from_str(row.try_get("statement")?).ok();
        let unsigned = || Statement {
            kind: StatementKind::Checkpoint,
            organisation: organisation.to_owned(),
            number,
            seq: 0,
            hash: String::new(),
            at_unix_ms: 0,
            signature: String::new(),
        };
        Ok(statement.filter(|statement| statement.number == number).unwrap_or_else(unsigned))
    };
    rows.iter().map(read).collect()
}

async fn newest_number(connection: &mut SqliteConnection, organisation: &str) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(number), 0) FROM audit_checkpoints WHERE organisation = ?";
    Ok(unsigned(sqlx::query_scalar(sql).bind(organisation).fetch_one(connection).await?))
}

async fn insert_statement(connection: &mut SqliteConnection, statement: &Statement) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit_checkpoints (organisation, number, statement) VALUES (?, ?, ?)")
        .bind(&statement.organisation)
        .bind(signed(statement.number))
        .bind(statement.text())
        .execute(connection)
        .await?;
    Ok(())
}

fn row_error(what: &'static str) -> StoreError {
    StoreError::Row { table: "audit", what }
}
