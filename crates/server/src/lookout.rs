//! Who looks after the connections of one core: a head that does not come to its end, a connection nobody uses, and the
//! word that it is time to finish. All of it is looked at now and then by one task, so that a call sets no timer and reads
//! no clock for it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task::AbortHandle;

/// What a connection and the service on it have to say of themselves. Written by the connection's own task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicU32,
    open: AtomicU32,
    /// Bytes came while no call was under way: a head, most likely.
    in_head: AtomicBool,
    is_http2: AtomicBool,
    /// The connection shall end with the call under way.
    finish: AtomicBool,
    waker: OnceLock<Waker>,
}

/// A call under way on a connection, until its answer's last byte has been handed over.
#[derive(Debug)]
pub(crate) struct OpenCall(Arc<State>);

impl Calls {
    /// A head was read whole: a call begins.
    pub(crate) fn begin(&self) -> OpenCall {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.in_head.store(false, Ordering::Relaxed);
        OpenCall(Arc::clone(&self.0))
    }

    /// Bytes were read.
    pub(crate) fn heard(&self) {
        if self.0.open.load(Ordering::Relaxed) == 0 {
            self.0.in_head.store(true, Ordering::Relaxed);
        }
    }

    /// What was read so far was no head: a TLS handshake.
    pub(crate) fn nothing_yet(&self) {
        self.0.in_head.store(false, Ordering::Relaxed);
    }

    /// Heads are frames here, and hyper's pings find out whether anybody is there.
    pub(crate) fn speaks_http2(&self) {
        self.0.is_http2.store(true, Ordering::Relaxed);
    }

    /// Drives a connection; tells it once when it shall finish. Must be polled by the connection's own task alone.
    pub(crate) async fn drive<C: Future>(&self, mut connection: Pin<&mut C>, finish: fn(Pin<&mut C>)) -> C::Output {
        let mut told = false;
        poll_fn(|context| {
            // A task's waker stays the same, so that it is taken once and not with every poll.
            self.0.waker.get_or_init(|| context.waker().clone());
            if !told && self.0.finish.load(Ordering::Acquire) {
                told = true;
                finish(connection.as_mut());
            }
            connection.as_mut().poll(context)
        })
        .await
    }

    /// Waits for something before there is a connection to drive; `None` when there shall be none. Must be polled by the
    /// connection's own task alone.
    pub(crate) async fn unless_finished<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.0.waker.get_or_init(|| context.waker().clone());
            if self.0.finish.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Is a call under way?
    pub(crate) fn are_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > 0
    }

    fn finish(&self) {
        self.0.finish.store(true, Ordering::Release);
        if let Some(waker) = self.0.waker.get() {
            waker.wake_by_ref();
        }
    }

    fn standing(&self) -> Standing {
        let begun = self.0.begun.load(Ordering::Relaxed);
        if self.are_open() || self.0.is_http2.load(Ordering::Relaxed) {
            Standing::Busy
        } else if self.0.in_head.load(Ordering::Relaxed) {
            Standing::InHead { begun }
        } else {
            Standing::Idle { begun }
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection is seen doing; two equal ones in a row say that nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Busy,
    InHead { begun: u32 },
    Idle { begun: u32 },
}

/// Times of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the first byte of a head to its last.
    pub(crate) head: Duration,
    /// Without a request.
    pub(crate) idle: Duration,
}

impl Patience {
    /// How often to look: often enough to keep both times within a tenth or two.
    pub(crate) fn look_every(&self) -> Duration {
        (self.head.min(self.idle) / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

/// The connections of one core. Only its own thread takes the lock.
#[derive(Debug, Default)]
pub(crate) struct Lookout(Mutex<Connections>);

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    calls: Calls,
    task: Option<AbortHandle>,
    seen: Standing,
    /// For how many looks in a row.
    looks: u32,
}

/// A connection's place; dropped with its task.
#[derive(Debug)]
pub(crate) struct Place {
    lookout: Arc<Lookout>,
    number: u64,
}

impl Lookout {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections open.
    pub(crate) fn open(&self) -> usize {
        self.connections().open.len()
    }

    /// A new connection.
    pub(crate) fn enter(self: &Arc<Self>, calls: Calls) -> Place {
        let mut connections = self.connections();
        let number = connections.next;
        connections.next += 1;
        let seen = calls.standing();
        connections.open.insert(number, Connection { calls, task: None, seen, looks: 0 });
        Place { lookout: Arc::clone(self), number }
    }

    /// The task that drives a connection which has entered. One that has ended by then is not there any more.
    pub(crate) fn driven_by(&self, number: u64, task: AbortHandle) {
        if let Some(connection) = self.connections().open.get_mut(&number) {
            connection.task = Some(task);
        }
    }

    /// Has every connection end with its call under way.
    pub(crate) fn finish(&self) {
        for connection in self.connections().open.values() {
            connection.calls.finish();
        }
    }

    /// One look: ends those that have tried the patience.
    pub(crate) fn look(&self, patience: Patience) {
        let every = patience.look_every();
        let looks = |time: Duration| u32::try_from(time.as_nanos().div_ceil(every.as_nanos())).unwrap_or(u32::MAX);
        let (head, idle) = (looks(patience.head), looks(patience.idle));
        for connection in self.connections().open.values_mut() {
            let standing = connection.calls.standing();
            if connection.seen != standing {
                (connection.seen, connection.looks) = (standing, 0);
                continue;
            }
            connection.looks += 1;
            let is_over = match standing {
                Standing::Busy => false,
                Standing::InHead { .. } => connection.looks >= head,
                Standing::Idle { .. } => connection.looks >= idle,
            };
            if let (true, Some(task)) = (is_over, &connection.task) {
                // Its future is dropped by the runtime, and with it the socket.
                task.abort();
            }
        }
    }
}

impl Place {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lookout.connections().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: Duration::from_secs(10), idle: Duration::from_secs(75) };

    /// Looks until the connection is ended, at most so many times; says how many it took.
    fn looks_until_ended(calls: &Calls, looks_max: u32) -> Option<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let lookout = Arc::new(Lookout::default());
        let place = lookout.enter(calls.clone());
        let task = runtime.spawn(std::future::pending::<()>());
        lookout.driven_by(place.number(), task.abort_handle());
        (1..=looks_max).find(|_| {
            lookout.look(PATIENCE);
            runtime.block_on(tokio::task::yield_now());
            task.is_finished()
        })
    }

    #[test]
    fn an_unfinished_head_is_given_up_long_before_an_idle_connection() {
        let calls = Calls::default();
        assert_eq!(looks_until_ended(&calls, 200), Some(75));
        calls.heard();
        assert_eq!(looks_until_ended(&calls, 200), Some(10));
    }

    #[test]
    fn a_slow_body_is_no_slow_head_and_a_call_is_never_ended() {
        let calls = Calls::default();
        calls.heard();
        let open = calls.begin();
        calls.heard();
        assert_eq!(looks_until_ended(&calls, 200), None);
        drop(open);
        assert_eq!(looks_until_ended(&calls, 200), Some(75));
    }

    #[tokio::test]
    async fn who_waits_for_a_connection_to_begin_is_told_to_finish() {
        let lookout = Arc::new(Lookout::default());
        let calls = Calls::default();
        let _place = lookout.enter(calls.clone());
        let waiting = tokio::spawn(async move { calls.unless_finished(std::future::pending::<()>()).await });
        tokio::task::yield_now().await;
        lookout.finish();
        assert_eq!(waiting.await.unwrap(), None);
    }

    #[test]
    fn a_connection_that_is_used_now_and_then_is_not_idle() {
        let lookout = Arc::new(Lookout::default());
        let calls = Calls::default();
        let place = lookout.enter(calls.clone());
        for _ in 0..200 {
            lookout.look(PATIENCE);
            drop(calls.begin());
        }
        assert_eq!(lookout.connections().open[&place.number()].looks, 0);
        drop(place);
        assert_eq!(lookout.open(), 0);
    }
}
