//! `models`: what clients name, and where each name leads.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Limit, Timeouts};

/// One name clients may send as "model".
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// How a target is chosen. Without it: `weighted` if any target has a weight, else `priority` (in the order written).
    pub strategy: Option<String>,
    /// Where calls go.
    pub targets: Vec<Target>,
    /// Other models of this file to try, in order, when no target of this one could answer.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// Timers for the targets of this model, in place of their providers'.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How fast all callers together may call it.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// How much all callers together may spend on it.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}

/// A provider and one of its models.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A name from `providers`.
    pub provider: String,
    /// The provider's own name of the model; `*` under a model name that ends in `*`.
    pub model: String,
    /// Share of the calls under strategy `weighted`, relative to the other targets. 0 takes it out. Without it: 1.
    pub weight: Option<u32>,
}
