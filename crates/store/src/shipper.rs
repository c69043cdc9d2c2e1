//! Carries the journal into the ledger: a control-plane task that polls, so that the data path never wakes anybody.
//!
//! A batch is read from the journal, inserted in one transaction, and only then forgotten. If anything fails in between,
//! the same rows are inserted again, and the ledger keeps the first of each id.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_domain::AttemptStatus;
use tokio::time::{Instant, sleep, timeout_at};

use crate::journal::{JournalReader, PendingRow, locked};
use crate::{Store, StoreError};

/// How the shipper works.
#[derive(Clone, Copy, Debug)]
pub struct ShipperConfig {
    /// How often the journal is looked at: how old the ledger may be.
    pub poll_every: Duration,
    /// The most rows in one transaction.
    pub most_rows: usize,
    /// The longest wait between two tries while the database fails; waits double up to it.
    pub longest_wait: Duration,
}

impl Default for ShipperConfig {
    fn default() -> Self {
        Self { poll_every: Duration::from_millis(200), most_rows: 1024, longest_wait: Duration::from_secs(5) }
    }
}

/// The task that fills the ledger. Run [`recover`](Self::recover) before the gateway serves, [`run`](Self::run) while it
/// does, [`drain`](Self::drain) after its last call.
#[derive(Debug)]
pub struct Shipper {
    store: Store,
    reader: JournalReader,
    config: ShipperConfig,
    /// Read and not known to be committed.
    pending: Vec<PendingRow>,
    stats: Arc<ShipperStats>,
}

/// What the shipper has done, for metrics and readiness.
#[derive(Debug, Default)]
pub struct ShipperStats {
    rows: AtomicU64,
    failures: AtomicU64,
    interrupted: AtomicU64,
    strays: AtomicU64,
    open: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// What an earlier process left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Journal files it left.
    pub files: u64,
    /// Of these, files that ended in a torn or damaged record (cut off there), or were none of ours (set aside).
    pub torn_files: u64,
    /// Rows that were not in the ledger yet.
    pub rows: u64,
    /// Of these, attempts that never settled: booked as `interrupted` at what they had reserved.
    pub interrupted: u64,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Rows shipped by it.
    pub rows: u64,
    /// Attempts that have not settled; the next start books them as `interrupted`.
    pub open: u64,
    /// Is everything that settled in the ledger? If not, the next start ships the rest.
    pub complete: bool,
}

impl ShipperStats {
    /// Rows added to the ledger.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
    /// Batches that failed and were tried again.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
    /// Attempts of an earlier process that were booked as interrupted.
    #[must_use]
    pub fn interrupted(&self) -> u64 {
        self.interrupted.load(Ordering::Relaxed)
    }
    /// Records that belong to nothing: a defect, or a damaged journal.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }
    /// Attempts announced and not settled, as of the last look.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
    /// Why the ledger is behind, while it is.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }
}

impl Shipper {
    /// A shipper of this journal into this database.
    #[must_use]
    pub fn new(store: Store, reader: JournalReader, config: ShipperConfig) -> Self {
        Self { store, reader, config, pending: Vec::new(), stats: Arc::default() }
    }

    /// What it has done; stays good while it runs.
    #[must_use]
    pub fn stats(&self) -> Arc<ShipperStats> {
        Arc::clone(&self.stats)
    }

    /// Ships everything an earlier process left, so that budgets can be restored from the ledger. Can be called again
    /// after an error; [`run`](Self::run) does the same work if this was not called or failed.
    ///
    /// # Errors
    /// When a file cannot be read or the database fails. Nothing is lost by it.
    pub async fn recover(&mut self) -> Result<Recovery, StoreError> {
        let rows = self.stats.rows();
        let interrupted = self.stats.interrupted();
        while self.reader.is_recovering() || !self.pending.is_empty() {
            self.ship_batch().await?;
        }
        let counts = self.reader.counts();
        Ok(Recovery {
            files: counts.left_files,
            torn_files: counts.torn_files,
            rows: self.stats.rows() - rows,
            interrupted: self.stats.interrupted() - interrupted,
        })
    }

    /// Ships until `stop` completes. Stopping in the middle of a batch loses nothing.
    pub async fn run(&mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut wait = self.config.poll_every;
        loop {
            let shipped = tokio::select! {
                biased;
                () = &mut stop => return,
                shipped = self.ship_all() => shipped,
            };
            wait = match shipped {
                Ok(_) => self.config.poll_every,
                Err(_) => (wait * 2).min(self.config.longest_wait),
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// Ships what is left, trying again until `deadline`. To be called when the last call has settled and the writers are
    /// gone.
    pub async fn drain(mut self, deadline: Instant) -> Drained {
        let before = self.stats.rows();
        let complete = loop {
            match timeout_at(deadline, self.ship_all()).await {
                Ok(Ok(_)) => break true,
                Ok(Err(_)) if Instant::now() < deadline => {
                    sleep(self.config.poll_every.min(Duration::from_millis(100))).await;
                }
                _ => break false,
            }
        };
        Drained { rows: self.stats.rows() - before, open: self.reader.open() as u64, complete }
    }

    /// Ships everything there is now. Returns how many rows were new. What is written meanwhile waits for the next look
    /// unless it fills a batch, so that transactions stay few and large.
    async fn ship_all(&mut self) -> Result<u64, StoreError> {
        let mut rows = 0;
        loop {
            // A batch from before an interruption, or from a recovery, says nothing about what has been written since.
            let stale = !self.pending.is_empty() || self.reader.is_recovering();
            let (read, added) = match self.ship_batch().await {
                Ok(counts) => counts,
                Err(error) => {
                    self.stats.failures.fetch_add(1, Ordering::Relaxed);
                    *locked(&self.stats.trouble) = Some(error.to_string());
                    return Err(error);
                }
            };
            rows += added;
            if read < self.config.most_rows && !stale {
                *locked(&self.stats.trouble) = None;
                return Ok(rows);
            }
        }
    }

    /// Ships one batch: how many rows were read, and how many of them were new. May be dropped at any await.
    async fn ship_batch(&mut self) -> Result<(usize, u64), StoreError> {
        if self.pending.is_empty() {
            self.pending = self.reader.next_batch(self.config.most_rows)?;
            self.stats.open.store(self.reader.open() as u64, Ordering::Relaxed);
            self.stats.strays.store(self.reader.counts().strays, Ordering::Relaxed);
        }
        let added = self.insert_pending().await?;
        self.stats.rows.fetch_add(added, Ordering::Relaxed);
        // Of a batch either all rows are interrupted ones from a recovery, or none is.
        if self.pending.first().is_some_and(|row| row.row.status == AttemptStatus::Interrupted) {
            self.stats.interrupted.fetch_add(added, Ordering::Relaxed);
        }
        let pending = std::mem::take(&mut self.pending);
        self.reader.committed(&pending);
        Ok((pending.len(), added))
    }

    async fn insert_pending(&mut self) -> Result<u64, StoreError> {
        if self.pending.is_empty() {
            return Ok(0);
        }
        for PendingRow { row, subject, .. } in &mut self.pending {
            row.subject = match subject.row.get() {
                Some(known) => *known,
                None => {
                    let number = self.store.subject_id(&subject.subject).await?;
                    *subject.row.get_or_init(|| number)
                }
            };
        }
        self.store.insert_rows(self.pending.iter().map(|pending| &pending.row)).await
    }
}
