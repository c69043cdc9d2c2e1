//! Alerts: what happens that needs a person, on its way to those who asked to be told.
//!
//! Whoever notices something rings the [`Bell`]; nobody ever waits for it. [`deliver`] posts each event to every address of the
//! configuration that wants its kind. A full bell drops and counts: an alert is a courtesy, what it is about holds without.

mod deliver;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use gatehouse_catalog::written::AlertOn;
use gatehouse_domain::{Money, Now};
use gatehouse_policy::{BudgetEvent, Measure};
use gatehouse_upstream::{BreakerState, HealthTable};
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub(super) use deliver::deliver;

/// Events that wait to be taken up.
const CAPACITY: usize = 1024;

/// Items that one event names.
const ITEMS_MAX: usize = 50;

/// Something that needs a person.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// What kind it is.
    on: AlertOn,
    /// Its name, `kind.what`.
    name: &'static str,
    /// Unix milliseconds.
    at_unix_ms: u64,
    /// What happened, by kind.
    data: Value,
}

impl Event {
    /// A share of a limit or budget is reached.
    pub(crate) fn threshold(event: &BudgetEvent) -> Self {
        let money = event.measure == Measure::Money;
        let amount = |amount: i64| if money { json!(Money::from_nano_usd(amount).usd()) } else { json!(amount) };
        let data = json!({
            "payer": event.payer.to_string(), "measure": if money { "usd" } else { event.measure.as_str() },
            "per": event.window.to_string(), "share": event.share.fraction(),
            "max": amount(event.max), "used": amount(event.used),
        });
        Self { on: AlertOn::Threshold, name: "threshold.reached", at_unix_ms: event.at_unix_ms, data }
    }

    /// A breaker has opened, or closed again.
    fn breaker(target: &str, open: bool) -> Self {
        let name = if open { "breaker.opened" } else { "breaker.closed" };
        Self::now(AlertOn::Breaker, name, json!({"target": target}))
    }

    /// A configuration was refused; the one before stays in force.
    pub(crate) fn config_refused(problem: &str) -> Self {
        Self::now(AlertOn::Config, "config.refused", json!({"problem": problem}))
    }

    /// What an MCP server offers is new or has changed, and waits for approval.
    pub(crate) fn drift(server: &str, items: &[String]) -> Self {
        let shown = &items[..items.len().min(ITEMS_MAX)];
        Self::now(AlertOn::Drift, "drift.pending", json!({"mcp_server": server, "items": shown, "count": items.len()}))
    }

    fn now(on: AlertOn, name: &'static str, data: Value) -> Self {
        Self { on, name, at_unix_ms: Now(SystemTime::now()).unix_ms(), data }
    }
}

/// What is rung when something needs a person.
pub(crate) struct Bell {
    events: mpsc::Sender<Event>,
    /// Taken once, by [`deliver`].
    heard: Mutex<Option<mpsc::Receiver<Event>>>,
    dropped: AtomicU64,
    /// Breakers that were open when it was last looked.
    open: Mutex<HashMap<Arc<str>, bool>>,
}

impl Default for Bell {
    fn default() -> Self {
        let (events, heard) = mpsc::channel(CAPACITY);
        let heard = Mutex::new(Some(heard));
        Self { events, heard, dropped: AtomicU64::new(0), open: Mutex::default() }
    }
}

impl Bell {
    /// Leaves an event, or counts it as dropped.
    pub(crate) fn ring(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events that nobody was told of: dropped here, or given up.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Rings for every breaker that has opened or closed since the last look. A probe, or a target's own wish to be left
    /// alone, is neither.
    fn look_at_breakers(&self, health: &HealthTable) {
        let now = Instant::now();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (target, health) in health.all() {
            let is_open = match health.state(now).0 {
                BreakerState::Open => true,
                BreakerState::Closed => false,
                BreakerState::HalfOpen | BreakerState::CoolingDown => continue,
            };
            if open.insert(Arc::clone(&target), is_open).unwrap_or(false) != is_open {
                self.ring(Event::breaker(&target, is_open));
            }
        }
    }
}
