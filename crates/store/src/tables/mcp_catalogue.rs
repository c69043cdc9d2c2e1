//! `mcp_names` and `mcp_lists`: the names clients know tools and prompts by, and the lists of MCP servers when they were last
//! complete.

use sqlx::Row as _;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A name that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRow {
    /// `tool` or `prompt`.
    pub kind: String,
    /// The server.
    pub server: String,
    /// What the server calls it.
    pub real: String,
    /// What clients call it.
    pub exposed: String,
}

/// The lists of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListsRow {
    /// The server.
    pub server: String,
    /// A fingerprint of where they were fetched.
    pub source: String,
    /// The lists, as JSON.
    pub body: String,
    /// Unix milliseconds.
    pub fetched_unix_ms: u64,
}

/// Also in the place of a removed server's item that had the name: it is free again.
const GIVE: &str = "INSERT OR REPLACE INTO mcp_names (kind, exposed, server, real, given_ms) VALUES (?, ?, ?, ?, ?)";
const KEEP: &str = "INSERT OR REPLACE INTO mcp_lists (server, source, body, fetched_ms) VALUES (?, ?, ?, ?)";

impl Store {
    /// Every name that was given, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_names(&self) -> Result<Vec<NameRow>, StoreError> {
        let sql = "SELECT kind, server, real, exposed FROM mcp_names ORDER BY given_ms, kind, server, real";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(NameRow {
                kind: row.try_get("kind")?,
                server: row.try_get("server")?,
                real: row.try_get("real")?,
                exposed: row.try_get("exposed")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps names that were given.
    ///
    /// # Errors
    /// When the database fails; then none is kept.
    pub async fn mcp_names_given(&self, names: &[NameRow], now_unix_ms: u64) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for name in names {
            let query = sqlx::query(GIVE).bind(&name.kind).bind(&name.exposed).bind(&name.server).bind(&name.real);
            query.bind(signed(now_unix_ms)).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The lists of every server.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_lists(&self) -> Result<Vec<ListsRow>, StoreError> {
        let rows = sqlx::query("SELECT server, source, body, fetched_ms FROM mcp_lists ORDER BY server")
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(ListsRow {
                server: row.try_get("server")?,
                source: row.try_get("source")?,
                body: row.try_get("body")?,
                fetched_unix_ms: unsigned(row.try_get("fetched_ms")?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps a server's lists in the place of those it had.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_lists_fetched(&self, lists: &ListsRow) -> Result<(), StoreError> {
        let query = sqlx::query(KEEP).bind(&lists.server).bind(&lists.source).bind(&lists.body);
        query.bind(signed(lists.fetched_unix_ms)).execute(&self.pool).await?;
        Ok(())
    }
}
