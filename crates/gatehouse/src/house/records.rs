//! What becomes of outcomes in the database: a row of the request log per call, an audit entry per refusal. One
//! control-plane task writes both in batches; what waits for it is bounded, and what does not fit is dropped and counted.
//! No call ever waits for it.
//!
//! The task keeps the house of both logs, too: checkpoints every hour and at shutdown, and what is past its time is deleted,
//! a bounded batch at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gatehouse_domain::{CallOutcome, DEFAULT_ORGANISATION, Now};
use gatehouse_store::audit::{Actor, AuditLog, Refusal, Refusals};
use gatehouse_store::{RequestEntry, RequestLog, Store, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// Calls that may wait for the database: a second of a busy gateway, 2 MB.
const WAITING_MAX: usize = 20_000;
/// How old a row may be before it is written.
const WRITE_EVERY: Duration = Duration::from_millis(250);
/// Rows of one transaction.
const ROWS: usize = 1_024;
/// How often a checkpoint is signed for every chain that has grown.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3_600);
/// How often what is past its time is looked for, and batches deleted then.
const PURGE_EVERY: Duration = Duration::from_secs(60);
const PURGE_BATCHES: usize = 50;

/// Where outcomes are left for the two logs. Shared.
#[derive(Debug)]
pub(crate) struct Records {
    waiting: Mutex<Waiting>,
    /// Is there a request log?
    logs: AtomicBool,
    /// Refusals that no call carries: those of the admin API.
    refusals: Mutex<Refusals>,
    requests_dropped: AtomicU64,
    refusals_dropped: AtomicU64,
}

/// Calls that wait for the database.
#[derive(Debug, Default)]
struct Waiting {
    log: RequestLog,
    entries: Vec<RequestEntry>,
}

/// How long rows and entries are kept, as the configuration in force says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keep {
    /// Rows of the request log; `None`: none are written.
    pub(crate) requests: Option<Duration>,
    /// Entries of the audit log; `None`: for ever.
    pub(crate) audit: Option<Duration>,
}

/// The task that writes.
pub(crate) struct Recorder {
    records: Arc<Records>,
    store: Store,
    audit: AuditLog,
    /// Taken over and not written yet.
    entries: Vec<RequestEntry>,
    /// Is the database failing? Said once.
    troubled: bool,
}

impl Records {
    /// With nothing waiting, and the task that is to be run.
    pub(crate) fn open(store: &Store) -> Result<(Arc<Self>, Recorder), StoreError> {
        let records = Arc::new(Self {
            waiting: Mutex::default(),
            logs: AtomicBool::new(true),
            refusals: Mutex::default(),
            requests_dropped: AtomicU64::new(0),
            refusals_dropped: AtomicU64::new(0),
        });
        let recorder = Recorder {
            records: Arc::clone(&records),
            store: store.clone(),
            audit: store.audit()?,
            entries: Vec::new(),
            troubled: false,
        };
        Ok((records, recorder))
    }

    /// Takes a batch over, or drops and counts what there is no room for. Leaves an empty one.
    pub(crate) fn take(&self, batch: &mut Vec<CallOutcome>) {
        if batch.is_empty() {
            return;
        }
        let mut refusals = self.refusals();
        batch.iter().filter_map(refusal).for_each(|refusal| refusals.take(refusal));
        drop(refusals);
        if !self.logs.load(Ordering::Relaxed) {
            return batch.clear();
        }
        let mut waiting = self.waiting();
        let Waiting { log, entries } = &mut *waiting;
        let room = WAITING_MAX.saturating_sub(entries.len()).min(batch.len());
        self.requests_dropped.fetch_add((batch.len() - room) as u64, Ordering::Relaxed);
        batch.truncate(room);
        entries.extend(batch.drain(..).filter_map(|call| log.entry(call)));
    }

    /// Takes a refusal that no call carries. Floods are counted, not listed.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusals().take(refusal);
    }

    /// Calls that are in no row because there was no room.
    pub(crate) fn requests_dropped(&self) -> u64 {
        self.requests_dropped.load(Ordering::Relaxed)
    }

    /// Refusals that are in no entry because the database failed.
    pub(crate) fn refusals_dropped(&self) -> u64 {
        self.refusals_dropped.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Writes until told to stop, then what is left. `keep` says what is in force now.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>, keep: impl Fn() -> Keep) {
        let mut ticks = tokio::time::interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_checkpoint = Instant::now() + CHECKPOINT_EVERY;
        let mut next_purge = Instant::now();
        loop {
            self.records.logs.store(keep().requests.is_some(), Ordering::Relaxed);
            tokio::select! {
                biased;
                // An error means that the sender is gone, which is a stop, too.
                _ = stopping.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => {}
            }
            self.write(false).await;
            let now = Instant::now();
            if now >= next_checkpoint {
                next_checkpoint = now + CHECKPOINT_EVERY;
                self.checkpoint().await;
            }
            if now >= next_purge {
                next_purge = now + PURGE_EVERY;
                self.purge(keep()).await;
            }
        }
        self.write(true).await;
        self.checkpoint().await;
    }

    /// Writes what has come, refusals first: they are few. What cannot be written waits for the next time.
    async fn write(&mut self, last: bool) {
        let due = {
            let mut refusals = self.records.refusals();
            if last { refusals.rest() } else { refusals.due(now_ms()) }
        };
        if !due.is_empty() {
            let count: u64 = due.iter().map(|event| event.count).sum();
            let written = self.audit.append(due).await;
            if let Err(error) = written {
                // Held back they would grow without bound; counted, the gap is known.
                self.records.refusals_dropped.fetch_add(count, Ordering::Relaxed);
                tracing::error!(%error, count, "refusals are missing from the audit log");
            }
        }
        self.write_requests().await;
    }

    async fn write_requests(&mut self) {
        loop {
            if self.entries.is_empty() {
                let mut waiting = self.records.waiting();
                let count = waiting.entries.len().min(ROWS);
                self.entries.extend(waiting.entries.drain(..count));
                // What a burst took goes back.
                waiting.entries.shrink_to(ROWS);
            }
            if self.entries.is_empty() {
                return;
            }
            if let Err(error) = self.store.insert_requests(&self.entries).await {
                if !std::mem::replace(&mut self.troubled, true) {
                    tracing::warn!(%error, "the request log cannot be written; calls go on, rows wait");
                }
                return;
            }
            self.troubled = false;
            self.entries.clear();
        }
    }

    async fn checkpoint(&self) {
        if let Err(error) = self.audit.checkpoint(now_ms()).await {
            tracing::warn!(%error, "no checkpoint of the audit log was signed");
        }
    }

    /// Deletes what is past its time: never more at once than others may wait for.
    async fn purge(&self, keep: Keep) {
        let before = |age: Duration| now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let purged = async {
            if let Some(age) = keep.requests {
                for _ in 0..PURGE_BATCHES {
                    if self.store.purge_requests(before(age)).await? == 0 {
                        break;
                    }
                }
            }
            match keep.audit {
                Some(age) => self.audit.delete_before(before(age), now_ms()).await,
                None => Ok(0),
            }
        };
        if let Err(error) = purged.await {
            tracing::warn!(%error, "what is past its time was not deleted; tried again in a minute");
        }
    }
}

/// The refusal a call ended in, if it was one: a decision of permissions, limits, budgets, guardrails or authentication.
/// What went wrong elsewhere (a provider, the request's form, the gateway itself) is no decision.
fn refusal(call: &CallOutcome) -> Option<Refusal> {
    let code = call.fault.filter(|code| is_decision(code, call.status))?;
    let who = call.who.as_deref();
    Some(Refusal {
        at_unix_ms: call.started_unix_ms,
        organisation: who.map_or(DEFAULT_ORGANISATION, |who| &who.organisation).to_owned(),
        actor: who.map_or_else(Actor::default, |who| Actor {
            who: who.agent.as_ref().or(who.user.as_ref()).unwrap_or(&who.name).to_string(),
            key: Some(who.key.to_string()),
            role: who.role.map(|role| role.as_str().to_owned()),
            address: None,
        }),
        action: format!("call.{}", call.operation),
        object: call.model.as_ref().map(|model| ("model".to_owned(), model.to_string())),
        request_id: call.id.to_string(),
        code,
    })
}

/// By its status a refusal is told from a failure; providers refuse, too, and guardrails may refuse in mid-stream.
fn is_decision(code: &str, status: u16) -> bool {
    let ours = !code.starts_with("upstream_");
    ours && (matches!(status, 401 | 402 | 403 | 429) || code.starts_with("guardrail") || code == "unknown_model")
}

fn now_ms() -> u64 {
    Now(SystemTime::now()).unix_ms()
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::{Principal, PrincipalKind};

    use super::*;

    fn call(code: Option<&'static str>, status: u16) -> CallOutcome {
        let who = Principal { team: Some("support".into()), ..Principal::bare(PrincipalKind::Service, "key_1", "ci") };
        CallOutcome { fault: code, status, who: Some(Arc::new(who)), operation: "chat", ..CallOutcome::default() }
    }

    #[test]
    fn decisions_are_refusals_and_failures_are_not() {
        for (code, status, expected) in [
            (Some("not_allowed"), 403, true),
            (Some("rate_limited"), 429, true),
            (Some("unknown_key"), 401, true),
            (Some("unknown_model"), 404, true),
            (Some("guardrail_blocked"), 200, true),
            (Some("upstream_limited"), 429, false),
            (Some("invalid_json"), 400, false),
            (Some("internal"), 500, false),
            (None, 200, false),
        ] {
            assert_eq!(refusal(&call(code, status)).is_some(), expected, "{code:?} {status}");
        }
    }

    #[test]
    fn a_caller_nobody_knows_is_refused_on_the_chain_of_the_default_organisation() {
        let refusal = refusal(&CallOutcome { who: None, ..call(Some("unknown_key"), 401) }).unwrap();
        assert_eq!((&*refusal.organisation, refusal.actor), ("default", Actor::default()));
    }

    #[tokio::test]
    async fn calls_beyond_the_room_there_is_are_dropped_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let dir = gatehouse_store::DataDir::create(folder.path().join("data")).unwrap();
        let (records, mut recorder) = Records::open(&Store::open(&dir).await.unwrap()).unwrap();
        let batch = |count| (0..count).map(|_| call(None, 200)).collect::<Vec<_>>();
        records.take(&mut batch(WAITING_MAX - 1));
        records.take(&mut batch(8));
        assert_eq!((records.requests_dropped(), records.waiting().entries.len()), (7, WAITING_MAX));
        recorder.write(true).await;
        assert_eq!(records.waiting().entries.len(), 0);
        records.take(&mut batch(7));
        assert_eq!(records.requests_dropped(), 7);
    }
}
