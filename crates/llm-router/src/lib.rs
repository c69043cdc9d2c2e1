//! Which target answers a call: strategies, fallback plans, explanations. Pure.
//!
//! Read in this order: `routes` (models as configured, checked once), `strategies` (one file each), `plan` (the choice
//! for one call), `explanation` (the choice in words).

mod explanation;
mod plan;
mod routes;
pub mod strategies;

pub use explanation::{Excluded, Explanation, Step};
pub use plan::{NoneReady, Plan, Reason, Skipped, plan};
pub use routes::{ModelSpec, Pool, Problem, Route, Routes, TargetSpec};
