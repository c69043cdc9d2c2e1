//! Answers whose dialect is the caller's own: forwarded byte for byte and counted on the way.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Code, End, Fault, Keep, Metered, Now, Point, Relay, RequestId, Screen, Usage};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;

use super::memory;
use super::screening::Beside;
use super::whole_events::WholeEvents;
use crate::dialects::openai_responses::state;
use crate::dialects::{Counted, Dialect, Listener, Tally};
use crate::form::{Ask, Event, Issuer};
use crate::passages;
use crate::sse::Frames;

/// Headers of an upstream's answer that a caller of the same dialect may rely on.
static PASSED_ON: [HeaderName; 5] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// Room for the headers of an answer under limits and guardrails: to make more means to sort all of them anew.
pub(super) const HEADERS: usize = 20;
/// Room for those of a stream without either: hyper keeps them with its connection, for as long as the stream lasts.
pub(super) const STREAM_HEADERS: usize = 12;

/// The usage of an answer, the provider's own count or, where it never said, ours.
pub(crate) fn metered(counted: &Counted, input_estimate: u64) -> Metered {
    let estimated = counted.usage.is_none();
    let guess = || Usage { input: input_estimate, output: counted.output_bytes.div_ceil(4), ..Usage::default() };
    Metered {
        usage: counted.usage.unwrap_or_else(guess),
        estimated,
        complete: counted.complete,
        finish: counted.stop.map(crate::form::Stop::as_str),
        fault: None,
    }
}

/// The head of a forwarded answer.
pub(crate) fn forwarded_headers(upstream: &HeaderMap, usual_type: &'static str, room: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(room);
    let content_type = upstream.get(CONTENT_TYPE).cloned().unwrap_or_else(|| HeaderValue::from_static(usual_type));
    headers.insert(CONTENT_TYPE, content_type);
    // The few headers there are are walked once: a look for each name hashes it, and most are not there.
    for (name, value) in upstream.iter().filter(|(name, _)| PASSED_ON.contains(name)) {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers
}

/// What is needed to remember which provider keeps an answer.
pub(crate) struct Pointer {
    pub(crate) provider: std::sync::Arc<str>,
    pub(crate) now: Now,
}

impl Pointer {
    pub(crate) fn to(&self, id: String) -> Keep {
        memory::pointer(id, &self.provider, self.now)
    }
}

/// A whole answer, forwarded.
pub(crate) struct ForwardWhole {
    pub(crate) count: fn(&[u8]) -> Option<Counted>,
    pub(crate) input_estimate: u64,
    pub(crate) counted: Counted,
    /// The provider keeps the answer: where it can be found is remembered.
    pub(crate) pointer: Option<Pointer>,
    /// What to do with what is kept, once the answer is there.
    pub(crate) keep: Option<Keep>,
    /// Who looks at its texts. What is replaced is replaced in the bytes.
    pub(crate) screen: Option<Box<dyn Screen>>,
}

impl Relay for ForwardWhole {
    fn streams(&self) -> bool {
        false
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        forwarded_headers(upstream, "application/json", HEADERS)
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        self.counted = (self.count)(&bytes).ok_or_else(|| {
            Fault::new(
                Code::UpstreamBroken,
                "the provider answered with success, but its body is not an answer of its API",
            )
        })?;
        self.counted.complete = true;
        if let Some(pointer) = &self.pointer {
            self.keep = state::id_of(&bytes).map(|id| pointer.to(id));
        }
        let mut changed = None;
        if let Some(screen) = &mut self.screen
            && !screen.clears(&bytes)
        {
            changed = passages::review(&bytes, Point::Response, &mut |passage| screen.whole(passage))?;
        }
        out.push(changed.map_or(bytes, Bytes::from));
        Ok(())
    }

    fn keep(&mut self) -> Option<Keep> {
        self.keep.take()
    }

    fn finish(&mut self, _: End<'_>, _: &mut Vec<Bytes>) -> Metered {
        metered(&self.counted, self.input_estimate)
    }
}

/// A streamed answer, forwarded.
pub(crate) struct ForwardStream {
    pub(crate) dialect: &'static Dialect,
    pub(crate) tally: Box<dyn Tally>,
    pub(crate) to: Addressee,
    pub(crate) events: WholeEvents,
    /// The gateway asked for the usage chunk, not the client: it is taken out again.
    pub(crate) strips_usage: bool,
    /// The client reads one JSON array where the provider sends events.
    pub(crate) array: Option<JsonArray>,
    /// The provider keeps the answer: where it can be found is remembered as soon as its id has come.
    pub(crate) named: Option<Named>,
    /// Who looks at its texts and changes nothing.
    pub(crate) beside: Option<Box<Beside>>,
}

/// To whom a stream is forwarded, as far as it is kept while that goes well: the [`Listener`] that an error frame is written
/// for has room for all that a request can say.
pub(crate) struct Addressee {
    /// The request, if it was read.
    pub(crate) ask: Option<Arc<Ask>>,
    /// The model as the client named it.
    pub(crate) model: Arc<str>,
    pub(crate) streams: bool,
    pub(crate) id: RequestId,
    /// Unix seconds of the call.
    pub(crate) created: u64,
    pub(crate) issuer: Issuer,
    pub(crate) input_estimate: u64,
}

impl Addressee {
    /// As the writers of answers want it.
    pub(crate) fn listener(&self) -> Listener {
        let ask = self.ask.clone().unwrap_or_else(|| {
            // Forwarded calls are never read in full; what an error frame needs is known all the same.
            Arc::new(Ask { model: self.model.to_string(), stream: self.streams, ..Ask::default() })
        });
        let Self { id, created, issuer, input_estimate, .. } = *self;
        Listener { ask, id: id.to_string(), created, issuer, input_estimate }
    }
}

/// Looks for the id in a stream of the Responses API.
pub(crate) struct Named {
    pub(crate) pointer: Pointer,
    pub(crate) begun: BytesMut,
}

impl Named {
    /// An id that has not come by then will not come.
    const BEGUN_MAX: usize = 64 << 10;
}

impl ForwardStream {
    fn pass(&mut self, events: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        match &mut self.array {
            _ if events.is_empty() => {}
            Some(array) => array.feed(&events, out)?,
            None if self.strips_usage => pass_without_usage(&events, out),
            None => out.push(events),
        }
        Ok(())
    }
}

impl Relay for ForwardStream {
    fn streams(&self) -> bool {
        true
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        let mut headers = forwarded_headers(upstream, self.dialect.stream_type, STREAM_HEADERS);
        if self.array.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        self.tally.feed(&bytes);
        if let Some(beside) = &mut self.beside {
            beside.feed(&bytes);
        }
        if let Some(named) = &mut self.named {
            named.begun.extend_from_slice(&bytes[..bytes.len().min(Named::BEGUN_MAX)]);
        }
        let whole = self.events.feed(bytes)?;
        self.pass(whole, out)
    }

    fn keep(&mut self) -> Option<Keep> {
        let named = self.named.as_ref()?;
        let found = state::id_of_stream(&named.begun).map(|id| named.pointer.to(id));
        if found.is_some() || named.begun.len() >= Named::BEGUN_MAX {
            self.named = None;
        }
        found
    }

    fn finish(&mut self, end: End<'_>, out: &mut Vec<Bytes>) -> Metered {
        let counted = self.tally.counted();
        if let Some(beside) = &mut self.beside {
            beside.end();
        }
        let mut metered = metered(&counted, self.to.input_estimate);
        let fault = match end {
            End::ClientGone => return metered,
            // The provider has told the client itself.
            _ if counted.failed || counted.complete => None,
            End::Fault(fault) => Some(fault.clone()),
            End::Upstream => Some(cut_short()),
        };
        if counted.failed {
            metered.complete = false;
            metered.fault = Some(Code::UpstreamBroken);
        }
        // Half an event is dropped where an error follows: a client could read neither.
        let mut last = self.events.rest();
        if let Some(fault) = fault {
            metered.complete = false;
            metered.fault = Some(fault.code);
            let mut frames = Vec::new();
            (self.dialect.encoder)(&self.to.listener()).event(&Event::Failed(fault), &mut frames);
            last = frames.into();
        }
        // What the gateway wrote itself is whole, and what is left of a complete answer has been counted already.
        drop(self.pass(last, out));
        if let Some(array) = &mut self.array {
            array.close(out);
        }
        metered
    }
}

/// What is told when a stream ends without its terminal event.
pub(crate) fn cut_short() -> Fault {
    Fault::new(
        Code::UpstreamBroken,
        "the provider's stream ended before the answer was complete; what came so far is not the whole answer",
    )
}

/// Passes whole events on, but for the usage chunk of a Chat stream (`stream_options.include_usage` was the gateway's
/// wish, not the client's).
fn pass_without_usage(events: &Bytes, out: &mut Vec<Bytes>) {
    if memmem::find(events, b"\"choices\":[]").is_none() && memmem::find(events, b"\"choices\": []").is_none() {
        out.push(events.clone());
        return;
    }
    let mut kept_from = 0;
    let mut at = 0;
    while at < events.len() {
        let end = memmem::find(&events[at..], b"\n\n")
            .or_else(|| memmem::find(&events[at..], b"\r\n\r\n").map(|found| found + 2));
        let end = end.map_or(events.len(), |found| at + found + 2);
        if is_usage_chunk(&events[at..end]) {
            if at > kept_from {
                out.push(events.slice(kept_from..at));
            }
            kept_from = end;
        }
        at = end;
    }
    if events.len() > kept_from {
        out.push(events.slice(kept_from..));
    }
}

fn is_usage_chunk(event: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(event, needle).is_some();
    (has(b"\"choices\":[]") || has(b"\"choices\": []")) && (has(b"\"usage\":{") || has(b"\"usage\": {"))
}

/// Gemini's answer to clients that do not ask for events (`alt=sse`): the same payloads, as one JSON array.
#[derive(Default)]
pub(crate) struct JsonArray {
    frames: Frames,
    begun: bool,
}

impl JsonArray {
    fn feed(&mut self, events: &[u8], out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let mut written = Vec::with_capacity(events.len());
        let begun = &mut self.begun;
        self.frames.feed(events, &mut |frame| {
            written.extend_from_slice(if std::mem::replace(begun, true) { b",\r\n" } else { b"[" });
            written.extend_from_slice(frame.data);
            Ok(())
        })?;
        if !written.is_empty() {
            out.push(written.into());
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Bytes>) {
        out.push(Bytes::from_static(if self.begun { b"]" } else { b"[]" }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    const WITHOUT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: [DONE]\n\n";

    fn strip(events: &str) -> String {
        let mut out = Vec::new();
        pass_without_usage(&Bytes::copy_from_slice(events.as_bytes()), &mut out);
        out.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn the_usage_chunk_is_taken_out() {
        assert_eq!(strip(STREAM), WITHOUT);
        assert_eq!(strip(&STREAM.replace('\n', "\r\n")), WITHOUT.replace('\n', "\r\n"));
    }

    #[test]
    fn events_become_one_array_of_the_same_payloads() {
        let mut array = JsonArray::default();
        let mut out = Vec::new();
        array.feed(b"data: {\"a\": 1}\n\ndata: {}\n\n", &mut out).unwrap();
        array.close(&mut out);
        assert_eq!(out.concat(), b"[{\"a\": 1},\r\n{}]");
    }

    #[test]
    fn an_empty_choices_chunk_without_usage_stays() {
        let filter = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
        assert_eq!(strip(filter), filter);
    }
}
