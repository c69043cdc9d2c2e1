//! May this call pass? In this order: does the key permit it and is the model known ([`permit`]), do the policies allow it
//! ([`policy`]), do the guardrails let it through ([`guard`]), and have limits and budgets room for it ([`reserve`]).

mod guard;
mod permit;
mod policy;
mod reserve;

use gatehouse_domain::{Fault, Now};

pub(crate) use policy::Asker;

use crate::journey::Journey;
use crate::stages::read::Read;
use crate::stages::recall::Recalled;

/// A call that may pass, with what it may use reserved. Only [`admit`] makes one.
pub(crate) struct Admitted {
    pub(crate) read: Read,
    _proof: (),
}

pub(crate) async fn admit(journey: &mut Journey, recalled: Recalled, now: Now) -> Result<Admitted, Fault> {
    let Recalled { mut read, .. } = recalled;
    let allowed = |journey: &mut Journey, read: &Read| allowed(journey, read, now);
    allowed(journey, &read)?;
    guard::guard(journey, &mut read).await?;
    reserve::reserve(journey, &mut read, allowed)?;
    if journey.downgraded_from.is_some() {
        // Guardrails may be for one model only: those of the one it is sent to look as well. What a refusal here had
        // reserved is given back.
        guard::guard(journey, &mut read).await?;
    }
    Ok(Admitted { read, _proof: () })
}

/// What must be true of every model a call is sent to, the one it is downgraded to as well.
fn allowed(journey: &mut Journey, read: &Read, now: Now) -> Result<(), Fault> {
    permit::permit(journey, read, now)?;
    policy::policy(journey, read, now)
}
