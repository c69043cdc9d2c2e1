//! The journal's threads: one prepares segments ahead of the writers, one syncs what they wrote.
//!
//! Threads of their own and not tasks, because both wait for the disk; two of them, because a sync that takes a second
//! must not keep writers waiting for their next segment.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::segment::Segment;
use super::writer::Lane;
use super::{Job, Shared, locked};

/// How long to wait after a segment could not be allocated. Writers that ask meanwhile do not shorten it: a full disk must
/// not cost CPU on top.
const RETRY: Duration = Duration::from_millis(250);
/// How often to look around if nobody asks.
const IDLE: Duration = Duration::from_secs(1);

/// Fills the mailboxes of the writers until the journal is dropped. Woken by writers that took their spares.
pub(super) fn prepare_segments(shared: &Shared) {
    while !shared.stopping.load(Ordering::Acquire) {
        let failed = top_up(shared).err();
        let retry_at = failed.as_ref().map(|_| Instant::now() + RETRY);
        shared.note(Job::Prepare, failed.map(|error| error.to_string()));
        match retry_at {
            Some(moment) => park_until(shared, moment),
            None => thread::park_timeout(IDLE),
        }
    }
}

fn park_until(shared: &Shared, moment: Instant) {
    while !shared.stopping.load(Ordering::Acquire) {
        match moment.checked_duration_since(Instant::now()) {
            Some(rest) if !rest.is_zero() => thread::park_timeout(rest),
            _ => return,
        }
    }
}

fn top_up(shared: &Shared) -> io::Result<()> {
    let lanes: Vec<Arc<Lane>> = shared.lanes().clone();
    for lane in lanes {
        if lane.is_closed() {
            // What nobody used is sealed empty, and the reader removes it.
            lane.mailbox().clear();
            shared.lanes().retain(|other| !Arc::ptr_eq(other, &lane));
            continue;
        }
        for _ in 0..lane.missing(shared.config.segment_bytes) {
            let tail = shared.prepare(lane.number)?;
            lane.mailbox().push_back(tail);
        }
    }
    Ok(())
}

/// Syncs what was written every `sync_every`, and once more when the journal is dropped.
pub(super) fn sync_segments(shared: &Shared) {
    loop {
        let stopping = shared.stopping.load(Ordering::Acquire);
        shared.note(Job::Sync, sync(shared).err().map(|error| error.to_string()));
        if stopping {
            return;
        }
        thread::park_timeout(shared.config.sync_every);
    }
}

/// Syncs every segment that was written to, and lets go of those that are complete on the disk.
fn sync(shared: &Shared) -> io::Result<()> {
    let segments: Vec<Arc<Segment>> = locked(&shared.unsynced).clone();
    let mut new_files = false;
    for segment in segments {
        new_files |= segment.sync()?;
    }
    if new_files {
        File::open(&shared.dir)?.sync_all()?;
    }
    locked(&shared.unsynced).retain(|segment| !segment.sync_is_done());
    Ok(())
}
