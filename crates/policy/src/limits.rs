//! Limits as they are configured.

use crate::{Measure, Period};

/// One limit of a key or a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSpec {
    /// So many calls per period.
    Requests {
        /// The most calls in one window.
        max: u64,
        /// The window.
        per: Period,
    },
    /// So many tokens per period, input and output together.
    Tokens {
        /// The most tokens in one window.
        max: u64,
        /// The window.
        per: Period,
    },
    /// So many calls at the same time.
    Concurrent {
        /// The most calls in flight.
        max: u64,
    },
}

impl LimitSpec {
    /// The measure, window and maximum of a counted limit; `None` for a limit on what is in flight.
    pub(crate) fn counted(self) -> Option<(Measure, Period, i64)> {
        let (measure, per, max) = match self {
            Self::Requests { max, per } => (Measure::Requests, per, max),
            Self::Tokens { max, per } => (Measure::Tokens, per, max),
            Self::Concurrent { .. } => return None,
        };
        Some((measure, per, i64::try_from(max).unwrap_or(i64::MAX)))
    }
}
