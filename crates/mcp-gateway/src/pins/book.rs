//! Every version that was ever seen, and what a policy makes of one that was not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Hash, PinState};
use crate::blueprint::PinPolicy;
use crate::catalogue::Kind;

type Item = (Arc<str>, Kind, Arc<str>);

/// One version.
#[derive(Clone, Copy, Debug)]
struct Version {
    hash: Hash,
    state: PinState,
    by_person: bool,
}

/// The most versions that are remembered of one server: one that is another at every look would fill the database.
pub const VERSIONS: usize = 10_000;

/// Versions by item.
#[derive(Clone, Debug, Default)]
pub struct PinBook {
    items: BTreeMap<Item, Vec<Version>>,
    /// How many versions there are of each server.
    counts: BTreeMap<Arc<str>, usize>,
}

/// What a version may do, and whether that is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands in the book like this.
    Known(PinState),
    /// It does not, or no longer: remember it.
    New(PinState),
}

impl Verdict {
    /// What it may do.
    #[must_use]
    pub fn state(self) -> PinState {
        match self {
            Self::Known(state) | Self::New(state) => state,
        }
    }

    /// The state to remember, if it is not in the book.
    #[must_use]
    pub fn unseen(self) -> Option<PinState> {
        match self {
            Self::Known(_) => None,
            Self::New(state) => Some(state),
        }
    }
}

impl PinBook {
    /// Takes a version as it was stored. `by_person`: somebody decided, not the policy.
    pub fn insert(
        &mut self,
        server: Arc<str>,
        kind: Kind,
        name: Arc<str>,
        hash: Hash,
        state: PinState,
        by_person: bool,
    ) {
        let versions = self.items.entry((Arc::clone(&server), kind, name)).or_default();
        let before = versions.len();
        versions.retain(|version| version.hash != hash);
        if versions.len() == before {
            *self.counts.entry(server).or_default() += 1;
        }
        versions.push(Version { hash, state, by_person });
    }

    /// Has a server as many versions as are remembered? New ones wait then, and are not remembered.
    #[must_use]
    pub fn is_full(&self, server: &str) -> bool {
        self.counts.get(server).is_some_and(|count| *count >= VERSIONS)
    }

    /// What a version may do under a policy. `poisoned`: its texts look like an attack, and only a person may let it through.
    #[must_use]
    pub fn judge(
        &self,
        policy: PinPolicy,
        server: &Arc<str>,
        kind: Kind,
        name: &Arc<str>,
        hash: Hash,
        poisoned: bool,
    ) -> Verdict {
        let versions = self.items.get(&(Arc::clone(server), kind, Arc::clone(name))).map_or(&[][..], Vec::as_slice);
        if let Some(known) = versions.iter().find(|version| version.hash == hash) {
            let distrusted = poisoned && !known.by_person && known.state == PinState::Approved;
            return if distrusted { Verdict::New(PinState::Pending) } else { Verdict::Known(known.state) };
        }
        if self.is_full(server) {
            return Verdict::Known(PinState::Pending);
        }
        let changed = !versions.is_empty();
        Verdict::New(match policy {
            _ if poisoned => PinState::Pending,
            PinPolicy::AllowNew => PinState::Approved,
            PinPolicy::HoldChanged if !changed => PinState::Approved,
            PinPolicy::HoldChanged | PinPolicy::HoldNew => PinState::Pending,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash_text;
    use super::*;

    fn judge(book: &PinBook, policy: PinPolicy, version: &str, poisoned: bool) -> Verdict {
        book.judge(policy, &"s".into(), Kind::Tool, &"t".into(), hash_text(version), poisoned)
    }

    fn book(versions: &[(&str, PinState, bool)]) -> PinBook {
        let mut book = PinBook::default();
        for (version, state, by_person) in versions {
            book.insert("s".into(), Kind::Tool, "t".into(), hash_text(version), *state, *by_person);
        }
        book
    }

    #[test]
    fn first_sight_is_approved_unless_new_ones_are_held() {
        let empty = PinBook::default();
        assert_eq!(judge(&empty, PinPolicy::AllowNew, "1", false), Verdict::New(PinState::Approved));
        assert_eq!(judge(&empty, PinPolicy::HoldChanged, "1", false), Verdict::New(PinState::Approved));
        assert_eq!(judge(&empty, PinPolicy::HoldNew, "1", false), Verdict::New(PinState::Pending));
    }

    #[test]
    fn a_change_waits_unless_new_ones_are_allowed() {
        let seen = book(&[("1", PinState::Approved, false)]);
        assert_eq!(judge(&seen, PinPolicy::HoldChanged, "2", false), Verdict::New(PinState::Pending));
        assert_eq!(judge(&seen, PinPolicy::AllowNew, "2", false), Verdict::New(PinState::Approved));
    }

    #[test]
    fn a_version_that_was_approved_needs_no_second_approval() {
        let seen = book(&[("1", PinState::Approved, true), ("2", PinState::Held, true)]);
        assert_eq!(judge(&seen, PinPolicy::HoldNew, "1", false), Verdict::Known(PinState::Approved));
        assert_eq!(judge(&seen, PinPolicy::AllowNew, "2", false), Verdict::Known(PinState::Held));
    }

    #[test]
    fn a_server_that_is_another_at_every_look_is_not_remembered_for_ever() {
        let mut book = PinBook::default();
        for number in 0..VERSIONS {
            book.insert("s".into(), Kind::Tool, "t".into(), hash_text(&number.to_string()), PinState::Approved, false);
        }
        assert_eq!(judge(&book, PinPolicy::AllowNew, "one more", false), Verdict::Known(PinState::Pending));
        assert_eq!(judge(&book, PinPolicy::AllowNew, "1", false), Verdict::Known(PinState::Approved));
    }

    #[test]
    fn poison_waits_for_a_person_whatever_the_policy() {
        assert_eq!(judge(&PinBook::default(), PinPolicy::AllowNew, "1", true), Verdict::New(PinState::Pending));
        let by_policy = book(&[("1", PinState::Approved, false)]);
        assert_eq!(judge(&by_policy, PinPolicy::AllowNew, "1", true), Verdict::New(PinState::Pending));
        let by_person = book(&[("1", PinState::Approved, true)]);
        assert_eq!(judge(&by_person, PinPolicy::HoldNew, "1", true), Verdict::Known(PinState::Approved));
    }
}
