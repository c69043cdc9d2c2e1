//! `oauth_grants` and `oauth_refresh_tokens`.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// A grant as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthGrantRow {
    /// Its id: what access tokens of it name.
    pub id: String,
    /// The grant type.
    pub kind: String,
    /// To which client.
    pub client_id: String,
    /// How that one called itself.
    pub client_name: String,
    /// Whose it is.
    pub subject_id: String,
    /// Who that is, as JSON.
    pub subject: String,
    /// In which organisation.
    pub organisation: String,
    /// For which resource.
    pub resource: String,
    /// For which scopes.
    pub scopes: String,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds of the last token.
    pub used_unix_ms: u64,
    /// Unix milliseconds at which it ends if no token is asked for before.
    pub expires_unix_ms: u64,
    /// Unix milliseconds.
    pub revoked_unix_ms: Option<u64>,
    /// Who or what revoked it.
    pub revoked_by: Option<String>,
}

/// A refresh token as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthRefreshRow {
    /// Its grant.
    pub grant: OAuthGrantRow,
    /// Unix milliseconds at which it was first used.
    pub used_unix_ms: Option<u64>,
    /// Was the token after it used?
    pub successor_used: bool,
}

/// Which grants to list.
#[derive(Clone, Debug, Default)]
pub struct OAuthGrantQuery {
    /// Only this organisation's.
    pub organisation: Option<String>,
    /// Only this client's.
    pub client_id: Option<String>,
    /// Ended and revoked ones, too?
    pub ended: bool,
    /// Only after this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

const INSERT: &str = "INSERT INTO oauth_grants
    (id, kind, client_id, client_name, subject_id, subject, organisation, resource, scopes, created_ms, used_ms, expires_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

impl Store {
    /// Stores a grant, with the hash of its first refresh token if it has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_grant(&self, grant: &OAuthGrantRow, refresh: Option<&[u8; 32]>) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        bound(INSERT, grant).execute(&mut *transaction).await?;
        if let Some(hash) = refresh {
            let sql = "INSERT INTO oauth_refresh_tokens (hash, grant_id) VALUES (?, ?)";
            sqlx::query(sql).bind(&hash[..]).bind(&grant.id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Finds the standing grant of this kind, client, subject and resource and brings its scopes and times up to date, or stores
    /// this one. Gives the id: a client that asks for tokens of its own again and again has one grant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_grant(&self, grant: &OAuthGrantRow) -> Result<String, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let known: Option<String> = sqlx::query_scalar(
            "SELECT id FROM oauth_grants
             WHERE subject_id = ? AND client_id = ? AND resource = ? AND kind = ? AND revoked_ms IS NULL LIMIT 1",
        )
        .bind(&grant.subject_id)
        .bind(&grant.client_id)
        .bind(&grant.resource)
        .bind(&grant.kind)
        .fetch_optional(&mut *transaction)
        .await?;
        let id = match known {
            Some(id) => {
                sqlx::query(
                    "UPDATE oauth_grants SET scopes = ?, subject = ?, used_ms = ?, expires_ms = ? WHERE id = ?",
                )
                .bind(&grant.scopes)
                .bind(&grant.subject)
                .bind(signed(grant.used_unix_ms))
                .bind(signed(grant.expires_unix_ms))
                .bind(&id)
                .execute(&mut *transaction)
                .await?;
                id
            }
            None => {
                bound(INSERT, grant).execute(&mut *transaction).await?;
                grant.id.clone()
            }
        };
        transaction.commit().await?;
        Ok(id)
    }

    /// Grants by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants(&self, query: &OAuthGrantQuery, now_unix_ms: u64) -> Result<Vec<OAuthGrantRow>, StoreError> {
        let sql = "SELECT * FROM oauth_grants
             WHERE (?1 IS NULL OR organisation = ?1) AND (?2 IS NULL OR client_id = ?2)
               AND (?3 OR (revoked_ms IS NULL AND expires_ms > ?4)) AND (?5 IS NULL OR id > ?5)
             ORDER BY id LIMIT ?6";
        let query = sqlx::query(sql)
            .bind(&query.organisation)
            .bind(&query.client_id)
            .bind(query.ended)
            .bind(signed(now_unix_ms))
            .bind(&query.after)
            .bind(query.limit);
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// One grant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant(&self, id: &str) -> Result<Option<OAuthGrantRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM oauth_grants WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// What somebody let a client do at a resource, as far as it still stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing_grants(
        &self,
        subject_id: &str,
        client_id: &str,
        resource: &str,
        now_unix_ms: u64,
    ) -> Result<Vec<OAuthGrantRow>, StoreError> {
        let sql = "SELECT * FROM oauth_grants WHERE subject_id = ? AND client_id = ? AND resource = ?
                   AND revoked_ms IS NULL AND expires_ms > ? LIMIT 100";
        let query = sqlx::query(sql).bind(subject_id).bind(client_id).bind(resource).bind(signed(now_unix_ms));
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// A refresh token by its hash, with its grant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh_token(&self, hash: &[u8; 32]) -> Result<Option<OAuthRefreshRow>, StoreError> {
        let row = sqlx::query(
            "SELECT g.*, t.used_ms AS token_used_ms,
                    EXISTS (SELECT 1 FROM oauth_refresh_tokens s WHERE s.parent = t.hash AND s.used_ms IS NOT NULL) AS next_used
             FROM oauth_refresh_tokens t JOIN oauth_grants g ON g.id = t.grant_id WHERE t.hash = ?",
        )
        .bind(&hash[..])
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(OAuthRefreshRow {
            grant: read(&row)?,
            used_unix_ms: row.try_get::<Option<i64>, _>("token_used_ms")?.map(unsigned),
            successor_used: row.try_get("next_used")?,
        }))
    }

    /// Uses a refresh token and stores the one after it. `false` if it was used meanwhile; then nothing is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_refresh_token(
        &self,
        grant_id: &str,
        hash: &[u8; 32],
        next: &[u8; 32],
        now_unix_ms: u64,
        expires_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "UPDATE oauth_refresh_tokens SET used_ms = ? WHERE hash = ? AND used_ms IS NULL";
        let used = sqlx::query(sql).bind(signed(now_unix_ms)).bind(&hash[..]).execute(&mut *transaction).await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO oauth_refresh_tokens (hash, grant_id, parent) VALUES (?, ?, ?)";
        sqlx::query(sql).bind(&next[..]).bind(grant_id).bind(&hash[..]).execute(&mut *transaction).await?;
        // Two generations back nothing can be told apart any more: an older token is unknown, and so refused.
        let sql = "DELETE FROM oauth_refresh_tokens WHERE grant_id = ?1 AND used_ms < ?2 AND hash <> ?3 AND hash <>
                   COALESCE((SELECT parent FROM oauth_refresh_tokens WHERE hash = ?3), x'')";
        let old = signed(now_unix_ms.saturating_sub(KEPT_MS));
        sqlx::query(sql).bind(grant_id).bind(old).bind(&hash[..]).execute(&mut *transaction).await?;
        let sql = "UPDATE oauth_grants SET used_ms = ?, expires_ms = ? WHERE id = ?";
        let query = sqlx::query(sql).bind(signed(now_unix_ms)).bind(signed(expires_unix_ms)).bind(grant_id);
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Revokes a grant; `false` if there is none, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grant(&self, id: &str, by: &str, now_unix_ms: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE oauth_grants SET revoked_ms = ?, revoked_by = ? WHERE id = ? AND revoked_ms IS NULL";
        let query = sqlx::query(sql).bind(signed(now_unix_ms)).bind(by).bind(id);
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Revokes every grant of a client and gives their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grants_of(
        &self,
        client_id: &str,
        by: &str,
        now_unix_ms: u64,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "UPDATE oauth_grants SET revoked_ms = ?, revoked_by = ? WHERE client_id = ? AND revoked_ms IS NULL RETURNING id";
        let query = sqlx::query_scalar(sql).bind(signed(now_unix_ms)).bind(by).bind(client_id);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The grants that were revoked at or after a moment: those of which access tokens may still be about.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants_revoked_since(&self, since_unix_ms: u64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT id FROM oauth_grants WHERE revoked_ms >= ?";
        Ok(sqlx::query_scalar(sql).bind(signed(since_unix_ms)).fetch_all(&self.pool).await?)
    }
}

/// Used refresh tokens are remembered for so long, so that a copy that turns up gives itself away: 30 days.
const KEPT_MS: u64 = 30 * 86_400_000;

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bound<'q>(sql: &'static str, grant: &'q OAuthGrantRow) -> Statement<'q> {
    sqlx::query(sql)
        .bind(&grant.id)
        .bind(&grant.kind)
        .bind(&grant.client_id)
        .bind(&grant.client_name)
        .bind(&grant.subject_id)
        .bind(&grant.subject)
        .bind(&grant.organisation)
        .bind(&grant.resource)
        .bind(&grant.scopes)
        .bind(signed(grant.created_unix_ms))
        .bind(signed(grant.used_unix_ms))
        .bind(signed(grant.expires_unix_ms))
}

fn read(row: &SqliteRow) -> Result<OAuthGrantRow, StoreError> {
    Ok(OAuthGrantRow {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        client_id: row.try_get("client_id")?,
        client_name: row.try_get("client_name")?,
        subject_id: row.try_get("subject_id")?,
        subject: row.try_get("subject")?,
        organisation: row.try_get("organisation")?,
        resource: row.try_get("resource")?,
        scopes: row.try_get("scopes")?,
        created_unix_ms: unsigned(row.try_get("created_ms")?),
        used_unix_ms: unsigned(row.try_get("used_ms")?),
        expires_unix_ms: unsigned(row.try_get("expires_ms")?),
        revoked_unix_ms: row.try_get::<Option<i64>, _>("revoked_ms")?.map(unsigned),
        revoked_by: row.try_get("revoked_by")?,
    })
}
