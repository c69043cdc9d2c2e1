//! `meta`: small values by name, such as the last good configuration.

use crate::database::signed;
use crate::{Store, StoreError};

impl Store {
    /// The value of a name, if it was ever set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = sqlx::query_scalar("SELECT value FROM meta WHERE name = ?").bind(name);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    /// Sets a value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_meta(&self, name: &str, value: &[u8], now_unix_ms: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO meta (name, value, changed_ms) VALUES (?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_ms = excluded.changed_ms",
        )
        .bind(name)
        .bind(value)
        .bind(signed(now_unix_ms))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
