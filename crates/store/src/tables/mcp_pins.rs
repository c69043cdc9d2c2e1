//! `mcp_pins`: every version of what MCP servers offered, and whether it is offered on. A version is never deleted while its
//! server is there: going back needs it.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// One version of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRow {
    /// The server.
    pub server: String,
    /// `tool`, `prompt`, `template` or `instructions`.
    pub kind: String,
    /// Its name on its server; empty for instructions.
    pub name: String,
    /// SHA-256 of its canonical form, in hexadecimal.
    pub hash: String,
    /// `approved`, `pending` or `held`.
    pub state: String,
    /// As the server wrote it.
    pub document: String,
    /// Unix milliseconds: when it was first seen.
    pub seen_unix_ms: u64,
    /// Unix milliseconds: when somebody decided; `None` while it is the policy's word.
    pub decided_unix_ms: Option<u64>,
    /// Who decided.
    pub decided_by: Option<String>,
}

/// Which item.
#[derive(Clone, Copy, Debug)]
pub struct PinnedItem<'a> {
    /// The server.
    pub server: &'a str,
    /// `tool`, `prompt`, `template` or `instructions`.
    pub kind: &'a str,
    /// Its name on its server.
    pub name: &'a str,
}

const COLUMNS: &str = "server, kind, name, hash, state, document, seen_ms, decided_ms, decided_by";
/// The policy's word does not change a person's.
const SEEN: &str =
    "INSERT INTO mcp_pins (server, kind, name, hash, state, document, seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (server, kind, name, hash) DO UPDATE SET state = excluded.state WHERE decided_by IS NULL";
const DECIDED: &str = "UPDATE mcp_pins SET state = ?, decided_ms = ?, decided_by = ?
    WHERE server = ? AND kind = ? AND name = ? AND hash = ?";

impl Store {
    /// Every version of every item, the oldest of each first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_pins(&self) -> Result<Vec<PinRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM mcp_pins ORDER BY server, kind, name, seen_ms, hash");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The versions of one item, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_pin_versions(&self, item: PinnedItem<'_>) -> Result<Vec<PinRow>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM mcp_pins WHERE server = ? AND kind = ? AND name = ? ORDER BY seen_ms, hash");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(item.server).bind(item.kind).bind(item.name);
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// Remembers versions with the policy's word on them. What a person decided stays as it is.
    ///
    /// # Errors
    /// When the database fails; then none is remembered.
    pub async fn mcp_pins_seen(&self, rows: &[PinRow]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows {
            let query = sqlx::query(SEEN).bind(&row.server).bind(&row.kind).bind(&row.name).bind(&row.hash);
            let query = query.bind(&row.state).bind(&row.document).bind(signed(row.seen_unix_ms));
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Writes down a person's decision; `false` if there is no such version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_pin_decided(
        &self,
        item: PinnedItem<'_>,
        hash: &str,
        state: &str,
        by: &str,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(DECIDED).bind(state).bind(signed(now_unix_ms)).bind(by);
        let query = query.bind(item.server).bind(item.kind).bind(item.name).bind(hash);
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }
}

fn read(row: &SqliteRow) -> Result<PinRow, StoreError> {
    Ok(PinRow {
        server: row.try_get("server")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        hash: row.try_get("hash")?,
        state: row.try_get("state")?,
        document: row.try_get("document")?,
        seen_unix_ms: unsigned(row.try_get("seen_ms")?),
        decided_unix_ms: row.try_get::<Option<i64>, _>("decided_ms")?.map(unsigned),
        decided_by: row.try_get("decided_by")?,
    })
}
