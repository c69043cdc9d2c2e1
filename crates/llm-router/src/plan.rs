//! The choice for one call: which targets are tried in which order, and which are left out and why.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{Availability, Code, Facts, Fault};
use smallvec::SmallVec;

use crate::routes::Route;
use crate::strategies::{Candidate, mix};

/// Most targets in one plan.
const TARGETS_MAX: usize = 32;
/// Targets of a pool that need no allocation. More are possible.
const FEW: usize = 8;
/// Most targets named in a refusal.
const NAMED_MAX: usize = 8;

/// Targets in the order to try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Indexes into the gateway's target table, none twice, never empty.
    pub order: Vec<usize>,
    /// By the same places: the pool of the route a target was taken from, and its place in there.
    pub from: Vec<(usize, usize)>,
    /// Sum of the weights the first target was chosen among.
    pub weight_total: u64,
    /// Targets left out.
    pub skipped: Vec<Skipped>,
}

/// A target left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// `provider/model`.
    pub label: Arc<str>,
    /// Why.
    pub reason: Reason,
    /// When it may be tried again.
    pub retry_in: Duration,
}

/// Why a target is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It failed too often.
    Broken,
    /// Its provider asked to wait.
    CoolingDown,
}

impl Reason {
    /// The word in headers and explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::CoolingDown => "cooling_down",
        }
    }
}

/// No target of a model may be tried right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoneReady {
    /// The model as the client named it.
    pub model: Arc<str>,
    /// Every target it has, its fallbacks' included.
    pub skipped: Vec<Skipped>,
}

/// Plans a call: the model's own ready targets in the order of its strategy, then those of its fallbacks.
///
/// # Errors
/// When no target is ready.
pub fn plan(route: &Route, facts: &Facts<'_>) -> Result<Plan, NoneReady> {
    let mut plan = Plan { order: Vec::new(), from: Vec::new(), weight_total: 0, skipped: Vec::new() };
    let mut dice = facts.dice;
    for (pool_place, pool) in route.pools.iter().enumerate() {
        dice = mix(dice);
        let mut ready: SmallVec<[Candidate; FEW]> = SmallVec::new();
        let mut places: SmallVec<[usize; FEW]> = SmallVec::new();
        for (place, candidate) in pool.candidates.iter().enumerate() {
            let (reason, retry_in) = match (facts.availability)(candidate.target) {
                Availability::Ready => {
                    ready.push(*candidate);
                    places.push(place);
                    continue;
                }
                Availability::Broken { retry_in } => (Reason::Broken, retry_in),
                Availability::CoolingDown { retry_in } => (Reason::CoolingDown, retry_in),
            };
            let label = &pool.labels[place];
            if !plan.skipped.iter().any(|skipped| skipped.label == *label) {
                plan.skipped.push(Skipped { label: label.clone(), reason, retry_in });
            }
        }
        if plan.order.is_empty() {
            plan.weight_total = ready.iter().map(|candidate| u64::from(candidate.weight)).sum();
        }
        for chosen in (pool.strategy.order)(&ready, dice) {
            let target = ready[chosen].target;
            if plan.order.len() < TARGETS_MAX && !plan.order.contains(&target) {
                plan.order.push(target);
                plan.from.push((pool_place, places[chosen]));
            }
        }
    }
    if plan.order.is_empty() {
        return Err(NoneReady { model: route.model.clone(), skipped: plan.skipped });
    }
    Ok(plan)
}

impl From<NoneReady> for Fault {
    /// `NoTarget`, with the targets, their reasons, and the earliest time at which one of them may be tried.
    fn from(none: NoneReady) -> Self {
        let secs = |wait: Duration| wait.as_millis().div_ceil(1000).max(1);
        let named: Vec<String> = none
            .skipped
            .iter()
            .take(NAMED_MAX)
            .map(|skipped| {
                let why = match skipped.reason {
                    Reason::Broken => "failed too often",
                    Reason::CoolingDown => "limited by its provider",
                };
                format!("{}: {why}, retry in {} s", skipped.label, secs(skipped.retry_in))
            })
            .collect();
        let more = match none.skipped.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!("no target of model `{}` can be tried now ({}{more})", none.model, named.join("; "));
        let soonest = none.skipped.iter().map(|skipped| secs(skipped.retry_in)).min().unwrap_or(1);
        Self::new(Code::NoTarget, message).retry_after(u64::try_from(soonest).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
