//! The journal's thread: prepares segments ahead of the writers, and syncs what they wrote.
//!
//! A thread of its own and not a task, because both can wait for the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::segment::Segment;
use super::{Shared, locked};

/// How long to wait after a segment could not be allocated.
const RETRY: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    /// Why the last segment could not be allocated, and when to try again.
    refused: Option<(Instant, String)>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, refused: None }
    }

    /// Works until the journal is dropped. Woken by writers that took their last spare, else every `sync_every`.
    pub(super) fn run(mut self) {
        while !self.shared.stopping.load(Ordering::Acquire) {
            let prepared = self.top_up();
            let synced = self.sync();
            *locked(&self.shared.trouble) = prepared.and(synced).err().map(|error| error.to_string());
            thread::park_timeout(self.shared.config.sync_every);
        }
        if let Err(error) = self.sync() {
            self.shared.note(&error.to_string());
        }
    }

    /// Fills the mailboxes of the writers and forgets writers that are gone.
    fn top_up(&mut self) -> io::Result<()> {
        if let Some((retry_at, why)) = &self.refused
            && Instant::now() < *retry_at
        {
            return Err(io::Error::other(why.clone()));
        }
        self.refused = None;
        let lanes: Vec<_> = self.shared.lanes().clone();
        for lane in lanes {
            if lane.is_closed() {
                // What nobody used is sealed empty, and the reader removes it.
                lane.mailbox().clear();
                self.shared.lanes().retain(|other| !Arc::ptr_eq(other, &lane));
                continue;
            }
            for _ in 0..lane.missing(self.shared.config.segment_bytes) {
                match self.shared.prepare(lane.number) {
                    Ok(tail) => lane.mailbox().push_back(tail),
                    Err(error) => {
                        self.refused = Some((Instant::now() + RETRY, error.to_string()));
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Syncs every segment that was written to, and lets go of those that are complete on the disk.
    fn sync(&self) -> io::Result<()> {
        let segments: Vec<Arc<Segment>> = locked(&self.shared.unsynced).clone();
        let mut new_files = false;
        for segment in segments {
            new_files |= segment.sync()?;
        }
        if new_files {
            File::open(&self.shared.dir)?.sync_all()?;
        }
        locked(&self.shared.unsynced).retain(|segment| !segment.sync_is_done());
        Ok(())
    }
}
