//! What the path reads while a call passes: one immutable value, swapped whole when anything changes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use gatehouse_domain::{Door, Gateway, Guests, IpRange, Principal, Secret};
use gatehouse_policy::permissions::Permissions;
use gatehouse_policy::{Meter, Permit, Tree};
use gatehouse_store::{Pepper, keys};
use gatehouse_upstream::Health;
use http::Method;

use crate::guard::Guardrails;
use crate::identity::Identities;
use crate::talk::Talks;

/// Everything a call needs to know, frozen.
pub struct Snapshot {
    /// Counts up with every swap.
    pub generation: u64,
    /// The gateways, in the order in which they are asked whether a path is theirs.
    pub lanes: Vec<Lane>,
    /// The gateways of conversations, asked after those.
    pub talks: Vec<Arc<dyn Talks>>,
    /// Who may call.
    pub keys: KeyTable,
    /// What the policies say.
    pub permissions: Arc<Permissions>,
    /// Whose bearer tokens are taken.
    pub identities: Identities,
    /// Proxies that are believed about the address of a caller.
    pub trusted_proxies: Vec<IpRange>,
    /// Whose web pages may call without a key.
    pub guests: Guests,
    /// Limits and budgets of callers, models, tags and runs.
    pub tree: Arc<Tree>,
    /// Sizes and timers.
    pub caps: Caps,
    /// What looks at the texts of calls; `None` if nothing does.
    pub guardrails: Option<Guardrails>,
    /// Are traces exported? Then upstreams are told of one even if the caller sent none.
    pub traced: bool,
}

/// One gateway with what the moving wing knows of its targets, by target index.
pub struct Lane {
    /// The gateway.
    pub gateway: Arc<dyn Gateway>,
    /// Health by target index.
    pub health: Vec<Arc<Health>>,
    /// Short-lived tokens by grant index, filled by the control plane.
    pub tokens: Vec<Arc<ArcSwapOption<Token>>>,
}

/// A short-lived token.
pub struct Token {
    /// The bearer token.
    pub secret: Secret,
    /// Unix seconds.
    pub expires_unix_secs: u64,
}

/// Sizes and timers of the path.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Largest request body, after decompression.
    pub request_bytes_max: usize,
    /// Largest whole (not streamed) answer of an upstream.
    pub answer_bytes_max: usize,
    /// Most time a client may take to send its body.
    pub body_timeout: Duration,
    /// Most calls under way at once, all cores together.
    pub in_flight_max: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            request_bytes_max: 32 << 20,
            answer_bytes_max: 64 << 20,
            body_timeout: Duration::from_secs(60),
            in_flight_max: 20_000,
        }
    }
}

impl Snapshot {
    /// The lane and entrance a path leads to.
    #[must_use]
    pub fn door(&self, method: &Method, path: &str) -> Option<(usize, Door)> {
        self.lanes.iter().enumerate().find_map(|(index, lane)| Some((index, lane.gateway.door(method, path)?)))
    }
}

impl Snapshot {
    /// The gateway of conversations and the entrance a path leads to.
    #[must_use]
    pub fn talk_door(&self, method: &Method, path: &str) -> Option<(usize, Door)> {
        self.talks.iter().enumerate().find_map(|(index, talks)| Some((index, talks.door(method, path)?)))
    }
}

/// One key that may call.
#[derive(Clone)]
pub struct KeyEntry {
    /// Who it stands for.
    pub principal: Arc<Principal>,
    /// What it may use and until when.
    pub permit: Permit,
    /// Whose limits and budgets its calls touch, whatever they ask for.
    pub meters: Arc<[Arc<Meter>]>,
}

/// Keys by keyed hash. The hash is uniform already, so its first bytes are the table's hash.
pub struct KeyTable {
    entries: HashMap<[u8; 32], Arc<KeyEntry>, BuildHasherDefault<FirstBytes>>,
    pepper: Pepper,
    anonymous: Option<Arc<KeyEntry>>,
}

impl KeyTable {
    /// A table that hashes with this pepper; `anonymous` is who a caller without a key is, if such may call.
    #[must_use]
    pub fn new(pepper: Pepper, anonymous: Option<Arc<KeyEntry>>) -> Self {
        Self { entries: HashMap::default(), pepper, anonymous }
    }

    /// Adds a key by its hash.
    pub fn insert(&mut self, hash: [u8; 32], entry: Arc<KeyEntry>) {
        self.entries.insert(hash, entry);
    }

    /// The entry of a presented key.
    #[must_use]
    pub fn find(&self, presented: &str) -> Option<&Arc<KeyEntry>> {
        self.entries.get(&keys::hash(&self.pepper, presented))
    }

    /// The entry of a key by its id: of a key that was rotated, the newer one. Looks through all of them.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<KeyEntry>> {
        let of_id = self.entries.values().filter(|entry| *entry.principal.key == *id);
        of_id.max_by_key(|entry| entry.permit.expires_unix_ms.unwrap_or(u64::MAX))
    }

    /// Who a caller without a key is.
    #[must_use]
    pub fn anonymous(&self) -> Option<&Arc<KeyEntry>> {
        self.anonymous.as_ref()
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.entries.values()
    }
}

/// The hash of a key that is a hash already.
#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(Ok(first)) = bytes.get(..8).map(<[u8; 8]>::try_from) {
            self.0 = u64::from_le_bytes(first);
        }
    }
    // The length prefix of the array adds nothing.
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0
    }
}
