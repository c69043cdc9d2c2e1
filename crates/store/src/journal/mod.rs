//! The write-ahead journal of upstream attempts: an *intent* before an attempt is sent, a *settle* when it has ended.
//!
//! Exactly one ledger row per intent comes out of it, whatever happens in between:
//!
//! - **kill -9**: records are stores into a shared mapping, which belong to the kernel once made. The next start finds
//!   intents without a settle and books them as `interrupted` at the cost they had reserved.
//! - **full disk**: a segment's blocks are allocated before it is used. With no segment to be had, [`JournalWriter::intent`]
//!   refuses, so nothing that costs money starts; what was accepted can always settle, its room was set aside.
//! - **database locked or gone**: records stay until the [`Shipper`](crate::Shipper) has committed them.
//! - **power cut**: segments are synced every [`JournalConfig::sync_every`], so that long at most is lost; records are
//!   deleted only after a commit that was synced itself.
//!
//! Each data-plane core owns a [`JournalWriter`]; writing takes no system call and no shared lock. The [`Journal`]'s
//! threads prepare segments ahead, so that going on to the next one is a pointer swap, and sync them.
//!
//! On disk: `<data_dir>/journal/<number>.seg`, see `segment` for the file and `record` for the records.

mod keeper;
mod reader;
mod record;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{DataDir, DataDirLock, StoreError};

pub use reader::JournalReader;
pub(crate) use reader::PendingRow;
pub use record::Intent;
pub use writer::{JournalFull, JournalWriter, SettleError};

use segment::{Segment, Tail};
use writer::Lane;

/// How the journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct JournalConfig {
    /// Bytes of one segment, rounded up to whole pages; from 64 KiB to 64 MiB.
    pub segment_bytes: usize,
    /// The most bytes all segments take together. Once they do, intents are refused.
    pub most_bytes: u64,
    /// How often what was written is synced to the disk: what a power cut can lose. Between 10 ms and 1 s makes sense.
    pub sync_every: Duration,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { segment_bytes: 1 << 20, most_bytes: 1 << 30, sync_every: Duration::from_millis(100) }
    }
}

/// How the journal is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalHealth {
    /// Bytes of all segments, prepared ones included.
    pub bytes: u64,
    /// The most there may be.
    pub most_bytes: u64,
    /// Why no segment could be prepared or synced, while that is so.
    pub trouble: Option<String>,
}

/// The journal of this process. Dropping it stops its threads after a last sync; writers go on until their room is used
/// up.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    preparer: Option<JoinHandle<()>>,
    syncer: Option<JoinHandle<()>>,
}

/// The jobs that can be in trouble, each on its own.
#[derive(Clone, Copy, Debug)]
enum Job {
    Prepare = 0,
    Sync = 1,
    Clean = 2,
}

/// What the control object, its threads, the writers and the reader have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    dir: PathBuf,
    config: JournalConfig,
    next_number: AtomicU64,
    bytes: AtomicU64,
    lanes: Mutex<Vec<Arc<Lane>>>,
    /// Segments the reader has not taken notice of yet.
    unseen: Mutex<Vec<Arc<Segment>>>,
    /// Segments that may have something to sync.
    unsynced: Mutex<Vec<Arc<Segment>>>,
    troubles: Mutex<[Option<String>; 3]>,
    stopping: AtomicBool,
    _lock: DataDirLock,
}

impl Journal {
    /// Opens the journal of a data folder and becomes its only user. What an earlier process left is handed to the reader,
    /// and through it to [`Shipper::recover`](crate::Shipper::recover).
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it; when the folder cannot be read or the thread not be started.
    pub fn open(dir: &DataDir, config: JournalConfig) -> Result<(Self, JournalReader), StoreError> {
        let lock = dir.lock()?;
        let folder = dir.journal()?;
        let left = segment::list(&folder)?;
        let next = left.iter().map(|left| left.number + 1).max().unwrap_or(1);
        let bytes = left.iter().map(|left| left.bytes).sum();
        let page = 4096;
        let segment_bytes = config.segment_bytes.clamp(64 << 10, 64 << 20).next_multiple_of(page);
        let shared = Arc::new(Shared {
            dir: folder,
            config: JournalConfig { segment_bytes, ..config },
            next_number: AtomicU64::new(next),
            bytes: AtomicU64::new(bytes),
            lanes: Mutex::default(),
            unseen: Mutex::default(),
            unsynced: Mutex::default(),
            troubles: Mutex::default(),
            stopping: AtomicBool::new(false),
            _lock: lock,
        });
        let mut journal = Self { shared, preparer: None, syncer: None };
        journal.preparer = Some(journal.start("journal", keeper::prepare_segments)?);
        journal.syncer = Some(journal.start("journal-sync", keeper::sync_segments)?);
        let reader = JournalReader::new(Arc::clone(&journal.shared), left);
        Ok((journal, reader))
    }

    fn start(&self, name: &str, work: fn(&Shared)) -> Result<JoinHandle<()>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared));
        thread.map_err(StoreError::file("start the threads of", &self.shared.dir))
    }

    /// A writer for one more data-plane core, with its first segments in hand.
    ///
    /// # Errors
    /// When no segment can be allocated.
    pub fn writer(&self) -> Result<JournalWriter, StoreError> {
        let preparer = self.preparer.as_ref().map(|thread| thread.thread().clone());
        let number = self.shared.lanes().len();
        let lane = Arc::new(Lane::new(u32::try_from(number).unwrap_or(u32::MAX - 1), preparer));
        for _ in 0..2 {
            let tail = self.shared.prepare(lane.number).map_err(StoreError::file("allocate in", &self.shared.dir))?;
            lane.mailbox().push_back(tail);
        }
        self.shared.lanes().push(Arc::clone(&lane));
        Ok(JournalWriter::new(lane, self.shared.config.segment_bytes))
    }

    /// How the journal is doing, for readiness and metrics.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        JournalHealth {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            most_bytes: self.shared.config.most_bytes,
            trouble: locked(&self.shared.troubles).iter().flatten().next().cloned(),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        for thread in [self.preparer.take(), self.syncer.take()].into_iter().flatten() {
            thread.thread().unpark();
            // A thread that panicked has said so itself.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        locked(&self.lanes)
    }

    /// Allocates a segment for a writer, if the journal may grow by one, and shows it to the reader.
    fn prepare(&self, lane: u32) -> std::io::Result<Tail> {
        let size = self.config.segment_bytes as u64;
        let grown = |bytes: u64| Some(bytes + size).filter(|grown| *grown <= self.config.most_bytes);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_err() {
            return Err(std::io::Error::other("the journal has reached its `most_bytes`"));
        }
        let made = self.create(lane);
        match &made {
            Ok(tail) => locked(&self.unseen).push(Arc::clone(tail.segment())),
            Err(_) => self.shrunk(size),
        }
        made
    }

    /// Allocates a segment for open intents the reader carries over. May go beyond the maximum: it makes room.
    fn prepare_carry(&self) -> std::io::Result<Tail> {
        self.bytes.fetch_add(self.config.segment_bytes as u64, Ordering::Relaxed);
        let made = self.create(segment::CARRY_LANE);
        if made.is_err() {
            self.shrunk(self.config.segment_bytes as u64);
        }
        made
    }

    fn create(&self, lane: u32) -> std::io::Result<Tail> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let tail = Segment::create(&self.dir, number, lane, self.config.segment_bytes)?;
        locked(&self.unsynced).push(Arc::clone(tail.segment()));
        Ok(tail)
    }

    /// Deletes a file whose every record is in the database.
    fn remove(&self, number: u64, bytes: u64) {
        let path = segment::path(&self.dir, number);
        match fs::remove_file(&path) {
            Ok(()) => self.shrunk(bytes),
            // Shipped again at the next start, where the database knows it.
            Err(error) => self.note(Job::Clean, Some(format!("cannot remove {}: {error}", path.display()))),
        }
    }

    fn shrunk(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Says how a job goes now.
    fn note(&self, job: Job, trouble: Option<String>) {
        locked(&self.troubles)[job as usize] = trouble;
    }
}

/// Locks what no panic can leave half-changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
