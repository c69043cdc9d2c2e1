//! Keeping the tables in order, and the data plane in the picture.

use std::collections::HashSet;
use std::sync::Arc;

use gatehouse_store::{OAuthKeep, Store, StoreError};

use super::now_ms;

const DAY_MS: u64 = 86_400_000;
/// What nobody uses goes: a registration that never led to a token after a day.
const KEEP: OAuthKeep = OAuthKeep { unused_client_ms: DAY_MS, client_ms: 180 * DAY_MS, grant_ms: 30 * DAY_MS };
/// Batches of one round.
const BATCHES: usize = 20;
/// The longest life of an access token, and the clocks' difference.
const ABOUT_MS: u64 = 2 * 3_600_000;

/// Deletes what is past its time.
///
/// # Errors
/// When the database fails; what was not deleted is next time.
pub async fn keep_house(store: &Store) -> Result<(), StoreError> {
    for _ in 0..BATCHES {
        if store.purge_oauth(KEEP, now_ms()).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// The grants that were revoked, by whichever process, while access tokens of theirs may still be about.
///
/// # Errors
/// When the database fails.
pub async fn revoked_lately(store: &Store) -> Result<HashSet<Arc<str>>, StoreError> {
    let ids = store.grants_revoked_since(now_ms().saturating_sub(ABOUT_MS)).await?;
    Ok(ids.into_iter().map(Arc::from).collect())
}
