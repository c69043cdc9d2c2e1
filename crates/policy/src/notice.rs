//! A soft threshold was reached: what webhooks and callers are told.

use std::fmt;

use gatehouse_domain::Payer;

use crate::{Measure, PerMille, Window};

/// A payer has used such a share of one of its limits or budgets. Said once per window and share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetEvent {
    /// Whose.
    pub payer: Payer,
    /// Of what.
    pub measure: Measure,
    /// In which window.
    pub window: Window,
    /// The threshold that was reached, as configured.
    pub share: PerMille,
    /// The maximum: calls, tokens or nano-dollars.
    pub max: i64,
    /// What was used when it was reached, without what calls in flight hold.
    pub used: i64,
    /// Unix milliseconds at which it was reached.
    pub at_unix_ms: u64,
}

/// The threshold that is nearest to its end among all a call touches: `team:support usd per month 80%`, as in
/// `x-gatehouse-budget-warning`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Whose limit or budget.
    pub payer: Payer,
    /// Of what.
    pub measure: Measure,
    /// In which window.
    pub window: Window,
    /// The highest threshold that is reached.
    pub share: PerMille,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payer, measure, window, share } = self;
        write!(f, "{payer} {} per {window} {}%", measure.as_str(), share.0 / 10)
    }
}
