//! `responses`: answers kept for their callers, until they expire. The bytes belong to the caller; nothing here reads
//! them.

use bytes::Bytes;
use sqlx::Row as _;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// Its id as the caller knows it (`resp_…`).
    pub id: String,
    /// The id of the key it belongs to. No other key ever sees it.
    pub key_id: String,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds from which on it is gone.
    pub expires_unix_ms: u64,
    /// `completed`, `incomplete`, `failed`, …
    pub status: String,
    /// The input items of the request, as JSON.
    pub request_items: Bytes,
    /// The output items of the answer, as JSON.
    pub output: Bytes,
    /// The whole answer, as JSON.
    pub body: Bytes,
}

impl Store {
    /// Stores a response, or replaces the one its owner has under this id. `false` if the id belongs to another key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_response(&self, response: &StoredResponse) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO responses (id, key_id, created_ms, expires_ms, status, request_items, output, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms, status = excluded.status,
                 request_items = excluded.request_items, output = excluded.output, body = excluded.body
             WHERE responses.key_id = excluded.key_id",
        )
        .bind(&response.id)
        .bind(&response.key_id)
        .bind(signed(response.created_unix_ms))
        .bind(signed(response.expires_unix_ms))
        .bind(&response.status)
        .bind(&response.request_items[..])
        .bind(&response.output[..])
        .bind(&response.body[..])
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A response of this key, unless it has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn response(
        &self,
        id: &str,
        key_id: &str,
        now_unix_ms: u64,
    ) -> Result<Option<StoredResponse>, StoreError> {
        let row = sqlx::query(
            "SELECT id, key_id, created_ms, expires_ms, status, request_items, output, body FROM responses
             WHERE id = ? AND key_id = ? AND expires_ms > ?",
        )
        .bind(id)
        .bind(key_id)
        .bind(signed(now_unix_ms))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let blob = |column| Ok::<_, sqlx::Error>(Bytes::from(row.try_get::<Vec<u8>, _>(column)?));
        Ok(Some(StoredResponse {
            id: row.try_get("id")?,
            key_id: row.try_get("key_id")?,
            created_unix_ms: unsigned(row.try_get("created_ms")?),
            expires_unix_ms: unsigned(row.try_get("expires_ms")?),
            status: row.try_get("status")?,
            request_items: blob("request_items")?,
            output: blob("output")?,
            body: blob("body")?,
        }))
    }

    /// Deletes a response of this key. `false` if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_response(&self, id: &str, key_id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM responses WHERE id = ? AND key_id = ?";
        let done = sqlx::query(sql).bind(id).bind(key_id).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Deletes what has expired, at most 1,000 at a time so that no other writer waits long. Call again while it returns
    /// 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge_responses(&self, now_unix_ms: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE expires_ms <= ? LIMIT 1000)";
        Ok(sqlx::query(sql).bind(signed(now_unix_ms)).execute(&self.pool).await?.rows_affected())
    }
}
