//! A call that is answered by calls of the gateway's own ([`Rounds`]): each goes through the front door for the same caller, and
//! has a record and a row of the ledger of its own. The call itself sends nothing, so it reserves nothing.
//!
//! The answer is there when the last of them has ended. A caller who wants a stream is not left in silence for so long: if there
//! is no answer soon, its stream begins and says now and then that it is still there.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_domain::{Door, Fault, Gateway, Money, Now, Reply, Round, Rounds};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use crate::body::GateBody;
use crate::journey::Journey;
use crate::stages::read::Read;
use crate::stages::respond::{COST, REQUEST_ID};
use crate::talk::{Conducted, Floor, speak};

/// A stream begins when there has been no answer for so long: most refusals come sooner, and keep their status.
const BEGINS_AFTER: Duration = Duration::from_secs(5);
/// From then on it says so often that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A comment, which every reader of server-sent events passes over.
const STILL_THERE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// How a fault is put for this caller.
pub(crate) struct Refusing {
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) door: Door,
}

/// Makes its calls until there is an answer. How many there may be is for the rounds to bound.
pub(crate) async fn answer(
    mut journey: Box<Journey>,
    read: Read,
    rounds: Box<dyn Rounds>,
    refusing: Refusing,
    now: Now,
) -> Response<GateBody> {
    journey.outcome.operation = "rounds";
    let Read { snapshot, lane, caller, .. } = read;
    speak(journey, (snapshot, lane), caller, now, |floor| Box::pin(conduct(floor, rounds, refusing))).await
}

async fn conduct(mut floor: Floor, mut rounds: Box<dyn Rounds>, refusing: Refusing) -> Conducted {
    let reply = match carry_out(&mut floor, &mut *rounds).await {
        Ok(reply) => reply,
        Err(fault) => {
            floor.failed(&fault);
            refusing.reply(&fault)
        }
    };
    if !floor.has_spoken() {
        return Conducted::new(floor, Some(reply));
    }
    let rest = if reply.status.is_success() { reply.body } else { rounds.break_off(&reply) };
    floor.say(rest, stream_headers).await;
    Conducted::new(floor, None)
}

/// Round after round.
async fn carry_out(floor: &mut Floor, rounds: &mut dyn Rounds) -> Result<Reply, Fault> {
    let streams = rounds.streams();
    let mut quiet = ticks();
    let mut answers = Vec::new();
    let mut cost = None;
    loop {
        let calls = match rounds.next(answers)? {
            Round::Make(calls) => calls,
            Round::Done(reply) => return Ok(priced(reply, cost)),
        };
        let began = Instant::now();
        let mut making = pin!(floor.make_all(calls));
        answers = loop {
            tokio::select! {
                answers = &mut making => break answers,
                _ = quiet.tick(), if streams => floor.say(STILL_THERE, stream_headers).await,
            }
        };
        floor.waited_since(began);
        for paid in answers.iter().filter_map(paid) {
            cost = Some(cost.unwrap_or(Money::ZERO) + paid);
        }
    }
}

/// The answer with what all calls cost together.
fn priced(mut reply: Reply, cost: Option<Money>) -> Reply {
    reply.headers.remove(&REQUEST_ID);
    reply.headers.remove(&COST);
    if let Some(cost) = cost.and_then(|cost| cost.to_string().try_into().ok()) {
        reply.headers.insert(COST, cost);
    }
    reply
}

/// What a call of ours cost, as its own answer says.
fn paid(reply: &Reply) -> Option<Money> {
    reply.headers.get(&COST)?.to_str().ok()?.parse().ok().map(Money::from_usd)
}

fn ticks() -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + BEGINS_AFTER, KEEP_ALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn stream_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

impl Refusing {
    fn reply(&self, fault: &Fault) -> Reply {
        let mut reply = self.gateway.refuse(&self.door, fault);
        if let Some(seconds) = fault.retry_after_secs {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}
