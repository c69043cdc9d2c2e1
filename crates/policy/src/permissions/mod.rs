//! Permissions in Cedar: may this caller do this to that, under these circumstances?
//!
//! ```text
//! files ─ load ─▶ PolicySet ┐
//!                           ├─ Permissions ─ decide (or the cache in front of it) ─▶ Decision
//! facts ────────▶ Directory ┘
//! ```
//!
//! Nothing outside this folder names a type of Cedar. With no policy at all everything passes that the key permits; as
//! soon as a policy can apply to a kind of resource, what no policy permits on that kind is refused, and a forbid wins.

mod cache;
mod circumstances;
mod decision;
mod directory;
mod entities;
mod load;
mod question;
mod references;
mod words;

#[cfg(test)]
mod tests;

pub use cache::DecisionCache;
pub use circumstances::Circumstances;
pub use decision::{Basis, Decision, EvaluationError, Permissions};
pub use directory::{Directory, Fact, Thing, server_of};
pub use load::{Literal, PolicyProblem, PolicyProblems, PolicySet};
pub use question::{Caller, Question};
pub use words::{ACTIONS, Kind, Named, SCHEMA, kind_of_action};
