//! Reserve before a call, settle after it, over every payer the call touches.
//!
//! A reservation takes the most a call can use out of every window of every payer, or nothing at all; so any number of
//! threads against one dollar spend at most one dollar. Payers are asked one after the other, and a refusal gives back what
//! the ones before had given: for that moment a call elsewhere may be refused that would just have fitted, but nothing is ever
//! let through that does not fit.
//!
//! Settling puts back what was not used. A reservation that is dropped unsettled is a call that never ran: everything goes
//! back. **Which window a call belongs to**: the one in which it was reserved, as in the ledger. If that window is over when
//! the call settles, what it left unused is forgotten with the window, and only what it used *beyond* its reservation is
//! booked, to the window that is open now; otherwise long calls with low estimates would pass every limit.

use std::sync::Arc;

use gatehouse_domain::{Money, Now, Standing};
use smallvec::SmallVec;

use crate::meter::{Seen, Taken, Told};
use crate::terms::Used;
use crate::{BudgetEvent, Cost, Meter, Refusal, Warning};

/// Payers of one call that need no allocation. More are possible.
const INLINE: usize = 6;

/// What a call has taken out of its payers' windows. Settle it, or drop it to give everything back.
#[derive(Debug)]
#[must_use = "a reservation that is dropped gives everything back"]
pub struct Reservation {
    holds: SmallVec<[(Arc<Meter>, Taken); INLINE]>,
    cost: Cost,
    standing: Standing,
    warning: Option<Warning>,
}

/// Takes a call's most out of every payer's windows, or nothing.
///
/// # Errors
/// The first limit or budget that has not enough left. [`Refusal::fault`] says it to the caller.
pub fn reserve<'a>(
    payers: impl IntoIterator<Item = &'a Arc<Meter>>,
    now: Now,
    cost: Cost,
) -> Result<Reservation, Box<Refusal>> {
    let now = now.unix_ms();
    let mut reservation = Reservation { holds: SmallVec::new(), cost, standing: Standing::default(), warning: None };
    let mut seen = Seen::default();
    for meter in payers {
        // A refusal drops what was taken so far, which gives it back.
        let taken = meter.take(now, &cost, &mut seen)?;
        reservation.holds.push((Arc::clone(meter), taken));
    }
    (reservation.standing, reservation.warning) = (seen.standing, seen.warning);
    Ok(reservation)
}

/// Where payers stand, for rate-limit headers: for each measure the limit nearest to its end.
/// [`Reservation::standing`] is the same without a second look.
#[must_use]
pub fn standing<'a>(payers: impl IntoIterator<Item = &'a Arc<Meter>>, now: Now) -> Standing {
    let mut standing = Standing::default();
    payers.into_iter().for_each(|meter| meter.stand(now.unix_ms(), &mut standing));
    standing
}

impl Reservation {
    /// Books what the call really used; the request itself stays counted. Thresholds that are reached by it are told to
    /// `tell`. Returns the highest threshold that is reached now.
    pub fn settle(mut self, now: Now, tokens: u64, money: Money, mut tell: impl FnMut(BudgetEvent)) -> Option<Warning> {
        let used = Used::by_call(tokens, money);
        let mut warning = None;
        for (meter, taken) in self.holds.drain(..) {
            let mut told = Told { tell: &mut tell, warning: &mut warning };
            meter.settle(&taken, now.unix_ms(), &self.cost, &used, &mut told);
        }
        warning
    }

    /// Where the payers stood when this was reserved.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The highest threshold that had been reached when this was reserved.
    #[must_use]
    pub fn warning(&self) -> Option<&Warning> {
        self.warning.as_ref()
    }

    /// Did the call have no price?
    #[must_use]
    pub fn unpriced(&self) -> bool {
        self.cost.ceiling.is_none()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for (meter, taken) in self.holds.drain(..) {
            meter.give_back(&taken, &self.cost);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
