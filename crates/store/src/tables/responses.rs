//! `responses`: answers kept for their callers, until they expire. The bytes belong to the caller; nothing here reads
//! them.

use std::sync::LazyLock;

use bytes::Bytes;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite};

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
    /// How far it is, in the words of whoever stores it.
    pub status: String,
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
        id: String,
        /// Whose it is.
        key_id: String,
    },
}

impl Store {
    /// Stores responses, each in the place of the one its owner has under its id, and deletes others, all or nothing. An id
    /// that belongs to another key is left as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_responses(&self, changes: &[ResponseChange]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        for alike in changes.chunk_by(|a, b| a.is_put() && b.is_put()) {
            let mut rest = alike;
            for (size, sql) in PUTS.iter() {
                while rest.len() >= *size && rest[0].is_put() {
                    let (chunk, later) = rest.split_at(*size);
                    put(sql, chunk).execute(&mut *transaction).await?;
                    rest = later;
                }
            }
            for change in rest {
                if let ResponseChange::Delete { id, key_id } = change {
                    delete(id, key_id).execute(&mut *transaction).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(())
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
            id: row.try_get("id")?,
            key_id: row.try_get("key_id")?,
            created_unix_ms: unsigned(row.try_get("created_ms")?),
            expires_unix_ms: unsigned(row.try_get("expires_ms")?),
            status: row.try_get("status")?,
            request: blob("request")?,
            answer: blob("answer")?,
        }))
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

impl ResponseChange {
    fn is_put(&self) -> bool {
        matches!(self, Self::Put(_))
    }
}

type Statement<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// A few sizes of insert, largest first: each is prepared once, and any number of rows takes few statements.
static PUTS: LazyLock<[(usize, String); 3]> = LazyLock::new(|| {
    [32, 8, 1].map(|rows| {
        let tuples = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
        let sql = format!(
            "INSERT INTO responses (id, key_id, created_ms, expires_ms, status, request, answer) VALUES {tuples}
             ON CONFLICT (id) DO UPDATE SET expires_ms = excluded.expires_ms, status = excluded.status,
                 request = excluded.request, answer = excluded.answer
             WHERE responses.key_id = excluded.key_id"
        );
        (rows, sql)
    })
});

fn put<'q>(sql: &'static str, changes: &'q [ResponseChange]) -> Statement<'q> {
    let mut query = sqlx::query(sql);
    for change in changes {
        let ResponseChange::Put(response) = change else { continue };
        query = query
            .bind(&response.id)
            .bind(&response.key_id)
            .bind(signed(response.created_unix_ms))
            .bind(signed(response.expires_unix_ms))
            .bind(&response.status)
            .bind(&response.request[..])
            .bind(&response.answer[..]);
    }
    query
}

fn delete<'q>(id: &'q str, key_id: &'q str) -> Statement<'q> {
    sqlx::query("DELETE FROM responses WHERE id = ? AND key_id = ?").bind(id).bind(key_id)
}
