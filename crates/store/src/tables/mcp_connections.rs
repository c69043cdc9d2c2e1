//! `mcp_connections`: on whose behalf an MCP server may be used. A row says how things stand; the tokens it stands for are in the
//! vault. Every change names the generation it was decided on and happens to that one or not at all, so that of two replicas
//! that refresh at once, one does.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// The most rows of one listing.
const ROWS_MAX: i64 = 10_000;

/// Whose connection, with which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McpConnectionKey<'a> {
    /// The organisation.
    pub organisation: &'a str,
    /// The server's name in the configuration.
    pub server: &'a str,
    /// Whose it is: `user/alice`, `key/01J…`.
    pub owner: &'a str,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum McpConnectionState {
    /// There are tokens.
    Connected,
    /// There were; somebody has to agree again.
    NeedsConsent,
}

/// A connection, without its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct McpConnection {
    /// Its id.
    pub id: String,
    /// The organisation.
    pub organisation: String,
    /// The server's name in the configuration.
    pub server: String,
    /// Whose it is: `user/alice`, `key/01J…`.
    pub owner: String,
    /// Who issued the tokens.
    pub issuer: String,
    /// What they are for.
    pub resource: String,
    /// What was asked for and granted, with spaces between.
    pub scopes: String,
    /// How it stands.
    pub state: McpConnectionState,
    /// Why it needs consent, in a few words; else empty.
    pub reason: String,
    /// Counts the pairs of tokens, from one.
    pub generation: u64,
    /// Their name in the vault; empty if there are none.
    #[serde(skip)]
    pub tokens: String,
    /// Unix milliseconds at which the access token ends, where the issuer said.
    pub expires_unix_ms: Option<u64>,
    /// Is there a refresh token?
    pub refreshable: bool,
    /// Unix milliseconds until which some replica refreshes it.
    #[serde(skip)]
    pub refresher_until_unix_ms: u64,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds.
    pub changed_unix_ms: u64,
}

/// A new pair of tokens, as its row tells it.
#[derive(Clone, Copy, Debug)]
pub struct McpTokens<'a> {
    /// Their name in the vault.
    pub name: &'a str,
    /// Who issued them.
    pub issuer: &'a str,
    /// What they are for.
    pub resource: &'a str,
    /// What was asked for and granted.
    pub scopes: &'a str,
    /// Unix milliseconds at which the access token ends, where the issuer said.
    pub expires_unix_ms: Option<u64>,
    /// Is there a refresh token?
    pub refreshable: bool,
}

impl Store {
    /// One connection.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_connection(&self, key: McpConnectionKey<'_>) -> Result<Option<McpConnection>, StoreError> {
        let sql = "SELECT * FROM mcp_connections WHERE organisation = ? AND server = ? AND owner = ?";
        let row =
            sqlx::query(sql).bind(key.organisation).bind(key.server).bind(key.owner).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// Every connection, or those that have changed since a moment, by server and owner. At most 10,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_connections(&self, since_unix_ms: u64) -> Result<Vec<McpConnection>, StoreError> {
        let sql = "SELECT * FROM mcp_connections WHERE changed_ms >= ? ORDER BY server, organisation, owner LIMIT ?";
        let rows = sqlx::query(sql).bind(signed(since_unix_ms)).bind(ROWS_MAX).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// Makes a row for this key if there is none, which needs consent and has no tokens yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_mcp_connection(
        &self,
        key: McpConnectionKey<'_>,
        now_unix_ms: u64,
    ) -> Result<McpConnection, StoreError> {
        sqlx::query(
            "INSERT INTO mcp_connections (id, organisation, server, owner, issuer, resource, scopes, state, reason, generation,
                 tokens, refreshable, created_ms, changed_ms)
             VALUES (?, ?, ?, ?, '', '', '', 'needs_consent', 'nobody has agreed yet', 0, '', 0, ?, ?)
             ON CONFLICT (organisation, server, owner) DO NOTHING",
        )
        .bind(Uuid::now_v7().simple().to_string())
        .bind(key.organisation)
        .bind(key.server)
        .bind(key.owner)
        .bind(signed(now_unix_ms))
        .bind(signed(now_unix_ms))
        .execute(&self.pool)
        .await?;
        self.mcp_connection(key)
            .await?
            .ok_or(StoreError::Row { table: "mcp_connections", what: "a row is gone at once" })
    }

    /// Puts the next pair of tokens in force, if `generation` is still the one in force. The pair must be in the vault by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn advance_mcp_connection(
        &self,
        id: &str,
        generation: u64,
        tokens: &McpTokens<'_>,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE mcp_connections SET issuer = ?, resource = ?, scopes = ?, state = 'connected', reason = '',
                 generation = generation + 1, tokens = ?, expires_ms = ?, refreshable = ?, refresher = '', refresher_until_ms = 0,
                 changed_ms = ?
             WHERE id = ? AND generation = ?",
        )
        .bind(tokens.issuer)
        .bind(tokens.resource)
        .bind(tokens.scopes)
        .bind(tokens.name)
        .bind(tokens.expires_unix_ms.map(signed))
        .bind(tokens.refreshable)
        .bind(signed(now_unix_ms))
        .bind(id)
        .bind(signed(generation))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Claims the refresh of one generation for `refresher` until a moment; `false` if another one holds it, or the generation
    /// is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_mcp_refresh(
        &self,
        id: &str,
        generation: u64,
        refresher: &str,
        until_unix_ms: u64,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE mcp_connections SET refresher = ?, refresher_until_ms = ?
             WHERE id = ? AND generation = ? AND state = 'connected' AND refresher_until_ms <= ?",
        )
        .bind(refresher)
        .bind(signed(until_unix_ms))
        .bind(id)
        .bind(signed(generation))
        .bind(signed(now_unix_ms))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a claim back: the refresh came to nothing and may be tried again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_mcp_refresh(&self, id: &str, refresher: &str) -> Result<(), StoreError> {
        let sql = "UPDATE mcp_connections SET refresher = '', refresher_until_ms = 0 WHERE id = ? AND refresher = ?";
        sqlx::query(sql).bind(id).bind(refresher).execute(&self.pool).await?;
        Ok(())
    }

    /// Says that this generation's tokens are good for nothing any more, and why. They are kept until others take their place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_needs_consent(
        &self,
        id: &str,
        generation: u64,
        reason: &str,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE mcp_connections SET state = 'needs_consent', reason = ?, refresher = '', refresher_until_ms = 0,
                 changed_ms = ?
             WHERE id = ? AND generation = ?",
        )
        .bind(reason)
        .bind(signed(now_unix_ms))
        .bind(id)
        .bind(signed(generation))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a connection and says what it was. Its tokens are the vault's to forget.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_mcp_connection(&self, id: &str) -> Result<Option<McpConnection>, StoreError> {
        let sql = "DELETE FROM mcp_connections WHERE id = ? RETURNING *";
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &SqliteRow) -> Result<McpConnection, StoreError> {
    let state: &str = row.try_get("state")?;
    Ok(McpConnection {
        id: row.try_get("id")?,
        organisation: row.try_get("organisation")?,
        server: row.try_get("server")?,
        owner: row.try_get("owner")?,
        issuer: row.try_get("issuer")?,
        resource: row.try_get("resource")?,
        scopes: row.try_get("scopes")?,
        state: if state == "connected" { McpConnectionState::Connected } else { McpConnectionState::NeedsConsent },
        reason: row.try_get("reason")?,
        generation: unsigned(row.try_get("generation")?),
        tokens: row.try_get("tokens")?,
        expires_unix_ms: row.try_get::<Option<i64>, _>("expires_ms")?.map(unsigned),
        refreshable: row.try_get("refreshable")?,
        refresher_until_unix_ms: unsigned(row.try_get("refresher_until_ms")?),
        created_unix_ms: unsigned(row.try_get("created_ms")?),
        changed_unix_ms: unsigned(row.try_get("changed_ms")?),
    })
}
