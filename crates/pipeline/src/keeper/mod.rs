//! What gateways keep for their callers between calls: the newest in memory, everything in the database.
//!
//! A call leaves what it wants kept in memory and goes on; a control-plane task writes it to the database behind its
//! back, every [`WRITE_EVERY`]. Nothing leaves memory before it is written. Only a call that names something which is not
//! in memory any more waits for the database.
//!
//! When the database does not take what it is given, [`UNWRITTEN_BYTES_MAX`] may pile up; from then on calls are told,
//! before they cost anything, that there is no room.

mod desk;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, Keep, Kept, KeyId, Now, Stage};
use gatehouse_store::{ResponseChange, Store, StoreError, StoredResponse};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use desk::{Change, Desk};

/// How often what is new is written: what a `kill -9` may take, while the database keeps up.
pub const WRITE_EVERY: Duration = Duration::from_millis(100);
/// How often what has expired is deleted.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// Most that waits for the database before calls are told that there is no room.
pub const UNWRITTEN_BYTES_MAX: usize = 32 << 20;
/// Most that is held in memory, written or not.
const RECENT_BYTES_MAX: usize = 4 << 20;
/// Changes in one transaction.
const BATCH: usize = 256;
/// Most time a call waits for the database.
const READ_MAX: Duration = Duration::from_secs(5);
/// Longest id that is looked for.
const ID_BYTES_MAX: usize = 256;

/// Whose, and what it is called.
type Name = (KeyId, Arc<str>);

/// Keeps things. One for all cores: its lock is held for a few moves of memory, and only by calls that keep or ask.
pub struct Keeper {
    store: Store,
    control: Handle,
    desk: Mutex<Desk>,
    lost: AtomicU64,
}

impl Keeper {
    /// Keeps things in this database, which is asked on this runtime: never on a data-plane core's.
    #[must_use]
    pub fn new(store: Store, control: Handle) -> Self {
        let desk = Desk::new(RECENT_BYTES_MAX, UNWRITTEN_BYTES_MAX);
        Self { store, control, desk: Mutex::new(desk), lost: AtomicU64::new(0) }
    }

    /// How many answers were not kept since the start, because the database fell behind while they were made.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes until told to stop, and then what is left. For the control plane.
    pub async fn write_behind(&self, stopping: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Read before writing: what was kept before the word came is then written, too.
            let last = *stopping.borrow();
            if let Err(error) = self.write_all().await {
                tracing::warn!(%error, "stored responses cannot be written; they wait in memory");
            }
            if last {
                return;
            }
        }
    }

    /// Deletes what has expired, now and then. For the control plane.
    pub async fn purge(&self) {
        let mut ticks = tokio::time::interval(PURGE_EVERY);
        loop {
            ticks.tick().await;
            let now = Now(SystemTime::now()).unix_ms();
            // What fails now is tried again in an hour.
            while self.store.purge_responses(now).await.is_ok_and(|deleted| deleted > 0) {}
        }
    }

    /// Something this caller has kept.
    pub(crate) async fn find(&self, key: &KeyId, id: &Arc<str>, now: Now) -> Result<Option<Kept>, Fault> {
        let name = (Arc::clone(key), Arc::clone(id));
        let remembered = self.desk().find(&name);
        if let Some(kept) = remembered {
            return Ok(kept.filter(|kept| kept.expires_unix_ms > now.unix_ms()));
        }
        if id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        let store = self.store.clone();
        let read = self.control.spawn(async move { store.response(&name.1, &name.0, now.unix_ms()).await });
        match tokio::time::timeout(READ_MAX, read).await {
            Ok(Ok(Ok(stored))) => Ok(stored.map(kept)),
            _ => Err(Fault::new(Code::Overloaded, "what is stored cannot be read right now; try again").retry_after(1)),
        }
    }

    /// Is there room for so many bytes more?
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.desk().has_room(bytes)
    }

    /// Does with something kept what a call wants done.
    pub(crate) fn take(&self, key: &KeyId, keep: Keep) {
        let taken = match keep {
            Keep::Put(kept) => self.desk().put(key, owned(kept)),
            Keep::Forget(id) => {
                self.desk().forget((Arc::clone(key), id));
                true
            }
            Keep::Stop(kept) => {
                self.desk().stop(key, owned(kept));
                true
            }
        };
        if !taken && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("the database does not keep up: an answer that was to be stored was not");
        }
    }

    /// Keeps what a call in the background is found as until it ends. The receiver hears when the call shall stop.
    pub(crate) fn begin(&self, key: &KeyId, kept: Kept) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        self.desk().begin(key, owned(kept), stop);
        stopped
    }

    /// Is a call still making this?
    pub(crate) fn is_open(&self, key: &KeyId, id: &Arc<str>) -> bool {
        self.desk().is_open(&(Arc::clone(key), Arc::clone(id)))
    }

    async fn write_all(&self) -> Result<(), StoreError> {
        loop {
            let batch = self.desk().next(BATCH);
            if batch.is_empty() {
                return Ok(());
            }
            let changes: Vec<_> = batch.iter().map(stored).collect();
            let written = self.store.write_responses(&changes).await;
            self.desk().written(batch, written.is_ok());
            written?;
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of their own: a request's may be a small part of a large read buffer, which would be kept with them.
fn owned(kept: Kept) -> Kept {
    Kept { request: Bytes::copy_from_slice(&kept.request), answer: Bytes::copy_from_slice(&kept.answer), ..kept }
}

const OPEN: &str = "open";
const DONE: &str = "done";
const ELSEWHERE: &str = "elsewhere";

fn stored(change: &Change) -> ResponseChange {
    let (key, id) = &change.name;
    let Some(kept) = &change.kept else {
        return ResponseChange::Delete { id: Arc::clone(id), key_id: Arc::clone(key) };
    };
    let status = match kept.stage {
        Stage::Open | Stage::Lost => OPEN,
        Stage::Done => DONE,
        Stage::Elsewhere => ELSEWHERE,
    };
    ResponseChange::Put(StoredResponse {
        id: Arc::clone(id),
        key_id: Arc::clone(key),
        created_unix_ms: kept.created_unix_ms,
        expires_unix_ms: kept.expires_unix_ms,
        status: status.into(),
        request: kept.request.clone(),
        answer: kept.answer.clone(),
    })
}

fn kept(stored: StoredResponse) -> Kept {
    let stage = match &*stored.status {
        DONE => Stage::Done,
        ELSEWHERE => Stage::Elsewhere,
        // While a call makes it, it stays in memory: one that has to be read has lost its call.
        _ => Stage::Lost,
    };
    Kept {
        id: stored.id,
        stage,
        created_unix_ms: stored.created_unix_ms,
        expires_unix_ms: stored.expires_unix_ms,
        request: stored.request,
        answer: stored.answer,
    }
}
