//! Limits and budgets of a key, in the words of the configuration file.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;

/// One limit: exactly one of `requests`, `tokens` (both with `per`) and `concurrent` (without).
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limit {
    /// The most requests in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
    /// The most tokens in a window, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    /// The most calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent: Option<u32>,
    /// The window.
    #[serde(skip_serializing_if = "Option::is_none")]
    per: Option<LimitWindow>,
}

/// The window of a limit.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitWindow {
    Second,
    Minute,
    Hour,
    Day,
}

/// One budget.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// The most USD in a window.
    usd: f64,
    /// The window, by the calendar in UTC; `life` never starts anew.
    per: BudgetWindow,
}

/// The window of a budget.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BudgetWindow {
    Day,
    Week,
    Month,
    Life,
}

impl Limit {
    /// Refuses what has no meaning.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let form = "Write {\"requests\": 600, \"per\": \"minute\"}, {\"tokens\": 200000, \"per\": \"minute\"} or \
                    {\"concurrent\": 50}.";
        match (self.requests, self.tokens, self.concurrent, self.per) {
            (Some(0), ..) | (_, Some(0), ..) | (_, _, Some(0), _) => {
                Err(ApiError::invalid("A limit of 0 would refuse every call.", "Revoke the key instead."))
            }
            (Some(_), None, None, Some(_)) | (None, Some(_), None, Some(_)) | (None, None, Some(_), None) => Ok(()),
            _ => Err(ApiError::invalid("A limit is one of requests, tokens and concurrent.", form)),
        }
    }
}

impl Budget {
    /// Refuses what has no meaning.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        // More than a billion is a slip of the finger; this way not-a-number is refused too.
        if self.usd > 0.0 && self.usd <= 1e9 {
            return Ok(());
        }
        Err(ApiError::invalid("A budget is more than 0 and at most 1,000,000,000 USD.", "Revoke the key to stop it."))
    }
}
