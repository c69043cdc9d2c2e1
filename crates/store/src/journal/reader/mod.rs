//! The shipper's end of the journal: pairs settles with their intents and knows when a file may go.
//!
//! A file may go when it was read to its end and every intent in it has a row that is committed. Settles need no care: one
//! that is read again finds no intent, or a row that is already there.
//!
//! Memory: one small entry per open attempt and per file, one batch of rows, the distinct subjects. A file's mapping is
//! let go as soon as it is read.

mod carry;
mod left;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use foldhash::{HashMap, HashMapExt as _};
use gatehouse_domain::{AttemptStatus, Usage};

use crate::StoreError;
use crate::tables::ledger::{LedgerRow, Subject};

use super::record::{IntentRecord, Record, SettleRecord, read, read_subject};
use super::segment::{CARRY_LANE, LeftFile, Next, Segment, Tail, next};
use super::{Shared, locked};

/// Subjects kept at most before unused ones are forgotten.
const MOST_SUBJECTS: usize = 16_384;

/// The reading end of the journal. There is one; it belongs to the [`Shipper`](crate::Shipper).
#[derive(Debug)]
pub struct JournalReader {
    shared: Arc<Shared>,
    /// Files of an earlier process, not read yet: carried intents first, then oldest first.
    left: VecDeque<LeftFile>,
    /// The one of them that is being read.
    reading: Option<(u64, Vec<u8>, usize)>,
    /// Numbers of all of them, until their unsettled intents are booked.
    left_numbers: HashSet<u64>,
    /// Segments of this process that are not read to their end, oldest first.
    live: Vec<(Arc<Segment>, usize)>,
    files: HashMap<u64, Held>,
    open: HashMap<u128, Open>,
    subjects: HashMap<Arc<[u8]>, Arc<SubjectCell>>,
    carry: Option<Tail>,
    counts: ReaderCounts,
}

/// A file, and why it is still there.
#[derive(Debug)]
struct Held {
    bytes: u64,
    /// Intents in it without a committed row.
    intents: u32,
    /// Read to its end, and no more is coming.
    done: bool,
}

/// An attempt that has not settled.
#[derive(Debug)]
struct Open {
    file: u64,
    started_ms: u64,
    reserved: gatehouse_domain::Money,
    priced: bool,
    input_tokens: u64,
    run: Box<str>,
    subject: Arc<SubjectCell>,
}

/// A subject, and its number in the database once that is known.
#[derive(Debug)]
pub(crate) struct SubjectCell {
    bytes: Arc<[u8]>,
    pub(crate) subject: Subject,
    pub(crate) row: OnceLock<i64>,
}

/// A row whose subject may not have a number yet.
#[derive(Debug)]
pub(crate) struct PendingRow {
    pub(crate) row: LedgerRow,
    pub(crate) subject: Arc<SubjectCell>,
    /// The file its intent is in.
    file: u64,
}

/// What the reader has come across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReaderCounts {
    /// Files an earlier process left.
    pub(crate) left_files: u64,
    /// Files among them whose last record was torn or damaged, or which were no segments at all.
    pub(crate) torn_files: u64,
    /// Settles without an intent, and records of another version.
    pub(crate) strays: u64,
}

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>, mut left: Vec<LeftFile>) -> Self {
        // Carried intents first: they are older than the settles in files before theirs.
        left.sort_by_key(|left| (left.lane != Some(CARRY_LANE), left.number));
        let left_numbers = left.iter().map(|left| left.number).collect();
        let counts = ReaderCounts { left_files: left.len() as u64, ..ReaderCounts::default() };
        Self {
            shared,
            left: left.into(),
            reading: None,
            left_numbers,
            live: Vec::new(),
            files: HashMap::new(),
            open: HashMap::new(),
            subjects: HashMap::new(),
            carry: None,
            counts,
        }
    }

    /// The next rows to ship: what an earlier process left, then its unsettled attempts, then what this process wrote; never
    /// two of these in one batch. Empty if there is nothing to do now. [`committed`](Self::committed) must be called before
    /// the next batch is asked for, with the rows once they are in the database.
    ///
    /// # Errors
    /// When a left file cannot be read.
    pub(crate) fn next_batch(&mut self, most: usize) -> Result<Vec<PendingRow>, StoreError> {
        let mut rows = Vec::new();
        if self.is_recovering() {
            self.read_left(&mut rows, most)?;
            if rows.is_empty() {
                self.interrupt_left(&mut rows, most);
            }
        }
        if rows.is_empty() && !self.is_recovering() {
            self.read_live(&mut rows, most);
        }
        Ok(rows)
    }

    /// Is there anything left of an earlier process?
    pub(crate) fn is_recovering(&self) -> bool {
        !self.left_numbers.is_empty()
    }

    /// Attempts that were read and have not settled.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn counts(&self) -> ReaderCounts {
        self.counts
    }

    /// Takes note that rows are in the database for good, and removes the files nothing needs any more.
    pub(crate) fn committed(&mut self, rows: &[PendingRow]) {
        for row in rows {
            release(&mut self.files, row.file);
        }
        self.remove_finished();
        self.carry_over();
        if self.subjects.len() > MOST_SUBJECTS {
            self.subjects.retain(|_, subject| Arc::strong_count(subject) > 1);
        }
    }

    fn remove_finished(&mut self) {
        let Self { files, shared, carry, .. } = self;
        let carrying = carry.as_ref().and_then(|tail| files.get_mut(&tail.segment().number()));
        if let Some(held) = carrying
            && held.intents == 0
        {
            held.done = true;
            *carry = None;
        }
        files.retain(|number, held| {
            let finished = held.done && held.intents == 0;
            if finished {
                shared.remove(*number, held.bytes);
            }
            !finished
        });
    }

    fn read_live(&mut self, rows: &mut Vec<PendingRow>, most: usize) {
        for segment in locked(&self.shared.unseen).drain(..) {
            self.files.insert(segment.number(), Held { bytes: segment.bytes(), intents: 0, done: false });
            self.live.push((segment, 0));
        }
        // A lane's segments are read in the order in which they were written, each to its end.
        self.live.sort_by_key(|(segment, _)| segment.number());
        let mut waiting = HashSet::new();
        let segments = std::mem::take(&mut self.live);
        for (segment, from) in segments {
            if waiting.contains(&segment.lane()) {
                self.live.push((segment, from));
                continue;
            }
            // Sealed is asked first: everything published before the seal is then seen.
            let sealed = segment.is_sealed();
            let (from, finished) = self.read_records(segment.number(), segment.records(), from, rows, most);
            if sealed && finished {
                self.done(segment.number());
            } else {
                waiting.insert(segment.lane());
                self.live.push((segment, from));
            }
        }
    }

    /// Reads records until there are no more or the batch is full. Returns where it stopped, and whether there are no more.
    fn read_records(
        &mut self,
        file: u64,
        bytes: &[u8],
        mut from: usize,
        rows: &mut Vec<PendingRow>,
        most: usize,
    ) -> (usize, bool) {
        while rows.len() < most {
            let Next::Record(payload, size) = next(bytes.get(from..).unwrap_or_default()) else {
                return (from, true);
            };
            from += size;
            match read(payload) {
                Some(Record::Intent(intent)) => self.take_intent(file, &intent),
                Some(Record::Settle(settle)) => match self.open.remove(&settle.id) {
                    Some(open) => rows.push(open.settled(&settle)),
                    None => self.counts.strays += 1,
                },
                None => self.counts.strays += 1,
            }
        }
        (from, false)
    }

    fn take_intent(&mut self, file: u64, intent: &IntentRecord<'_>) {
        let Some(subject) = self.subject(intent.subject) else {
            self.counts.strays += 1;
            return;
        };
        let open = Open {
            file,
            started_ms: intent.started_ms,
            reserved: intent.reserved,
            priced: intent.priced,
            input_tokens: intent.input_tokens,
            run: intent.run.into(),
            subject,
        };
        if let Some(held) = self.files.get_mut(&file) {
            held.intents += 1;
        }
        if let Some(again) = self.open.insert(intent.id, open) {
            release(&mut self.files, again.file);
        }
    }

    fn subject(&mut self, bytes: &[u8]) -> Option<Arc<SubjectCell>> {
        if let Some(known) = self.subjects.get(bytes) {
            return Some(Arc::clone(known));
        }
        let subject = read_subject(bytes)?;
        let bytes: Arc<[u8]> = bytes.into();
        let cell = Arc::new(SubjectCell { bytes: Arc::clone(&bytes), subject, row: OnceLock::new() });
        self.subjects.insert(bytes, Arc::clone(&cell));
        Some(cell)
    }

    fn done(&mut self, file: u64) {
        if let Some(held) = self.files.get_mut(&file) {
            held.done = true;
        }
    }
}

/// An intent of a file is accounted for.
fn release(files: &mut HashMap<u64, Held>, file: u64) {
    if let Some(held) = files.get_mut(&file) {
        held.intents = held.intents.saturating_sub(1);
    }
}

impl Open {
    fn settled(self, settle: &SettleRecord) -> PendingRow {
        let row = LedgerRow {
            id: settle.id,
            subject: 0,
            run: self.run,
            started_ms: self.started_ms,
            status: settle.status,
            http_status: settle.http_status,
            estimated: settle.estimated,
            priced: settle.priced,
            usage: settle.usage,
            cost: settle.cost,
            duration_us: settle.duration_us,
            first_byte_us: settle.first_byte_us,
        };
        PendingRow { row, subject: self.subject, file: self.file }
    }

    /// The process died while it ran: what it had reserved is assumed to be spent.
    fn interrupted(self, id: u128) -> PendingRow {
        let row = LedgerRow {
            id,
            subject: 0,
            run: self.run,
            started_ms: self.started_ms,
            status: AttemptStatus::Interrupted,
            http_status: 0,
            estimated: true,
            priced: self.priced,
            usage: Usage { input: self.input_tokens, ..Usage::default() },
            cost: self.reserved,
            duration_us: 0,
            first_byte_us: 0,
        };
        PendingRow { row, subject: self.subject, file: self.file }
    }

    fn record(&self, id: u128) -> IntentRecord<'_> {
        IntentRecord {
            id,
            started_ms: self.started_ms,
            reserved: self.reserved,
            priced: self.priced,
            input_tokens: self.input_tokens,
            run: &self.run,
            subject: &self.subject.bytes,
        }
    }
}
