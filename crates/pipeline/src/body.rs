//! Bodies of answers. A streamed one drives the relay: bytes from the upstream in, bytes for the client out, and the
//! attempt settled before the last of them leaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use gatehouse_domain::{AttemptStatus, Call, Code, End, Fault, Metered, Now, Payload, Relay, Target};
use gatehouse_upstream::{Body, Verdict};
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Sleep;

use crate::guard::is_guards;
use crate::journey::Journey;
use crate::stages::respond::Streaming;
use crate::stages::send::join;
use crate::talk::TalkBody;

/// Most bytes handed over at once. What has already arrived goes out in one write; nothing ever waits for more.
const GATHER_BYTES_MAX: usize = 64 << 10;

/// The body of any answer.
pub struct GateBody(Kind);

enum Kind {
    Whole(Payload),
    Stream(Box<StreamBody>),
    Talk(Box<TalkBody>),
    Other(UnsyncBoxBody<Bytes, Infallible>),
}

impl GateBody {
    pub(crate) fn whole(body: impl Into<Payload>) -> Self {
        Self(Kind::Whole(body.into()))
    }

    pub(crate) fn stream(stream: StreamBody) -> Self {
        Self(Kind::Stream(Box::new(stream)))
    }

    pub(crate) fn talk(talk: TalkBody) -> Self {
        Self(Kind::Talk(Box::new(talk)))
    }

    /// Is it an answer that still comes?
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream(_) | Kind::Talk(_))
    }

    /// A body made elsewhere: the control plane's answers.
    #[must_use]
    pub fn other(body: UnsyncBoxBody<Bytes, Infallible>) -> Self {
        Self(Kind::Other(body))
    }

    /// A short body of the listener's own.
    #[must_use]
    pub fn text(text: &'static str) -> Self {
        Self(Kind::Whole(Bytes::from_static(text.as_bytes()).into()))
    }
}

impl http_body::Body for GateBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(body) => Poll::Ready(body.next_piece().map(|piece| Ok(Frame::data(piece)))),
            Kind::Stream(stream) => stream.poll(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Talk(talk) => talk.poll(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_empty(),
            Kind::Stream(stream) => stream.is_done(),
            Kind::Talk(_) => false,
            Kind::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Kind::Stream(_) | Kind::Talk(_) => SizeHint::default(),
            Kind::Other(body) => body.size_hint(),
        }
    }
}

/// A streamed answer under way. Dropped before its end, the client has left: the upstream's connection is closed with
/// it and what was used so far is settled.
pub(crate) struct StreamBody {
    journey: Box<Journey>,
    call: Box<dyn Call>,
    target: Arc<Target>,
    relay: Box<dyn Relay>,
    upstream: Option<Body>,
    out: Vec<Bytes>,
    idle: Idle,
    deadline: Instant,
}

impl StreamBody {
    pub(crate) fn new(journey: Box<Journey>, mut call: Box<dyn Call>, streaming: Streaming) -> Self {
        call.begun();
        let Streaming { target, head: _, body, first, relay } = streaming;
        let mut stream = Self {
            journey,
            call,
            relay,
            upstream: Some(body),
            out: Vec::new(),
            idle: Idle::new(target.timeouts.between_chunks),
            deadline: Instant::now() + target.timeouts.total,
            target,
        };
        stream.take(first);
        stream
    }

    fn is_done(&self) -> bool {
        self.upstream.is_none() && self.out.is_empty()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let gathered = self.gather(context);
        if !self.out.is_empty() {
            let bytes = join(std::mem::take(&mut self.out));
            self.journey.outcome.bytes_out += bytes.len() as u64;
            return Poll::Ready(Some(bytes));
        }
        if self.upstream.is_none() {
            return Poll::Ready(None);
        }
        if gathered.is_ready() {
            // Much has come and nothing of it can be passed on yet. There may be more, and nobody else would wake us for it.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes what has arrived, and no more: pending when it is the upstream that is waited for.
    fn gather(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut gathered: usize = self.out.iter().map(Bytes::len).sum();
        while gathered < GATHER_BYTES_MAX {
            let Some(upstream) = &mut self.upstream else { break };
            match upstream.poll_chunk(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    gathered += chunk.len();
                    self.take(chunk);
                }
                Poll::Ready(None) => self.finish(&End::Upstream, AttemptStatus::Ok),
                Poll::Ready(Some(Err(_))) => {
                    let fault = self.fault(Code::UpstreamBroken, "broke off in the middle of its answer");
                    self.finish(&End::Fault(&fault), AttemptStatus::Truncated);
                }
                Poll::Pending => {
                    if self.idle.ran_out(context) || Instant::now() > self.deadline {
                        self.give_up("fell silent in the middle of its answer");
                    }
                    return Poll::Pending;
                }
            }
        }
        if Instant::now() > self.deadline {
            self.give_up("took longer for its answer than a call may take");
        }
        Poll::Ready(())
    }

    fn give_up(&mut self, why: &str) {
        let fault = self.fault(Code::UpstreamTimeout, why);
        self.finish(&End::Fault(&fault), AttemptStatus::TimedOut);
    }

    fn take(&mut self, chunk: Bytes) {
        self.idle.touch();
        let fed = self.relay.feed(chunk, &mut self.out);
        if let Some(keep) = self.relay.keep() {
            self.journey.keep(keep);
        }
        if let Err(fault) = fed {
            // A guardrail that ends an answer is not the provider's fault.
            let status = if is_guards(fault.code) { AttemptStatus::Cancelled } else { AttemptStatus::Truncated };
            self.finish(&End::Fault(&fault), status);
        }
    }

    /// Ends the answer and settles the attempt, before the last bytes leave.
    fn finish(&mut self, end: &End<'_>, status: AttemptStatus) {
        if self.upstream.take().is_none() {
            return;
        }
        let metered = self.relay.finish(*end, &mut self.out);
        if let Some(keep) = self.relay.keep() {
            self.journey.keep(keep);
        }
        if let Some(code) = metered.fault {
            self.journey.failed_in_band(code);
        }
        let (status, verdict) = match status {
            _ if metered.fault.is_some_and(is_guards) => (AttemptStatus::Cancelled, Verdict::Silent),
            AttemptStatus::Ok if !metered.complete => (AttemptStatus::Truncated, Verdict::Failed),
            AttemptStatus::Ok => (AttemptStatus::Ok, Verdict::Alive),
            other => (other, Verdict::Failed),
        };
        self.settle(status, verdict, &metered);
    }

    fn settle(&mut self, status: AttemptStatus, verdict: Verdict, metered: &Metered) {
        let price = self.call.price(&self.target, &metered.usage, Now(SystemTime::now()));
        self.journey.close(status, verdict, metered, price);
        self.journey.settle_reservation();
    }

    fn fault(&self, code: Code, what: &str) -> Fault {
        Fault::new(code, format!("the provider `{}` {what}", self.target.provider))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if self.upstream.take().is_some() {
            let metered = self.relay.finish(End::ClientGone, &mut self.out);
            self.settle(AttemptStatus::Cancelled, Verdict::Silent, &metered);
        }
    }
}

/// A timer that a thousand chunks do not touch: it is armed once, and when it fires it looks when the last chunk came.
struct Idle {
    limit: Duration,
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, last: Instant::now(), sleep: None }
    }

    fn touch(&mut self) {
        self.last = Instant::now();
    }

    fn ran_out(&mut self, context: &mut Context<'_>) -> bool {
        let until = self.last + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= until {
                return true;
            }
            sleep.as_mut().reset(until.into());
        }
        false
    }
}
