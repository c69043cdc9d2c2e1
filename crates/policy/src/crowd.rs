//! One meter for each of many payers nobody listed: each run, each customer, each user.
//!
//! The table is bounded. When a shard is full, the payers that have been idle for longest are forgotten; one that comes back
//! begins anew until the next start, which asks the ledger. So a budget per run holds exactly as long as no more than
//! [`CAPACITY`] others were busy since.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Now, Payer, PayerKind};

use crate::{Meter, OpenWindow, Terms};

/// Shards, so that cores seldom meet.
const SHARDS: usize = 64;
/// Payers of one shard.
const SHARD_MAX: usize = 1024;
/// Payers of one crowd that are remembered at least, spread evenly.
pub const CAPACITY: usize = SHARDS * SHARD_MAX;

/// The meters of all payers of one kind, made when first seen.
#[derive(Debug)]
pub struct Crowd {
    kind: PayerKind,
    /// The tag's name with its `=`, where the payers are the values of a tag.
    prefix: Box<str>,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    restored: AtomicBool,
}

#[derive(Debug, Default)]
struct Shard {
    terms: Terms,
    members: HashMap<Box<str>, Member>,
}

#[derive(Debug)]
struct Member {
    meter: Arc<Meter>,
    /// Unix milliseconds.
    seen: u64,
}

impl Crowd {
    pub(crate) fn new(kind: PayerKind, tag: Option<&str>, terms: &Terms) -> Self {
        let shard = || Mutex::new(Shard { terms: terms.clone(), members: HashMap::new() });
        Self {
            kind,
            prefix: tag.map_or_else(Box::default, |tag| format!("{tag}=").into()),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| shard()).collect(),
            restored: AtomicBool::new(false),
        }
    }

    /// Changes the terms of every member, those to come too.
    pub(crate) fn set_terms(&self, terms: &Terms, now: Now) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            if shard.terms != *terms {
                shard.terms = terms.clone();
                shard.members.values().for_each(|member| member.meter.set_terms(terms, now));
            }
        }
    }

    /// The meter of a member, by its name: of a tag, the value.
    #[must_use]
    pub fn member(&self, name: &str, now: Now) -> Arc<Meter> {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are looked at")]
        let place = self.hasher.hash_one(name) as usize % SHARDS;
        let mut shard = lock(&self.shards[place]);
        let seen = now.unix_ms();
        if let Some(member) = shard.members.get_mut(name) {
            member.seen = seen;
            return Arc::clone(&member.meter);
        }
        if shard.members.len() >= SHARD_MAX {
            shard.forget_idle();
        }
        let payer = Payer::new(self.kind, format!("{}{name}", self.prefix));
        let meter = Arc::new(Meter::new(payer, &shard.terms, now));
        shard.members.insert(name.into(), Member { meter: Arc::clone(&meter), seen });
        meter
    }

    /// Every member there is.
    #[must_use]
    pub fn members(&self) -> Vec<Arc<Meter>> {
        let members = self.shards.iter().flat_map(|shard| {
            let shard = lock(shard);
            shard.members.values().map(|member| Arc::clone(&member.meter)).collect::<Vec<_>>()
        });
        members.collect()
    }

    /// The windows whose past the ledger is to be asked for, once: members are made as the ledger names them.
    #[must_use]
    pub fn open_windows(&self, now: Now) -> Vec<OpenWindow> {
        if self.restored.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let anybody = Payer::new(self.kind, &*self.prefix);
        Meter::new(anybody, &lock(&self.shards[0]).terms, now).open_windows(now)
    }
}

impl Shard {
    /// Makes room for an eighth, so that the search is paid for by many. Members with calls in flight go last.
    fn forget_idle(&mut self) {
        let age = |member: &Member| (Arc::strong_count(&member.meter) > 1, member.seen);
        let mut ages: Vec<(bool, u64)> = self.members.values().map(age).collect();
        let (_, last, _) = ages.select_nth_unstable(SHARD_MAX / 8);
        let last = *last;
        self.members.retain(|_, member| age(member) > last);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{Cost, Rule, Window, reserve};

    fn at(unix_ms: u64) -> Now {
        Now(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
    }

    fn once() -> Terms {
        Terms { rules: vec![Rule::requests(1, Window::LIFE)] }
    }

    #[test]
    fn each_member_has_a_meter_of_its_own_and_keeps_it() {
        let crowd = Crowd::new(PayerKind::Tag, Some("customer"), &once());
        let acme = crowd.member("acme", at(0));
        assert_eq!(acme.payer().to_string(), "tag:customer=acme");
        assert!(Arc::ptr_eq(&acme, &crowd.member("acme", at(1))));
        assert!(!Arc::ptr_eq(&acme, &crowd.member("umbrella", at(1))));
    }

    #[test]
    fn a_crowd_stays_bounded_and_forgets_the_idle_before_the_busy() {
        let crowd = Crowd::new(PayerKind::Run, None, &once());
        let busy = reserve([&crowd.member("busy", at(0))], at(0), Cost::default()).unwrap();
        for run in 0..2 * CAPACITY as u64 {
            let _idle = crowd.member(&format!("run-{run}"), at(1 + run));
        }
        assert!(crowd.members().len() <= CAPACITY);
        assert!(reserve([&crowd.member("busy", at(1))], at(1), Cost::default()).is_err(), "the busy run was forgotten");
        drop(busy);
    }

    #[test]
    fn new_terms_hold_for_members_old_and_new() {
        let crowd = Crowd::new(PayerKind::Run, None, &Terms::default());
        let old = crowd.member("old", at(0));
        crowd.set_terms(&once(), at(1));
        for meter in [old, crowd.member("new", at(1))] {
            let _held = reserve([&meter], at(1), Cost::default()).unwrap();
            assert!(reserve([&meter], at(1), Cost::default()).is_err());
        }
    }
}
