//! What guardrails let through of the request, before anything is reserved or sent.

use std::sync::Arc;

use gatehouse_domain::Fault;

use crate::guard::Guard;
use crate::journey::Journey;
use crate::stages::read::Read;

pub(super) async fn guard(journey: &mut Journey, read: &mut Read) -> Result<(), Fault> {
    let Some(guardrails) = &read.snapshot.guardrails else { return Ok(()) };
    let need = read.call.need();
    let Some(guard) = Guard::of(guardrails, &read.caller.principal, &need.resource, journey.outcome.id) else {
        return Ok(());
    };
    journey.guard = Some(Arc::clone(&guard));
    let core = Arc::clone(&journey.core);
    guard.request(read.call.as_mut(), &core.pool).await
}
