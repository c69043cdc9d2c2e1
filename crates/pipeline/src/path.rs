//! The one path of a call, in order. Each stage takes what the stage before it made, so that leaving one out does not
//! compile.
//!
//! ```text
//! Arrived ─ authenticate ─▶ Known ─ read ─▶ Read ─ recall ─▶ Recalled ─ admit ─▶ Admitted ─ route ─▶ Routed ─ send ─▶ answer
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{Background, Code, Door, Fault, Now, Request, RequestId, Rounds};
use http::Response;

use crate::body::GateBody;
use crate::core::Core;
use crate::ids::request_id;
use crate::inner::Inbound;
use crate::journey::Journey;
use crate::rounds::{self, Refusing};
use crate::snapshot::Snapshot;
use crate::stages::admit::Admitted;
use crate::stages::read::Read;
use crate::stages::{admit, authenticate, background, read, recall, respond, route, send};

/// A request whose head has been read and whose path belongs to a gateway. Boxed on its way: it is half a kilobyte, and each
/// future that holds it by value would copy it.
pub struct Arrived {
    /// The snapshot this call is judged by, from start to end.
    pub snapshot: Arc<Snapshot>,
    /// Which of its lanes.
    pub lane: usize,
    /// Which entrance.
    pub door: Door,
    /// Whom the connection is with: the caller, or a proxy before it.
    pub peer: IpAddr,
    /// The request; its body is still on the wire, unless the gateway itself makes the call.
    pub request: http::Request<Inbound>,
}

/// Takes a call from its head to the answer. The future may be dropped at any point: the upstream is then cancelled and
/// what was used is settled.
pub async fn pass(core: Arc<Core>, mut arrived: Box<Arrived>) -> Response<GateBody> {
    let now = Now(SystemTime::now());
    let mut journey = Journey::begin(core, request_id(now), &arrived.door, now);
    let walked = walk(&mut journey, &mut arrived, now).await;
    let (gateway, door) = (&arrived.snapshot.lanes[arrived.lane].gateway, &arrived.door);
    let standing = journey.standing;
    let guard = journey.guard.clone();
    let mut response = match walked {
        Ok(Passed::Answer(answer)) => respond::answer(journey, answer),
        Ok(Passed::Rounds(read, rounds)) => {
            let refusing = Refusing { gateway: Arc::clone(gateway), door: door.clone() };
            // Boxed: few calls are made of calls, and every other would carry the room for it.
            Box::pin(rounds::answer(journey, *read, rounds, refusing, now)).await
        }
        Ok(Passed::On(admitted, background)) => background::detach(journey, *admitted, *background),
        Err(fault) => respond::refusal(journey, gateway.refuse(door, &fault), &fault),
    };
    if let Some(guard) = guard {
        respond::say_guardrails(&mut response, &guard);
    }
    if let Some(standing) = standing {
        gateway.tell_standing(door, &standing, now, response.headers_mut());
    }
    response
}

/// How far a call comes while its caller waits.
enum Passed {
    /// To its answer.
    Answer(Box<respond::Answer>),
    /// To where it makes calls of its own.
    Rounds(Box<Read>, Box<dyn Rounds>),
    /// To where it runs on without its caller.
    On(Box<Admitted>, Box<Background>),
}

async fn walk(journey: &mut Journey, arrived: &mut Arrived, now: Now) -> Result<Passed, Fault> {
    refuse_when_overloaded(journey, arrived)?;
    let known = authenticate::authenticate(journey, arrived, now)?;
    let mut called = read::read(journey, known, now).await?;
    if let Some(rounds) = called.call.rounds()? {
        return Ok(Passed::Rounds(Box::new(called), rounds));
    }
    let mut recalled = recall::recall(journey, called, now).await?;
    if let Some(reply) = read::answer_locally(journey, &mut recalled.read, now) {
        return Ok(Passed::Answer(respond::Answer::local(reply?)));
    }
    let mut admitted = admit::admit(journey, recalled, now).await?;
    if let Some(background) = admitted.read.call.background()? {
        return Ok(Passed::On(Box::new(admitted), Box::new(background)));
    }
    let routed = route::route(journey, admitted, now)?;
    send::send(journey, routed).await.map(Passed::Answer)
}

pub(crate) fn refuse_when_overloaded(journey: &mut Journey, arrived: &Arrived) -> Result<(), Fault> {
    if matches!(arrived.request.body(), Inbound::Inner(_)) {
        // A part of a call that was let in, and is counted.
        journey.linger();
        return Ok(());
    }
    let shared = &journey.core.shared;
    if shared.is_draining() {
        return Err(Fault::new(Code::Draining, "the gateway is shutting down; try again, another replica will answer")
            .retry_after(1));
    }
    if shared.in_flight() > arrived.snapshot.caps.in_flight_max {
        return Err(
            Fault::new(Code::Overloaded, "the gateway has as many calls under way as it may; try again").retry_after(1)
        );
    }
    Ok(())
}

/// The request as a gateway takes it: credential headers removed.
pub(crate) fn without_credentials(arrived: &mut Arrived, body: bytes::Bytes, id: RequestId, now: Now) -> Request {
    let Arrived { request, door, .. } = arrived;
    let mut headers = std::mem::take(request.headers_mut());
    crate::caller::remove_credentials(&mut headers);
    let query = request.uri().query().and_then(crate::caller::query_without_key);
    Request { id, now, method: request.method().clone(), door: door.clone(), query, headers, body }
}
