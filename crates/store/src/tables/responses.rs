//! `responses`: answers kept for their callers, until they expire. The bytes belong to the caller; nothing here reads
//! them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sqlx::{Connection as _, Row as _};

use super::inserts::{Inserts, Values};
use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// Its id as the caller knows it (`resp_…`).
    pub id: Arc<str>,
    /// The id of the key it belongs to. No other key ever sees it.
    pub key_id: Arc<str>,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds from which on it is gone.
    pub expires_unix_ms: u64,
    /// How far it is, in the words of whoever stores it.
    pub status: Cow<'static, str>,
    /// What was asked.
    pub request: Bytes,
    /// What was answered.
    pub answer: Bytes,
}

/// One change to what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseChange {
    /// Store this.
    Put(StoredResponse),
    /// Delete this, if there is one.
    Delete {
        /// The response.
        id: Arc<str>,
        /// Whose it is.
        key_id: Arc<str>,
    },
}

impl Store {
    /// Stores responses, each in the place of the one its owner has under its id, and deletes others, all or nothing. An id
    /// that belongs to another key is left as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_responses(&self, changes: &[ResponseChange]) -> Result<(), StoreError> {
        let mut connection = self.behind.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for alike in changes.chunk_by(|a, b| a.is_put() && b.is_put()) {
            match alike {
                [ResponseChange::Delete { id, key_id }] => {
                    let delete =
                        sqlx::query("DELETE FROM responses WHERE id = ? AND key_id = ?").bind(&**id).bind(&**key_id);
                    delete.execute(&mut *transaction).await?;
                }
                puts => _ = PUTS.run(&mut transaction, puts, ResponseChange::bind).await?,
            }
        }
        Ok(transaction.commit().await?)
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
            "SELECT id, key_id, created_ms, expires_ms, status, request, answer FROM responses
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
            id: row.try_get::<&str, _>("id")?.into(),
            key_id: row.try_get::<&str, _>("key_id")?.into(),
            created_unix_ms: unsigned(row.try_get("created_ms")?),
            expires_unix_ms: unsigned(row.try_get("expires_ms")?),
            status: Cow::Owned(row.try_get("status")?),
            request: blob("request")?,
            answer: blob("answer")?,
        }))
    }

    /// Deletes what has expired among the thousand oldest, so that no other writer waits long. Call again while it deletes
    /// any: responses expire in the order in which they were first stored, or nearly so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge_responses(&self, now_unix_ms: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM responses WHERE rowid IN (SELECT rowid FROM
                       (SELECT rowid, expires_ms FROM responses ORDER BY rowid LIMIT 1000) WHERE expires_ms <= ?)";
        Ok(sqlx::query(sql).bind(signed(now_unix_ms)).execute(&self.behind).await?.rows_affected())
    }
}

impl ResponseChange {
    fn is_put(&self) -> bool {
        matches!(self, Self::Put(_))
    }

    fn bind(values: &mut Values, change: &Self) {
        let Self::Put(response) = change else { return };
        values
            .bind(Arc::clone(&response.id))
            .bind(Arc::clone(&response.key_id))
            .bind(signed(response.created_unix_ms))
            .bind(signed(response.expires_unix_ms))
            .bind(&*response.status)
            .bind(&response.request[..])
            .bind(&response.answer[..]);
    }
}

static PUTS: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new(
        "INSERT INTO responses (id, key_id, created_ms, expires_ms, status, request, answer)",
        "(?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms, status = excluded.status,
             request = excluded.request, answer = excluded.answer
         WHERE responses.key_id = excluded.key_id",
    )
});
