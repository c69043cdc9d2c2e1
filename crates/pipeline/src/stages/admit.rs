//! May this call pass? In this order: does the key permit it and is the model known ([`permit`]), do the policies allow it
//! ([`policy`]), do the guardrails let it through ([`guard`]), and have limits and budgets room for it ([`reserve`]).

mod guard;
mod permit;
mod policy;
mod reserve;

use gatehouse_domain::{Asked, Call, Fault, Now};

pub(crate) use policy::Asker;
pub(crate) use reserve::take_for;

use crate::journey::Journey;
use crate::stages::read::Read;
use crate::stages::recall::Recalled;
use crate::talk::{Refused, Talk};

/// A call or a conversation that may pass, with what it may use reserved. Only this stage makes one.
pub(crate) struct Admitted<A: ?Sized = dyn Call> {
    pub(crate) read: Read<A>,
    _proof: (),
}

pub(crate) async fn admit(journey: &mut Journey, recalled: Recalled, now: Now) -> Result<Admitted, Fault> {
    let Recalled { mut read, .. } = recalled;
    pass(journey, &mut read, now).await?;
    Ok(Admitted { read, _proof: () })
}

/// A conversation recalls nothing: its state is its own.
pub(crate) async fn admit_talk(
    journey: &mut Journey,
    mut read: Read<dyn Talk>,
    now: Now,
) -> Result<Admitted<dyn Talk>, Box<Refused>> {
    if !read.call.asks_nothing()
        && let Err(fault) = pass(journey, &mut read, now).await
    {
        // Only the conversation knows which of its client's messages it refuses.
        return Err(Box::new(Refused { reply: read.call.refuse(&fault), fault }));
    }
    Ok(Admitted { read, _proof: () })
}

async fn pass<A: Asked + ?Sized>(journey: &mut Journey, read: &mut Read<A>, now: Now) -> Result<(), Fault> {
    let allowed = |journey: &mut Journey, read: &Read<A>| allowed(journey, read, now);
    allowed(journey, read)?;
    guard::guard(journey, read).await?;
    reserve::reserve(journey, read, allowed)?;
    if journey.downgraded_from.is_some() {
        // Guardrails may be for one model only: those of the one it is sent to look as well. What a refusal here had
        // reserved is given back.
        guard::guard(journey, read).await?;
    }
    Ok(())
}

/// What must be true of every model a call is sent to, the one it is downgraded to as well.
fn allowed<A: Asked + ?Sized>(journey: &mut Journey, read: &Read<A>, now: Now) -> Result<(), Fault> {
    permit::permit(journey, read, now)?;
    policy::policy(journey, read, now)
}
