//! When keys were last used, gathered from the outcomes of calls and written down now and then.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gatehouse_domain::{CallOutcome, KeyId};
use gatehouse_store::Store;

/// How often it is written down.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// What is not written down yet.
pub(super) struct LastUsed {
    store: Store,
    /// Unix milliseconds by key. No larger than the table of keys: others are not kept.
    used: HashMap<KeyId, u64>,
    written: Instant,
}

impl LastUsed {
    pub(super) fn new(store: Store) -> Self {
        Self { store, used: HashMap::new(), written: Instant::now() }
    }

    /// Notes the keys of these calls. Keys of the file and tokens have no row to note it in.
    pub(super) fn take(&mut self, calls: &[CallOutcome]) {
        for call in calls {
            let Some(who) = call.who.as_ref().filter(|who| who.key.starts_with("key_")) else { continue };
            match self.used.get_mut(&who.key) {
                Some(moment) => *moment = (*moment).max(call.started_unix_ms),
                None => _ = self.used.insert(who.key.clone(), call.started_unix_ms),
            }
        }
    }

    /// Writes it down, if it is time.
    pub(super) async fn write_if_due(&mut self) {
        if self.written.elapsed() >= WRITE_EVERY {
            self.write().await;
        }
    }

    /// Writes it down. What a database that does not answer misses is not worth telling anybody.
    pub(super) async fn write(&mut self) {
        self.written = Instant::now();
        if self.used.is_empty() {
            return;
        }
        let used = std::mem::take(&mut self.used);
        let used: Vec<(&str, u64)> = used.iter().map(|(key, moment)| (&**key, *moment)).collect();
        if let Err(error) = self.store.touch_keys(&used).await {
            tracing::warn!(%error, "it was not noted when keys were last used");
        }
    }
}
