//! Budgets as they are configured.

use gatehouse_domain::Money;

use crate::Period;

/// So much money per period: what a key or a team may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSpec {
    /// The most that calls started in one window may cost.
    pub max: Money,
    /// The window. `Life` never starts afresh.
    pub per: Period,
}
