//! Idle connections by origin. One pool per core, so that nothing is shared between cores and the mutex is never
//! contended: it only makes the pool usable from `Send` futures.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use gatehouse_domain::{Head, Origin, Payload, Timeouts};
use http::Request;
use hyper::client::conn::http1::SendRequest;

use crate::body::{Body, Outgoing};
use crate::connect::{Tls, connect};

type Sender = SendRequest<Outgoing>;

/// Caps of one pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Idle connections kept per origin.
    pub idle_per_origin: usize,
    /// How long an idle connection is trusted. Shorter than what providers keep, so that few are found dead.
    pub idle_for: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { idle_per_origin: 256, idle_for: Duration::from_secs(45) }
    }
}

/// One core's connections.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

pub(crate) struct Shared {
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
    tls: Tls,
    limits: PoolLimits,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// An answer whose head has arrived.
pub struct Sent {
    /// Status and headers.
    pub head: Head,
    /// The body, which gives the connection back when read to its end and closes it when dropped before.
    pub body: Body,
}

/// Why nothing was answered.
#[derive(Debug)]
pub enum SendError {
    /// No connection: resolve, connect or TLS failed.
    Connect(io::Error),
    /// The connection broke before the head of the answer was whole.
    Broken(hyper::Error),
    /// No head in time.
    FirstByteTimeout,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(tls: Tls, limits: PoolLimits) -> Self {
        Self(Arc::new(Shared { idle: Mutex::default(), tls, limits }))
    }

    /// Sends a request and waits for the head of the answer. Dropping the future closes the connection.
    ///
    /// # Errors
    /// See [`SendError`]. A connection found dead before the request was handed over is replaced silently.
    pub async fn send(
        &self,
        origin: &Origin,
        timeouts: &Timeouts,
        request: Request<Payload>,
    ) -> Result<Sent, SendError> {
        let mut request = request.map(Outgoing);
        while let Some(mut sender) = self.idle(origin) {
            if !sender.is_ready() && sender.ready().await.is_err() {
                continue;
            }
            match self.exchange(origin, timeouts, sender, request).await? {
                Exchanged::Answer(sent) => return Ok(sent),
                Exchanged::NotSent(back) => request = back,
            }
        }
        // Boxed: connections are seldom made, and every call would carry the room for it.
        let connecting = Box::pin(connect(origin, &self.0.tls, timeouts.connect));
        let sender = connecting.await.map_err(SendError::Connect)?;
        match self.exchange(origin, timeouts, sender, request).await? {
            Exchanged::Answer(sent) => Ok(sent),
            Exchanged::NotSent(_) => Err(SendError::Connect(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    /// Drops connections that were idle too long. Called now and then by the core that owns the pool.
    pub fn sweep(&self) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, connections| {
            connections.retain(|idle| idle.since.elapsed() < self.0.limits.idle_for && !idle.sender.is_closed());
            connections.shrink_to(4);
            !connections.is_empty()
        });
    }

    fn idle(&self, origin: &Origin) -> Option<Sender> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(origin)?;
        while let Some(Idle { sender, since }) = connections.pop() {
            if !sender.is_closed() && since.elapsed() < self.0.limits.idle_for {
                return Some(sender);
            }
        }
        None
    }

    async fn exchange(
        &self,
        origin: &Origin,
        timeouts: &Timeouts,
        mut sender: Sender,
        request: Request<Outgoing>,
    ) -> Result<Exchanged, SendError> {
        let answer = match tokio::time::timeout(timeouts.first_byte, sender.try_send_request(request)).await {
            Err(_) => return Err(SendError::FirstByteTimeout),
            Ok(Err(mut refused)) => {
                return match refused.take_message() {
                    Some(request) => Ok(Exchanged::NotSent(request)),
                    None => Err(SendError::Broken(refused.into_error())),
                };
            }
            Ok(Ok(answer)) => answer,
        };
        let (parts, incoming) = answer.into_parts();
        let lease = Lease { sender, origin: origin.clone(), shared: Arc::clone(&self.0) };
        let head = Head { status: parts.status, headers: parts.headers };
        Ok(Exchanged::Answer(Sent { head, body: Body::new(incoming, lease) }))
    }
}

enum Exchanged {
    Answer(Sent),
    NotSent(Request<Outgoing>),
}

/// A connection in use. `give_back` returns it to its pool; dropping it closes it.
pub(crate) struct Lease {
    sender: Sender,
    origin: Origin,
    shared: Arc<Shared>,
}

impl Lease {
    pub(crate) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Idle { sender: self.sender, since: Instant::now() };
        match idle.get_mut(&self.origin) {
            Some(connections) if connections.len() >= self.shared.limits.idle_per_origin => {}
            Some(connections) => connections.push(entry),
            None => drop(idle.insert(self.origin, vec![entry])),
        }
    }
}
