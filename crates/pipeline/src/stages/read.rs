//! Bytes to a call: the body off the wire under its limits, inflated if need be, then read by the gateway.

use std::io::Read as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Call, Code, Fault, Now, Reply, Request, TraceParent, tags};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::inner::Inbound;
use crate::journey::Journey;
use crate::path::{Arrived, without_credentials};
use crate::snapshot::{Caps, KeyEntry, Snapshot};
use crate::stages::admit::Asker;
use crate::stages::authenticate::Known;

/// A request that was read, of a caller who is known: a call, or a conversation.
pub(crate) struct Read<A: ?Sized = dyn Call> {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) lane: usize,
    pub(crate) caller: Arc<KeyEntry>,
    pub(crate) call: Box<A>,
}

pub(crate) async fn read(journey: &mut Journey, known: Known<'_>, now: Now) -> Result<Read, Fault> {
    let Known { arrived, caller } = known;
    let request = request_of(journey, arrived, now).await?;
    let (snapshot, lane) = (Arc::clone(&arrived.snapshot), arrived.lane);
    let call = snapshot.lanes[lane].gateway.read(request, &caller.principal)?;
    journey.asked(call.need());
    Ok(Read { snapshot, lane, caller, call })
}

/// A request with its body, as a gateway takes it.
pub(crate) async fn request_of(journey: &mut Journey, arrived: &mut Arrived, now: Now) -> Result<Request, Fault> {
    let caps = arrived.snapshot.caps;
    let body = match arrived.request.body_mut() {
        Inbound::Wire(incoming) => {
            journey.wait(caps.body_timeout, whole_body(incoming, &caps)).await.map_err(|_| too_slow())??
        }
        Inbound::Inner(made) => within(std::mem::take(&mut made.body), caps.request_bytes_max)?,
    };
    journey.outcome.bytes_in = body.len() as u64;
    let body = match attribute(journey, arrived.request.headers())? {
        None => body,
        Some(encoding) => inflate(encoding.to_str().unwrap_or("?"), &body, caps.request_bytes_max)?,
    };
    Ok(without_credentials(arrived, body, journey.outcome.id, now))
}

/// The longest name of a run, in bytes.
const RUN_BYTES_MAX: usize = 128;

// Made once: a name that comes as text is checked and hashed for every look.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const RUN: HeaderName = HeaderName::from_static("x-gatehouse-run");
const TAGS: HeaderName = HeaderName::from_static("x-gatehouse-tags");

/// What the caller says its call belongs to: a trace, a run (the trace if it names none), and tags besides those of its key, which it
/// cannot change. Gives back how the body is encoded, if it is.
fn attribute<'h>(journey: &mut Journey, headers: &'h HeaderMap) -> Result<Option<&'h HeaderValue>, Fault> {
    let (mut trace, mut run, mut said, mut encoding) = (None, None, None, None);
    // Walked once: a look for each name hashes it, and mostly none is there. The first of a name counts.
    for (name, value) in headers {
        let place = match name {
            name if *name == CONTENT_ENCODING => {
                encoding.get_or_insert(value);
                continue;
            }
            name if *name == TRACEPARENT => &mut trace,
            name if *name == RUN => &mut run,
            name if *name == TAGS => &mut said,
            _ => continue,
        };
        place.get_or_insert_with(|| value.to_str().unwrap_or("?"));
    }
    let outcome = &mut journey.outcome;
    outcome.traceparent = trace.map(Arc::from);
    outcome.run = match run {
        Some(run) if is_run(run) => Some(run.into()),
        Some(_) => return Err(no_run()),
        None => outcome.traceparent.as_deref().and_then(run_of_trace),
    };
    if let Some(said) = said {
        let merged = tags([said, outcome.tags.as_deref().unwrap_or_default()]);
        outcome.tags = merged.ok_or_else(no_tags)?;
    }
    Ok(encoding)
}

/// The run a call belongs to that names none: its trace.
pub(crate) fn run_of_trace(traceparent: &str) -> Option<Arc<str>> {
    TraceParent::parse(traceparent).map(|trace| format!("{:032x}", trace.trace_id).into())
}

fn is_run(text: &str) -> bool {
    (1..=RUN_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte))
}

fn no_run() -> Fault {
    let message = "`x-gatehouse-run` is no name of a run; send up to 128 letters, digits and `._-/:`";
    Fault::new(Code::InvalidRequest, message).at("x-gatehouse-run")
}

fn no_tags() -> Fault {
    let message = "`x-gatehouse-tags` is no list of tags; send up to 16 pairs like `env=prod,job=nightly`, names and values \
                   of up to 64 letters, digits and `._-/:`";
    Fault::new(Code::InvalidRequest, message).at("x-gatehouse-tags")
}

/// The answer the gateway can give without any upstream. Listings show only what the caller may use.
pub(crate) fn answer_locally(journey: &Journey, read: &mut Read, now: Now) -> Option<Result<Reply, Fault>> {
    let permit = &read.caller.permit;
    let asker = Asker::of(journey, &read.snapshot, &read.caller, now);
    read.call.local(&|name| permit.models.match_name(name) && asker.lists(name), now)
}

async fn whole_body(incoming: &mut Incoming, caps: &Caps) -> Result<Bytes, Fault> {
    let limit = caps.request_bytes_max;
    if incoming.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let Some(first) = next_data(incoming).await? else { return Ok(Bytes::new()) };
    let Some(second) = next_data(incoming).await? else { return within(first, limit) };
    let mut whole = BytesMut::with_capacity(
        usize::try_from(incoming.size_hint().lower()).unwrap_or(0).min(limit) + first.len() + second.len(),
    );
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while whole.len() <= limit {
        let Some(more) = next_data(incoming).await? else { break };
        whole.extend_from_slice(&more);
    }
    within(whole.freeze(), limit)
}

fn too_slow() -> Fault {
    Fault::new(Code::RequestTimeout, "the request body did not arrive in time; send it without pauses")
}

async fn next_data(incoming: &mut Incoming) -> Result<Option<Bytes>, Fault> {
    while let Some(frame) = incoming.frame().await {
        let frame = frame
            .map_err(|_| Fault::new(Code::InvalidRequest, "the request body broke off before its declared end"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn within(body: Bytes, limit: usize) -> Result<Bytes, Fault> {
    if body.len() > limit { Err(too_large(limit)) } else { Ok(body) }
}

fn too_large(limit: usize) -> Fault {
    Fault::new(
        Code::BodyTooLarge,
        format!(
            "the request body is over this gateway's limit of {limit} bytes; send less, or have the operator raise `server.body_bytes_max`"
        ),
    )
}

fn inflate(encoding: &str, body: &Bytes, limit: usize) -> Result<Bytes, Fault> {
    if encoding.eq_ignore_ascii_case("identity") {
        return Ok(body.clone());
    }
    if !encoding.eq_ignore_ascii_case("gzip") {
        return Err(Fault::new(
            Code::UnsupportedMedia,
            "this content-encoding is not served; send gzip or no content-encoding",
        ));
    }
    let mut whole = Vec::new();
    // One byte more than allowed tells "exactly the limit" from "a bomb", and nothing beyond is ever inflated.
    let read = flate2::read::MultiGzDecoder::new(&body[..]).take(limit as u64 + 1).read_to_end(&mut whole);
    if read.is_err() {
        return Err(Fault::new(Code::UnsupportedMedia, "the body says it is gzip, but it is not"));
    }
    within(whole.into(), limit)
}
