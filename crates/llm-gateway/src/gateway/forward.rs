//! Answers whose dialect is the caller's own: forwarded byte for byte and counted on the way.

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Code, End, Fault, Metered, Relay, Usage};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;

use crate::dialects::{Counted, Dialect, Listener, Tally};
use crate::form::Event;

/// Headers of an upstream's answer that a caller of the same dialect may rely on.
const PASSED_ON: [HeaderName; 5] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("x-amzn-requestid"),
];

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
pub(crate) fn forwarded_headers(upstream: &HeaderMap, usual_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    let content_type = upstream.get(CONTENT_TYPE).cloned().unwrap_or_else(|| HeaderValue::from_static(usual_type));
    headers.insert(CONTENT_TYPE, content_type);
    for name in PASSED_ON {
        if let Some(value) = upstream.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// A whole answer, forwarded.
pub(crate) struct ForwardWhole {
    pub(crate) count: fn(&[u8]) -> Option<Counted>,
    pub(crate) input_estimate: u64,
    pub(crate) counted: Counted,
}

impl Relay for ForwardWhole {
    fn streams(&self) -> bool {
        false
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        forwarded_headers(upstream, "application/json")
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        self.counted = (self.count)(&bytes).ok_or_else(|| {
            Fault::new(Code::UpstreamBroken, "the provider answered with success, but its body is not an answer of its API")
        })?;
        self.counted.complete = true;
        out.push(bytes);
        Ok(())
    }

    fn finish(&mut self, _: End<'_>, _: &mut Vec<Bytes>) -> Metered {
        metered(&self.counted, self.input_estimate)
    }
}

/// A streamed answer, forwarded.
pub(crate) struct ForwardStream {
    pub(crate) dialect: &'static Dialect,
    pub(crate) tally: Box<dyn Tally>,
    pub(crate) listener: Listener,
    /// The gateway asked for the usage chunk, not the client: it is taken out again.
    pub(crate) strip: Option<StripUsage>,
}

impl Relay for ForwardStream {
    fn streams(&self) -> bool {
        true
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        forwarded_headers(upstream, self.dialect.stream_type)
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        self.tally.feed(&bytes);
        match &mut self.strip {
            None => out.push(bytes),
            Some(strip) => strip.feed(bytes, out),
        }
        Ok(())
    }

    fn finish(&mut self, end: End<'_>, out: &mut Vec<Bytes>) -> Metered {
        if let Some(strip) = &mut self.strip {
            strip.finish(out);
        }
        let counted = self.tally.counted();
        let mut metered = metered(&counted, self.listener.input_estimate);
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
        if let Some(fault) = fault {
            metered.complete = false;
            metered.fault = Some(fault.code);
            let mut frames = Vec::new();
            (self.dialect.encoder)(&self.listener).event(&Event::Failed(fault), &mut frames);
            out.push(frames.into());
        }
        metered
    }
}

/// What is told when a stream ends without its terminal event.
pub(crate) fn cut_short() -> Fault {
    Fault::new(Code::UpstreamBroken, "the provider's stream ended before the answer was complete; what came so far is not the whole answer")
}

/// Takes the usage chunk out of a Chat stream (`stream_options.include_usage` was the gateway's wish, not the client's).
/// Every other byte passes untouched; only an unfinished event at the end of a chunk is held back.
#[derive(Default)]
pub(crate) struct StripUsage {
    held: BytesMut,
}

impl StripUsage {
    /// Events longer than this are passed on unseen: the usage chunk is a few hundred bytes.
    const HELD_MAX: usize = 256 << 10;

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        let whole = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(&bytes);
            self.held.split().freeze()
        };
        let Some(end) = last_event_end(&whole) else {
            if whole.len() > Self::HELD_MAX {
                out.push(whole);
            } else {
                self.held.extend_from_slice(&whole);
            }
            return;
        };
        self.held.extend_from_slice(&whole[end..]);
        Self::pass(&whole.slice(..end), out);
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) {
        if !self.held.is_empty() {
            out.push(self.held.split().freeze());
        }
    }

    /// Passes whole events on, but for usage chunks.
    fn pass(events: &Bytes, out: &mut Vec<Bytes>) {
        if memmem::find(events, b"\"choices\":[]").is_none() && memmem::find(events, b"\"choices\": []").is_none() {
            out.push(events.clone());
            return;
        }
        let mut kept_from = 0;
        let mut at = 0;
        while at < events.len() {
            let end = memmem::find(&events[at..], b"\n\n").or_else(|| memmem::find(&events[at..], b"\r\n\r\n").map(|found| found + 2));
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
}

fn last_event_end(bytes: &[u8]) -> Option<usize> {
    let bare = memmem::rfind(bytes, b"\n\n").map(|at| at + 2);
    let returned = memmem::rfind(bytes, b"\r\n\r\n").map(|at| at + 4);
    bare.max(returned)
}

fn is_usage_chunk(event: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(event, needle).is_some();
    (has(b"\"choices\":[]") || has(b"\"choices\": []")) && (has(b"\"usage\":{") || has(b"\"usage\": {"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";
    const WITHOUT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: [DONE]\n\n";

    fn strip(chunks: &[&str]) -> String {
        let mut strip = StripUsage::default();
        let mut out = Vec::new();
        for chunk in chunks {
            strip.feed(Bytes::copy_from_slice(chunk.as_bytes()), &mut out);
        }
        strip.finish(&mut out);
        out.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn the_usage_chunk_is_taken_out_wherever_the_stream_is_cut() {
        for cut in 0..=STREAM.len() {
            assert_eq!(strip(&[&STREAM[..cut], &STREAM[cut..]]), WITHOUT, "cut at {cut}");
        }
        assert_eq!(strip(&[&STREAM.replace('\n', "\r\n")]), WITHOUT.replace('\n', "\r\n"));
    }

    #[test]
    fn an_empty_choices_chunk_without_usage_stays() {
        let filter = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
        assert_eq!(strip(&[filter]), filter);
    }
}
