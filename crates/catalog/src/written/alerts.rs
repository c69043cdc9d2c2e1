//! `alerts`: who is told when something needs a person.

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;

/// An address that events are posted to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// A name for logs and metrics; unique.
    pub name: String,
    /// Where events are posted.
    pub url: String,
    /// Events are signed with it, as Standard Webhooks has it (`webhook-signature`).
    pub secret: Option<SecretText>,
    /// Which events; empty: all.
    #[serde(default)]
    pub on: Vec<AlertOn>,
    /// May the address be private or local?
    #[serde(default)]
    pub allow_private: bool,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertOn {
    /// A share of a limit or budget is reached (`warn_at`).
    Threshold,
    /// A target's breaker has opened, or closed again.
    Breaker,
    /// A configuration was refused.
    Config,
    /// What an MCP server offers is not what was approved.
    Drift,
}

impl AlertOn {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Threshold, Self::Breaker, Self::Config, Self::Drift];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Breaker => "breaker",
            Self::Config => "config",
            Self::Drift => "drift",
        }
    }
}
