//! The path of a conversation: the stages of a call up to admission, then its own way.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{Fault, Now, Reply};
use http::{HeaderMap, Response, StatusCode};

use super::mouth::{Begun, Mouth, Running, TalkBody};
use super::{Conducted, Floor, Refused, Talk};
use crate::body::GateBody;
use crate::core::Core;
use crate::ids::request_id;
use crate::journey::Journey;
use crate::path::{Arrived, refuse_when_overloaded};
use crate::stages::admit::{Admitted, admit_talk};
use crate::stages::read::{Read, request_of, run_of_trace};
use crate::stages::{authenticate, respond};

/// Takes a conversation from its head to the beginning of its answer. `Arrived::lane` is its place in `Snapshot::talks`.
pub async fn converse(core: Arc<Core>, arrived: Arrived) -> Response<GateBody> {
    let now = Now(SystemTime::now());
    let mut journey = Journey::begin(core, request_id(now), &arrived.door, now);
    match walk(&mut journey, arrived, now).await {
        Ok(Walked::Answered(reply)) => respond::answer(journey, respond::Answer::local(reply)),
        Ok(Walked::On(admitted)) => conduct(journey, *admitted, now).await,
        Err(refused) => respond::refusal(journey, refused.reply, &refused.fault),
    }
}

/// How far a conversation comes before it is conducted.
enum Walked {
    /// Its head was enough.
    Answered(Reply),
    /// To where it is carried out.
    On(Box<Admitted<dyn Talk>>),
}

async fn walk(journey: &mut Journey, arrived: Arrived, now: Now) -> Result<Walked, Box<Refused>> {
    let talks = Arc::clone(&arrived.snapshot.talks[arrived.lane]);
    let door = arrived.door.clone();
    let refused = |fault: Fault| Box::new(Refused { reply: talks.refuse(&door, &fault), fault });
    refuse_when_overloaded(journey, &arrived).map_err(refused)?;
    let (method, headers) = (arrived.request.method(), arrived.request.headers());
    if let Some(reply) = talks.greet(&door, method, headers).map_err(refused)? {
        return Ok(Walked::Answered(reply));
    }
    let known = authenticate::authenticate(journey, arrived, now).map_err(refused)?;
    let (arrived, caller) = (known.arrived, known.caller);
    let Arrived { snapshot, lane, request, .. } = arrived;
    let request = request_of(journey, &snapshot, door.clone(), request, now).await.map_err(refused)?;
    let talk = talks.read(request, &caller)?;
    note(journey, &*talk);
    let read = Read { snapshot, lane, caller, call: talk };
    Ok(Walked::On(Box::new(admit_talk(journey, read, now).await?)))
}

async fn conduct(journey: Box<Journey>, admitted: Admitted<dyn Talk>, now: Now) -> Response<GateBody> {
    let Read { snapshot, caller, call, .. } = admitted.read;
    let mouth = Arc::new(Mouth::default());
    let id = journey.outcome.id;
    let guard = journey.guard.clone();
    let floor = Floor::new(journey, snapshot, caller, Arc::clone(&mouth), now);
    let mut running = Running::new(call.conduct(floor), mouth);
    let mut response = match running.begin().await {
        Begun::Whole(Conducted { floor, reply }) => {
            respond::answer(floor.journey, respond::Answer::local(reply.unwrap_or_else(nothing)))
        }
        Begun::Stream(headers) => respond::speaking(id, headers, GateBody::talk(TalkBody::new(running))),
    };
    if let Some(guard) = guard {
        respond::say_guardrails(&mut response, &guard);
    }
    response
}

/// What a client is told that expects nothing: its message was taken.
fn nothing() -> Reply {
    Reply { status: StatusCode::ACCEPTED, headers: HeaderMap::new(), body: bytes::Bytes::new() }
}

/// What the body said of the call goes into its record.
fn note(journey: &mut Journey, talk: &dyn Talk) {
    journey.asked(talk.need());
    journey.outcome.operation = talk.operation();
    if journey.outcome.traceparent.is_none()
        && let Some(trace) = talk.traceparent()
    {
        journey.outcome.traceparent = Some(trace.into());
        journey.outcome.run = journey.outcome.run.take().or_else(|| run_of_trace(trace));
    }
}
