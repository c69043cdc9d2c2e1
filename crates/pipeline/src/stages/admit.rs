//! May this call pass: is the model known and permitted, do limits and budget allow it. What they allow is reserved here
//! and settled at the end.
//!
//! Cedar policies and guardrails come with the governance issue; they stand between the permit and the meter.

use gatehouse_domain::{Action, Fault, Now};
use gatehouse_policy::{Cost, suggestion, unknown_model};

use crate::journey::Journey;
use crate::stages::read::Read;
use crate::stages::recall::Recalled;

/// A call that may pass, with what it may use reserved. Only [`admit`] makes one.
pub(crate) struct Admitted {
    pub(crate) read: Read,
    _proof: (),
}

pub(crate) fn admit(journey: &mut Journey, recalled: Recalled, now: Now) -> Result<Admitted, Fault> {
    let Recalled { read, .. } = recalled;
    let need = read.call.need();
    // What is kept for a caller is its own; it was found under its key or not at all.
    if need.action != Action::ReadStored
        && let Err(refused) = read.caller.permit.model(&need.resource)
    {
        return Err(with_near_names(refused, &read));
    }
    if !need.known {
        return Err(no_such_model(&read));
    }
    if let Some(meter) = &read.caller.meter {
        let tokens = need.input_tokens.saturating_add(need.output_cap.unwrap_or(0));
        let cost = Cost { tokens, ceiling: read.call.ceiling() };
        let reservation = meter.reserve(now, cost).map_err(|refusal| {
            journey.standing = Some(meter.standing(now));
            refusal.fault()
        })?;
        journey.standing = Some(reservation.standing());
        journey.reservation = Some(reservation);
    }
    Ok(Admitted { read, _proof: () })
}

/// A model that is not this key's, whether there is one of that name or not: which models others have is nobody's
/// business.
fn with_near_names(mut refused: Fault, read: &Read) -> Fault {
    refused.message.to_mut().push_str(&suggestion(&read.call.need().resource, usable(read)));
    refused
}

fn no_such_model(read: &Read) -> Fault {
    unknown_model(&read.call.need().resource, usable(read))
}

/// Names this caller may use.
fn usable(read: &Read) -> impl Iterator<Item = &str> {
    let resources = read.snapshot.lanes[read.lane].gateway.resources();
    resources.iter().map(|name| &**name).filter(|name| read.caller.permit.models.match_name(name))
}
