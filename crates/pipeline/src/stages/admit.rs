//! May this call pass? In this order: does the key permit it and is the model known ([`permit`]), do the policies allow it,
//! do the guardrails let it through, and have limits and budgets room for it ([`reserve`]).

mod permit;
mod reserve;

use gatehouse_domain::{Fault, Now};

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
    permit::permit(&read)?;
    reserve::reserve(journey, &read, now)?;
    Ok(Admitted { read, _proof: () })
}
