//! What telemetry itself had to let go, so that a gap in a log or a trace is never a riddle.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    log_lines: AtomicU64,
    spans: AtomicU64,
}

impl Dropped {
    pub(crate) fn add_log_lines(&self, count: usize) {
        self.log_lines.fetch_add(count as u64, Ordering::Relaxed);
    }
    pub(crate) fn add_spans(&self, count: usize) {
        self.spans.fetch_add(count as u64, Ordering::Relaxed);
    }
    pub(crate) fn log_lines(&self) -> u64 {
        self.log_lines.load(Ordering::Relaxed)
    }
    pub(crate) fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }
}
