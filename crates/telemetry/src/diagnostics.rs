//! What the control plane has to say about itself: start, reload, shutdown, a provider that went away. To standard
//! error, so that standard output carries the request log and nothing else.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::util::TryInitError;

use crate::log::LogFormat;

/// Installs the subscriber. `filter` is a tracing filter (`info`, `gatehouse=debug`); one that cannot be read counts as
/// `info`. `LogFormat::Off` turns off the request log only: diagnostics are then text.
///
/// # Errors
/// When one is installed already.
pub fn init_diagnostics(format: LogFormat, filter: &str) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_current_span(false)).try_init(),
        LogFormat::Text | LogFormat::Off => registry.with(layer.compact()).try_init(),
    }
}
