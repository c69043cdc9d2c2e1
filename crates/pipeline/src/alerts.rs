//! Where the data plane leaves thresholds that were reached; the control plane takes them from here to whoever is to be
//! told. One for all cores: an event comes once per window and threshold, not once per call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use gatehouse_policy::BudgetEvent;

/// Events that wait at most.
const CAPACITY: usize = 4096;

/// A bounded buffer of events. Full, it drops what comes and counts it: an alert is a courtesy, the budget itself holds.
#[derive(Debug, Default)]
pub struct Alerts {
    events: Mutex<Vec<BudgetEvent>>,
    dropped: AtomicU64,
}

impl Alerts {
    /// Leaves an event, or counts it as dropped.
    pub(crate) fn push(&self, event: BudgetEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < CAPACITY {
            events.push(event);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what has been left.
    #[must_use]
    pub fn take(&self) -> Vec<BudgetEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many events were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::{Payer, PayerKind};
    use gatehouse_policy::{Measure, PerMille, Window};

    use super::*;

    #[test]
    fn full_it_drops_and_counts_and_takes_again_once_emptied() {
        let alerts = Alerts::default();
        let event = BudgetEvent {
            payer: Payer::new(PayerKind::Team, "support"),
            measure: Measure::Money,
            window: Window::LIFE,
            share: PerMille(800),
            max: 10,
            used: 8,
            at_unix_ms: 0,
        };
        (0..=CAPACITY).for_each(|_| alerts.push(event.clone()));
        assert_eq!((alerts.take().len(), alerts.dropped()), (CAPACITY, 1));
        alerts.push(event);
        assert_eq!((alerts.take().len(), alerts.dropped()), (1, 1));
    }
}
