//! The answer to the client: head, facts in headers, body.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Call, Code, Fault, Head, Money, Payload, Relay, Reply, RequestId, Target};
use gatehouse_policy::Warning;
use gatehouse_upstream::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::{GateBody, StreamBody};
use crate::guard::Guard;
use crate::journey::Journey;
use crate::stages::route::Routed;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-gatehouse-request-id");
const MODEL: HeaderName = HeaderName::from_static("x-gatehouse-model");
const PROVIDER: HeaderName = HeaderName::from_static("x-gatehouse-provider");
pub(crate) const COST: HeaderName = HeaderName::from_static("x-gatehouse-cost-usd");
const ROUTE: HeaderName = HeaderName::from_static("x-gatehouse-route");
const DOWNGRADED: HeaderName = HeaderName::from_static("x-gatehouse-downgraded-from");
const WARNING: HeaderName = HeaderName::from_static("x-gatehouse-budget-warning");
const GUARDRAILS: HeaderName = HeaderName::from_static("x-gatehouse-guardrails");
const DROPPED: HeaderName = HeaderName::from_static("x-gatehouse-dropped");

/// What the path came to. Boxed where it is made: it is handed through every stage.
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: AnswerBody,
    fault: Option<Code>,
}

enum AnswerBody {
    Whole(Payload),
    Stream(Box<Open>),
}

struct Open {
    streaming: Streaming,
    call: Box<dyn Call>,
}

/// A streamed answer whose first chunk has arrived.
pub(crate) struct Streaming {
    pub(crate) target: Arc<Target>,
    pub(crate) head: Head,
    pub(crate) body: Body,
    pub(crate) first: Bytes,
    pub(crate) relay: Box<dyn Relay>,
}

impl Answer {
    pub(crate) fn local(reply: Reply) -> Box<Self> {
        Box::new(Self {
            status: reply.status,
            headers: reply.headers,
            body: AnswerBody::Whole(reply.body.into()),
            fault: None,
        })
    }

    /// The same with what follows its body.
    pub(crate) fn with_rest(mut self: Box<Self>, rest: Option<Box<[Bytes; 2]>>) -> Box<Self> {
        if let AnswerBody::Whole(body) = &mut self.body
            && rest.is_some()
        {
            *body = Payload::pieces(std::mem::take(body).into_bytes(), rest);
        }
        self
    }

    pub(crate) fn whole(
        routed: &Routed,
        target: &Target,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Box<Self> {
        let mut answer = Box::new(Self { status, headers, body: AnswerBody::Whole(body.into()), fault: None });
        answer.say_route(routed.admitted.read.call.as_ref(), target);
        answer
    }

    pub(crate) fn streaming(call: Box<dyn Call>, streaming: Streaming) -> Box<Self> {
        let headers = streaming.relay.headers(&streaming.head.headers);
        let target = Arc::clone(&streaming.target);
        let status = streaming.head.status;
        let mut answer = Box::new(Self { status, headers, body: AnswerBody::Whole(Payload::default()), fault: None });
        answer.say_route(call.as_ref(), &target);
        answer.body = AnswerBody::Stream(Box::new(Open { streaming, call }));
        answer
    }

    /// An upstream's refusal in the caller's own dialect, passed on as it is.
    pub(crate) fn verbatim(status: StatusCode, body: Bytes, code: Code) -> Box<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Box::new(Self { status, headers, body: AnswerBody::Whole(body.into()), fault: Some(code) })
    }

    /// The code of the refusal it passes on, if it is one.
    pub(crate) fn fault(&self) -> Option<Code> {
        self.fault
    }

    fn say_route(&mut self, call: &dyn Call, target: &Target) {
        for (name, told) in [(MODEL, &target.told.model), (PROVIDER, &target.told.provider)] {
            if let Some(told) = told {
                self.headers.insert(name, told.clone());
            }
        }
        if !call.dropped().is_empty() {
            let said = self.headers.get(&DROPPED).and_then(|said| said.to_str().ok()).map(str::to_owned);
            let names = call.dropped().iter().map(String::as_str).chain(said.as_deref());
            insert(&mut self.headers, DROPPED, &names.collect::<Vec<_>>().join(","));
        }
    }
}

/// The answer of a call that got through.
#[expect(clippy::boxed_local, reason = "it comes in its box, and is only taken apart here")]
pub(crate) fn answer(mut journey: Box<Journey>, answer: Box<Answer>) -> Response<GateBody> {
    let Answer { status, mut headers, body, fault } = *answer;
    insert(&mut headers, REQUEST_ID, journey.outcome.id.text(&mut [0; 32]));
    if let Some(route) = &journey.outcome.route {
        insert(&mut headers, ROUTE, route);
    }
    if let Some(model) = &journey.downgraded_from {
        insert(&mut headers, DOWNGRADED, model);
    }
    if let Some(code) = fault {
        journey.failed_in_band(code);
    }
    let body = match body {
        AnswerBody::Whole(body) => {
            if !journey.outcome.attempts.is_empty() {
                insert(&mut headers, COST, journey.cost().text(&mut [0; Money::TEXT_BYTES_MAX]));
            }
            journey.outcome.bytes_out = body.len() as u64;
            warn(&mut headers, journey.settle_reservation().as_ref());
            journey.answered(status.as_u16());
            GateBody::whole(body)
        }
        AnswerBody::Stream(open) => {
            // What this call will have used is not known yet: it is warned of what the ones before have used.
            warn(&mut headers, journey.reservation.as_ref().and_then(|reservation| reservation.warning()));
            journey.answering(status.as_u16());
            GateBody::stream(StreamBody::new(journey, open.call, open.streaming))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What the caller of a call that runs on is told.
pub(crate) fn detached(journey: &mut Journey, reply: Reply) -> Response<GateBody> {
    journey.outcome.bytes_out = reply.body.len() as u64;
    journey.answering(reply.status.as_u16());
    let mut response = Response::new(GateBody::whole(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    insert(response.headers_mut(), REQUEST_ID, journey.outcome.id.text(&mut [0; 32]));
    response
}

/// The answer of a conversation that speaks: its record is with it.
pub(crate) fn speaking(id: RequestId, mut headers: HeaderMap, body: GateBody) -> Response<GateBody> {
    insert(&mut headers, REQUEST_ID, id.text(&mut [0; 32]));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// What guardrails did, as far as it is known when the head leaves.
pub(crate) fn say_guardrails(response: &mut Response<GateBody>, guard: &Guard) {
    let open = response.body().is_stream();
    if let Ok(told) = HeaderValue::try_from(guard.told(open)) {
        response.headers_mut().insert(GUARDRAILS, told);
    }
}

/// The answer of a call that did not.
pub(crate) fn refusal(mut journey: Box<Journey>, reply: Reply, fault: &Fault) -> Response<GateBody> {
    journey.refused(fault);
    journey.outcome.bytes_out = reply.body.len() as u64;
    journey.settle_reservation();
    journey.answered(reply.status.as_u16());
    let mut response = Response::new(GateBody::whole(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    insert(headers, REQUEST_ID, journey.outcome.id.text(&mut [0; 32]));
    if fault.status == StatusCode::UNAUTHORIZED {
        // A gateway whose doors are protected resources of their own says more than this.
        headers.entry(WWW_AUTHENTICATE).or_insert_with(|| challenge(fault.code));
    }
    if let Some(seconds) = fault.retry_after_secs {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// RFC 6750 §3: with an error only where a token was presented.
fn challenge(code: Code) -> HeaderValue {
    HeaderValue::from_static(if code.is_about_token() { "Bearer error=\"invalid_token\"" } else { "Bearer" })
}

/// Says that a threshold is reached.
fn warn(headers: &mut HeaderMap, warning: Option<&Warning>) {
    if let Some(warning) = warning {
        insert(headers, WARNING, &warning.to_string());
    }
}

/// Names come from configuration and provider, so a value that is no header value is left out, never an error.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
