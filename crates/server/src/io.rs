//! The client's connection, watched: a client that stops reading may not hold an upstream open for ever, and a client
//! that dribbles its request's head may not hold a connection.
//!
//! hyper has one timer for both an idle connection and an unfinished head. They want different times, so hyper's is set
//! to the idle time and the head is watched here.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// First bytes of an HTTP/2 connection (RFC 9113 §3.4). Its frames are no heads; hyper's pings watch it.
const HTTP2_PREFACE: &[u8] = b"PRI ";

/// What a connection and the service on it know of each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    begun: AtomicU32,
    open: AtomicU32,
}

/// A call under way on a connection, until its answer's last byte has been handed over.
#[derive(Debug)]
pub(crate) struct OpenCall(Arc<Counters>);

impl Calls {
    /// A head was read whole: a call begins.
    pub(crate) fn begin(&self) -> OpenCall {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        OpenCall(Arc::clone(&self.0))
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Times of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the first byte of a head to its last.
    pub(crate) head: Duration,
    /// Without progress of a write.
    pub(crate) write: Duration,
}

/// A connection under watch. Timers exist only while something waits.
pub(crate) struct Watched<T> {
    inner: T,
    patience: Patience,
    calls: Calls,
    head: Head,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Where the reading of heads stands.
#[derive(Default)]
struct Head {
    /// Bytes came while no call was under way: when, and how many calls had begun by then.
    since: Option<(Instant, u32)>,
    timer: Option<Pin<Box<Sleep>>>,
    any_read: bool,
    is_http2: bool,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, patience: Patience, calls: Calls) -> Self {
        Self { inner, patience, calls, head: Head::default(), stalled: None }
    }

    fn watch_write<R>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if progress.is_ready() {
            self.stalled = None;
            return progress;
        }
        let limit = self.patience.write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Head {
    /// Bytes were read.
    fn read(&mut self, bytes: &[u8], calls: &Calls) {
        if !std::mem::replace(&mut self.any_read, true) {
            self.is_http2 = bytes.starts_with(HTTP2_PREFACE);
        }
        let begun = calls.0.begun.load(Ordering::Relaxed);
        let in_head = calls.0.open.load(Ordering::Relaxed) == 0 && self.since.is_none_or(|(_, then)| then != begun);
        if in_head && !self.is_http2 {
            self.since = Some((Instant::now(), begun));
            self.timer = None;
        }
    }

    /// Nothing is there to read: is a head overdue?
    fn overdue(&mut self, limit: Duration, calls: &Calls, context: &mut Context<'_>) -> bool {
        let Some((since, then)) = self.since else { return false };
        if calls.0.begun.load(Ordering::Relaxed) != then {
            self.since = None;
            self.timer = None;
            return false;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + limit)));
        timer.as_mut().poll(context).is_ready()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_read(context, buffer) {
            Poll::Ready(read) => {
                this.head.read(&buffer.filled()[before..], &this.calls);
                Poll::Ready(read)
            }
            Poll::Pending if this.head.overdue(this.patience.head, &this.calls, context) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request's head did not arrive in time")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch_write(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch_write(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.inner).poll_flush(context);
        self.watch_write(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Patience = Patience { head: Duration::from_secs(10), write: Duration::from_secs(60) };

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_head_is_given_up_and_an_idle_connection_is_not() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut watched = Watched::new(server, PATIENCE, Calls::default());
        let mut buffer = [0; 64];
        let idle = tokio::time::timeout(Duration::from_secs(70), watched.read(&mut buffer)).await;
        assert!(idle.is_err(), "still open after 70 s without a byte");
        client.write_all(b"GET / HT").await.unwrap();
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 8);
        let started = tokio::time::Instant::now();
        let given_up = watched.read(&mut buffer).await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_no_slow_head() {
        let (mut client, server) = tokio::io::duplex(64);
        let calls = Calls::default();
        let mut watched = Watched::new(server, PATIENCE, calls.clone());
        let mut buffer = [0; 64];
        client.write_all(b"head").await.unwrap();
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 4);
        let open = calls.begin();
        client.write_all(b"half a body").await.unwrap();
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 11);
        assert!(tokio::time::timeout(Duration::from_secs(30), watched.read(&mut buffer)).await.is_err());
        drop(open);
        assert!(tokio::time::timeout(Duration::from_secs(30), watched.read(&mut buffer)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_reading_is_given_up() {
        let (_client, server) = tokio::io::duplex(4);
        let mut watched = Watched::new(server, PATIENCE, Calls::default());
        let stuck = watched.write_all(b"more than fits").await.unwrap_err();
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
    }
}
