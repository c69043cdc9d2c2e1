//! Seeing: what became of a call, as metrics, a log line and spans, all from its one outcome record, so that they cannot
//! disagree. Part of the roof: only the binary depends on it, and it owns the exporters.
//!
//! The data plane leaves records in outboxes; one control-plane task swaps them out and hands each batch to
//! [`Consumer::take`]. `/metrics` renders the [`Exposition`].

pub mod names;

mod consumer;
mod diagnostics;
mod dropped;
mod exposition;
mod families;
mod json_line;
mod log;
mod metrics;
mod otlp;
mod sink;
mod trace;
mod transport;
mod vocabulary;

pub use consumer::{Consumer, Settings, StartError};
pub use diagnostics::init_diagnostics;
pub use exposition::{BreakerState, CONTENT_TYPE, Exposition, Sample};
pub use log::LogFormat;
pub use otlp::Origin;
pub use vocabulary::Vocabulary;

#[cfg(test)]
mod tests;
