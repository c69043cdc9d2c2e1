//! May this call pass? Permitted models, policies, limits and budgets with reserve-then-settle.
//!
//! Pure: no clock, no socket, no table. Time is handed in as [`gatehouse_domain::Now`].
//!
//! - [`Permit`]: what a key may use, and whether it still counts.
//! - [`permissions`]: policies in Cedar, what they decide and why.
//! - [`Tree`]: whose limits and budgets a call touches; [`reserve`] takes what it may use out of all of them, or nothing.
//!   [`Meter`]: what one payer has used. Meters outlive configuration reloads; [`Meters`] finds them by payer.
//! - [`guardrails`]: what may not stand in a text, and what to do where it does.
//! - [`identity`]: who a bearer token of an identity provider is about.
//! - [`unknown_model`]: the refusal for a name nobody configured, with near names the caller may use.

mod counter;
mod crowd;
pub mod guardrails;
pub mod identity;
mod meter;
mod notice;
pub mod permissions;
mod permit;
mod refusal;
mod reservation;
mod suggest;
mod terms;
mod tree;
mod window;

pub use crowd::{CAPACITY as CROWD_CAPACITY, Crowd};
pub use meter::{Meter, OpenWindow, Stand};
pub use notice::{BudgetEvent, Warning};
pub use permit::{Patterns, Permit, Permitted, ToolLists};
pub use refusal::Refusal;
pub use reservation::{Reservation, reserve, standing};
pub use suggest::{suggestion, unknown_model};
pub use terms::{Cost, Measure, OnExhaust, PerMille, Rule, Terms};
pub use tree::{CallMeters, Meters, Tree, payers_of};
pub use window::{Period, Window};
