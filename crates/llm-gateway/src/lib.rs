//! LLM traffic: six dialects, providers as values, prices, token metering. Pure: bytes and facts in, values out.
//!
//! Read in this order: `form` (the superset every dialect translates to and from), `dialects` (one folder each),
//! `providers` (one file each), `prices`, and `gateway` (the value that joins them and stands at the seam).

pub mod dialects;
pub mod estimate;
pub mod form;
pub mod gateway;
mod json;
pub mod listings;
mod passages;
pub mod prices;
pub mod providers;
mod rounds;
pub mod scan;
pub mod sse;
