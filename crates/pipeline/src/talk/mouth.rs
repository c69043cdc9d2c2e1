//! How a conversation speaks to its client. Nothing is said until the answer needs to be a stream; from then on bytes go from
//! the conversation's future into a small buffer, and from there into the body that polls the future.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::{Conducted, Conducting};
use crate::stages::send::join;

/// Most that is buffered before the conversation has to wait for its client.
const SAID_BYTES_MAX: usize = 256 << 10;

/// What was said and not heard yet. The lock is never waited for: body and future are polled by the same task.
#[derive(Default)]
pub(super) struct Mouth(Mutex<Said>);

#[derive(Default)]
struct Said {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// Set by the first word: the head of the stream.
    headers: Option<HeaderMap>,
    spoken: bool,
    gone: bool,
    outlives: bool,
}

impl Mouth {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the answer become a stream?
    pub(super) fn has_spoken(&self) -> bool {
        self.said().spoken
    }

    /// Makes the answer a stream with these headers, if it is not one yet.
    pub(super) fn open(&self, headers: impl FnOnce() -> HeaderMap) -> bool {
        let mut said = self.said();
        let first = !std::mem::replace(&mut said.spoken, true);
        if first {
            said.headers = Some(headers());
        }
        first
    }

    /// Hands bytes over, once there is room for them. With nobody left to hear them, they are dropped.
    pub(super) async fn say(&self, bytes: Bytes) {
        // No waker is kept: the body polls the future again as soon as it has been emptied, or is gone.
        poll_fn(|_| {
            let said = self.said();
            if said.gone || said.bytes < SAID_BYTES_MAX { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let mut said = self.said();
        if !said.gone {
            said.bytes += bytes.len();
            said.chunks.push(bytes);
        }
    }

    pub(super) fn outlives_client(&self, outlives: bool) {
        self.said().outlives = outlives;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.said().gone
    }

    /// Waits until the client has left; only a conversation that outlives it ever learns.
    pub(super) async fn gone(&self) {
        poll_fn(|_| if self.is_gone() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn take_headers(&self) -> Option<HeaderMap> {
        self.said().headers.take()
    }

    fn take(&self) -> Option<Bytes> {
        let mut said = self.said();
        said.bytes = 0;
        let chunks = std::mem::take(&mut said.chunks);
        (!chunks.is_empty()).then(|| join(chunks))
    }

    /// The client has left. Does the conversation go on?
    fn leave(&self) -> bool {
        let mut said = self.said();
        said.gone = true;
        said.chunks = Vec::new();
        said.outlives
    }
}

/// A conversation and what it has said. Dropped before its end, the client has left: the conversation is dropped with it, or
/// goes on without it if it is of the kind that does.
pub(super) struct Running {
    conducting: Option<Conducting>,
    mouth: Arc<Mouth>,
}

/// What an answer begins with.
pub(super) enum Begun {
    /// It is whole.
    Whole(Conducted),
    /// It is a stream with this head.
    Stream(HeaderMap),
}

impl Running {
    pub(super) fn new(conducting: Conducting, mouth: Arc<Mouth>) -> Self {
        Self { conducting: Some(conducting), mouth }
    }

    /// Drives the conversation until it is known what kind of answer it gives.
    pub(super) async fn begin(&mut self) -> Begun {
        poll_fn(|context| {
            let polled = self.conducting.as_mut().map(|conducting| conducting.as_mut().poll(context));
            // A conversation that speaks and ends in one go is a stream none the less.
            if let Some(headers) = self.mouth.take_headers() {
                if let Some(Poll::Ready(conducted)) = polled {
                    self.end(conducted);
                }
                return Poll::Ready(Begun::Stream(headers));
            }
            match polled {
                Some(Poll::Ready(conducted)) => {
                    self.conducting = None;
                    Poll::Ready(Begun::Whole(conducted))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(conducting) = &mut self.conducting
            && let Poll::Ready(conducted) = conducting.as_mut().poll(context)
        {
            self.end(conducted);
        }
        match self.mouth.take() {
            Some(bytes) => Poll::Ready(Some(bytes)),
            None if self.conducting.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Settles what the conversation has used, before its last bytes leave.
    fn end(&mut self, conducted: Conducted) {
        self.conducting = None;
        drop(conducted);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(conducting) = self.conducting.take() else { return };
        if self.mouth.leave()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Its end is its own: what it still has to say is kept by whoever wants it to be heard again.
            drop(runtime.spawn(async move { drop(conducting.await) }));
        }
    }
}

/// The body of an answer that is a stream.
pub(crate) struct TalkBody(Running);

impl TalkBody {
    pub(super) fn new(running: Running) -> Self {
        Self(running)
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll(context)
    }
}
