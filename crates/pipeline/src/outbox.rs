//! Where the data plane leaves the record of a finished call: one outbox per core, emptied by the control plane.
//!
//! A push is one uncontended lock and a move; nobody is woken. A control-plane task swaps the buffer out every
//! [`SWAP_EVERY`], so telemetry costs the path of a call nothing that depends on who reads it.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatehouse_domain::CallOutcome;

/// How often the consumer looks: what it costs to be told later, not what it costs to be told.
pub const SWAP_EVERY: Duration = Duration::from_millis(20);

/// Records an outbox holds when the builder does not say: about 100 ms of one core at its fastest, 2 MiB.
pub const CAPACITY: usize = 8192;

/// A bounded buffer of outcomes. Full, it drops what comes and counts it: telemetry may lose a record, the ledger,
/// which has its own way, may not.
#[derive(Debug)]
pub struct Outbox {
    records: Mutex<Vec<CallOutcome>>,
    capacity: usize,
    dropped: AtomicU64,
}

impl Outbox {
    /// An empty one that holds at most so many records. Memory grows with use up to that.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { records: Mutex::new(Vec::new()), capacity, dropped: AtomicU64::new(0) }
    }

    /// Leaves a record, or counts it as dropped.
    pub fn push(&self, outcome: CallOutcome) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < self.capacity {
            records.push(outcome);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Exchanges what has been left for an empty buffer, which keeps its memory for the next round.
    pub fn swap(&self, batch: &mut Vec<CallOutcome>) {
        batch.clear();
        mem::swap(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner), batch);
    }

    /// Gives back what a load's records took that no record needs now.
    pub fn shrink(&self) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).shrink_to_fit();
    }

    /// How many records were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use gatehouse_domain::RequestId;
    use uuid::Uuid;

    use super::*;

    fn outcome(n: u128) -> CallOutcome {
        CallOutcome {
            id: RequestId(Uuid::from_u128(n)),
            started_unix_ms: 0,
            who: None,
            run: None,
            tags: None,
            decision: None,
            guardrails: Vec::new(),
            guardrails_us: 0,
            dialect: "openai_chat",
            operation: "chat",
            model: None,
            stream: false,
            status: 200,
            fault: None,
            finish: None,
            duration_us: 0,
            overhead_us: 0,
            first_byte_us: 0,
            bytes_in: 0,
            bytes_out: 0,
            route: None,
            traceparent: None,
            attempts: Vec::new(),
        }
    }

    #[test]
    fn records_come_out_in_the_order_they_went_in() {
        let outbox = Outbox::new(8);
        let mut batch = vec![outcome(99)];
        outbox.push(outcome(1));
        outbox.push(outcome(2));
        outbox.swap(&mut batch);
        assert_eq!(batch.iter().map(|o| o.id.0.as_u128()).collect::<Vec<_>>(), [1, 2]);
        outbox.swap(&mut batch);
        assert!(batch.is_empty());
    }

    #[test]
    fn a_full_outbox_drops_and_counts_and_takes_again_once_emptied() {
        let outbox = Outbox::new(1);
        outbox.push(outcome(1));
        outbox.push(outcome(2));
        assert_eq!(outbox.dropped(), 1);
        outbox.swap(&mut Vec::new());
        outbox.push(outcome(3));
        assert_eq!(outbox.dropped(), 1);
    }

    #[test]
    fn nothing_is_lost_or_doubled_between_a_pushing_core_and_the_consumer() {
        let outbox = Arc::new(Outbox::new(1_000_000));
        let core = thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || (0..10_000).for_each(|n| outbox.push(outcome(n)))
        });
        let (mut seen, mut batch) = (Vec::new(), Vec::new());
        while seen.len() < 10_000 {
            outbox.swap(&mut batch);
            seen.extend(batch.iter().map(|o| o.id.0.as_u128()));
        }
        core.join().unwrap();
        assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
    }
}
