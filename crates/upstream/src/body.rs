//! The body of an upstream's answer.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::http1::Framing;
use crate::pool::Lease;

/// Chunks as they arrive. Read to its end, the connection goes back to the pool; dropped before, it is closed, which is
/// how an upstream learns within a round trip that nobody listens any more.
pub struct Body {
    framing: Framing,
    /// None once the end has been read.
    lease: Option<Lease>,
    wanted_whole: bool,
}

impl Body {
    pub(crate) fn new(framing: Framing, lease: Lease) -> Self {
        let mut body = Self { framing, lease: Some(lease), wanted_whole: false };
        body.release_if_over();
        body
    }

    /// The next chunk; `None` at the proper end of the body.
    pub fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let chunk = ready!(self.poll_next(context));
        match &chunk {
            Ok(_) => self.release_if_over(),
            Err(_) => self.lease = None,
        }
        Poll::Ready(chunk.transpose())
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let Some(lease) = &mut self.lease else { return Poll::Ready(Ok(None)) };
            let connection = lease.connection();
            if let Some(data) = self.framing.take(connection.read())? {
                return Poll::Ready(Ok(Some(data)));
            }
            if self.framing.is_over() {
                return Poll::Ready(Ok(None));
            }
            // What streams is read in sips: one that begins with a burst would hold its room for as long as it lasts.
            let wanted = if self.wanted_whole { self.framing.exact().unwrap_or(u64::MAX) } else { 0 };
            if ready!(connection.poll_more(wanted, context))? == 0 {
                self.framing.close()?;
            }
        }
    }

    /// The next chunk, awaited.
    pub async fn chunk(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// All of it is wanted before any of it is used: it may come in large pieces.
    pub fn wants_whole(&mut self) {
        self.wanted_whole = true;
    }

    /// The exact length of what is still to come, if the upstream declared it.
    #[must_use]
    pub fn exact_length(&self) -> Option<u64> {
        self.framing.exact()
    }

    fn release_if_over(&mut self) {
        if self.framing.is_over()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}
