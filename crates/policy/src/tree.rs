//! The tree of limits and budgets: which payers a call touches.
//!
//! It is free to shape: every payer that has limits or budgets and is touched by a call must allow it, whatever else allows
//! it. A [`Tree`] is built with the configuration and never changes; [`Meters`] outlive it and keep what was used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_domain::{Action, Now, On, Payer, PayerKind, Principal, PrincipalKind};
use smallvec::SmallVec;

use crate::crowd::Crowd;
use crate::permissions::server_of;
use crate::{Meter, Terms};

/// The meters of a call besides those of its caller.
pub type CallMeters = SmallVec<[Arc<Meter>; 4]>;

/// Finds the meters of callers and calls.
#[derive(Debug, Default)]
pub struct Tree {
    kinds: HashMap<PayerKind, Kind>,
    /// By the tag's name; payers by its value.
    tags: HashMap<Arc<str>, Kind>,
}

/// The payers of one kind.
#[derive(Debug, Default)]
struct Kind {
    named: HashMap<Arc<str>, Arc<Meter>>,
    /// Patterns without their `*`, longest first.
    patterns: Vec<(Box<str>, Arc<Meter>)>,
    each: Option<Arc<Crowd>>,
}

impl Tree {
    /// Builds a tree of these terms, several for one payer added up. Meters are found in `meters`, or made there.
    #[must_use]
    pub fn new(terms: impl IntoIterator<Item = (On, Terms)>, meters: &Meters, now: Now) -> Self {
        let mut all: HashMap<On, Terms> = HashMap::new();
        for (on, terms) in terms.into_iter().filter(|(_, terms)| !terms.is_empty()) {
            let known = all.remove(&on).unwrap_or_default();
            all.insert(on, known.and(&terms));
        }
        let mut tree = Self::default();
        for (on, terms) in &all {
            match on {
                On::One(payer) => {
                    // One that is named holds to what each of its kind holds to as well.
                    let each = all.get(&each_of(payer)).cloned().unwrap_or_default();
                    tree.put(payer, meters.meter(payer, &terms.clone().and(&each), now));
                }
                On::Each(kind) => {
                    tree.kinds.entry(*kind).or_default().each = Some(meters.crowd(on, terms, now));
                }
                On::EachTag(tag) => {
                    tree.tags.entry(Arc::clone(tag)).or_default().each = Some(meters.crowd(on, terms, now));
                }
            }
        }
        for kind in tree.kinds.values_mut() {
            kind.patterns.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        }
        tree
    }

    fn put(&mut self, payer: &Payer, meter: Arc<Meter>) {
        if payer.kind == PayerKind::Tag {
            let (tag, value) = payer.name.split_once('=').unwrap_or((&payer.name, ""));
            self.tags.entry(tag.into()).or_default().named.insert(value.into(), meter);
            return;
        }
        let kind = self.kinds.entry(payer.kind).or_default();
        let has_patterns = matches!(payer.kind, PayerKind::Model | PayerKind::McpServer | PayerKind::Tool);
        match payer.name.strip_suffix('*').filter(|_| has_patterns) {
            Some(prefix) => kind.patterns.push((prefix.into(), meter)),
            None => _ = kind.named.insert(Arc::clone(&payer.name), meter),
        }
    }

    /// The meters of a caller, in the order in which they are asked: looked up once, when its key is put in force or its
    /// token is first seen.
    #[must_use]
    pub fn of_caller(&self, who: &Principal, now: Now) -> Arc<[Arc<Meter>]> {
        let mut meters: Vec<Arc<Meter>> = Vec::new();
        for (kind, name) in payers_of(who) {
            let found = self.kinds.get(&kind).and_then(|kind| kind.find(name, now));
            // An agent may stand in its own chain.
            meters.extend(found.filter(|found| !meters.iter().any(|known| Arc::ptr_eq(known, found))));
        }
        meters.into()
    }

    /// The meters of a call besides those of its caller: those of what is asked for, its tags', its run's.
    #[must_use]
    pub fn of_call(
        &self,
        (action, resource): (Action, &str),
        tags: Option<&str>,
        run: Option<&str>,
        now: Now,
    ) -> CallMeters {
        let mut meters = self.of_resource(action, resource, now);
        if !self.tags.is_empty() {
            let pairs = tags.into_iter().flat_map(|tags| tags.split(',')).filter_map(|pair| pair.split_once('='));
            meters.extend(pairs.filter_map(|(tag, value)| self.tags.get(tag)?.find(value, now)));
        }
        if let Some(run) = run {
            meters.extend(self.of_run(run, now));
        }
        meters
    }

    /// Those of a model, or of a tool and its server.
    fn of_resource(&self, action: Action, resource: &str, now: Now) -> CallMeters {
        let mut meters = CallMeters::new();
        match action {
            Action::CallTool | Action::ReadResource | Action::GetPrompt => {
                let server = self.kinds.get(&PayerKind::McpServer);
                meters.extend(server.and_then(|kind| kind.find(server_of(resource), now)));
                if action == Action::CallTool
                    && let Some(tools) = self.kinds.get(&PayerKind::Tool)
                {
                    meters.extend(tools.find_every(resource));
                }
            }
            _ => meters.extend(self.kinds.get(&PayerKind::Model).and_then(|kind| kind.find(resource, now))),
        }
        meters
    }

    /// The meter of a run, if runs are counted.
    #[must_use]
    pub fn of_run(&self, run: &str, now: Now) -> Option<Arc<Meter>> {
        self.kinds.get(&PayerKind::Run)?.find(run, now)
    }

    /// Has any run limits or budgets?
    #[must_use]
    pub fn counts_runs(&self) -> bool {
        self.kinds.contains_key(&PayerKind::Run)
    }
}

impl Kind {
    fn find(&self, name: &str, now: Now) -> Option<Arc<Meter>> {
        if let Some(meter) = self.named.get(name) {
            return Some(Arc::clone(meter));
        }
        let pattern = self.patterns.iter().find(|(prefix, _)| name.starts_with(&**prefix));
        pattern.map(|(_, meter)| Arc::clone(meter)).or_else(|| Some(self.each.as_ref()?.member(name, now)))
    }

    /// The one of this name, and all whose pattern has it: a tool is held by the limits of every family it is in.
    fn find_every<'k>(&'k self, name: &'k str) -> impl Iterator<Item = Arc<Meter>> + 'k {
        let patterns = self.patterns.iter().filter(move |(prefix, _)| name.starts_with(&**prefix));
        self.named.get(name).into_iter().chain(patterns.map(|(_, meter)| meter)).map(Arc::clone)
    }
}

/// The payers a caller is or belongs to, from the widest to the narrowest.
pub fn payers_of(who: &Principal) -> impl Iterator<Item = (PayerKind, &str)> {
    let delegates = who.act.iter().filter(|actor| actor.kind == PrincipalKind::Agent).map(|actor| &*actor.name);
    let one = [
        (PayerKind::Organisation, Some(&*who.organisation)),
        (PayerKind::Team, who.team.as_deref()),
        (PayerKind::User, who.user.as_deref()),
        (PayerKind::ServiceAccount, who.service_account.as_deref()),
        (PayerKind::Agent, who.agent.as_deref()),
    ];
    let one = one.into_iter().filter_map(|(kind, name)| Some((kind, name?)));
    one.chain(delegates.map(|name| (PayerKind::Agent, name))).chain([(PayerKind::Key, &*who.key)])
}

/// The crowd a payer would belong to if it were not named.
fn each_of(payer: &Payer) -> On {
    match payer.kind {
        PayerKind::Tag => On::EachTag(payer.name.split_once('=').map_or(&*payer.name, |(tag, _)| tag).into()),
        kind => On::Each(kind),
    }
}

/// Every meter of the process. Looked up when a configuration is loaded, never per call.
#[derive(Debug, Default)]
pub struct Meters {
    by_payer: Mutex<HashMap<Payer, Arc<Meter>>>,
    crowds: Mutex<HashMap<On, Arc<Crowd>>>,
}

impl Meters {
    /// The payer's meter, under these terms from now on.
    pub fn meter(&self, payer: &Payer, terms: &Terms, now: Now) -> Arc<Meter> {
        let mut meters = self.by_payer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = meters.get(payer) {
            meter.set_terms(terms, now);
            return Arc::clone(meter);
        }
        let meter = Arc::new(Meter::new(payer.clone(), terms, now));
        meters.insert(payer.clone(), Arc::clone(&meter));
        meter
    }

    fn crowd(&self, on: &On, terms: &Terms, now: Now) -> Arc<Crowd> {
        let mut crowds = self.crowds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(crowd) = crowds.get(on) {
            crowd.set_terms(terms, now);
            return Arc::clone(crowd);
        }
        let crowd = match on {
            On::One(payer) => Crowd::new(payer.kind, None, terms),
            On::Each(kind) => Crowd::new(*kind, None, terms),
            On::EachTag(tag) => Crowd::new(PayerKind::Tag, Some(tag), terms),
        };
        let crowd = Arc::new(crowd);
        crowds.insert(on.clone(), Arc::clone(&crowd));
        crowd
    }

    /// Every meter of a payer that is named.
    #[must_use]
    pub fn named(&self) -> Vec<Arc<Meter>> {
        self.by_payer.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    /// Every meter there is, members of crowds included, by payer.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Meter>> {
        let mut meters = self.named();
        meters.extend(self.crowds().iter().flat_map(|(_, crowd)| crowd.members()));
        meters.sort_by(|a, b| a.payer().cmp(b.payer()));
        meters
    }

    /// Every crowd, with whom it is for.
    #[must_use]
    pub fn crowds(&self) -> Vec<(On, Arc<Crowd>)> {
        let crowds = self.crowds.lock().unwrap_or_else(PoisonError::into_inner);
        crowds.iter().map(|(on, crowd)| (on.clone(), Arc::clone(crowd))).collect()
    }

    /// Forgets payers and crowds that no configuration in force names and no call holds.
    pub fn forget_unused(&self) {
        let unused = |count: usize| count <= 1;
        let mut meters = self.by_payer.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|_, meter| !unused(Arc::strong_count(meter)));
        drop(meters);
        let mut crowds = self.crowds.lock().unwrap_or_else(PoisonError::into_inner);
        crowds.retain(|_, crowd| !unused(Arc::strong_count(crowd)));
    }
}

#[cfg(test)]
mod tests;
