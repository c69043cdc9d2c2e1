//! One connection: a request goes out, the head of its answer comes in, then what there is of its body.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use gatehouse_domain::{Head, Payload};
use http::Request;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::Stream;
use super::alarm::Alarm;
use super::framing::Framing;
use super::head::{self, Answered};
use super::outgoing::Outgoing;

/// Bytes read at once of an answer that is passed on as it comes: there may be thousands.
const SIP: usize = 8 << 10;
/// The most of a whole answer that is read at once.
const GULP_MAX: usize = 256 << 10;

/// A connection to an upstream.
pub(crate) struct Connection {
    stream: Stream,
    /// Read and not yet taken.
    read: BytesMut,
    /// What is still to be written of a request whose answer came early.
    late: Option<Box<Outgoing>>,
    /// Will another request be taken?
    persists: bool,
    alarm: Alarm,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The connection was dead before any of the request had left: another one may be tried.
    NotSent(io::Error),
    /// It broke afterwards.
    Broken(io::Error),
    /// No head in time.
    TooLate,
}

impl Connection {
    /// A connection on which nothing has been said.
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, read: BytesMut::new(), late: None, persists: true, alarm: Alarm::default() }
    }

    /// Sends a request and waits for the head of its answer. A future that is dropped leaves the connection unusable.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request<Payload>,
        limit: Duration,
    ) -> Result<(Head, Framing), Unanswered> {
        let mut out = Outgoing::of(request);
        let mut seen = 0;
        let deadline = Instant::now() + limit;
        let answered = poll_fn(|context| {
            // Looked at first: whatever a connection has to say before it is asked, it is of no use any more.
            if let Poll::Ready(head) = self.poll_head(&mut seen, request, context) {
                return Poll::Ready(if out.is_begun() {
                    head.map_err(Unanswered::Broken)
                } else {
                    let unasked = || super::broken("an answer came before its request");
                    Err(Unanswered::NotSent(head.err().unwrap_or_else(unasked)))
                });
            }
            match out.poll_write(&mut self.stream, context) {
                Poll::Ready(Err(error)) if !out.is_begun() => Poll::Ready(Err(Unanswered::NotSent(error))),
                // A server that refuses early may stop reading; what it has said before is about to be read.
                _ => self.alarm.poll(deadline, context).map(|()| Err(Unanswered::TooLate)),
            }
        })
        .await?;
        self.persists = answered.persists;
        self.late = (!out.is_over()).then(|| Box::new(out));
        Ok((answered.head, answered.framing))
    }

    fn poll_head(
        &mut self,
        seen: &mut usize,
        request: &Request<Payload>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Answered>> {
        loop {
            if ready!(self.poll_read(SIP, context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(answered) = head::take(&mut self.read, seen, request.method())? {
                return Poll::Ready(Ok(answered));
            }
        }
    }

    /// What was read and not yet taken.
    pub(crate) fn read(&mut self) -> &mut BytesMut {
        &mut self.read
    }

    /// Reads on: how many bytes came, 0 at the end. `wanted` is how many the reader would like to have at once.
    pub(crate) fn poll_more(&mut self, wanted: u64, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(late) = &mut self.late {
            // Whether the rest of a request that was answered early is still wanted will show in the answer.
            if late.poll_write(&mut self.stream, context).is_ready() {
                self.persists &= late.is_over();
                self.late = None;
            }
        }
        let room = usize::try_from(wanted).unwrap_or(GULP_MAX).clamp(SIP, GULP_MAX);
        self.poll_read(room, context)
    }

    fn poll_read(&mut self, room: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Reserved before it is used up, so that a read is never a small one.
        if self.read.capacity() - self.read.len() < room / 8 {
            self.read.reserve(room);
        }
        pin!(self.stream.read_buf(&mut self.read)).poll(context)
    }

    /// Can another request follow, as far as the answers say?
    pub(crate) fn is_free(&self) -> bool {
        self.persists && self.late.is_none() && self.read.is_empty()
    }

    /// Has the other side closed an idle connection, or said something unasked?
    pub(crate) fn is_dead(&mut self) -> bool {
        self.poll_read(SIP, &mut Context::from_waker(Waker::noop())).is_ready()
    }
}
