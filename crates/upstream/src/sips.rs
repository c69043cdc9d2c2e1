//! Reads of an upstream's answer in small pieces until somebody wants all of it.
//!
//! hyper doubles a connection's read buffer whenever a read fills it and keeps it at that. A stream that begins with a burst
//! would so hold twice the memory for as long as it lasts, and there may be thousands of them. A read that never fills the
//! buffer leaves it as it is. A whole answer is read in large pieces as ever.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One byte less than hyper's first buffer.
const SIP: usize = 8191;

thread_local! {
    // Read into and copied from: the buffer handed over would have to be filled with zeros first.
    static CUP: RefCell<Vec<u8>> = RefCell::new(vec![0; SIP]);
}

/// Whether a connection's answer is wanted whole. Shared by the connection and whoever reads from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thirst(Arc<AtomicBool>);

impl Thirst {
    /// The answer under way is wanted whole, or not.
    pub(crate) fn whole(&self, whole: bool) {
        self.0.store(whole, Ordering::Relaxed);
    }
}

/// A connection read in sips.
pub(crate) struct Sips<T> {
    inner: T,
    thirst: Thirst,
}

impl<T> Sips<T> {
    pub(crate) fn new(inner: T, thirst: Thirst) -> Self {
        Self { inner, thirst }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Sips<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.thirst.0.load(Ordering::Relaxed) {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        CUP.with_borrow_mut(|cup| {
            let room = buffer.remaining().min(SIP);
            let mut sip = ReadBuf::new(&mut cup[..room]);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut sip))?;
            buffer.put_slice(sip.filled());
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Sips<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_stream_is_read_in_sips_and_a_whole_answer_in_gulps() {
        let (mut provider, ours) = tokio::io::duplex(64 << 10);
        let thirst = Thirst::default();
        let mut sips = Sips::new(ours, thirst.clone());
        let sent: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
        provider.write_all(&sent).await.unwrap();
        let mut read = vec![0; sent.len()];
        let first = sips.read(&mut read).await.unwrap();
        assert_eq!(first, SIP);
        thirst.whole(true);
        assert_eq!(sips.read(&mut read[first..]).await.unwrap(), sent.len() - first);
        assert_eq!(read, sent);
    }
}
