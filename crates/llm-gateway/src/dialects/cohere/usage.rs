//! Cohere's `usage`: what is billed, what was counted, and what came from the cache.

use gatehouse_domain::Usage;
use serde::{Deserialize, Serialize};

/// `usage`, both ways.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct UsageBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) billed_units: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_out")]
    cached_tokens: Option<f64>,
}

/// Counts of tokens. Cohere writes some of them as floats.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Tokens {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_out")]
    pub(super) input_tokens: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_out")]
    pub(super) output_tokens: Option<f64>,
}

#[allow(clippy::ref_option)]
fn whole_out<S: serde::Serializer>(count: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole(*count))
}

/// A count as a whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(count: Option<f64>) -> u64 {
    count.unwrap_or_default().max(0.0) as u64
}

#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> Option<f64> {
    Some(count as f64)
}

impl UsageBody {
    /// Disjoint counters: what is billed, where Cohere says it, because that is what costs.
    pub(super) fn to_usage(&self) -> Usage {
        let counted = self.tokens.as_ref();
        let billed = self.billed_units.as_ref();
        let pick = |of: fn(&Tokens) -> Option<f64>| whole(billed.and_then(of).or_else(|| counted.and_then(of)));
        let input = pick(|tokens| tokens.input_tokens);
        let cache_read = whole(self.cached_tokens).min(input);
        Usage { input: input - cache_read, cache_read, output: pick(|tokens| tokens.output_tokens), ..Usage::default() }
    }

    /// Cohere's view of disjoint counters.
    pub(super) fn from_usage(usage: &Usage) -> Self {
        let tokens = Tokens { input_tokens: float(usage.input_total()), output_tokens: float(usage.output_total()) };
        Self {
            billed_units: Some(tokens.clone()),
            tokens: Some(tokens),
            cached_tokens: (usage.cache_read > 0).then(|| float(usage.cache_read)).flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_billed_counts_and_cached_tokens_are_taken_out() {
        let text = r#"{"billed_units":{"input_tokens":20.0,"output_tokens":5},"tokens":{"input_tokens":90,"output_tokens":9},"cached_tokens":8}"#;
        let usage = serde_json::from_str::<UsageBody>(text).expect("usage").to_usage();
        assert_eq!((usage.input, usage.cache_read, usage.output), (12, 8, 5));
    }

    #[test]
    fn what_was_counted_stands_in_where_nothing_is_billed() {
        let text = r#"{"tokens":{"input_tokens":90,"output_tokens":9}}"#;
        assert_eq!(serde_json::from_str::<UsageBody>(text).expect("usage").to_usage().input, 90);
    }
}
