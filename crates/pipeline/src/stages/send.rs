//! Attempts, one after the other, until one answers or none is left.
//!
//! Up to the first byte of an answer's body anything may be tried again: the client has seen nothing. From then on the
//! answer is the client's and can only go on or end honestly.

mod asked;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use gatehouse_domain::{
    AttemptStatus, Blame, Code, End, Fault, Head, Judgement, Metered, Now, Outbound, Payload, Relay, Target,
    WriteContext,
};
use gatehouse_upstream::{Body, Health, SendError, Sent, Verdict};
use http::header::HOST;

use crate::guard::is_guards;
use crate::journey::{Hold, Journey};
use crate::snapshot::Token;
use crate::stages::respond::{Answer, Streaming};
use crate::stages::route::Routed;

/// Largest error body read from an upstream.
const ERROR_BYTES_MAX: usize = 1 << 20;

/// How one attempt came to an answer.
enum Reached {
    Whole(Box<Answer>),
    Stream(Box<Streaming>),
}

/// How one attempt ended short of an answer.
struct Missed {
    fault: Fault,
    blame: Blame,
    verbatim: Option<(http::StatusCode, Bytes)>,
}

pub(crate) async fn send(journey: &mut Journey, mut routed: Routed) -> Result<Box<Answer>, Fault> {
    let mut last = None;
    let plan = std::mem::take(&mut routed.plan);
    for index in plan {
        let Some(target) = routed.admitted.read.call.target(index) else { continue };
        for round in 0..=target.retries {
            let missed = match attempt(journey, &mut routed, &target, index).await {
                Ok(Reached::Whole(answer)) => return Ok(answer),
                Ok(Reached::Stream(streaming)) => return Ok(Answer::streaming(routed.admitted.read.call, *streaming)),
                Err(missed) => missed,
            };
            let again = missed.blame == Blame::Target
                && round < target.retries
                && health_of(&routed, index).may_retry(Instant::now());
            let over = missed.blame == Blame::Caller || missed.fault.code == Code::LedgerUnavailable;
            last = Some(missed);
            if over {
                return give_up(last);
            }
            if !again {
                break;
            }
            back_off(journey, round).await;
        }
    }
    give_up(last)
}

fn give_up(last: Option<Missed>) -> Result<Box<Answer>, Fault> {
    let Some(missed) = last else {
        return Err(Fault::new(Code::NoTarget, "the model has no target; the operator must configure one"));
    };
    match missed.verbatim {
        Some((status, body)) => Ok(Answer::verbatim(status, body, missed.fault.code)),
        None => Err(missed.fault),
    }
}

/// Full jitter over 100 ms, doubled with every round.
async fn back_off(journey: &mut Journey, round: u8) {
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(fastrand::u64(10..100) << round.min(4))).await;
    journey.waited_since(began);
}

async fn attempt(
    journey: &mut Journey,
    routed: &mut Routed,
    target: &Arc<Target>,
    index: usize,
) -> Result<Reached, Missed> {
    let now = journey.now();
    let outbound = write(journey, routed, target, now)?;
    let health = Arc::clone(health_of(routed, index));
    if !health.begin(journey.look()) {
        return Err(missed(
            Blame::Gateway,
            Fault::new(Code::NoTarget, "the target is being probed; try again").retry_after(1),
        ));
    }
    let call = &routed.admitted.read.call;
    let hold = Hold { ceiling: call.ceiling(), input_tokens: call.need().input_tokens };
    journey.open((&target.provider, &target.model), &health, &hold).map_err(|fault| missed(Blame::Gateway, fault))?;
    let sent = match deliver(journey, target, outbound).await {
        Ok(sent) => sent,
        Err((status, fault)) => {
            journey.close(status, Verdict::Failed, &Metered::default(), None);
            return Err(missed(Blame::Target, fault));
        }
    };
    journey.status_of_attempt(sent.head.status.as_u16());
    if !sent.head.status.is_success() {
        // Boxed, as every call would otherwise carry the room for a refusal.
        return Err(Box::pin(judge(journey, routed, target, sent)).await);
    }
    let guard = journey.guard.clone();
    if let Some(guard) = guard.as_ref().filter(|guard| guard.asks_about_answers()) {
        // Boxed, as every call would otherwise carry the room for it.
        return Box::pin(asked::asked(journey, routed, target, guard, sent, now)).await.map(Reached::Whole);
    }
    let screen = guard.as_ref().and_then(|guard| guard.screen());
    let relay = routed.admitted.read.call.relay(target, &sent.head, now, screen);
    if relay.streams() {
        begin_stream(journey, target, sent, relay).await.map(|streaming| Reached::Stream(Box::new(streaming)))
    } else {
        collect_whole(journey, routed, target, sent, relay, now).await.map(Reached::Whole)
    }
}

fn write(journey: &Journey, routed: &mut Routed, target: &Target, now: Now) -> Result<Outbound, Missed> {
    let read = &mut routed.admitted.read;
    let token = target
        .grant
        .and_then(|grant| read.snapshot.lanes[read.lane].tokens.get(grant))
        .and_then(|cell| fresh(cell, now));
    let trace = journey.trace_of_next_attempt(read.snapshot.traced);
    let context =
        WriteContext { now, token: token.as_ref().map(|token| token.secret.reveal()), traceparent: trace.as_deref() };
    read.call.write(target, &context).map_err(|fault| {
        // A body that cannot be read, or that strict mode refuses, may still suit another target of another dialect;
        // what no target can change is the caller's fault.
        let blame = if fault.code == Code::InvalidJson || fault.code == Code::InvalidRequest {
            Blame::Caller
        } else {
            Blame::Gateway
        };
        missed(blame, fault)
    })
}

fn fresh(cell: &ArcSwapOption<Token>, now: Now) -> Option<Arc<Token>> {
    cell.load_full().filter(|token| token.expires_unix_secs > now.unix_secs())
}

/// Sends and waits for the head.
async fn deliver(journey: &mut Journey, target: &Target, outbound: Outbound) -> Result<Sent, (AttemptStatus, Fault)> {
    let request = request(target, outbound).map_err(|fault| (AttemptStatus::Failed, fault))?;
    let began = journey.at();
    let sent = journey.core.pool.send(&target.origin, &target.timeouts, request).await;
    journey.waited_since(began);
    sent.map_err(|error| match error {
        SendError::Connect(_) => (
            AttemptStatus::Failed,
            Fault::new(Code::UpstreamUnreachable, format!("the provider `{}` cannot be reached", target.provider)),
        ),
        SendError::Broken(_) => (
            AttemptStatus::Failed,
            Fault::new(
                Code::UpstreamBroken,
                format!("the provider `{}` closed the connection before it answered", target.provider),
            ),
        ),
        SendError::FirstByteTimeout => (AttemptStatus::TimedOut, too_slow(target)),
    })
}

fn request(target: &Target, outbound: Outbound) -> Result<http::Request<Payload>, Fault> {
    let mut request = http::Request::new(outbound.body);
    *request.method_mut() = outbound.method;
    *request.uri_mut() = http::Uri::from(outbound.path);
    *request.headers_mut() = outbound.headers;
    if !request.headers().contains_key(HOST) {
        let origin = &target.origin;
        let usual = if origin.tls { 443 } else { 80 };
        let host =
            if origin.port == usual { origin.host.to_string() } else { format!("{}:{}", origin.host, origin.port) };
        let host = http::HeaderValue::try_from(host)
            .map_err(|_| Fault::new(Code::Internal, "the target's host is not a header value"))?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(request)
}

/// An answer that is not a success: reads what it says and settles the attempt.
async fn judge(journey: &mut Journey, routed: &Routed, target: &Target, sent: Sent) -> Missed {
    let Sent { head, mut body } = sent;
    let bytes = read_error(journey, target, &mut body).await;
    let Judgement { fault, blame, verbatim } = routed.admitted.read.call.judge(target, &head, &bytes);
    let (status, verdict) = match blame {
        Blame::Caller => (AttemptStatus::Rejected, Verdict::Alive),
        Blame::Limit { cool_down } => (AttemptStatus::Limited, Verdict::Limited(cool_down)),
        Blame::Target => (AttemptStatus::Failed, Verdict::Failed),
        Blame::Gateway => (AttemptStatus::Failed, Verdict::Silent),
    };
    journey.close(status, verdict, &Metered::default(), None);
    Missed { fault, blame, verbatim: verbatim.map(|body| (head.status, body)) }
}

async fn read_error(journey: &mut Journey, target: &Target, body: &mut Body) -> Bytes {
    let began = Instant::now();
    let mut whole = BytesMut::new();
    let read = async {
        while let Some(Ok(chunk)) = body.chunk().await {
            whole.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES_MAX - whole.len())]);
            if whole.len() >= ERROR_BYTES_MAX {
                break;
            }
        }
    };
    // What has come by then is judged; an error body that never ends says enough by its status.
    drop(tokio::time::timeout(target.timeouts.between_chunks, read).await);
    journey.waited_since(began);
    whole.freeze()
}

/// A streamed answer begins with its first byte: until then it can still fail unseen.
async fn begin_stream(
    journey: &mut Journey,
    target: &Arc<Target>,
    sent: Sent,
    relay: Box<dyn Relay>,
) -> Result<Streaming, Missed> {
    let Sent { head, mut body } = sent;
    match journey.wait(target.timeouts.first_byte, body.chunk()).await {
        Ok(Some(Ok(first))) => {
            journey.first_byte_of_attempt();
            Ok(Streaming { target: Arc::clone(target), head, body, first, relay })
        }
        Ok(None) => Err(fail(journey, AttemptStatus::Truncated, broken(target, "answered with an empty stream"))),
        Ok(Some(Err(_))) => {
            Err(fail(journey, AttemptStatus::Truncated, broken(target, "broke off before its answer began")))
        }
        Err(_) => Err(fail(journey, AttemptStatus::TimedOut, too_slow(target))),
    }
}

/// A whole answer is collected, so that its cost can be told in its head and a broken one can be tried again.
async fn collect_whole(
    journey: &mut Journey,
    routed: &mut Routed,
    target: &Arc<Target>,
    sent: Sent,
    mut relay: Box<dyn Relay>,
    now: Now,
) -> Result<Box<Answer>, Missed> {
    let Sent { head, mut body } = sent;
    body.wants_whole();
    let whole = collect(journey, routed, target, &mut body).await?;
    let (out, metered) = read_whole(journey, routed, target, whole, relay.as_mut(), now)?;
    Ok(settle_whole(journey, routed, target, &head, relay.as_mut(), (out, &metered), now))
}

/// The whole of an answer's body.
async fn collect(journey: &mut Journey, routed: &Routed, target: &Target, body: &mut Body) -> Result<Bytes, Missed> {
    let limit = routed.admitted.read.snapshot.caps.answer_bytes_max;
    let whole = match journey.wait(target.timeouts.total, whole_answer(body, limit, target)).await {
        Ok(Ok(whole)) => whole,
        Ok(Err(fault)) => return Err(fail(journey, AttemptStatus::Truncated, fault)),
        Err(_) => return Err(fail(journey, AttemptStatus::TimedOut, too_slow(target))),
    };
    journey.first_byte_of_attempt();
    Ok(whole)
}

/// What the caller gets of a whole answer, and what it took.
fn read_whole(
    journey: &mut Journey,
    routed: &Routed,
    target: &Target,
    whole: Bytes,
    relay: &mut dyn Relay,
    now: Now,
) -> Result<(Vec<Bytes>, Metered), Missed> {
    let mut out = Vec::with_capacity(1);
    if let Err(fault) = relay.feed(whole, &mut out) {
        if is_guards(fault.code) {
            let metered = relay.finish(End::Fault(&fault), &mut out);
            return Err(over(journey, routed, target, fault, &metered, now));
        }
        return Err(fail(journey, AttemptStatus::Failed, fault));
    }
    let metered = relay.finish(End::Upstream, &mut out);
    if !metered.complete {
        return Err(fail(journey, AttemptStatus::Failed, broken(target, "sent something that is not an answer")));
    }
    Ok((out, metered))
}

fn settle_whole(
    journey: &mut Journey,
    routed: &mut Routed,
    target: &Arc<Target>,
    head: &Head,
    relay: &mut dyn Relay,
    (out, metered): (Vec<Bytes>, &Metered),
    now: Now,
) -> Box<Answer> {
    if let Some(keep) = relay.keep() {
        journey.keep(keep);
    }
    let price = routed.admitted.read.call.price(target, &metered.usage, now);
    journey.close(AttemptStatus::Ok, Verdict::Alive, metered, price);
    Answer::whole(routed, target, head.status, relay.headers(&head.headers), join(out))
}

/// A guardrail ends the call: the provider has answered and is paid, and no other one is asked.
fn over(journey: &mut Journey, routed: &Routed, target: &Target, fault: Fault, metered: &Metered, now: Now) -> Missed {
    let price = routed.admitted.read.call.price(target, &metered.usage, now);
    journey.close(AttemptStatus::Ok, Verdict::Alive, metered, price);
    missed(Blame::Caller, fault)
}

async fn whole_answer(body: &mut Body, limit: usize, target: &Target) -> Result<Bytes, Fault> {
    let broke = |_| broken(target, "broke off in the middle of its answer");
    let Some(first) = body.chunk().await else { return Ok(Bytes::new()) };
    let first = first.map_err(broke)?;
    let Some(second) = body.chunk().await else { return Ok(first) };
    let mut whole = BytesMut::with_capacity(first.len() * 2);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second.map_err(broke)?);
    while let Some(more) = body.chunk().await {
        whole.extend_from_slice(&more.map_err(broke)?);
        if whole.len() > limit {
            return Err(broken(target, "sent an answer over the gateway's size limit"));
        }
    }
    Ok(whole.freeze())
}

/// One buffer of several; the usual single one is not copied.
pub(crate) fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() <= 1 {
        return parts.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in &parts {
        whole.extend_from_slice(part);
    }
    whole.freeze()
}

fn fail(journey: &mut Journey, status: AttemptStatus, fault: Fault) -> Missed {
    journey.close(status, Verdict::Failed, &Metered::default(), None);
    missed(Blame::Target, fault)
}

fn missed(blame: Blame, fault: Fault) -> Missed {
    Missed { fault, blame, verbatim: None }
}

fn broken(target: &Target, what: &str) -> Fault {
    Fault::new(Code::UpstreamBroken, format!("the provider `{}` {what}", target.provider))
}

fn too_slow(target: &Target) -> Fault {
    Fault::new(Code::UpstreamTimeout, format!("the provider `{}` did not answer in time", target.provider))
}

fn health_of(routed: &Routed, index: usize) -> &Arc<Health> {
    let read = &routed.admitted.read;
    &read.snapshot.lanes[read.lane].health[index]
}
