//! Calls that the gateway makes by itself, for a caller, at its own front door: a model's tools, a server's question to a
//! model. Each passes every stage as if it had come in on a socket, but for two things that were settled before: who calls,
//! and that there is room for one more call.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, InnerCall, Reply, TraceParent};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use crate::body::GateBody;
use crate::core::Core;
use crate::journey::Journey;
use crate::path::{Arrived, pass};
use crate::snapshot::{KeyEntry, Snapshot};
use crate::talk::converse;

/// The body of a request at the front door.
pub enum Inbound {
    /// On the wire.
    Wire(Incoming),
    /// Of the gateway's own making.
    Inner(Box<Made>),
}

impl From<Incoming> for Inbound {
    fn from(incoming: Incoming) -> Self {
        Self::Wire(incoming)
    }
}

/// The body of an inner call, and for whom it is made. Only this file makes one, of a caller who was let in.
pub struct Made {
    pub(crate) body: Bytes,
    pub(crate) caller: Arc<KeyEntry>,
    pub(crate) address: Option<IpAddr>,
}

/// Makes inner calls for one outer call: same caller, same snapshot, same run, trace and tags.
#[derive(Clone)]
pub(crate) struct Errands {
    core: Arc<Core>,
    snapshot: Arc<Snapshot>,
    caller: Arc<KeyEntry>,
    address: Option<IpAddr>,
    attribution: HeaderMap,
}

const RUN: HeaderName = HeaderName::from_static("x-gatehouse-run");
const TAGS: HeaderName = HeaderName::from_static("x-gatehouse-tags");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One inner call under way. Boxed: a call may make calls that make calls.
pub type Making = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Errands {
    /// For the call of this journey. One that belongs to no run becomes a run of its own.
    pub(crate) fn of(journey: &mut Journey, snapshot: &Arc<Snapshot>, caller: &Arc<KeyEntry>) -> Self {
        let id = journey.outcome.id;
        let outcome = &mut journey.outcome;
        let run = outcome.run.get_or_insert_with(|| id.to_string().into());
        let caller_trace = outcome.traceparent.as_deref().and_then(TraceParent::parse);
        let trace =
            (caller_trace.is_some() || snapshot.traced).then(|| TraceParent::of_call(id, caller_trace).to_string());
        let said = [(RUN, Some(&**run)), (TAGS, outcome.tags.as_deref()), (TRACEPARENT, trace.as_deref())];
        let said = said.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value?).ok()?)));
        Self {
            core: Arc::clone(&journey.core),
            snapshot: Arc::clone(snapshot),
            caller: Arc::clone(caller),
            address: journey.address,
            attribution: said.collect(),
        }
    }

    /// Makes calls at once and gives back their answers, in the same order.
    pub(crate) async fn all(&self, calls: Vec<InnerCall>) -> Vec<Reply> {
        let mut making: Vec<(Making, Option<Reply>)> =
            calls.into_iter().map(|call| (self.clone().make(call), None)).collect();
        poll_fn(|context| {
            let mut open = false;
            for (call, reply) in making.iter_mut().filter(|(_, reply)| reply.is_none()) {
                match call.as_mut().poll(context) {
                    Poll::Ready(answered) => *reply = Some(answered),
                    Poll::Pending => open = true,
                }
            }
            if open { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        making.into_iter().filter_map(|(_, reply)| reply).collect()
    }

    /// Makes one call.
    pub(crate) fn make(self, call: InnerCall) -> Making {
        Box::pin(async move {
            let limit = self.snapshot.caps.answer_bytes_max;
            let (head, body) = self.answered(call).await.into_parts();
            let body = match Limited::new(body, limit).collect().await {
                Ok(whole) => whole.to_bytes(),
                // A body of the gateway's own ends well; what is left is its size.
                Err(_) => return plain(StatusCode::BAD_GATEWAY, "the answer is larger than this gateway takes"),
            };
            Reply { status: head.status, headers: head.headers, body }
        })
    }

    async fn answered(self, call: InnerCall) -> http::Response<GateBody> {
        let InnerCall { method, path, mut headers, body } = call;
        for name in [RUN, TAGS, TRACEPARENT] {
            headers.remove(&name);
        }
        headers.extend(self.attribution);
        let (conversation, found) = match self.snapshot.door(&method, path.path()) {
            Some(found) => (false, Some(found)),
            None => (true, self.snapshot.talk_door(&method, path.path())),
        };
        let Some((lane, door)) = found else {
            let mut nowhere = http::Response::new(GateBody::text("there is no such path here\n"));
            *nowhere.status_mut() = StatusCode::NOT_FOUND;
            return nowhere;
        };
        let made = Made { body, caller: self.caller, address: self.address };
        let mut request = http::Request::new(Inbound::Inner(Box::new(made)));
        *request.method_mut() = method;
        *request.uri_mut() = path.into();
        *request.headers_mut() = headers;
        // Nobody is asked from where: the address was found out when the outer call came.
        let peer = self.address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
        let arrived = Box::new(Arrived { snapshot: self.snapshot, lane, door, peer, request });
        if conversation { converse(self.core, arrived).await } else { pass(self.core, arrived).await }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let fault = Fault::new(Code::UpstreamBroken, text);
    Reply { status, headers: HeaderMap::new(), body: fault.message.into_owned().into() }
}
