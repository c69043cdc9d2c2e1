//! `keys`: virtual keys. The table never holds a key, only its keyed hash ([`crate::keys::hash`]).

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Public id, unique: from [`crate::keys::new_id`].
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The first characters of the key, to recognise it by.
    pub shown: String,
    /// The keyed hash.
    pub hash: [u8; 32],
    /// The organisation it belongs to.
    pub organisation: Option<String>,
    /// The team that pays.
    pub team: Option<String>,
    /// The person it belongs to.
    pub user: Option<String>,
    /// The service account it belongs to.
    pub service_account: Option<String>,
    /// The agent it belongs to.
    pub agent: Option<String>,
    /// Models it may use: exact names and `prefix*`; none means all.
    pub models: Vec<String>,
    /// MCP servers it may use; none means all.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use; none means all.
    pub toolsets: Vec<String>,
    /// Agents it may call; none means all.
    pub agents: Vec<String>,
    /// Addresses it may be used from, in CIDR notation; none means any.
    pub ip_ranges: Vec<String>,
    /// Tags its usage is counted under: `env=prod,job=nightly`.
    pub tags: Option<String>,
    /// What it may do in the admin API.
    pub role: Option<String>,
    /// Limits as JSON, in the words of the configuration file.
    pub limits: Box<RawValue>,
    /// Budgets as JSON, in the words of the configuration file.
    pub budgets: Box<RawValue>,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds from which on it is no longer good.
    pub expires_unix_ms: Option<u64>,
}

/// A key as stored.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// What was stored.
    pub key: NewKey,
    /// The hash from before the last rotation and the Unix milliseconds until which it is still good.
    pub old_hash: Option<([u8; 32], u64)>,
    /// Unix milliseconds at which it was taken back.
    pub revoked_unix_ms: Option<u64>,
    /// Unix milliseconds at which it was last used, within about a minute.
    pub last_used_unix_ms: Option<u64>,
}

const COLUMNS: &str = "id, name, shown, hash, old_hash, old_until_ms, organisation, team, user, \
                       service_account, agent, models, mcp_servers, toolsets, agents, ip_ranges, tags, role, limits, \
                       budgets, created_ms, expires_ms, revoked_ms, last_used_ms";

impl Store {
    /// Stores a key.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if its id or hash is taken.
    pub async fn create_key(&self, key: &NewKey) -> Result<(), StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO keys (id, name, shown, hash, organisation, team, user, service_account, agent, models, mcp_servers,
                               toolsets, agents, ip_ranges, tags, role, limits, budgets, created_ms, expires_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&key.id)
        .bind(&key.name)
        .bind(&key.shown)
        .bind(&key.hash[..])
        .bind(&key.organisation)
        .bind(&key.team)
        .bind(&key.user)
        .bind(&key.service_account)
        .bind(&key.agent)
        .bind(list(&key.models)?)
        .bind(list(&key.mcp_servers)?)
        .bind(list(&key.toolsets)?)
        .bind(list(&key.agents)?)
        .bind(list(&key.ip_ranges)?)
        .bind(&key.tags)
        .bind(&key.role)
        .bind(key.limits.get())
        .bind(key.budgets.get())
        .bind(signed(key.created_unix_ms))
        .bind(key.expires_unix_ms.map(signed))
        .execute(&self.pool)
        .await;
        match inserted {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(StoreError::Exists { what: "a key with this id or hash" })
            }
            other => Ok(other.map(drop)?),
        }
    }

    /// Every key, oldest first; revoked and expired ones too.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn list_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM keys ORDER BY created_ms, id"));
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(read_key).collect()
    }

    /// One key by its id.
    ///
    /// # Errors
    /// When the database fails or the row is damaged.
    pub async fn key(&self, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM keys WHERE id = ?"));
        sqlx::query(sql).bind(id).fetch_optional(&self.pool).await?.as_ref().map(read_key).transpose()
    }

    /// Takes a key back, old hash included. `false` if there is no such key; a key that was revoked before keeps its
    /// first date.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_key(&self, id: &str, now_unix_ms: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE keys SET revoked_ms = coalesce(revoked_ms, ?), old_hash = NULL, old_until_ms = NULL
                   WHERE id = ?";
        let done = sqlx::query(sql).bind(signed(now_unix_ms)).bind(id).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives a key a new secret under the same id, so that its team, limits, budget and history stay. The secret it had
    /// is good until `old_until_unix_ms`; one from a rotation before that ends now. `false` if there is no such key or it
    /// is revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_key(
        &self,
        id: &str,
        hash: &[u8; 32],
        shown: &str,
        old_until_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE keys SET old_hash = hash, old_until_ms = ?, hash = ?, shown = ?
                   WHERE id = ? AND revoked_ms IS NULL";
        let done = sqlx::query(sql)
            .bind(signed(old_until_unix_ms))
            .bind(&hash[..])
            .bind(shown)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes when keys were last used: `(id, Unix milliseconds)`. Meant to be called about once a minute with what was
    /// gathered meanwhile; it does not change [`Store::keys_generation`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_keys(&self, used: &[(&str, u64)]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (id, moment) in used {
            sqlx::query("UPDATE keys SET last_used_ms = max(coalesce(last_used_ms, 0), ?) WHERE id = ?")
                .bind(signed(*moment))
                .bind(*id)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// A number that changes whenever a key is created, rotated, revoked or edited, by this process or another. Ask it
    /// every second or so and list the keys again when it has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_generation(&self) -> Result<u64, StoreError> {
        let value: i64 = sqlx::query_scalar("SELECT value FROM keys_generation").fetch_one(&self.pool).await?;
        Ok(unsigned(value))
    }
}

fn read_key(row: &SqliteRow) -> Result<KeyRecord, StoreError> {
    let moment = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(unsigned));
    let json =
        |column| RawValue::from_string(row.try_get(column)?).map_err(|_| row_error("limits or budgets are not JSON"));
    let old_hash = match (row.try_get::<Option<&[u8]>, _>("old_hash")?, moment("old_until_ms")?) {
        (Some(hash), Some(until)) => Some((read_hash(hash)?, until)),
        _ => None,
    };
    let list = |column| {
        serde_json::from_str::<Vec<String>>(row.try_get(column)?).map_err(|_| row_error("a list is not a JSON list"))
    };
    Ok(KeyRecord {
        key: NewKey {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            shown: row.try_get("shown")?,
            hash: read_hash(row.try_get("hash")?)?,
            organisation: row.try_get("organisation")?,
            team: row.try_get("team")?,
            user: row.try_get("user")?,
            service_account: row.try_get("service_account")?,
            agent: row.try_get("agent")?,
            models: list("models")?,
            mcp_servers: list("mcp_servers")?,
            toolsets: list("toolsets")?,
            agents: list("agents")?,
            ip_ranges: list("ip_ranges")?,
            tags: row.try_get("tags")?,
            role: row.try_get("role")?,
            limits: json("limits")?,
            budgets: json("budgets")?,
            created_unix_ms: unsigned(row.try_get("created_ms")?),
            expires_unix_ms: moment("expires_ms")?,
        },
        old_hash,
        revoked_unix_ms: moment("revoked_ms")?,
        last_used_unix_ms: moment("last_used_ms")?,
    })
}

fn list(texts: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(texts).map_err(|_| row_error("a list cannot be written as JSON"))
}

fn read_hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| row_error("a hash is not 32 bytes long"))
}

fn row_error(what: &'static str) -> StoreError {
    StoreError::Row { table: "keys", what }
}
