//! `prices`: what models cost where the built-in catalogue has no price, or another one.

use std::collections::BTreeMap;

use gatehouse_domain::WrittenRates;
use schemars::JsonSchema;
use serde::Deserialize;

/// Prices of your own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// By `provider/model`, as the ledger names a target.
    pub overrides: BTreeMap<String, Price>,
    /// Models without a price: `allow` lets calls to them run, uncounted and marked as such; `refuse` does not.
    pub unpriced: Unpriced,
}

/// What becomes of calls to models without a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unpriced {
    /// They run, and the ledger says that their cost is not known.
    #[default]
    Allow,
    /// They are refused; a target without a price is left out of every plan.
    Refuse,
}

/// Defines a struct that has, besides fields of its own, a rate for every kind of token but plain input and output.
macro_rules! priced {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
            /// Input read from the provider's prompt cache.
            pub cache_read: Option<f64>,
            /// Input written to the prompt cache for five minutes, or for the provider's only lifetime.
            pub cache_write: Option<f64>,
            /// Input written to the prompt cache for one hour.
            pub cache_write_1h: Option<f64>,
            /// Reasoning tokens.
            pub reasoning: Option<f64>,
            /// Audio input.
            pub input_audio: Option<f64>,
            /// Audio output.
            pub output_audio: Option<f64>,
            /// Image input.
            pub input_image: Option<f64>,
            /// Image output.
            pub output_image: Option<f64>,
        }

        impl $name {
            /// Its rates, whichever are written.
            #[must_use]
            pub fn rates(&self) -> WrittenRates {
                WrittenRates {
                    input: self.input.into(),
                    output: self.output.into(),
                    cache_read: self.cache_read,
                    cache_write: self.cache_write,
                    cache_write_1h: self.cache_write_1h,
                    reasoning: self.reasoning,
                    input_audio: self.input_audio,
                    output_audio: self.output_audio,
                    input_image: self.input_image,
                    output_image: self.output_image,
                }
            }
        }
    };
}

priced! {
    /// What one model costs, in USD per million tokens. A kind of token without a price costs what the plain kind costs.
    Price {
        /// The first day of this price (UTC), as `2026-12-01`; until then the built-in one holds. Without it: since ever.
        from: Option<String>,
        /// Input tokens.
        input: f64,
        /// Output tokens.
        output: f64,
        /// Dearer or cheaper rates for long prompts, edges ascending.
        #[serde(default)]
        tiers: Vec<PriceTier>,
        /// Other ways the provider sells: `batch`, `flex`, `priority`.
        #[serde(default)]
        classes: BTreeMap<String, PriceClass>,
        /// Hours of the day with rates of their own.
        off_peak: Option<OffPeak>,
        /// Prices that take its place later, days ascending.
        #[serde(default)]
        changes: Vec<PriceChange>,
    }
}

priced! {
    /// What a model costs from one day on: whole in itself.
    PriceChange {
        /// The first day (UTC), as `2026-12-01`.
        from: String,
        /// Input tokens.
        input: f64,
        /// Output tokens.
        output: f64,
        /// Dearer or cheaper rates for long prompts, edges ascending.
        #[serde(default)]
        tiers: Vec<PriceTier>,
        /// Other ways the provider sells: `batch`, `flex`, `priority`.
        #[serde(default)]
        classes: BTreeMap<String, PriceClass>,
        /// Hours of the day with rates of their own.
        off_peak: Option<OffPeak>,
    }
}

priced! {
    /// Rates of the whole request once its prompt is longer. What is not named costs what it costs in short prompts.
    PriceTier {
        /// Input tokens of all kinds above which these rates hold.
        above: u64,
        /// Input tokens.
        input: Option<f64>,
        /// Output tokens.
        output: Option<f64>,
    }
}

priced! {
    /// Rates of another way to be served. What is not named costs what the ordinary way costs.
    PriceClass {
        /// Input tokens.
        input: Option<f64>,
        /// Output tokens.
        output: Option<f64>,
        /// Rates for long prompts, edges ascending.
        #[serde(default)]
        tiers: Vec<PriceTier>,
    }
}

priced! {
    /// Rates of some hours of the day, for the ordinary way to be served. What is not named costs what it costs otherwise.
    OffPeak {
        /// When they begin (UTC), as `16:30`.
        from: String,
        /// When they are over (UTC); before `from` if midnight lies between.
        until: String,
        /// Input tokens.
        input: Option<f64>,
        /// Output tokens.
        output: Option<f64>,
        /// Rates for long prompts, edges ascending.
        #[serde(default)]
        tiers: Vec<PriceTier>,
    }
}

impl Price {
    /// The price from its first day on, and those that take its place.
    pub fn periods(&self) -> impl Iterator<Item = PricePeriod<'_>> {
        let first = PricePeriod {
            from: self.from.as_deref(),
            rates: self.rates(),
            tiers: &self.tiers,
            classes: &self.classes,
            off_peak: self.off_peak.as_ref(),
        };
        let later = self.changes.iter().map(|change| PricePeriod {
            from: Some(&change.from),
            rates: change.rates(),
            tiers: &change.tiers,
            classes: &change.classes,
            off_peak: change.off_peak.as_ref(),
        });
        std::iter::once(first).chain(later)
    }
}

/// A price from one day on, however it is written.
#[derive(Clone, Copy, Debug)]
pub struct PricePeriod<'a> {
    /// The first day; `None`: since ever.
    pub from: Option<&'a str>,
    /// Rates of a short prompt.
    pub rates: WrittenRates,
    /// Rates of longer ones.
    pub tiers: &'a [PriceTier],
    /// Other ways to be served.
    pub classes: &'a BTreeMap<String, PriceClass>,
    /// Hours of their own.
    pub off_peak: Option<&'a OffPeak>,
}
