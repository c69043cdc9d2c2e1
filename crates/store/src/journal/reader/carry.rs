//! Attempts that run long. A few of them would keep every file alive in which one of them began, until the journal is full.
//! So once several files are held by few intents each, those intents are written again into a *carry* segment, and the
//! files go. Read back after a crash, an intent found twice is one attempt all the same.

use std::collections::HashSet;

use crate::journal::Job;
use crate::journal::record::{INTENT_MOST, write_intent_record};
use crate::journal::segment::footprint;

use super::{Held, JournalReader, release};

/// Files held by few intents before those are carried over.
const SPARSE_FILES: usize = 8;
/// A file is sparse while the intents it is held by take less than this part of it.
const SPARSE_PART: u64 = 4;
const TYPICAL_INTENT: u64 = 256;

impl JournalReader {
    /// Writes the intents that hold sparse files once more, into a carry segment, and removes those files.
    pub(super) fn carry_over(&mut self) {
        let sparse = |held: &Held| held.done && u64::from(held.intents) * TYPICAL_INTENT * SPARSE_PART < held.bytes;
        let files: HashSet<u64> =
            self.files.iter().filter(|(_, held)| sparse(held)).map(|(number, _)| *number).collect();
        if files.len() < SPARSE_FILES || self.is_recovering() {
            return;
        }
        let trouble = self.carry(&files).err().map(|error| format!("cannot carry open attempts over: {error}"));
        self.shared.note(Job::Clean, trouble);
        self.remove_finished();
    }

    fn carry(&mut self, files: &HashSet<u64>) -> std::io::Result<()> {
        let mut payload = Vec::with_capacity(INTENT_MOST);
        let mut moved = Vec::new();
        for (id, open) in self.open.iter().filter(|(_, open)| files.contains(&open.file)) {
            write_intent_record(&mut payload, &open.record(*id));
            let fits = self.carry.as_ref().is_some_and(|tail| tail.room() >= footprint(payload.len()));
            if !fits {
                if let Some(full) = self.carry.take() {
                    full.segment().sync()?;
                    if let Some(held) = self.files.get_mut(&full.segment().number()) {
                        held.done = true;
                    }
                }
                let tail = self.shared.prepare_carry()?;
                let held = Held { bytes: tail.segment().bytes(), intents: 0, done: false };
                self.files.insert(tail.segment().number(), held);
                self.carry = Some(tail);
            }
            let Some(tail) = self.carry.as_mut() else { continue };
            if tail.append(&payload) {
                moved.push((*id, tail.segment().number()));
            }
        }
        // Only when the copies are on the disk do the originals stop counting.
        if let Some(tail) = &self.carry {
            tail.segment().sync()?;
        }
        for (id, carry) in moved {
            let Some(open) = self.open.get_mut(&id) else { continue };
            release(&mut self.files, std::mem::replace(&mut open.file, carry));
            if let Some(held) = self.files.get_mut(&carry) {
                held.intents += 1;
            }
        }
        Ok(())
    }
}
