//! What a core writes leaves at the end of its turn, together.
//!
//! A core wakes up to several messages at once and carries each to its end. Sent one by one, every answer and every request
//! wakes a peer that had gone back to sleep since the last one, and waking costs the sender more than the rest of sending.
//! So a [`Corked`] stream keeps small writes back, and a task that runs behind all that were ready ([`uncork`]) hands those
//! of all streams to the kernel in one go: the first wakes the peer, the others find it awake. With one message at a time
//! the turn ends at once, and nothing waits.
//!
//! A write that is kept back counts as sent, as one that lies in the kernel does; what goes wrong is told with the next use
//! of the stream. A long message is not kept, but its task waits for the end of the turn before it writes. On a thread
//! without [`uncork`] a stream writes at once.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// What is longer is not kept, as copying it would cost more than a wake-up, but waits for the end of the turn with the task
/// that writes it. So does what follows as much of the same stream: who does not read is noticed by what the kernel does not
/// take.
const HELD_BYTES_MAX: usize = 16 << 10;
/// Most that is kept back before it is sent within a turn.
const TURN_BYTES_MAX: usize = 256 << 10;
/// Room that stays for the next turn.
const TURN_BYTES_KEPT: usize = 64 << 10;

thread_local! {
    static TURN: RefCell<Turn> = RefCell::default();
}

/// What the tasks of one thread have written in this turn.
#[derive(Default)]
struct Turn {
    /// Wakes [`uncork`]; without it nothing may be kept back.
    uncorker: Option<Waker>,
    bytes: Vec<u8>,
    writes: Vec<Write>,
    /// Who has a long message to write once those have left.
    waiting: Vec<Arc<Mutex<Sender>>>,
}

/// One stream's bytes among those of the turn.
struct Write {
    sender: Arc<Mutex<Sender>>,
    bytes: Range<usize>,
}

/// The writing side of a stream.
struct Sender {
    half: OwnedWriteHalf,
    /// Bytes of this stream that are kept back.
    held: usize,
    /// What the kernel would not take; goes before anything else.
    left: Vec<u8>,
    failed: Option<io::Error>,
    /// The task to wake when sending them did not go as promised, or is waited for.
    task: Option<Waker>,
    awaited: bool,
    long: Long,
}

/// How far a message is that is too long to be kept back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Long {
    /// There is none.
    None,
    /// Its task waits for the end of the turn.
    Waits,
    /// The turn has come to its end.
    Leaves,
}

/// Sends what this thread's streams have kept back at the end of every turn, for as long as it is run.
pub async fn uncork() {
    let _closed = Closing;
    poll_fn(|context| {
        TURN.with_borrow_mut(|turn| match &mut turn.uncorker {
            Some(uncorker) => uncorker.clone_from(context.waker()),
            None => turn.uncorker = Some(context.waker().clone()),
        });
        send_all();
        let waiting = TURN.with_borrow_mut(|turn| mem::take(&mut turn.waiting));
        waiting.iter().for_each(let_go);
        Poll::<()>::Pending
    })
    .await;
}

/// Nothing may be kept back any more.
struct Closing;

impl Drop for Closing {
    fn drop(&mut self) {
        let waiting = TURN.try_with(|turn| {
            let mut turn = turn.borrow_mut();
            turn.uncorker = None;
            mem::take(&mut turn.waiting)
        });
        send_all();
        waiting.iter().flatten().for_each(let_go);
    }
}

/// Has a long message go on its way.
fn let_go(waiting: &Arc<Mutex<Sender>>) {
    let mut sender = locked(waiting);
    sender.long = Long::Leaves;
    let task = sender.task.take();
    drop(sender);
    if let Some(task) = task {
        task.wake();
    }
}

/// Hands to the kernel what is kept back.
fn send_all() {
    let taken = TURN.try_with(|turn| {
        let mut turn = turn.borrow_mut();
        (mem::take(&mut turn.writes), mem::take(&mut turn.bytes))
    });
    let Ok((mut writes, mut bytes)) = taken else { return };
    for write in writes.drain(..) {
        locked(&write.sender).send(&bytes[write.bytes]);
    }
    bytes.clear();
    bytes.shrink_to(TURN_BYTES_KEPT);
    // Room comes back, unless something has been written meanwhile.
    _ = TURN.try_with(|turn| {
        let mut turn = turn.borrow_mut();
        if turn.writes.is_empty() {
            (turn.writes, turn.bytes) = (writes, bytes);
        }
    });
}

fn locked(sender: &Arc<Mutex<Sender>>) -> MutexGuard<'_, Sender> {
    sender.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sender {
    /// Bytes that were kept back to the kernel; what it does not take is left for the stream's own task.
    fn send(&mut self, mut bytes: &[u8]) {
        self.held -= bytes.len();
        while self.left.is_empty() && self.failed.is_none() && !bytes.is_empty() {
            match self.half.try_write(bytes) {
                Ok(0) => self.failed = Some(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.failed = Some(error),
            }
        }
        self.left.extend_from_slice(bytes);
        let asked = mem::take(&mut self.awaited) || !self.left.is_empty() || self.failed.is_some();
        if let Some(task) = self.task.take_if(|_| asked) {
            task.wake();
        }
    }

    fn wake_later(&mut self, context: &Context<'_>) {
        match &mut self.task {
            Some(task) => task.clone_from(context.waker()),
            None => self.task = Some(context.waker().clone()),
        }
    }

    /// Sends what was left and tells what has failed.
    fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(failed) = self.failed.take() {
            self.left = Vec::new();
            return Poll::Ready(Err(failed));
        }
        while !self.left.is_empty() {
            match ready!(Pin::new(&mut self.half).poll_write(context, &self.left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.left.drain(..written)),
            }
        }
        self.left = Vec::new();
        Poll::Ready(Ok(()))
    }
}

/// A TCP connection whose small writes leave at the end of the core's turn.
pub struct Corked {
    reading: OwnedReadHalf,
    sender: Arc<Mutex<Sender>>,
}

impl Corked {
    /// Of a connected stream.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let (reading, half) = stream.into_split();
        let sender =
            Sender { half, held: 0, left: Vec::new(), failed: None, task: None, awaited: false, long: Long::None };
        Self { reading, sender: Arc::new(Mutex::new(sender)) }
    }

    /// What comes first of what has arrived, without taking it: how many bytes of it, 0 at the end of the stream.
    ///
    /// # Errors
    /// The system's.
    pub async fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.peek(buffer).await
    }

    /// What tells whether the peer has left while nobody reads.
    #[must_use]
    pub fn departure(&self) -> Departure {
        Departure(Arc::clone(&self.sender))
    }

    /// Keeps a message back, if somebody will send it.
    fn keep(&self, message: &[IoSlice<'_>]) -> bool {
        TURN.with_borrow_mut(|turn| {
            let Some(uncorker) = &turn.uncorker else { return false };
            if turn.writes.is_empty() {
                uncorker.wake_by_ref();
            }
            let start = turn.bytes.len();
            message.iter().for_each(|slice| turn.bytes.extend_from_slice(slice));
            let bytes = start..turn.bytes.len();
            match turn.writes.last_mut().filter(|last| Arc::ptr_eq(&last.sender, &self.sender)) {
                Some(last) => last.bytes.end = bytes.end,
                None => turn.writes.push(Write { sender: Arc::clone(&self.sender), bytes }),
            }
            true
        })
    }

    /// Has the task come back at the end of the turn, if somebody will wake it then.
    fn wait(&self, sender: &mut Sender, context: &Context<'_>) -> bool {
        let waits = TURN.with_borrow_mut(|turn| {
            let Some(uncorker) = &turn.uncorker else { return false };
            if sender.long == Long::None {
                uncorker.wake_by_ref();
                turn.waiting.push(Arc::clone(&self.sender));
            }
            true
        });
        if waits {
            sender.long = Long::Waits;
            sender.wake_later(context);
        }
        waits
    }

    /// Writes a message of several slices, sooner or at the end of the turn.
    fn poll_message(&self, context: &mut Context<'_>, message: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let len = message.iter().map(|slice| slice.len()).sum();
        {
            let mut sender = locked(&self.sender);
            ready!(sender.poll_settled(context))?;
            if sender.held + len <= HELD_BYTES_MAX && self.keep(message) {
                sender.held += len;
                sender.wake_later(context);
                drop(sender);
                if TURN.with_borrow(|turn| turn.bytes.len() > TURN_BYTES_MAX) {
                    send_all();
                }
                return Poll::Ready(Ok(len));
            }
            if sender.long != Long::Leaves && self.wait(&mut sender, context) {
                return Poll::Pending;
            }
        }
        ready!(self.poll_sent(context))?;
        let mut sender = locked(&self.sender);
        let written = ready!(Pin::new(&mut sender.half).poll_write_vectored(context, message))?;
        sender.long = if written < len { Long::Leaves } else { Long::None };
        Poll::Ready(Ok(written))
    }

    /// Has everything written so far in the kernel.
    fn poll_sent(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if locked(&self.sender).held > 0 {
            send_all();
        }
        let mut sender = locked(&self.sender);
        if sender.held > 0 {
            // By another thread.
            sender.awaited = true;
            sender.wake_later(context);
            return Poll::Pending;
        }
        sender.poll_settled(context)
    }
}

/// Tells whether a stream's peer has left, without reading from the stream.
pub struct Departure(Arc<Mutex<Sender>>);

impl Departure {
    /// Ready when the stream has come to its end, or failed. Bytes that nobody has read hide that until they are read; nobody is
    /// woken for it then. To be polled by the task that reads the stream.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        match ready!(locked(&self.0).half.as_ref().poll_peek(context, &mut ReadBuf::new(&mut byte))) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }
}

impl AsyncRead for Corked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl AsyncWrite for Corked {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_message(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        message: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_message(context, message)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is kept back is as good as sent; what the kernel would not take is waited for.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        locked(&self.sender).poll_settled(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(context))?;
        Pin::new(&mut locked(&self.sender).half).poll_shutdown(context)
    }
}

impl Drop for Corked {
    /// A connection that is given up keeps what it said before.
    fn drop(&mut self) {
        if locked(&self.sender).held > 0 {
            send_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::io::Read as _;
    use std::pin::pin;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    async fn pair() -> (Corked, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Corked::new(near), listener.accept().await.unwrap().0)
    }

    /// The uncorker, ready to come by.
    async fn uncorker() -> JoinHandle<()> {
        let uncorker = tokio::spawn(uncork());
        yield_now().await;
        uncorker
    }

    #[tokio::test]
    async fn what_is_written_in_a_turn_leaves_at_its_end() {
        let _uncorker = uncorker().await;
        let (mut near, far) = pair().await;
        // Asked without the runtime, whose turns these would be.
        let mut far = far.into_std().unwrap();
        near.write_all(b"one, ").await.unwrap();
        near.write_all(b"two").await.unwrap();
        let mut read = [0; 9];
        assert_eq!(far.read(&mut read).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        yield_now().await;
        assert_eq!(far.read(&mut read).unwrap(), 8);
        assert_eq!(&read[..8], b"one, two");
    }

    #[tokio::test]
    async fn a_long_message_leaves_behind_the_short_ones_of_its_turn() {
        let _uncorker = uncorker().await;
        let ((mut one, far_one), (mut two, far_two)) = (pair().await, pair().await);
        let (mut far_one, mut far_two) = (far_one.into_std().unwrap(), far_two.into_std().unwrap());
        let mut long = pin!(one.write_all(&[7; 40_000]));
        assert!(poll_fn(|context| Poll::Ready(long.as_mut().poll(context).is_pending())).await);
        two.write_all(b"short").await.unwrap();
        let mut read = [0; 8];
        assert_eq!(far_one.read(&mut read).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(far_two.read(&mut read).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        long.await.unwrap();
        assert_eq!(far_two.read(&mut read).unwrap(), 5);
        assert_eq!(far_one.read(&mut read).unwrap(), 8);
    }

    #[tokio::test]
    async fn a_long_message_that_waits_is_let_go_when_uncorking_ends() {
        let uncorker = uncorker().await;
        let (mut near, far) = pair().await;
        let mut far = far.into_std().unwrap();
        let mut writing = pin!(near.write_all(&[7; 40_000]));
        assert!(poll_fn(|context| Poll::Ready(writing.as_mut().poll(context).is_pending())).await);
        uncorker.abort();
        writing.await.unwrap();
        let mut read = [0; 8];
        assert_eq!(far.read(&mut read).unwrap(), 8);
    }

    #[tokio::test]
    async fn where_nobody_uncorks_it_leaves_at_once() {
        let (mut near, far) = pair().await;
        let mut far = far.into_std().unwrap();
        near.write_all(b"at once").await.unwrap();
        let mut read = [0; 8];
        assert_eq!(far.read(&mut read).unwrap(), 7);
    }

    #[tokio::test]
    async fn long_and_short_messages_keep_their_order_whoever_reads_how_slowly() {
        let _uncorker = uncorker().await;
        let (mut near, mut far) = pair().await;
        let sent: Vec<Vec<u8>> =
            (0..400_usize).map(|n| vec![n as u8; if n % 7 == 0 { 40_000 } else { n * 13 }]).collect();
        let whole = sent.concat();
        let writing = tokio::spawn(async move {
            for message in sent {
                near.write_all(&message).await.unwrap();
                near.flush().await.unwrap();
            }
            near.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        while far.read_buf(&mut read).await.unwrap() > 0 {
            yield_now().await;
        }
        writing.await.unwrap();
        assert!(read == whole);
    }

    #[tokio::test]
    async fn who_does_not_read_stops_the_writer() {
        let _uncorker = uncorker().await;
        let (mut near, _far) = pair().await;
        let mut refused = false;
        // More than a kernel keeps for a connection, by default.
        for _ in 0..64_000 {
            let mut write = pin!(near.write_all(&[7; 1024]));
            refused = poll_fn(|context| Poll::Ready(write.as_mut().poll(context).is_pending())).await;
            if refused {
                break;
            }
            yield_now().await;
        }
        assert!(refused);
    }

    #[tokio::test]
    async fn a_dropped_stream_has_sent_what_it_took() {
        let _uncorker = uncorker().await;
        let (mut near, far) = pair().await;
        let mut far = far.into_std().unwrap();
        near.write_all(b"last words").await.unwrap();
        drop(near);
        let mut read = [0; 11];
        assert_eq!(far.read(&mut read).unwrap(), 10);
    }

    #[tokio::test]
    async fn who_has_left_is_noticed_once_nothing_of_theirs_is_unread() {
        let (mut near, mut far) = pair().await;
        let departure = near.departure();
        let departed = async || poll_fn(|context| Poll::Ready(departure.poll(context).is_ready())).await;
        assert!(!departed().await);
        far.write_all(b"?").await.unwrap();
        drop(far);
        let mut begin = [0; 2];
        assert_eq!(near.peek(&mut begin).await.unwrap(), 1);
        assert!(!departed().await);
        assert_eq!(near.read(&mut begin).await.unwrap(), 1);
        poll_fn(|context| departure.poll(context)).await;
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_told_with_a_later_write() {
        let _uncorker = uncorker().await;
        let (mut near, far) = pair().await;
        drop(far);
        let failed = loop {
            if let Err(failed) = near.write_all(b"anybody?").await {
                break failed;
            }
            yield_now().await;
        };
        assert!(matches!(failed.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{failed}");
    }
}
