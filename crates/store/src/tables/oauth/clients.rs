//! `oauth_clients`.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A client as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthClientRow {
    /// Its id.
    pub id: String,
    /// `registered` or `document`.
    pub kind: String,
    /// What it said of itself, as JSON.
    pub metadata: String,
    /// The keyed hash of its secret.
    pub secret: Option<[u8; 32]>,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// The address it registered from.
    pub created_from: Option<String>,
    /// Unix milliseconds at which it last got a token, within a minute.
    pub used_unix_ms: Option<u64>,
    /// Unix milliseconds.
    pub revoked_unix_ms: Option<u64>,
}

/// How old a note of use may be before it is renewed.
const USED_EVERY_MS: u64 = 60_000;

impl Store {
    /// Stores a client. One with this id takes the new metadata, and keeps everything else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_oauth_client(&self, client: &OAuthClientRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO oauth_clients (id, kind, metadata, secret, created_ms, created_from, used_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata WHERE metadata <> excluded.metadata",
        )
        .bind(&client.id)
        .bind(&client.kind)
        .bind(&client.metadata)
        .bind(client.secret.as_ref().map(|hash| &hash[..]))
        .bind(signed(client.created_unix_ms))
        .bind(&client.created_from)
        .bind(client.used_unix_ms.map(signed))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// One client, revoked ones too.
    ///
    /// # Errors
    /// When the database fails or the row is damaged.
    pub async fn oauth_client(&self, id: &str) -> Result<Option<OAuthClientRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM oauth_clients WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// Clients by id, after one of them.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn oauth_clients(&self, after: Option<&str>, limit: u32) -> Result<Vec<OAuthClientRow>, StoreError> {
        let sql = "SELECT * FROM oauth_clients WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2";
        sqlx::query(sql).bind(after).bind(limit).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// Notes that a client got a token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oauth_client_used(&self, id: &str, now_unix_ms: u64) -> Result<(), StoreError> {
        let stale = signed(now_unix_ms.saturating_sub(USED_EVERY_MS));
        let sql = "UPDATE oauth_clients SET used_ms = ? WHERE id = ? AND (used_ms IS NULL OR used_ms < ?)";
        sqlx::query(sql).bind(signed(now_unix_ms)).bind(id).bind(stale).execute(&self.pool).await?;
        Ok(())
    }

    /// Revokes a client; `false` if there is none, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_oauth_client(&self, id: &str, now_unix_ms: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE oauth_clients SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL";
        let done = sqlx::query(sql).bind(signed(now_unix_ms)).bind(id).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(row: &SqliteRow) -> Result<OAuthClientRow, StoreError> {
    let secret: Option<Vec<u8>> = row.try_get("secret")?;
    let damaged = |_| StoreError::Row { table: "oauth_clients", what: "a hash is not 32 bytes" };
    let moment = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(unsigned));
    Ok(OAuthClientRow {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        metadata: row.try_get("metadata")?,
        secret: secret.map(|hash| hash.try_into().map_err(damaged)).transpose()?,
        created_unix_ms: unsigned(row.try_get("created_ms")?),
        created_from: row.try_get("created_from")?,
        used_unix_ms: moment("used_ms")?,
        revoked_unix_ms: moment("revoked_ms")?,
    })
}
