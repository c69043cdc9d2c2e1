//! Where a session can be asked what a server of the older era asks beside its calls, on the stream that is of none of them. A
//! call of the session that is under way with the same server comes first, as it is most likely what the question is about, and
//! can do with it what it does with its own; then the client's `GET` stream. Where nothing is open nobody can be asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_mcp_gateway::Request;
use tokio::sync::{Notify, oneshot};

/// Requests that wait at one window.
const WAITING_MAX: usize = 16;

/// The streams of one session on which its client can be asked now.
#[derive(Default)]
pub(super) struct Windows {
    open: Mutex<Vec<Shutter>>,
    next: AtomicU64,
}

/// What a window is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A call to this server, which answers the server itself.
    Call(Arc<str>),
    /// The `GET` stream, which only says what is to be said.
    Stream,
}

struct Shutter {
    number: u64,
    place: Place,
    sill: Arc<Sill>,
}

/// One open window; dropped, it is closed.
pub(super) struct Window {
    windows: Arc<Windows>,
    number: u64,
    sill: Arc<Sill>,
}

/// Where requests wait at a window. Every call of a session has one and hardly any is ever asked something, so it is small: a
/// channel makes room for dozens of requests as soon as there is one.
struct Sill {
    /// `None` once the window is closed.
    waiting: Mutex<Option<VecDeque<Handed>>>,
    came: Notify,
}

/// A request that came in at a window. Dropped before it is settled, it goes to the next one.
pub(super) struct Handed {
    pub(super) request: Request,
    settled: oneshot::Sender<()>,
}

impl Windows {
    /// Opens one.
    pub(super) fn open(self: &Arc<Self>, place: Place) -> Window {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let sill = Arc::new(Sill::open());
        self.all().push(Shutter { number, place, sill: Arc::clone(&sill) });
        Window { windows: Arc::clone(self), number, sill }
    }

    /// Hands a request in at a window of this place, the newest first, and waits until it is settled there. `false`: there is
    /// none that takes it.
    pub(super) async fn hand(&self, place: &Place, request: &Request) -> bool {
        let mut below = u64::MAX;
        loop {
            let next = {
                let open = self.all();
                let next = open.iter().rev().find(|window| window.number < below && window.place == *place);
                next.map(|window| (window.number, Arc::clone(&window.sill)))
            };
            let Some((number, sill)) = next else { return false };
            below = number;
            let (settled, done) = oneshot::channel();
            if sill.takes(Handed { request: request.clone(), settled }) && done.await.is_ok() {
                return true;
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Shutter>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sill {
    fn open() -> Self {
        Self { waiting: Mutex::new(Some(VecDeque::new())), came: Notify::new() }
    }

    /// Takes a request, if the window is open and there is room.
    fn takes(&self, handed: Handed) -> bool {
        let mut waiting = self.waiting();
        let Some(room) = waiting.as_mut().filter(|waiting| waiting.len() < WAITING_MAX) else { return false };
        room.push_back(handed);
        drop(waiting);
        self.came.notify_one();
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Option<VecDeque<Handed>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// The next request. A future that is dropped has lost nothing.
    pub(super) async fn next(&mut self) -> Handed {
        loop {
            let next = self.sill.waiting().as_mut().and_then(VecDeque::pop_front);
            match next {
                Some(handed) => return handed,
                None => self.sill.came.notified().await,
            }
        }
    }
}

impl Handed {
    /// It was said, or answered.
    pub(super) fn settle(self) {
        // Who handed it in may have gone.
        let _heard = self.settled.send(());
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.windows.all().retain(|window| window.number != self.number);
        // What waits there goes to the next window.
        drop(self.sill.waiting().take());
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_mcp_gateway::Id;

    use super::*;

    fn request() -> Request {
        Request::new(Id::Number(1), "roots/list", None)
    }

    #[tokio::test]
    async fn without_a_window_of_its_place_nobody_takes_a_request() {
        let windows = Arc::new(Windows::default());
        let _other = windows.open(Place::Call("other".into()));
        assert!(!windows.hand(&Place::Stream, &request()).await);
        assert!(!windows.hand(&Place::Call("mine".into()), &request()).await);
    }

    #[tokio::test]
    async fn what_a_window_closes_over_goes_to_the_next() {
        let windows = Arc::new(Windows::default());
        let (mut older, mut newer) = (windows.open(Place::Stream), windows.open(Place::Stream));
        let settled = async {
            drop(newer.next().await);
            drop(newer);
            older.next().await.settle();
        };
        let request = request();
        assert!(tokio::join!(windows.hand(&Place::Stream, &request), settled).0);
    }
}
