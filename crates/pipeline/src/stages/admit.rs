//! May this call pass? In this order: does the key permit it and is the model known ([`permit`]), do the policies allow it
//! ([`policy`]), do the guardrails let it through, and have limits and budgets room for it ([`reserve`]).

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

pub(crate) fn admit(journey: &mut Journey, recalled: Recalled, now: Now) -> Result<Admitted, Fault> {
    let Recalled { mut read, .. } = recalled;
    let allowed = |journey: &mut Journey, read: &Read| allowed(journey, read, now);
    allowed(journey, &read)?;
    reserve::reserve(journey, &mut read, allowed)?;
    Ok(Admitted { read, _proof: () })
}

/// What must be true of every model a call is sent to, the one it is downgraded to as well.
fn allowed(journey: &mut Journey, read: &Read, now: Now) -> Result<(), Fault> {
    permit::permit(journey, read, now)?;
    policy::policy(journey, read, now)
}
