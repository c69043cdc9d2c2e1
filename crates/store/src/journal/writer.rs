//! The data path's end of the journal: one writer per core, appending without a system call or a shared lock.
//!
//! **Room for settles.** A writer keeps room for the largest possible settle of every attempt it has open, in its segment
//! and its spares. An intent is accepted only if that still holds with it; so the disk may fill up at any moment and
//! everything accepted can still settle.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Thread;

use gatehouse_domain::{AttemptOutcome, Code, Fault};

use super::locked;
use super::record::{INTENT_MOST, Intent, SETTLE_MOST, write_intent, write_settle};
use super::segment::{Tail, capacity, footprint};

/// The journal cannot take an intent: the disk is full, the journal has reached its maximum, or segments are not prepared fast enough.
/// Nothing that costs money may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the usage journal has no room for another call")]
pub struct JournalFull;

/// A settle that cannot be booked. Both are defects of the caller or of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// This writer has no attempt open.
    #[error("an attempt settled that was never announced to this journal writer")]
    NoIntent,
    /// The room that was set aside is gone: more settles than intents.
    #[error("no room was set aside for this settle")]
    NoRoom,
}

/// Segments prepared ahead: enough for a second or two of a disk that does not answer at full load, and no memory until
/// they are written to.
const AHEAD: usize = 4;

/// Appends the records of one data-plane core. Attempts must settle at the writer that took their intent.
#[derive(Debug)]
pub struct JournalWriter {
    lane: Arc<Lane>,
    tail: Option<Tail>,
    spares: VecDeque<Tail>,
    /// Attempts that have not settled.
    open: usize,
    segment_bytes: usize,
    scratch: Vec<u8>,
}

/// What a writer and the preparing thread have in common. Touched by the writer once per segment, except for `open`.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) number: u32,
    mailbox: Mutex<VecDeque<Tail>>,
    /// Attempts the writer has open: how many segments it needs as spares.
    open: AtomicUsize,
    /// Spares the writer has taken out of the mailbox.
    held: AtomicUsize,
    closed: AtomicBool,
    preparer: Option<Thread>,
}

impl Lane {
    pub(super) fn new(number: u32, preparer: Option<Thread>) -> Self {
        Self {
            number,
            mailbox: Mutex::default(),
            open: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            preparer,
        }
    }

    pub(super) fn mailbox(&self) -> MutexGuard<'_, VecDeque<Tail>> {
        locked(&self.mailbox)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Segments that should be put into the mailbox now: some ahead, and enough for everything open to settle.
    pub(super) fn missing(&self, segment_bytes: usize) -> usize {
        let settles = slots(capacity(segment_bytes));
        let wanted = AHEAD + self.open.load(Ordering::Relaxed).div_ceil(settles);
        wanted.saturating_sub(self.held.load(Ordering::Relaxed) + self.mailbox().len())
    }
}

impl JournalWriter {
    pub(super) fn new(lane: Arc<Lane>, segment_bytes: usize) -> Self {
        let scratch = Vec::with_capacity(INTENT_MOST);
        Self { lane, tail: None, spares: VecDeque::new(), open: 0, segment_bytes, scratch }
    }

    /// Announces an attempt. Must be called before anything of it is sent upstream, and be followed by one
    /// [`settle`](Self::settle) however it ends. Well under a microsecond.
    ///
    /// # Errors
    /// [`JournalFull`]: do not send; answer 503 `ledger_unavailable`.
    pub fn intent(&mut self, intent: &Intent<'_>) -> Result<(), JournalFull> {
        write_intent(&mut self.scratch, intent);
        let size = footprint(self.scratch.len());
        if !self.has_room(size) {
            self.make_room(size)?;
        }
        let tail = self.tail.as_mut().ok_or(JournalFull)?;
        if !tail.append(&self.scratch) {
            return Err(JournalFull);
        }
        self.opened(self.open + 1);
        Ok(())
    }

    /// Books how an announced attempt ended. What the intent said (key, model, …) stands; of `outcome` only the id and what
    /// became known since are written.
    ///
    /// # Errors
    /// Only for defects: settling what this writer did not announce.
    pub fn settle(&mut self, outcome: &AttemptOutcome) -> Result<(), SettleError> {
        if self.open == 0 {
            return Err(SettleError::NoIntent);
        }
        write_settle(&mut self.scratch, outcome);
        let fits = self.tail.as_ref().is_some_and(|tail| tail.room() >= SETTLE_MOST);
        if !fits {
            self.take_spares();
            self.tail = Some(self.spares.pop_front().ok_or(SettleError::NoRoom)?);
            self.lane.held.store(self.spares.len(), Ordering::Relaxed);
        }
        let written = self.tail.as_mut().is_some_and(|tail| tail.append(&self.scratch));
        if !written {
            return Err(SettleError::NoRoom);
        }
        self.opened(self.open - 1);
        Ok(())
    }

    /// Attempts that have not settled.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    fn opened(&mut self, open: usize) {
        self.open = open;
        self.lane.open.store(open, Ordering::Relaxed);
    }

    /// Would an intent of this size fit, and everything open, it included, still be able to settle?
    fn has_room(&self, size: usize) -> bool {
        let here = self.tail.as_ref().and_then(|tail| tail.room().checked_sub(size));
        here.is_some_and(|left| self.settles(left, self.spares.len()) > self.open)
    }

    /// How many settles fit into so many bytes and spares.
    fn settles(&self, bytes: usize, spares: usize) -> usize {
        slots(bytes) + spares * slots(capacity(self.segment_bytes))
    }

    /// Takes prepared segments over and goes on to the next one if this one is used up.
    #[cold]
    fn make_room(&mut self, size: usize) -> Result<(), JournalFull> {
        self.take_spares();
        if self.has_room(size) {
            return Ok(());
        }
        // The room left here is given up, so what is open must be able to settle without it.
        let next = capacity(self.segment_bytes).saturating_sub(size);
        let used_up = self.tail.as_ref().is_none_or(|tail| tail.room() < size);
        if !used_up || self.spares.is_empty() || self.settles(next, self.spares.len() - 1) <= self.open {
            return Err(JournalFull);
        }
        self.tail = self.spares.pop_front();
        self.lane.held.store(self.spares.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Empties the mailbox, and has it filled again.
    #[cold]
    fn take_spares(&mut self) {
        self.spares.append(&mut self.lane.mailbox());
        self.lane.held.store(self.spares.len(), Ordering::Relaxed);
        if let Some(preparer) = &self.lane.preparer {
            preparer.unpark();
        }
    }
}

/// How many settles surely fit into so many bytes.
fn slots(bytes: usize) -> usize {
    bytes / SETTLE_MOST
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.lane.closed.store(true, Ordering::Release);
        self.take_spares();
    }
}

impl From<JournalFull> for Fault {
    fn from(_: JournalFull) -> Self {
        let message = "The gateway cannot record usage right now, so it starts nothing that costs money. Try again \
                       shortly; its operator should look at the disk space and the database.";
        Self::new(Code::LedgerUnavailable, message).retry_after(5)
    }
}
