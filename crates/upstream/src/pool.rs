//! Idle connections by origin. One pool per core, so that nothing is shared between cores and the mutex is never
//! contended: it only makes the pool usable from `Send` futures. Connections that were made to a checked address are kept apart
//! from those that were made to any: the one kind is never used in place of the other.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use gatehouse_domain::{Head, Origin, Payload, Timeouts};
use http::Request;

use crate::body::{Body, Outgoing};
use crate::connect::{Tls, connect};
use crate::connection::{Connection, Unanswered};
use crate::egress::Egress;

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
    trusted: Mutex<Shelf>,
    public: Mutex<Shelf>,
    tls: Tls,
    limits: PoolLimits,
}

/// Idle connections of one kind.
type Shelf = HashMap<Origin, Vec<Idle>>;

impl Shared {
    fn shelf(&self, egress: Egress) -> MutexGuard<'_, Shelf> {
        let shelf = match egress {
            Egress::Trusted => &self.trusted,
            Egress::Public => &self.public,
        };
        shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Idle {
    connection: Connection,
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
        Self(Arc::new(Shared { trusted: Mutex::default(), public: Mutex::default(), tls, limits }))
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
        self.send_through(Egress::Trusted, origin, timeouts, request).await
    }

    /// The same to an address that somebody else than the configuration may have chosen.
    ///
    /// # Errors
    /// See [`SendError`]; an address that may not be called is one that cannot be connected to.
    pub async fn send_through(
        &self,
        egress: Egress,
        origin: &Origin,
        timeouts: &Timeouts,
        request: Request<Payload>,
    ) -> Result<Sent, SendError> {
        let mut request = request.map(Outgoing);
        // One look at the clock, for how long a connection was idle and when its answer is too late: each takes as long as a header.
        let now = Instant::now();
        while let Some(connection) = self.idle(egress, origin, now) {
            match self.exchange(egress, origin, now + timeouts.first_byte, connection, request).await? {
                Exchanged::Answer(sent) => return Ok(sent),
                Exchanged::NotSent(back) => request = back,
            }
        }
        // Boxed: connections are seldom made, and every call would carry the room for it.
        let connecting = Box::pin(connect(origin, egress, &self.0.tls, timeouts.connect));
        let connection = connecting.await.map_err(SendError::Connect)?;
        match self.exchange(egress, origin, Instant::now() + timeouts.first_byte, connection, request).await? {
            Exchanged::Answer(sent) => Ok(sent),
            Exchanged::NotSent(_) => Err(SendError::Connect(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    /// Drops connections that were idle too long. Called now and then by the core that owns the pool.
    pub fn sweep(&self) {
        for egress in [Egress::Trusted, Egress::Public] {
            self.0.shelf(egress).retain(|_, connections| {
                connections
                    .retain_mut(|idle| idle.since.elapsed() < self.0.limits.idle_for && idle.connection.settle());
                connections.shrink_to(4);
                !connections.is_empty()
            });
        }
    }

    fn idle(&self, egress: Egress, origin: &Origin, now: Instant) -> Option<Connection> {
        let mut idle = self.0.shelf(egress);
        let connections = idle.get_mut(origin)?;
        while let Some(Idle { connection, since }) = connections.pop() {
            if now.saturating_duration_since(since) < self.0.limits.idle_for {
                return Some(connection);
            }
        }
        None
    }

    async fn exchange(
        &self,
        egress: Egress,
        origin: &Origin,
        deadline: Instant,
        mut connection: Connection,
        request: Request<Outgoing>,
    ) -> Result<Exchanged, SendError> {
        let answer = match connection.exchange(request, deadline.into()).await {
            Ok(answer) => answer,
            Err(Unanswered::NotSent(request)) => return Ok(Exchanged::NotSent(*request)),
            Err(Unanswered::Broken(error)) => return Err(SendError::Broken(error)),
            Err(Unanswered::TooLate) => return Err(SendError::FirstByteTimeout),
        };
        let (parts, incoming) = answer.into_parts();
        let lease = Lease { connection, egress, origin: origin.clone(), shared: Arc::clone(&self.0) };
        let head = Head { status: parts.status, headers: parts.headers };
        Ok(Exchanged::Answer(Sent { head, body: Body::new(incoming, lease) }))
    }
}

enum Exchanged {
    Answer(Sent),
    /// The connection was dead.
    NotSent(Request<Outgoing>),
}

/// A connection in use. `give_back` returns it to its pool; dropping it closes it.
pub(crate) struct Lease {
    connection: Connection,
    egress: Egress,
    origin: Origin,
    shared: Arc<Shared>,
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(crate) fn give_back(mut self) {
        if !self.connection.settle() {
            return;
        }
        let mut idle = self.shared.shelf(self.egress);
        let entry = Idle { connection: self.connection, since: Instant::now() };
        match idle.get_mut(&self.origin) {
            Some(connections) if connections.len() >= self.shared.limits.idle_per_origin => {}
            Some(connections) => connections.push(entry),
            None => drop(idle.insert(self.origin, vec![entry])),
        }
    }
}

#[cfg(test)]
mod tests;
