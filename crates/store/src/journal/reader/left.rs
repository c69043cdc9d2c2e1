//! What an earlier process left: its files are read first, and what has not settled in them never will.
//!
//! Files are read into memory one at a time rather than mapped: whatever happened to them, reading cannot fault.

use crate::StoreError;
use crate::journal::Job;
use crate::journal::segment::{LeftSegment, Next, next, path, read_left};

use super::{Held, JournalReader, PendingRow};

impl JournalReader {
    pub(super) fn read_left(&mut self, rows: &mut Vec<PendingRow>, most: usize) -> Result<(), StoreError> {
        while rows.len() < most {
            let current = match self.reading.take() {
                Some(current) => Some(current),
                None => self.open_left()?,
            };
            let Some((number, bytes, from)) = current else { return Ok(()) };
            let (from, finished) = self.read_records(number, &bytes, from, rows, most);
            if finished {
                if !matches!(next(bytes.get(from..).unwrap_or_default()), Next::End) {
                    self.counts.torn_files += 1;
                }
                self.done(number);
            } else {
                self.reading = Some((number, bytes, from));
            }
        }
        Ok(())
    }

    /// Reads the next left file into memory; `None` when there are no more.
    fn open_left(&mut self) -> Result<Option<(u64, Vec<u8>, usize)>, StoreError> {
        while let Some(file) = self.left.front() {
            let path = path(&self.shared.dir, file.number);
            let contents = read_left(&path).map_err(StoreError::file("read", &path))?;
            let (number, bytes) = (file.number, file.bytes);
            self.left.pop_front();
            match contents {
                LeftSegment::Records(records) => {
                    self.files.insert(number, Held { bytes, intents: 0, done: false });
                    return Ok(Some((number, records, 0)));
                }
                LeftSegment::Blank => {
                    self.files.insert(number, Held { bytes, intents: 0, done: true });
                }
                LeftSegment::Foreign => self.set_aside(number, bytes),
            }
        }
        Ok(None)
    }

    /// Keeps a file nobody can read for people to look at, out of the journal's way.
    fn set_aside(&mut self, number: u64, bytes: u64) {
        self.counts.torn_files += 1;
        let path = path(&self.shared.dir, number);
        match std::fs::rename(&path, path.with_extension("damaged")) {
            Ok(()) => self.shared.shrunk(bytes),
            Err(error) => {
                let trouble = format!("cannot set {} aside: {error}", path.display());
                self.shared.note(Job::Clean, Some(trouble));
            }
        }
    }

    /// Everything left was read: what has not settled never will. Ends the recovery when none is left.
    pub(super) fn interrupt_left(&mut self, rows: &mut Vec<PendingRow>, most: usize) {
        let ids: Vec<u128> = self.open.keys().copied().take(most).collect();
        for id in ids {
            let Some(open) = self.open.remove(&id) else { continue };
            rows.push(open.interrupted(id));
        }
        if self.open.is_empty() {
            self.left_numbers.clear();
        }
    }
}
