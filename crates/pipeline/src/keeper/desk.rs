//! The keeper's memory: what is new and must be written, what was written and may go, and which calls still run.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use gatehouse_domain::{Kept, KeyId, Stage};
use tokio::sync::oneshot;

use super::Name;

/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: usize = 512;

/// What lies in memory.
pub(super) struct Desk {
    slots: HashMap<Name, Slot>,
    /// Names of slots that must be written, oldest first.
    unwritten: VecDeque<Name>,
    /// Names of slots that were written and may go, oldest first, each with the turn it was written at.
    written: VecDeque<(Name, u64)>,
    /// Calls in the background that make something of this name.
    running: HashMap<Name, oneshot::Sender<()>>,
    bytes: usize,
    unwritten_bytes: usize,
    bytes_max: usize,
    unwritten_bytes_max: usize,
    turn: u64,
}

struct Slot {
    /// `None`: deleted, which the database must still hear.
    kept: Option<Kept>,
    /// Counts up with every change.
    turn: u64,
    is_written: bool,
}

impl Slot {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.kept.as_ref().map_or(0, |kept| kept.request.len() + kept.answer.len())
    }
}

/// A change the database must hear of.
pub(super) struct Change {
    pub(super) name: Name,
    /// `None`: it is deleted.
    pub(super) kept: Option<Kept>,
    turn: u64,
}

impl Desk {
    pub(super) fn new(bytes_max: usize, unwritten_bytes_max: usize) -> Self {
        Self {
            slots: HashMap::new(),
            unwritten: VecDeque::new(),
            written: VecDeque::new(),
            running: HashMap::new(),
            bytes: 0,
            unwritten_bytes: 0,
            bytes_max,
            unwritten_bytes_max,
            turn: 0,
        }
    }

    /// `None`: nothing is known of it here. `Some(None)`: it was deleted.
    #[expect(clippy::option_option, reason = "not here and gone are two different things")]
    pub(super) fn find(&self, name: &Name) -> Option<Option<Kept>> {
        self.slots.get(name).map(|slot| slot.kept.clone())
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.unwritten_bytes + bytes + ENTRY_BYTES <= self.unwritten_bytes_max
    }

    pub(super) fn is_open(&self, name: &Name) -> bool {
        self.running.contains_key(name)
    }

    /// `false` if the database is so far behind that it cannot be taken. Calls asked for room when they began, so this
    /// takes twice that.
    pub(super) fn put(&mut self, key: &KeyId, kept: Kept) -> bool {
        let name = (Arc::clone(key), Arc::clone(&kept.id));
        let ran = self.running.remove(&name).is_some();
        let changes =
            self.slots.get(&name).is_none_or(|slot| slot.kept.as_ref().is_some_and(|kept| kept.stage == Stage::Open));
        if !changes {
            return true;
        }
        if !ran && self.unwritten_bytes > 2 * self.unwritten_bytes_max {
            return false;
        }
        self.set(name, Some(kept));
        true
    }

    pub(super) fn forget(&mut self, name: Name) {
        if let Some(stop) = self.running.remove(&name) {
            // A call that ended this moment has nobody left to hear it.
            let _nobody_hears = stop.send(());
        }
        self.set(name, None);
    }

    pub(super) fn stop(&mut self, key: &KeyId, kept: Kept) {
        let name = (Arc::clone(key), Arc::clone(&kept.id));
        if let Some(stop) = self.running.remove(&name) {
            let _nobody_hears = stop.send(());
            self.set(name, Some(kept));
        }
    }

    pub(super) fn begin(&mut self, key: &KeyId, kept: Kept, stop: oneshot::Sender<()>) {
        let name = (Arc::clone(key), Arc::clone(&kept.id));
        self.running.insert(name.clone(), stop);
        self.set(name, Some(kept));
    }

    /// The next changes to write.
    pub(super) fn next(&mut self, most: usize) -> Vec<Change> {
        let names = self.unwritten.drain(..most.min(self.unwritten.len()));
        let change = |name: Name| {
            let slot = self.slots.get(&name)?;
            Some(Change { kept: slot.kept.clone(), turn: slot.turn, name })
        };
        names.filter_map(change).collect()
    }

    /// Whether these were written. What was not, and what has changed since, comes again.
    pub(super) fn written(&mut self, batch: Vec<Change>, really: bool) {
        for Change { name, turn, .. } in batch {
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            if !really || slot.turn != turn {
                self.unwritten.push_back(name);
                continue;
            }
            slot.is_written = true;
            self.unwritten_bytes -= slot.bytes();
            match &slot.kept {
                None => self.remove(&name),
                // It changes once more, and until then nobody may have to read it.
                Some(kept) if kept.stage == Stage::Open => {}
                Some(_) => self.written.push_back((name, turn)),
            }
        }
        self.shrink();
    }

    fn set(&mut self, name: Name, kept: Option<Kept>) {
        self.turn += 1;
        let slot = Slot { kept, turn: self.turn, is_written: false };
        self.bytes += slot.bytes();
        self.unwritten_bytes += slot.bytes();
        let before = self.slots.insert(name.clone(), slot);
        if let Some(before) = &before {
            self.bytes -= before.bytes();
        }
        match before {
            // Its name is in the queue already, or in a batch that is being written.
            Some(before) if !before.is_written => self.unwritten_bytes -= before.bytes(),
            _ => self.unwritten.push_back(name),
        }
        self.shrink();
    }

    /// Lets the oldest go that have been written.
    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((name, turn)) = self.written.pop_front() else { return };
            if self.slots.get(&name).is_some_and(|slot| slot.turn == turn && slot.is_written) {
                self.remove(&name);
            }
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some(slot) = self.slots.remove(name) {
            self.bytes -= slot.bytes();
        }
    }
}
