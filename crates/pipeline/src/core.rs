//! What one data-plane core owns, and what all of them share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gatehouse_domain::{AttemptOutcome, Code, Fault, Money};
use gatehouse_store::journal::{Intent, JournalWriter};
use gatehouse_upstream::Pool;
use tokio::runtime::RuntimeMetrics;
use tokio::sync::watch;

use crate::keeper::Keeper;
use crate::outbox::Outbox;
use crate::snapshot::Snapshot;

/// Shared by all cores and the control plane.
pub struct Shared {
    /// The current snapshot.
    pub snapshot: ArcSwap<Snapshot>,
    /// Calls under way.
    pub in_flight: AtomicUsize,
    /// Set while shutting down: new calls are refused, running ones finish.
    pub draining: AtomicBool,
    runtimes: Mutex<Vec<RuntimeMetrics>>,
}

impl Shared {
    /// Starts with this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            runtimes: Mutex::default(),
        }
    }

    /// Counts the tasks of a runtime among [`Self::tasks`].
    pub fn watch(&self, runtime: RuntimeMetrics) {
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).push(runtime);
    }

    /// Tasks alive on all runtimes: connections, calls without their callers, the gateway's own.
    #[must_use]
    pub fn tasks(&self) -> usize {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.iter().map(RuntimeMetrics::num_alive_tasks).sum()
    }

    /// Calls under way, all cores together.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// One data-plane core. Its mutexes are only ever taken by the core's own thread and are never contended.
pub struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Pool,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) keeper: Arc<Keeper>,
    journal: Mutex<JournalWriter>,
    /// Calls of this core that run without their callers.
    detached: watch::Sender<usize>,
}

/// What a core is made of.
pub struct CoreParts {
    /// Shared by all cores.
    pub shared: Arc<Shared>,
    /// This core's upstream connections.
    pub pool: Pool,
    /// This core's journal.
    pub journal: JournalWriter,
    /// Where call outcomes go.
    pub outbox: Arc<Outbox>,
    /// Where things are kept for callers; one for all cores.
    pub keeper: Arc<Keeper>,
}

impl Core {
    /// Puts a core together.
    #[must_use]
    pub fn new(parts: CoreParts) -> Self {
        let CoreParts { shared, pool, journal, outbox, keeper } = parts;
        Self { shared, pool, outbox, keeper, journal: Mutex::new(journal), detached: watch::Sender::new(0) }
    }

    /// This core's upstream connections.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Counts a call that runs without its caller, until it is dropped.
    pub(crate) fn detached(self: &Arc<Self>) -> Detached {
        self.detached.send_modify(|calls| *calls += 1);
        Detached(Arc::clone(self))
    }

    /// Waits until no call runs without its caller.
    pub async fn undetached(&self) {
        // The sender lives in here, so that waiting cannot fail.
        drop(self.detached.subscribe().wait_for(|calls| *calls == 0).await);
    }

    /// Writes down that an attempt is about to cost money: at most `ceiling`, if there is a price at all.
    pub(crate) fn intend(
        &self,
        attempt: &AttemptOutcome,
        ceiling: Option<Money>,
        input_tokens: u64,
    ) -> Result<(), Fault> {
        let intent = Intent {
            id: attempt.id,
            started_unix_ms: attempt.started_unix_ms,
            who: &attempt.who,
            run: attempt.run.as_deref(),
            tags: attempt.tags.as_deref(),
            model: &attempt.model,
            provider: &attempt.provider,
            upstream_model: &attempt.upstream_model,
            dialect: attempt.dialect,
            operation: attempt.operation,
            stream: attempt.stream,
            reserved: ceiling.unwrap_or_default(),
            priced: ceiling.is_some(),
            input_tokens,
        };
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.intent(&intent).map_err(|_| {
            Fault::new(
                Code::LedgerUnavailable,
                "usage cannot be recorded right now, so nothing that costs money may start; the operator must free disk space",
            )
            .retry_after(5)
        })
    }

    /// Writes down what it cost. Room was reserved with the intent, so this cannot fail for lack of any.
    pub(crate) fn settle(&self, attempt: &AttemptOutcome) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = journal.settle(attempt);
        debug_assert!(settled.is_ok(), "every settle has its intent, on the same core: {settled:?}");
    }
}

/// A call that runs without its caller.
pub(crate) struct Detached(Arc<Core>);

impl Drop for Detached {
    fn drop(&mut self) {
        self.0.detached.send_modify(|calls| *calls -= 1);
    }
}
