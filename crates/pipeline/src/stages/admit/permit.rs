//! What the key itself permits, and whether there is such a model.

use gatehouse_domain::{Action, Fault};
use gatehouse_policy::{suggestion, unknown_model};

use crate::stages::read::Read;

pub(super) fn permit(read: &Read) -> Result<(), Fault> {
    let need = read.call.need();
    // What is kept for a caller is its own; it was found under its key or not at all.
    if need.action != Action::ReadStored
        && let Err(refused) = read.caller.permit.model(&need.resource)
    {
        return Err(with_near_names(refused, read));
    }
    if !need.known {
        return Err(unknown_model(&need.resource, usable(read)));
    }
    Ok(())
}

/// A model that is not this key's, whether there is one of that name or not: which models others have is nobody's
/// business.
fn with_near_names(mut refused: Fault, read: &Read) -> Fault {
    refused.message.to_mut().push_str(&suggestion(&read.call.need().resource, usable(read)));
    refused
}

/// Names this caller may use.
fn usable(read: &Read) -> impl Iterator<Item = &str> {
    let resources = read.snapshot.lanes[read.lane].gateway.resources();
    resources.iter().map(|name| &**name).filter(|name| read.caller.permit.models.match_name(name))
}
