//! One call's record, filled in as it goes and handed over exactly once, however the call ends: answered, refused, cut
//! off, or dropped because the client left.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use gatehouse_domain::{
    AttemptOutcome, AttemptStatus, CallOutcome, Code, Door, Fault, Keep, Metered, Money, Need, Now, Principal,
    RequestId, Standing, TraceParent, Usage,
};
use gatehouse_policy::{Reservation, Warning};
use gatehouse_upstream::{Health, Verdict};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::core::Core;
use crate::guard::Guard;

/// For how long a look at the clock on the wall tells what it shows: that clock may be set meanwhile.
const WALL_FOR: Duration = Duration::from_millis(10);

/// The record of a call under way. Dropping it settles what is open and hands the outcome over.
pub(crate) struct Journey {
    pub(crate) core: Arc<Core>,
    pub(crate) outcome: CallOutcome,
    pub(crate) started: Instant,
    /// A look at the clock on the wall, and when that was.
    wall: (Instant, Now),
    /// The last look at the clock. There are few: each takes as long as a header.
    at: Instant,
    /// Its answer is handed over, as of that look.
    answered: bool,
    /// Microseconds spent waiting for others so far: the client's body, the upstream.
    pub(crate) waited_us: u64,
    pub(crate) reservation: Option<Reservation>,
    /// Where the payer stood when the call was admitted, or refused.
    pub(crate) standing: Option<Standing>,
    /// Where the call comes from, once that is known.
    pub(crate) address: Option<IpAddr>,
    /// The model the client named, if the call became one to another because a budget was spent.
    pub(crate) downgraded_from: Option<Arc<str>>,
    /// Who looks at its texts, if anybody does.
    pub(crate) guard: Option<Arc<Guard>>,
    attempt: Option<OpenAttempt>,
    /// How many attempts an earlier reservation has paid for.
    booked: usize,
    /// It waits for things to happen rather than working, and is not counted among the calls under way.
    lingers: bool,
}

/// What an attempt is booked at if the process dies under it.
pub(crate) struct Hold {
    pub(crate) ceiling: Option<Money>,
    pub(crate) input_tokens: u64,
}

/// An attempt that was written to the journal and is not settled yet.
struct OpenAttempt {
    started: Instant,
    outcome: AttemptOutcome,
    health: Arc<Health>,
}

impl Journey {
    pub(crate) fn begin(core: Arc<Core>, id: RequestId, door: &Door, now: Now) -> Box<Self> {
        core.shared.in_flight.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        Box::new(Self {
            core,
            started,
            wall: (started, now),
            at: started,
            answered: false,
            waited_us: 0,
            reservation: None,
            standing: None,
            address: None,
            downgraded_from: None,
            guard: None,
            attempt: None,
            booked: 0,
            lingers: false,
            outcome: CallOutcome {
                id,
                started_unix_ms: now.unix_ms(),
                dialect: door.dialect,
                operation: door.operation,
                ..CallOutcome::default()
            },
        })
    }

    pub(crate) fn known(&mut self, principal: &Arc<Principal>) {
        self.outcome.who = Some(Arc::clone(principal));
        self.outcome.tags.clone_from(&principal.tags);
    }

    /// It is known what is asked for.
    pub(crate) fn asked(&mut self, need: &Need) {
        self.outcome.model = (!need.resource.is_empty()).then(|| Arc::clone(&need.resource));
        self.outcome.stream = need.stream;
    }

    /// From here on it only listens: it holds nothing of a limit, and is no call under way.
    pub(crate) fn linger(&mut self) {
        self.settle_reservation();
        if !std::mem::replace(&mut self.lingers, true) {
            self.core.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Looks at the clock.
    pub(crate) fn look(&mut self) -> Instant {
        self.at = Instant::now();
        self.at
    }

    /// When the clock was last looked at: at every end of a wait, at the least.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// The same moment on the wall.
    pub(crate) fn now(&mut self) -> Now {
        if self.at - self.wall.0 > WALL_FOR {
            self.wall = (self.look(), Now(SystemTime::now()));
        }
        let (then, Now(wall)) = self.wall;
        Now(wall + (self.at - then))
    }

    /// Notes time spent waiting for somebody else.
    pub(crate) fn waited_since(&mut self, since: Instant) {
        self.waited_us += micros(self.look() - since);
    }

    /// Waits for somebody else, at most so long. What is there already, as a body mostly has come with its head, costs neither a
    /// timer nor a look at the clock.
    pub(crate) async fn wait<F: Future>(&mut self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return Ok(output);
        }
        let began = Instant::now();
        let output = timeout(limit, future).await;
        self.waited_since(began);
        output
    }

    /// Writes the intent of an attempt down that starts as of the last look at the clock, and opens it.
    pub(crate) fn open(
        &mut self,
        (provider, model): (&Arc<str>, &Arc<str>),
        health: &Arc<Health>,
        hold: &Hold,
    ) -> Result<(), Fault> {
        let now = self.now();
        let Some(who) = &self.outcome.who else {
            return Err(Fault::new(Code::Internal, "a call of nobody was about to be sent; report this"));
        };
        let outcome = AttemptOutcome {
            id: self.outcome.id.attempt(self.next_attempt()),
            started_unix_ms: now.unix_ms(),
            who: Arc::clone(who),
            run: self.outcome.run.clone(),
            tags: self.outcome.tags.clone(),
            model: self.outcome.model.clone().unwrap_or_else(|| Arc::clone(model)),
            provider: Arc::clone(provider),
            upstream_model: Arc::clone(model),
            dialect: self.outcome.dialect,
            operation: self.outcome.operation,
            stream: self.outcome.stream,
            status: AttemptStatus::Cancelled,
            http_status: 0,
            usage: Usage::default(),
            estimated: false,
            cost: Money::ZERO,
            priced: true,
            duration_us: 0,
            first_byte_us: 0,
        };
        self.core.intend(&outcome, hold.ceiling, hold.input_tokens)?;
        self.attempt = Some(OpenAttempt { started: self.at, outcome, health: Arc::clone(health) });
        Ok(())
    }

    /// The trace context for the next attempt's request: the attempt's own span, in the caller's trace. Without one of the
    /// caller's, only if anybody records traces here.
    pub(crate) fn trace_of_next_attempt(&self, recorded: bool) -> Option<String> {
        let caller = self.outcome.traceparent.as_deref().and_then(TraceParent::parse);
        if caller.is_none() && !recorded {
            return None;
        }
        let attempt = self.outcome.id.attempt(self.next_attempt());
        Some(TraceParent::of_call(self.outcome.id, caller).of_attempt(attempt).to_string())
    }

    fn next_attempt(&self) -> u8 {
        u8::try_from(self.outcome.attempts.len()).unwrap_or(u8::MAX)
    }

    /// The upstream's status has arrived.
    pub(crate) fn status_of_attempt(&mut self, status: u16) {
        if let Some(attempt) = &mut self.attempt {
            attempt.outcome.http_status = status;
        }
    }

    /// The first byte of the upstream's answer had arrived at the last look at the clock.
    pub(crate) fn first_byte_of_attempt(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.outcome.first_byte_us = micros(self.at - attempt.started);
        }
    }

    /// Settles the open attempt: journal first, then everything else.
    pub(crate) fn close(&mut self, status: AttemptStatus, verdict: Verdict, metered: &Metered, price: Option<Money>) {
        let Some(mut attempt) = self.attempt.take() else { return };
        attempt.outcome.status = status;
        attempt.outcome.usage = metered.usage;
        attempt.outcome.estimated = metered.estimated;
        attempt.outcome.cost = price.unwrap_or_default();
        attempt.outcome.priced = price.is_some() || metered.usage.is_empty();
        let at = self.look();
        attempt.outcome.duration_us = micros(at - attempt.started);
        self.core.settle(&attempt.outcome);
        attempt.health.end(verdict, at);
        self.outcome.finish = metered.finish.or(self.outcome.finish);
        // One attempt is the rule, and the room a vector makes by itself is for four.
        self.outcome.attempts.reserve_exact(1);
        self.outcome.attempts.push(attempt.outcome);
    }

    /// Keeps something for this caller, before it is told of it.
    pub(crate) fn keep(&self, keep: Keep) {
        if let Some(who) = &self.outcome.who {
            self.core.keeper.take(&who.key, keep);
        }
    }

    /// What all attempts cost so far.
    pub(crate) fn cost(&self) -> Money {
        self.outcome.attempts.iter().map(|attempt| attempt.cost).sum()
    }

    /// The answer is a refusal.
    pub(crate) fn refused(&mut self, fault: &Fault) {
        self.outcome.fault = Some(fault.code.as_str());
    }

    /// The stream carried a fault in-band.
    pub(crate) fn failed_in_band(&mut self, code: Code) {
        self.outcome.fault = Some(code.as_str());
    }

    /// The head of the answer is on its way.
    pub(crate) fn answering(&mut self, status: u16) {
        self.outcome.status = status;
        self.outcome.first_byte_us = micros(self.look() - self.started);
        self.outcome.overhead_us = self.outcome.first_byte_us.saturating_sub(self.waited_us);
    }

    /// The whole answer is on its way: nothing follows that takes time.
    pub(crate) fn answered(&mut self, status: u16) {
        self.answering(status);
        self.answered = true;
    }

    /// Settles the reservation with what was really used, before the last byte of the answer leaves.
    /// Returns the highest threshold that is reached then.
    pub(crate) fn settle_reservation(&mut self) -> Option<Warning> {
        let reservation = self.reservation.take()?;
        let paid = self.outcome.attempts.get(self.booked..).unwrap_or_default();
        let tokens = paid.iter().map(|attempt| attempt.usage.total()).sum();
        let cost = paid.iter().map(|attempt| attempt.cost).sum();
        self.booked = self.outcome.attempts.len();
        let now = self.now();
        let alerts = &self.core.shared.alerts;
        reservation.settle(now, tokens, cost, |event| alerts.push(event))
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        // Only a client that left, or one that stopped its call, leaves an attempt open here.
        self.close(AttemptStatus::Cancelled, Verdict::Silent, &Metered::default(), None);
        if !self.answered {
            self.look();
        }
        self.settle_reservation();
        let lasted = self.at - self.started;
        if self.outcome.status == 0 {
            // Nginx's number for "client closed request": the client never sees it, logs and metrics do.
            self.outcome.status = 499;
            self.outcome.overhead_us = micros(lasted).saturating_sub(self.waited_us);
        }
        self.outcome.duration_us = micros(lasted);
        if let Some(guard) = &self.guard {
            self.outcome.guardrails = guard.runs();
            self.outcome.guardrails_us = guard.spent_us();
        }
        if !self.lingers {
            self.core.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.core.outbox.push(std::mem::take(&mut self.outcome));
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
