//! The scrape side: what is read off the running gateway at the moment somebody asks, next to what the consumer counted.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::dropped::Dropped;
use crate::families::Families;

/// Content type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the gateway says of itself at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Calls running now.
    pub inflight: u64,
    /// Streams of MCP that only listen.
    pub mcp_listens: u64,
    /// Tasks alive on all runtimes.
    pub tasks: u64,
    /// Every breaker: label of the target, state.
    pub breakers: Vec<(Arc<str>, BreakerState)>,
    /// Ledger records lost since the start.
    pub usage_lost: u64,
    /// Ledger records the database does not have yet.
    pub journal_pending: u64,
    /// Number of the configuration in force.
    pub config_generation: u64,
    /// Reloads accepted since the start.
    pub reloads_accepted: u64,
    /// Reloads rejected since the start.
    pub reloads_rejected: u64,
    /// Records the outboxes dropped since the start.
    pub outbox_dropped: u64,
    /// Alerts that nobody was told of since the start.
    pub alerts_dropped: u64,
    /// Rows of the request log dropped since the start.
    pub requests_dropped: u64,
    /// Refusals that are not in the audit log, since the start.
    pub refusals_dropped: u64,
    /// Has shutdown begun?
    pub draining: bool,
}

/// The state of one breaker; the number is the gauge's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed = 0,
    /// One probe passes.
    HalfOpen = 1,
    /// Nothing passes.
    Open = 2,
}

/// Renders `/metrics`. Shared with whoever serves it.
#[derive(Clone, Debug)]
pub struct Exposition {
    families: Arc<Families>,
    dropped: Arc<Dropped>,
    /// Breaker states are cleared and written anew: two scrapes at once must not see each other's gap.
    turn: Arc<Mutex<()>>,
}

impl Exposition {
    pub(crate) fn new(families: Arc<Families>, dropped: Arc<Dropped>) -> Self {
        Self { families, dropped, turn: Arc::default() }
    }

    /// The OpenMetrics text.
    #[must_use]
    pub fn render(&self, sample: &Sample) -> String {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let families = &self.families;
        set(&families.inflight, sample.inflight);
        set(&families.mcp_listens, sample.mcp_listens);
        set(&families.tasks, sample.tasks);
        families.breaker_state.clear();
        for (target, state) in &sample.breakers {
            families.breaker_state.with(&[target]).set(*state as i64);
        }
        raise(&families.usage_lost, sample.usage_lost);
        set(&families.journal_pending, sample.journal_pending);
        set(&families.config_generation, sample.config_generation);
        raise(&families.config_reloads.with(&["accepted"]), sample.reloads_accepted);
        raise(&families.config_reloads.with(&["rejected"]), sample.reloads_rejected);
        families.draining.set(i64::from(sample.draining));
        raise(&families.telemetry_dropped.with(&["outcome"]), sample.outbox_dropped);
        raise(&families.telemetry_dropped.with(&["alert"]), sample.alerts_dropped);
        raise(&families.telemetry_dropped.with(&["request"]), sample.requests_dropped);
        raise(&families.telemetry_dropped.with(&["refusal"]), sample.refusals_dropped);
        raise(&families.telemetry_dropped.with(&["log"]), self.dropped.log_lines());
        raise(&families.telemetry_dropped.with(&["span"]), self.dropped.spans());
        self.look_at_process();
        families.text()
    }

    /// Linux keeps these in /proc; elsewhere they stay 0.
    fn look_at_process(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kib) = status_field(&status, "VmRSS:") {
            set(&self.families.process_memory, kib.saturating_mul(1024));
        }
        if let Some(threads) = status_field(&status, "Threads:") {
            set(&self.families.process_threads, threads);
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // Reading the folder opens one itself.
            set(&self.families.process_fds, (entries.count() as u64).saturating_sub(1));
        }
    }
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Brings a counter up to a total that is kept elsewhere.
fn raise(counter: &Counter, total: u64) {
    counter.inner().fetch_max(total, Ordering::Relaxed);
}
