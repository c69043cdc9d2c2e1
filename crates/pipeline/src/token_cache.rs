//! Tokens that were verified, remembered by the hash of the whole token: a hash of its beginning would take one token for
//! another, because tokens of an issuer all begin alike.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::snapshot::{FirstBytes, KeyEntry};

/// Tokens kept by one cache, at most.
const TOKENS_MAX: usize = 4_096;

type Table = HashMap<[u8; 32], Remembered, BuildHasherDefault<FirstBytes>>;

/// One core's verified tokens. The mutex is only ever taken by the core's own thread and is never contended.
#[derive(Default)]
pub struct TokenCache(Mutex<Tables>);

/// When the young table is half of what is kept, it becomes the old one, and the old one goes: what is in use moves along, and
/// nothing has to be looked through.
#[derive(Default)]
struct Tables {
    young: Table,
    old: Table,
}

/// What was found out about a token.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) caller: Arc<KeyEntry>,
    /// The snapshot it was found out under: teams, users and issuers may change with another.
    pub(crate) generation: u64,
    /// Index of its issuer in that snapshot.
    pub(crate) issuer: usize,
    /// The version of the issuer's keys that vouched for it.
    pub(crate) keys_version: u64,
    pub(crate) until_unix_secs: u64,
}

impl TokenCache {
    pub(crate) fn find(&self, hash: &[u8; 32], generation: u64) -> Option<Remembered> {
        let mut tables = self.tables();
        if let Some(known) = tables.young.get(hash) {
            return (known.generation == generation).then(|| known.clone());
        }
        let known = tables.old.remove(hash).filter(|known| known.generation == generation)?;
        tables.remember(*hash, known.clone());
        Some(known)
    }

    pub(crate) fn remember(&self, hash: [u8; 32], known: Remembered) {
        self.tables().remember(hash, known);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn remember(&mut self, hash: [u8; 32], known: Remembered) {
        if self.young.len() >= TOKENS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, known);
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::{Principal, PrincipalKind};
    use gatehouse_policy::Permit;

    use super::*;

    fn known(generation: u64) -> Remembered {
        let principal = Arc::new(Principal::bare(PrincipalKind::User, "ann", "ann"));
        let caller = Arc::new(KeyEntry { principal, permit: Permit::default(), meters: Arc::default() });
        Remembered { caller, generation, issuer: 0, keys_version: 1, until_unix_secs: 1 }
    }

    fn hash(n: usize) -> [u8; 32] {
        *blake3::hash(&n.to_le_bytes()).as_bytes()
    }

    #[test]
    fn a_token_is_found_by_its_whole_hash_and_under_its_snapshot() {
        let cache = TokenCache::default();
        cache.remember(hash(1), known(7));
        assert!(cache.find(&hash(1), 7).is_some());
        assert!(cache.find(&hash(1), 8).is_none(), "another snapshot");
        let mut near = hash(1);
        near[31] ^= 1;
        assert!(cache.find(&near, 7).is_none(), "another token");
    }

    #[test]
    fn any_number_of_tokens_takes_bounded_room_and_those_in_use_stay() {
        let cache = TokenCache::default();
        cache.remember(hash(0), known(1));
        for n in 1..3 * TOKENS_MAX {
            cache.remember(hash(n), known(1));
            assert!(cache.find(&hash(0), 1).is_some(), "after {n}");
        }
        let tables = cache.tables();
        assert!(tables.young.len() + tables.old.len() <= TOKENS_MAX);
    }
}
