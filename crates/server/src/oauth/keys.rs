//! What access tokens are signed with: keys in the vault, the newest signs, those before it are published until no token of
//! theirs is good any more.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::{DEFAULT_ORGANISATION, Secret};
use gatehouse_oauth::server::jwt::{AccessClaims, SigningKey, key_set};
use gatehouse_store::{Store, StoreError, keys};

use super::now_ms;

/// Their kind in the vault.
const KIND: &str = "oauth_signing_key";
/// A key that no longer signs is published for so long: the longest life of an access token, and the clocks' difference.
const PUBLISHED_MS: u64 = 2 * 3_600_000;
/// A key signs for so long: 90 days.
const SIGNS_MS: u64 = 90 * 86_400_000;

/// The keys of one installation.
#[derive(Debug)]
pub struct SigningKeys {
    store: Store,
    ring: ArcSwap<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// Name in the vault, by which they are in the order of their making, and the key; the newest last.
    names: Vec<String>,
    keys: Vec<SigningKey>,
    document: Arc<str>,
}

impl SigningKeys {
    /// Opens the vault, and makes the first key if there is none.
    ///
    /// # Errors
    /// When the vault cannot be used.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let keys = Self { store: store.clone(), ring: ArcSwap::from_pointee(Ring::of(Vec::new())) };
        keys.reload().await?;
        if keys.ring.load().keys.is_empty() {
            keys.make().await?;
        }
        Ok(keys)
    }

    /// Reads the keys again, as another process may have made one; makes the next one when the newest is old. Says whether
    /// anything changed.
    ///
    /// # Errors
    /// When the vault cannot be used.
    pub async fn keep_fresh(&self) -> Result<bool, StoreError> {
        let before = self.document();
        self.reload().await?;
        let due = self.ring.load().names.last().is_some_and(|name| made_ms(name) + SIGNS_MS <= now_ms());
        if due {
            self.rotate().await?;
        }
        Ok(self.document() != before)
    }

    /// Makes the key that signs from now on, and forgets those whose tokens have all ended.
    ///
    /// # Errors
    /// When the vault cannot be used.
    pub async fn rotate(&self) -> Result<(), StoreError> {
        let vault = self.store.vault()?;
        let names = self.ring.load().names.clone();
        // What came after a key says since when it no longer signs.
        for pair in names.windows(2) {
            if made_ms(&pair[1]) + PUBLISHED_MS <= now_ms() {
                vault.delete(DEFAULT_ORGANISATION, KIND, &pair[0]).await?;
            }
        }
        self.make().await
    }

    /// The public halves, as a document.
    #[must_use]
    pub fn document(&self) -> Arc<str> {
        Arc::clone(&self.ring.load().document)
    }

    /// An access token.
    pub(super) fn sign(&self, claims: &AccessClaims<'_>) -> Option<String> {
        self.ring.load().keys.last().map(|key| claims.sign(key))
    }

    async fn make(&self) -> Result<(), StoreError> {
        let id = keys::random_text(8)?;
        let seed = Secret::new(URL_SAFE_NO_PAD.encode(keys::random_bytes()?));
        let now = now_ms();
        self.store.vault()?.put(DEFAULT_ORGANISATION, KIND, &format!("{now:016}-{id}"), &seed, now).await?;
        self.reload().await
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let known = self.store.vault()?.all(DEFAULT_ORGANISATION, KIND).await?;
        self.ring.store(Arc::new(Ring::of(known)));
        Ok(())
    }
}

impl Ring {
    fn of(known: Vec<(String, Secret)>) -> Self {
        let read = known.into_iter().filter_map(|(name, seed)| Some((name, SigningKey::of_seed(&seed)?)));
        let (names, keys): (Vec<String>, Vec<SigningKey>) = read.unzip();
        let document = key_set(&keys).to_string().into();
        Self { names, keys, document }
    }
}

fn made_ms(name: &str) -> u64 {
    name.split('-').next().and_then(|made| made.parse().ok()).unwrap_or_default()
}
