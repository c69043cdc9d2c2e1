//! `oauth_tickets`: what is good once, or until it ends. Found by the keyed hash of what somebody holds.

use sqlx::Row as _;

use crate::database::signed;
use crate::{Store, StoreError};

/// What came of taking a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was good, and is no longer.
    Now(String),
    /// It was taken before.
    Before(String),
}

impl Store {
    /// Stores a ticket; `false` if there is one of this hash already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_ticket(
        &self,
        hash: &[u8; 32],
        kind: &'static str,
        body: &str,
        expires_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO oauth_tickets (hash, kind, body, expires_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(&hash[..]).bind(kind).bind(body).bind(signed(expires_unix_ms));
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// What a ticket holds, if it is good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ticket(
        &self,
        hash: &[u8; 32],
        kind: &'static str,
        now_unix_ms: u64,
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM oauth_tickets WHERE hash = ? AND kind = ? AND expires_ms > ? AND used_ms IS NULL";
        let query = sqlx::query_scalar(sql).bind(&hash[..]).bind(kind).bind(signed(now_unix_ms));
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Takes a ticket: of several at once who take it, one gets [`Taken::Now`]. `None` if there is none, or it has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_ticket(
        &self,
        hash: &[u8; 32],
        kind: &'static str,
        now_unix_ms: u64,
    ) -> Result<Option<Taken>, StoreError> {
        let now = signed(now_unix_ms);
        let sql = "UPDATE oauth_tickets SET used_ms = ?1 WHERE hash = ?2 AND kind = ?3 AND expires_ms > ?1 AND used_ms IS NULL
                   RETURNING body";
        let query = sqlx::query_scalar(sql).bind(now).bind(&hash[..]).bind(kind);
        if let Some(body) = query.fetch_optional(&self.pool).await? {
            return Ok(Some(Taken::Now(body)));
        }
        let sql = "SELECT body FROM oauth_tickets WHERE hash = ? AND kind = ? AND used_ms IS NOT NULL";
        let row = sqlx::query(sql).bind(&hash[..]).bind(kind).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.try_get("body").map(Taken::Before)).transpose()?)
    }

    /// Deletes a ticket.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_ticket(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM oauth_tickets WHERE hash = ?").bind(&hash[..]).execute(&self.pool).await?;
        Ok(())
    }
}
