//! Lists as they were told, kept for whoever sees the same items of the same offer. To list two hundred tools is then neither to
//! put their texts in a row again nor to copy them. What is kept goes with the offer, which is another one as soon as anything of it
//! changes; who sees what is asked for every list anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::finding::Kind;
use crate::era::Revision;
use crate::wire::Raw;

/// Lists kept of one offer, and how many bytes they have together at most.
const LISTS_MAX: usize = 8;
const BYTES_MAX: usize = 1 << 20;

/// Which items of a list somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Every one.
    All,
    /// Those whose bit is set, in their order.
    These(Vec<u64>),
}

/// What one offer has told so far.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<Vec<Told>>);

#[derive(Debug)]
struct Told {
    kind: Kind,
    to: Revision,
    seen: Seen,
    result: Raw,
}

impl Seen {
    /// Of items about which this is said in turn.
    pub(crate) fn of(each: impl Iterator<Item = bool>) -> Self {
        let (mut bits, mut all) = (Vec::new(), true);
        for (at, seen) in each.enumerate() {
            if at % 64 == 0 {
                bits.push(0);
            }
            if let Some(word) = bits.last_mut() {
                *word |= u64::from(seen) << (at % 64);
            }
            all &= seen;
        }
        if all { Self::All } else { Self::These(bits) }
    }
}

impl Ready {
    /// The list of these items, as a client of this revision was told it.
    pub(crate) fn get(&self, kind: Kind, to: Revision, seen: &Seen) -> Option<Raw> {
        let told = self.told();
        let same = |told: &&Told| told.kind == kind && told.to == to && told.seen == *seen;
        told.iter().find(same).map(|told| told.result.clone())
    }

    /// Keeps a list, in the place of the oldest if there is no room.
    pub(crate) fn keep(&self, kind: Kind, to: Revision, seen: Seen, result: &Raw) {
        let mut told = self.told();
        told.retain(|told| (told.kind, told.to, &told.seen) != (kind, to, &seen));
        let size = |told: &[Told]| told.iter().map(|told| told.result.bytes().len()).sum::<usize>();
        while told.len() >= LISTS_MAX || (!told.is_empty() && size(&told) + result.bytes().len() > BYTES_MAX) {
            told.remove(0);
        }
        if result.bytes().len() <= BYTES_MAX {
            told.push(Told { kind, to, seen, result: result.clone() });
        }
    }

    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: Revision = Revision::LATEST;

    fn list(bytes: usize) -> Raw {
        Raw::text(&"x".repeat(bytes))
    }

    fn these(seen: &[bool]) -> Seen {
        Seen::of(seen.iter().copied())
    }

    #[test]
    fn who_sees_something_else_gets_another_list() {
        let ready = Ready::default();
        ready.keep(Kind::Tool, TO, these(&[true, false]), &list(1));
        ready.keep(Kind::Tool, TO, Seen::All, &list(2));
        assert_eq!(ready.get(Kind::Tool, TO, &these(&[true, false])), Some(list(1)));
        assert_eq!(ready.get(Kind::Tool, TO, &these(&[true, true])), Some(list(2)));
        assert_eq!(ready.get(Kind::Tool, TO, &these(&[false, true])), None);
        assert_eq!(ready.get(Kind::Prompt, TO, &Seen::All), None);
        assert_eq!(ready.get(Kind::Tool, Revision::V2025_11_25, &Seen::All), None);
    }

    #[test]
    fn every_item_counts_however_many_there_are() {
        let but = |hidden: usize| Seen::of((0..200).map(|item| item != hidden));
        let all: Vec<Seen> = (0..=200).map(but).collect();
        assert_eq!(all[200], Seen::All);
        assert!((0..200).all(|one| all[one] != all[(one + 64) % 201] && all[one] != all[(one + 1) % 201]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let ready = Ready::default();
        for hidden in 0..3 * LISTS_MAX {
            ready.keep(Kind::Tool, TO, Seen::of((0..64).map(|item| item != hidden)), &list(BYTES_MAX / 4));
        }
        assert!(ready.told().len() < 4, "of long lists there are few");
        ready.keep(Kind::Tool, TO, Seen::All, &list(BYTES_MAX));
        assert_eq!(ready.get(Kind::Tool, TO, &Seen::All), None, "and of those that are too long none");
        for hidden in 0..3 * LISTS_MAX {
            ready.keep(Kind::Tool, TO, Seen::of((0..64).map(|item| item != hidden)), &list(1));
        }
        assert_eq!(ready.told().len(), LISTS_MAX);
    }
}
