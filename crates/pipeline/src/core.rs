//! What one data-plane core owns, and what all of them share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gatehouse_domain::{AttemptOutcome, Code, Fault, Money};
use gatehouse_policy::permissions::{Decision, DecisionCache, Permissions, Question};
use gatehouse_store::journal::{Intent, JournalWriter};
use gatehouse_upstream::Pool;
use tokio::runtime::RuntimeMetrics;
use tokio::sync::watch;

use crate::alerts::Alerts;
use crate::keeper::Keeper;
use crate::outbox::Outbox;
use crate::snapshot::Snapshot;
use crate::token_cache::TokenCache;

/// Shared by all cores and the control plane.
pub struct Shared {
    /// The current snapshot.
    pub snapshot: ArcSwap<Snapshot>,
    /// Calls under way.
    pub in_flight: AtomicUsize,
    /// Thresholds that were reached and nobody has been told of yet.
    pub alerts: Alerts,
    /// Set while shutting down: new calls are refused, running ones finish.
    draining: AtomicBool,
    /// The same, for those who wait for it.
    drain: watch::Sender<bool>,
    runtimes: Mutex<Vec<RuntimeMetrics>>,
}

impl Shared {
    /// Starts with this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            in_flight: AtomicUsize::new(0),
            alerts: Alerts::default(),
            draining: AtomicBool::new(false),
            drain: watch::Sender::new(false),
            runtimes: Mutex::default(),
        }
    }

    /// From now on new calls are refused, running ones finish, and those that only listen are told to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.drain.send_replace(true);
    }

    /// Is it shutting down?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Waits until it is.
    pub async fn drained(&self) {
        // The sender lives in here, so that waiting cannot fail.
        drop(self.drain.subscribe().wait_for(|draining| *draining).await);
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
    pub(crate) tokens: TokenCache,
    journal: Mutex<JournalWriter>,
    decisions: Mutex<DecisionCache>,
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
        Self {
            shared,
            pool,
            outbox,
            keeper,
            tokens: TokenCache::default(),
            journal: Mutex::new(journal),
            decisions: Mutex::default(),
            detached: watch::Sender::new(0),
        }
    }

    /// This core's upstream connections.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What the policies say, as this core remembers it or finds it out now.
    pub(crate) fn decide(&self, permissions: &Arc<Permissions>, question: &Question<'_>) -> Arc<Decision> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner).decide(permissions, question)
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
