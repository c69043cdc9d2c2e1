//! Which targets, in which order.

use gatehouse_domain::{Availability, Facts, Fault, Now};

use crate::journey::Journey;
use crate::stages::admit::Admitted;

/// An admitted call with its plan. Only `admit` makes the `Admitted` inside.
pub(crate) struct Routed {
    pub(crate) admitted: Admitted,
    /// Target indexes in the order to try them; never empty.
    pub(crate) plan: Vec<usize>,
}

pub(crate) fn route(journey: &mut Journey, mut admitted: Admitted, now: Now) -> Result<Routed, Fault> {
    let read = &mut admitted.read;
    let health = &read.snapshot.lanes[read.lane].health;
    let at = journey.started;
    let availability = |index: usize| health.get(index).map_or(Availability::Ready, |health| health.availability(at));
    let plan = read.call.plan(&Facts { availability: &availability, dice: fastrand::u64(..), now })?;
    journey.outcome.route = read.call.route();
    Ok(Routed { admitted, plan })
}
