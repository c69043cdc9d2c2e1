//! What limits and budgets allow, taken out of them before the call runs and settled when it ends. A call that does not fit
//! may become one to another model, where whoever is spent says so.

use std::sync::Arc;

use gatehouse_domain::{Asked, Fault, Money, Need, Now};
use gatehouse_policy::{Cost, Refusal, Reservation, standing};

use crate::journey::Journey;
use crate::snapshot::{KeyEntry, Snapshot};
use crate::stages::read::Read;

/// Models a call is downgraded to at most: each budget on its way may name another.
const DOWNGRADES_MAX: usize = 4;

/// Reserves; `allowed` is asked again about each model the call is downgraded to.
pub(super) fn reserve<A: Asked + ?Sized>(
    journey: &mut Journey,
    read: &mut Read<A>,
    allowed: impl Fn(&mut Journey, &Read<A>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    // Not the moment the call arrived: its body may have taken a window's time to come.
    let now = journey.now();
    let mut refusal = match take(journey, read, now) {
        Ok(held) => return keep(journey, held),
        Err(refusal) => refusal,
    };
    let asked_for = Arc::clone(&read.call.need().resource);
    for _ in 0..DOWNGRADES_MAX {
        let Some(model) = refusal.downgrade().map(Arc::clone).filter(|model| *model != read.call.need().resource)
        else {
            break;
        };
        // The caller is told what it asked for cannot be had, not what it may not have either.
        if !read.call.redirect(&model) || allowed(journey, read).is_err() {
            break;
        }
        match take(journey, read, now) {
            Ok(held) => {
                journey.outcome.model = Some(model);
                journey.downgraded_from = Some(asked_for);
                return keep(journey, held);
            }
            Err(again) => refusal = again,
        }
    }
    Err(refusal.fault())
}

fn take<A: Asked + ?Sized>(
    journey: &mut Journey,
    read: &Read<A>,
    now: Now,
) -> Result<Option<Reservation>, Box<Refusal>> {
    take_for(journey, &read.snapshot, &read.caller, (read.call.need(), || read.call.ceiling()), now)
}

/// Takes what something may use out of every payer it touches. What it may cost is asked only where somebody pays.
pub(crate) fn take_for(
    journey: &mut Journey,
    snapshot: &Snapshot,
    caller: &KeyEntry,
    (need, ceiling): (&Need, impl FnOnce() -> Option<Money>),
    now: Now,
) -> Result<Option<Reservation>, Box<Refusal>> {
    let (tags, run) = (journey.outcome.tags.as_deref(), journey.outcome.run.as_deref());
    let of_call = snapshot.tree.of_call((need.action, &need.resource), tags, run, now);
    if caller.meters.is_empty() && of_call.is_empty() {
        return Ok(None);
    }
    let meters = || caller.meters.iter().chain(&of_call);
    let tokens = need.input_tokens.saturating_add(need.output_cap.unwrap_or(0));
    let cost = Cost { tokens, ceiling: ceiling() };
    let held = gatehouse_policy::reserve(meters(), now, cost);
    held.map(Some).inspect_err(|_| journey.standing = Some(standing(meters(), now)))
}

fn keep(journey: &mut Journey, held: Option<Reservation>) -> Result<(), Fault> {
    journey.standing = held.as_ref().map(Reservation::standing);
    journey.reservation = held;
    Ok(())
}
