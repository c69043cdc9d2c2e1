//! Bodies on an upstream connection: the request's and the answer's.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatehouse_domain::Payload;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use crate::pool::Lease;

/// A request's body as hyper takes it: piece by piece, which it writes in one go.
pub(crate) struct Outgoing(pub(crate) Payload);

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next_piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// Chunks as they arrive. Read to its end, the connection goes back to the pool; dropped before, it is closed, which is
/// how an upstream learns within a round trip that nobody listens any more.
pub struct Body {
    incoming: Incoming,
    lease: Option<Lease>,
    ended: bool,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { ended: incoming.is_end_stream(), incoming, lease: Some(lease) };
        body.release_if_ended();
        body
    }

    /// The next chunk; `None` at the proper end of the body.
    pub fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(lease) = &mut self.lease else { return Poll::Ready(None) };
            let incoming = &mut self.incoming;
            let frame = lease.connection().poll(context, |context| Pin::new(&mut *incoming).poll_frame(context));
            match std::task::ready!(frame) {
                None => {
                    self.ended = true;
                    self.release_if_ended();
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.lease = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => {
                    if self.incoming.is_end_stream() {
                        self.ended = true;
                        self.release_if_ended();
                    }
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    /// The next chunk, awaited.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// All of it is wanted before any of it is used: it may come in large pieces.
    pub fn wants_whole(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.connection().wants_whole();
        }
    }

    /// The exact length of what is still to come, if the upstream declared it.
    #[must_use]
    pub fn exact_length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    fn release_if_ended(&mut self) {
        if self.ended
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}
