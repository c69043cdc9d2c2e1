//! Where a payer stands with its limits.

/// One limit as rate-limit headers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// The maximum of the window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Seconds until the next window; 0 if there is none.
    pub resets_in_secs: u64,
}

/// Where a payer stands: for each measure the limit that is nearest to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Limits on calls.
    pub requests: Option<Gauge>,
    /// Limits on tokens.
    pub tokens: Option<Gauge>,
}
