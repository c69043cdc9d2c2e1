//! What guardrails let through of the request, before anything is reserved or sent.

use std::sync::Arc;

use gatehouse_domain::{Asked, Fault};

use crate::guard::Guard;
use crate::journey::Journey;
use crate::stages::read::Read;

pub(super) async fn guard<A: Asked + ?Sized>(journey: &mut Journey, read: &mut Read<A>) -> Result<(), Fault> {
    let Some(guardrails) = &read.snapshot.guardrails else { return Ok(()) };
    let need = read.call.need();
    let asked_for = journey.downgraded_from.as_deref();
    let who = &read.caller.principal;
    let Some(guard) = Guard::of(guardrails, who, &need.resource, asked_for, journey.outcome.id) else {
        return Ok(());
    };
    // After a downgrade: those of the first model stay, and where the second has no others, what they noted stays too.
    if journey.guard.as_ref().is_some_and(|before| before.count() == guard.count()) {
        return Ok(());
    }
    journey.guard = Some(Arc::clone(&guard));
    let began = journey.look();
    let looked = guard.look(read.call.as_mut());
    guard.took(journey.look() - began);
    looked?;
    if guard.has_webhooks() {
        let core = Arc::clone(&journey.core);
        // Boxed: most calls have none, and each would carry the room for what webhooks are asked.
        let answered = Box::pin(guard.request(read.call.as_mut(), &core.pool)).await;
        // They may have taken their time.
        journey.look();
        answered?;
    }
    Ok(())
}
