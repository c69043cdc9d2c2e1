//! The tables of the authorization server: clients, tickets, grants and their refresh tokens. What the rows mean is for
//! `gatehouse-oauth` to say.

pub(crate) mod clients;
pub(crate) mod grants;
pub(crate) mod tickets;

use crate::database::signed;
use crate::{Store, StoreError};

/// Rows deleted at once, so that no other writer waits long.
const BATCH: u32 = 1_000;

/// How long what nobody uses is kept, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct OAuthKeep {
    /// A client that registered and never got a token.
    pub unused_client_ms: u64,
    /// A client, after its last token.
    pub client_ms: u64,
    /// A grant, after its end or revocation.
    pub grant_ms: u64,
}

impl Store {
    /// Deletes what is past its time, a bounded batch of each. Says how many rows went; call again while it is not few.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge_oauth(&self, keep: OAuthKeep, now_unix_ms: u64) -> Result<u64, StoreError> {
        let before = |age: u64| signed(now_unix_ms.saturating_sub(age));
        let tickets = sqlx::query(
            "DELETE FROM oauth_tickets WHERE hash IN (SELECT hash FROM oauth_tickets WHERE expires_ms <= ? LIMIT ?)",
        );
        let tickets = tickets.bind(signed(now_unix_ms)).bind(BATCH).execute(&self.pool).await?;
        let grants = sqlx::query(
            "DELETE FROM oauth_grants WHERE id IN
                 (SELECT id FROM oauth_grants WHERE expires_ms <= ?1 OR revoked_ms <= ?1 LIMIT ?2)",
        );
        let grants = grants.bind(before(keep.grant_ms)).bind(BATCH).execute(&self.pool).await?;
        // A document that was revoked stays refused; whoever registers gets another id.
        let clients = sqlx::query(
            "DELETE FROM oauth_clients WHERE id IN
                 (SELECT id FROM oauth_clients WHERE (kind = 'registered' OR revoked_ms IS NULL)
                     AND ((used_ms IS NULL AND created_ms <= ?1) OR used_ms <= ?2)
                     AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.client_id = oauth_clients.id) LIMIT ?3)",
        );
        let clients = clients.bind(before(keep.unused_client_ms)).bind(before(keep.client_ms)).bind(BATCH);
        let clients = clients.execute(&self.pool).await?;
        Ok(tickets.rows_affected() + grants.rows_affected() + clients.rows_affected())
    }
}
