//! The path of a conversation: the stages of a call up to admission, then its own way.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use gatehouse_domain::{Challenge, Code, Fault, Now, Reply};
use http::header::{AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};

use super::mouth::{Begun, Mouth, Running, TalkBody};
use super::{Conducted, Conducting, Floor, Refused, Talk, Talks};
use crate::body::GateBody;
use crate::core::Core;
use crate::ids::request_id;
use crate::inner::Inbound;
use crate::journey::Journey;
use crate::path::{Arrived, refuse_when_overloaded};
use crate::snapshot::{KeyEntry, Snapshot};
use crate::stages::admit::{Admitted, admit_talk};
use crate::stages::read::{Read, request_of, run_of_trace};
use crate::stages::{authenticate, respond};

/// Messages up to this size are copied out of the buffer they were read into. A conversation goes on with slices of its message, and a
/// connection whose buffer is held needs another one of 8 KB to see its client leave.
const COPIED_BYTES_MAX: usize = 2 << 10;

/// Takes a conversation from its head to the beginning of its answer. `Arrived::lane` is its place in `Snapshot::talks`.
pub async fn converse(core: Arc<Core>, arrived: Box<Arrived>) -> Response<GateBody> {
    let now = Now(SystemTime::now());
    let mut journey = Journey::begin(core, request_id(now), &arrived.door, now);
    let talks = Arc::clone(&arrived.snapshot.talks[arrived.lane]);
    let resource = Resource::of(&arrived);
    let arrived = *arrived;
    let (head, body) = arrived.request.into_parts();
    let greeted = match talks.greet(&arrived.door, &head) {
        // A call of the gateway's own has come from nowhere that could be wrong.
        _ if matches!(body, Inbound::Inner(_)) => None,
        Ok(greeted) => greeted,
        Err(fault) => {
            return respond::refusal(journey, resource.challenged(talks.refuse(&arrived.door, &fault), &fault), &fault);
        }
    };
    let origin = head.headers.get(ORIGIN).cloned();
    let mut arrived = Arrived { request: http::Request::from_parts(head, body), ..arrived };
    let mut response = match greeted {
        Some(reply) => respond::answer(journey, respond::Answer::local(reply)),
        None => match walk(&mut journey, &*talks, &mut arrived, now).await {
            Ok(admitted) => {
                // Its address lies in the buffer it was read into, which the connection can use again.
                drop(arrived);
                conduct(journey, admitted, now).await
            }
            Err(refused) => {
                let reply = resource.challenged(refused.reply, &refused.fault);
                respond::refusal(journey, reply, &refused.fault)
            }
        },
    };
    if let Some(origin) = origin {
        talks.dress(&origin, response.headers_mut());
    }
    response
}

/// What a conversation is had with, as a protected resource (RFC 9728): where clients that have no token for it find one.
struct Resource {
    public_url: Option<Arc<str>>,
    path: String,
}

impl Resource {
    fn of(arrived: &Arrived) -> Self {
        let public_url = arrived.snapshot.identities.own.as_ref().map(|own| Arc::clone(&own.public_url));
        // Nobody asks for the path of what cannot be told where to find a token.
        let path = public_url.as_ref().map(|_| arrived.request.uri().path().trim_end_matches('/').to_owned());
        Self { public_url, path: path.unwrap_or_default() }
    }

    /// A refusal that says how to come back with a token that suffices.
    fn challenged(&self, mut reply: Reply, fault: &Fault) -> Reply {
        let Some(public_url) = &self.public_url else { return reply };
        let challenge = Challenge { public_url, path: &self.path };
        let value = match fault.code {
            Code::InsufficientScope => challenge.insufficient(fault.param.as_deref().unwrap_or_default()),
            code if code.status() == 401 => challenge.unauthorized(code != Code::MissingKey),
            _ => return reply,
        };
        reply.headers.insert(WWW_AUTHENTICATE, value);
        reply
    }
}

async fn walk(
    journey: &mut Journey,
    talks: &dyn Talks,
    arrived: &mut Arrived,
    now: Now,
) -> Result<Admitted<dyn Talk>, Box<Refused>> {
    let door = arrived.door.clone();
    let refused = |fault: Fault| Box::new(Refused { reply: talks.refuse(&door, &fault), fault });
    refuse_when_overloaded(journey, arrived).map_err(refused)?;
    let known = authenticate::authenticate(journey, arrived, now).map_err(refused)?;
    let (arrived, caller) = (known.arrived, known.caller);
    if let Some(token) = foreign_token(arrived, &caller) {
        talks.came(&caller.principal, token);
    }
    let mut request = request_of(journey, arrived, now).await.map_err(refused)?;
    if request.body.len() <= COPIED_BYTES_MAX {
        request.body = Bytes::copy_from_slice(&request.body);
    }
    let (snapshot, lane) = (Arc::clone(&arrived.snapshot), arrived.lane);
    let talk = talks.read(request, &caller)?;
    note(journey, &*talk);
    admit_talk(journey, Read { snapshot, lane, caller, call: talk }, now).await
}

/// The token of another issuer that the caller came with, if it came with one. Those of our own are good here and nowhere else.
fn foreign_token<'a>(arrived: &'a Arrived, caller: &KeyEntry) -> Option<&'a str> {
    let (scheme, token) = arrived.request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let signed = token.bytes().filter(|byte| *byte == b'.').count() == 2;
    (signed && scheme.eq_ignore_ascii_case("bearer") && caller.principal.access.is_none()).then_some(token)
}

async fn conduct(journey: Box<Journey>, admitted: Admitted<dyn Talk>, now: Now) -> Response<GateBody> {
    let Read { snapshot, lane, caller, call } = admitted.read;
    speak(journey, (snapshot, lane), caller, now, |floor| call.conduct(floor)).await
}

/// Gives the floor to a conversation, up to the beginning of its answer.
pub(crate) async fn speak(
    journey: Box<Journey>,
    place: (Arc<Snapshot>, usize),
    caller: Arc<KeyEntry>,
    now: Now,
    conduct: impl FnOnce(Floor) -> Conducting,
) -> Response<GateBody> {
    let mouth = Arc::new(Mouth::default());
    let id = journey.outcome.id;
    let guard = journey.guard.clone();
    let mut running = Running::new(conduct(Floor::new(journey, place, caller, Arc::clone(&mouth), now)), mouth);
    let mut response = match running.begin().await {
        Begun::Whole(Conducted { floor, reply, rest }) => {
            respond::answer(floor.journey, respond::Answer::local(reply.unwrap_or_else(nothing)).with_rest(rest))
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
    Reply { status: StatusCode::ACCEPTED, headers: HeaderMap::new(), body: Bytes::new() }
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
