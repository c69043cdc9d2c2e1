//! A connection to an upstream: hyper's, driven by whoever uses it.
//!
//! hyper speaks HTTP/1.1 on a connection in a future of its own (the driver), which takes requests from a channel and puts
//! answers into others. Run as a task of its own, each step of a call would be a switch between two tasks. So the call polls
//! the driver itself, whenever it waits for an answer or for more of it, and an idle connection is not run at all.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::body::Outgoing;
use crate::sips::{Sips, Thirst};
use crate::stream::Stream;

type Driver = http1::Connection<TokioIo<Sips<Stream>>, Outgoing>;

/// A connection as its pool holds it, or a call.
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    /// None once the connection has come to its end.
    driver: Option<Pin<Box<Driver>>>,
    bell: Arc<Bell>,
    thirst: Thirst,
    alarm: Alarm,
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// The connection was dead before the request was handed over: another one may be tried with it.
    NotSent(Box<Request<Outgoing>>),
    /// It broke afterwards.
    Broken(hyper::Error),
    /// No head in time.
    TooLate,
}

impl Connection {
    /// A connection on which nothing has been said.
    pub(crate) async fn new(stream: Stream) -> io::Result<Self> {
        let thirst = Thirst::default();
        let io = TokioIo::new(Sips::new(stream, thirst.clone()));
        let (sender, driver) = http1::Builder::new().handshake(io).await.map_err(io::Error::other)?;
        let (bell, alarm) = (Arc::default(), Alarm::default());
        let mut connection = Self { sender, driver: Some(Box::pin(driver)), bell, thirst, alarm };
        // Once, so that the driver says it would take a request.
        connection.settle();
        Ok(connection)
    }

    /// Sends a request and waits for the head of its answer. A future that is dropped leaves the connection unusable.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Outgoing>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Unanswered> {
        let Self { sender, driver, bell, alarm, .. } = self;
        let mut answer = pin!(sender.try_send_request(request));
        let answered = poll_fn(|context| match drive(driver, bell, context, |unheard| answer.as_mut().poll(unheard)) {
            Poll::Ready(answered) => Poll::Ready(Some(answered)),
            Poll::Pending => alarm.poll(deadline, context).map(|()| None),
        });
        match answered.await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(mut refused)) => Err(match refused.take_message() {
                Some(request) => Unanswered::NotSent(Box::new(request)),
                None => Unanswered::Broken(refused.into_error()),
            }),
            None => Err(Unanswered::TooLate),
        }
    }

    /// Runs the connection until `looked` has found what it looks for, or has to wait. What `looked` is handed is a context
    /// that wakes nobody: whatever it waits for comes out of the driver, which has been run just before.
    pub(crate) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        looked: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        drive(&mut self.driver, &self.bell, context, looked)
    }

    /// Takes up what is left to do when an answer is over; tells whether another request can follow.
    pub(crate) fn settle(&mut self) -> bool {
        self.thirst.whole(false);
        let waited = self.poll(&mut Context::from_waker(Waker::noop()), |_| Poll::<()>::Pending);
        waited.is_pending() && self.driver.is_some() && self.sender.is_ready()
    }

    /// The answer is wanted whole, so that it may come in large pieces.
    pub(crate) fn wants_whole(&self) {
        self.thirst.whole(true);
    }
}

/// Times a driver is run in one go. Two are what an answer takes; a driver that always has something to do, or has used up
/// what a task may do before others have their turn, comes back later.
const RUNS: usize = 4;

/// Polls the driver and looks, again as long as the look gives the driver something to do.
fn drive<T>(
    driver: &mut Option<Pin<Box<Driver>>>,
    bell: &Arc<Bell>,
    context: &mut Context<'_>,
    mut looked: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let waker = Waker::from(Arc::clone(bell));
    for _ in 0..RUNS {
        bell.muffle(context.waker());
        if let Some(running) = driver
            && running.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            // How it ended reaches whoever waits for an answer or its body.
            *driver = None;
        }
        let found = looked(&mut Context::from_waker(Waker::noop()));
        if !bell.unmuffle() || found.is_ready() || driver.is_none() {
            return found;
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

/// What wakes a driver. While it is being run this is only noted, since its own channels ring it in the middle of a look; at
/// other times the task of the call is woken.
#[derive(Default)]
struct Bell {
    task: Mutex<Option<Waker>>,
    muffled: AtomicBool,
    rung: AtomicBool,
}

impl Bell {
    fn muffle(&self, task: &Waker) {
        let mut waiting = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waker) => waker.clone_from(task),
            None => *waiting = Some(task.clone()),
        }
        // Whoever rings from here on rings for what the driver is about to find anyway.
        self.rung.store(false, Ordering::SeqCst);
        self.muffled.store(true, Ordering::SeqCst);
    }

    /// Was it rung in between?
    fn unmuffle(&self) -> bool {
        self.muffled.store(false, Ordering::SeqCst);
        self.rung.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        if !self.muffled.load(Ordering::SeqCst) {
            let waiting = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = &*waiting {
                waker.wake_by_ref();
            }
        }
    }
}
