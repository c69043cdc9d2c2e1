//! What models cost: a built-in catalogue of effective-dated prices, laid over by the configuration's own.
//!
//! `catalogue.tsv` is made by `build.py` (which see for where the figures come from and who wins) and embedded as
//! text, sorted, so that nothing is built at start: a look-up is a binary search that reads one model's lines.
//! Look-ups happen when a snapshot is built, never on the path of a call. docs/prices.md is the user's view.

mod catalogue;
mod names;
mod overrides;
mod price;

pub use catalogue::{Catalogue, Dated, PriceList, Row};
pub use overrides::{Override, UsdSchedule};
pub use price::{Named, OffPeak, Price, Rates, Schedule, Tier};
