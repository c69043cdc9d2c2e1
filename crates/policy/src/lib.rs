//! May this call pass? Permitted models, policies, limits and budgets with reserve-then-settle.
//!
//! Pure: no clock, no socket, no table. Time is handed in as [`gatehouse_domain::Now`].
//!
//! - [`Permit`]: what a key may use, and whether it still counts.
//! - [`permissions`]: policies in Cedar, what they decide and why.
//! - [`Meter`]: what a key, team or other payer has used in its current windows. Meters outlive configuration reloads;
//!   [`Meters`] finds them by name.
//! - [`unknown_model`]: the refusal for a name nobody configured, with near names the caller may use.

mod budget;
mod limits;
mod meter;
pub mod permissions;
mod permit;
mod refusal;
mod suggest;
mod window;

pub use budget::BudgetSpec;
pub use limits::LimitSpec;
pub use meter::{Cost, Meter, Meters, OpenWindow, Reservation, Terms};
pub use permit::{Patterns, Permit, Permitted};
pub use refusal::Refusal;
pub use suggest::{suggestion, unknown_model};
pub use window::{Measure, Period};
