//! What limits and budgets allow, taken out of them before the call runs and settled when it ends.

use gatehouse_domain::{Fault, Now};
use gatehouse_policy::Cost;

use crate::journey::Journey;
use crate::stages::read::Read;

pub(super) fn reserve(journey: &mut Journey, read: &Read, now: Now) -> Result<(), Fault> {
    let Some(meter) = &read.caller.meter else { return Ok(()) };
    let need = read.call.need();
    let tokens = need.input_tokens.saturating_add(need.output_cap.unwrap_or(0));
    let cost = Cost { tokens, ceiling: read.call.ceiling() };
    let reservation = meter.reserve(now, cost).map_err(|refusal| {
        journey.standing = Some(meter.standing(now));
        refusal.fault()
    })?;
    journey.standing = Some(reservation.standing());
    journey.reservation = Some(reservation);
    Ok(())
}
