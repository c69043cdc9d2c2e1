//! What the key itself permits, and whether there is such a model.

use gatehouse_domain::{Action, Asked, Code, Fault, Now, Use};
use gatehouse_policy::permissions::{kind_of_action, server_of};
use gatehouse_policy::{suggestion, unknown_model};

use super::policy::Asker;
use crate::journey::Journey;
use crate::stages::read::Read;

pub(super) fn permit<A: Asked + ?Sized>(journey: &Journey, read: &Read<A>, now: Now) -> Result<(), Fault> {
    let need = read.call.need();
    in_scope(read)?;
    match need.action {
        Action::CallModel => {
            if let Err(refused) = read.caller.permit.model(&need.resource) {
                return Err(with_near_names(refused, journey, read, now));
            }
        }
        Action::CallTool | Action::GetPrompt | Action::ReadResource => of_server(read)?,
        // What is kept for a caller is its own; it was found under its key or not at all. Lists leave out what is not.
        Action::ReadStored | Action::ListModels | Action::ListTools => {}
    }
    if !need.known {
        return Err(unknown_model(
            &need.resource,
            usable(&Asker::of(journey, &read.snapshot, &read.caller, now), read),
        ));
    }
    Ok(())
}

/// Do the scopes of the caller's access token suffice, if it came with one? What they lack is told whole, so that the client can
/// ask for it at once.
fn in_scope<A: Asked + ?Sized>(read: &Read<A>) -> Result<(), Fault> {
    let Some(access) = &read.caller.principal.access else { return Ok(()) };
    let need = read.call.need();
    let server = server_of(&need.resource);
    let what = match need.action {
        Action::CallTool => Use::Call(server),
        Action::ReadResource | Action::GetPrompt => Use::Read(server),
        Action::CallModel | Action::ListModels | Action::ReadStored | Action::ListTools => Use::Greet,
    };
    if access.scopes.allow(what) {
        return Ok(());
    }
    let scope = what.scope();
    let message = format!("the access token has not the scope this takes; get one with `{scope}`");
    Err(Fault::new(Code::InsufficientScope, message).at(scope))
}

/// Is it of a server, or in a toolset, that the key may use?
fn of_server<A: Asked + ?Sized>(read: &Read<A>) -> Result<(), Fault> {
    let need = read.call.need();
    let Some(kind) = kind_of_action(need.action.as_str()) else { return Ok(()) };
    let toolsets = read.snapshot.permissions.directory.toolsets_of(kind, &need.resource);
    read.caller.permit.of_server(server_of(&need.resource), toolsets)
}

/// A model that is not this key's, whether there is one of that name or not: which models others have is nobody's
/// business.
fn with_near_names<A: Asked + ?Sized>(mut refused: Fault, journey: &Journey, read: &Read<A>, now: Now) -> Fault {
    let asker = Asker::of(journey, &read.snapshot, &read.caller, now);
    refused.message.to_mut().push_str(&suggestion(&read.call.need().resource, usable(&asker, read)));
    refused
}

/// The most models that policies are asked about for one suggestion: a refusal must stay cheap.
const ASKED_MAX: usize = 200;

/// Names this caller may use.
fn usable<'a, A: ?Sized>(asker: &'a Asker<'_>, read: &'a Read<A>) -> impl Iterator<Item = &'a str> {
    let resources = read.snapshot.lanes[read.lane].gateway.resources();
    let permitted = resources.iter().map(|name| &**name).filter(|name| read.caller.permit.models.match_name(name));
    permitted.take(ASKED_MAX).filter(|name| asker.lists(name))
}
