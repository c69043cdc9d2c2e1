//! `mcp_results`: results of tools that were too long to go to a client whole, kept for the principal they were made for until
//! they expire. What is too much in sum goes, the oldest first.

use bytes::Bytes;
use sqlx::Row as _;

use crate::database::signed;
use crate::{Store, StoreError};

/// A result that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptResult {
    /// Its id: random, as it is part of a URI.
    pub id: String,
    /// Whose it is. Nobody else reads it.
    pub principal: String,
    /// What it is: `application/json`, `text/plain`, …
    pub mime: String,
    /// The result.
    pub body: Bytes,
    /// Unix milliseconds.
    pub kept_unix_ms: u64,
    /// Unix milliseconds from which on it is gone.
    pub expires_unix_ms: u64,
}

/// A piece of a kept result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultPiece {
    /// What it is of.
    pub mime: String,
    /// The bytes asked for, as far as there are any.
    pub bytes: Bytes,
    /// The length of the whole.
    pub total: u64,
}

const PUT: &str = "INSERT INTO mcp_results (id, principal, mime, body, kept_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)";
const PIECE: &str = "SELECT mime, length(body) AS total, substr(body, ? + 1, ?) AS piece FROM mcp_results
    WHERE id = ? AND principal = ? AND expires_ms > ?";
const SWEEP: &str = "DELETE FROM mcp_results WHERE expires_ms <= ?1 OR id IN (
    SELECT id FROM (SELECT id, sum(length(body)) OVER (ORDER BY kept_ms DESC, id) AS total FROM mcp_results) WHERE total > ?2)";

impl Store {
    /// Keeps a result.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_mcp_result(&self, result: &KeptResult) -> Result<(), StoreError> {
        let query = sqlx::query(PUT).bind(&result.id).bind(&result.principal).bind(&result.mime).bind(&result.body[..]);
        let query = query.bind(signed(result.kept_unix_ms)).bind(signed(result.expires_unix_ms));
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// A piece of a result of this principal's: `length` bytes from `offset` on. `None` if there is none, it is another's, or
    /// its time is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_result(
        &self,
        id: &str,
        principal: &str,
        offset: u64,
        length: u64,
        now_unix_ms: u64,
    ) -> Result<Option<ResultPiece>, StoreError> {
        let query = sqlx::query(PIECE).bind(signed(offset)).bind(signed(length));
        let query = query.bind(id).bind(principal).bind(signed(now_unix_ms));
        let Some(row) = query.fetch_optional(&self.pool).await? else { return Ok(None) };
        let bytes: Vec<u8> = row.try_get("piece")?;
        let total: i64 = row.try_get("total")?;
        Ok(Some(ResultPiece {
            mime: row.try_get("mime")?,
            bytes: Bytes::from(bytes),
            total: crate::database::unsigned(total),
        }))
    }

    /// Deletes what has expired, and of the rest the oldest beyond `bytes_max` in sum. Says how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep_mcp_results(&self, now_unix_ms: u64, bytes_max: u64) -> Result<u64, StoreError> {
        let query = sqlx::query(SWEEP).bind(signed(now_unix_ms)).bind(signed(bytes_max));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
