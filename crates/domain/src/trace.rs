//! W3C Trace Context (level 1) as plain values.
//!
//! Every id follows from the call's own id, so the pipeline and the span exporter name the same spans without telling
//! each other, and a caller without a trace finds its call by `x-gatehouse-request-id`: that is the trace id.

use std::fmt;

use crate::{AttemptId, RequestId};

/// The last byte of a call's own span id. Attempts count up from 0 and never get this far.
const CALL_SPAN: u64 = 0xff;

/// One place in a trace: what a `traceparent` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace, never 0.
    pub trace_id: u128,
    /// The span, never 0.
    pub span_id: u64,
    /// Did the caller ask for this trace to be recorded?
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a header value; `None` if it is not valid (§3.2.2), in which case the trace starts anew.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = hex(parts.next()?, 2)?;
        // A later version may add parts at the end; version 00 has none, and ff is not a version (§3.2.1, §3.2.4).
        let valid = version != 0xff && (version != 0 || parts.next().is_none()) && trace_id != 0 && span_id != 0;
        valid.then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// The call's own span: in the caller's trace if it sent one, else the root of a new one, which is recorded.
    #[must_use]
    pub fn of_call(id: RequestId, caller: Option<Self>) -> Self {
        let (trace_id, sampled) = caller.map_or((id.0.as_u128(), true), |caller| (caller.trace_id, caller.sampled));
        Self { trace_id, span_id: low_half(id.0.as_u128()) | CALL_SPAN, sampled }
    }

    /// The span of one attempt of this call: what the upstream is told.
    #[must_use]
    pub fn of_attempt(self, id: AttemptId) -> Self {
        Self { span_id: low_half(id.0.as_u128()), ..self }
    }
}

/// Never 0: the variant bits of a UUID are in there.
fn low_half(id: u128) -> u64 {
    (id & u128::from(u64::MAX)) as u64
}

/// Exactly so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// The header value, always version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn call() -> RequestId {
        RequestId::from_uuid(Uuid::from_u128(0x0193_5e2a_7c10_7abc_9def_0123_4567_89ab))
    }

    #[test]
    fn a_valid_header_is_read_and_written_back_as_it_was() {
        let parent = TraceParent::parse(HEADER).unwrap();
        assert_eq!(parent.span_id, 0xb7ad_6b71_6920_3331);
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), HEADER);
    }

    #[test]
    fn a_later_version_may_carry_more() {
        let later = format!("cc{}-what-ever", &HEADER[2..]);
        assert_eq!(TraceParent::parse(&later), TraceParent::parse(HEADER));
    }

    #[test]
    fn what_is_not_a_traceparent_is_ignored() {
        let zero_trace = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let zero_span = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16));
        let upper = HEADER.to_uppercase();
        let longer = format!("{HEADER}-x");
        let forbidden = format!("ff{}", &HEADER[2..]);
        for text in ["", "00", "00--", "é", &zero_trace, &zero_span, &upper, &longer, &forbidden, &HEADER[..54]] {
            assert_eq!(TraceParent::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_call_joins_its_callers_trace_under_a_span_of_its_own() {
        let caller = TraceParent::parse(HEADER).unwrap();
        let span = TraceParent::of_call(call(), Some(caller));
        assert_eq!(span.trace_id, caller.trace_id);
        assert_ne!(span.span_id, caller.span_id);
    }

    #[test]
    fn a_call_without_a_trace_starts_one_named_like_the_call() {
        let span = TraceParent::of_call(call(), None);
        assert_eq!(format!("{:032x}", span.trace_id), call().to_string());
        assert!(span.sampled);
    }

    #[test]
    fn the_call_and_each_attempt_have_spans_of_their_own() {
        let span = TraceParent::of_call(call(), None);
        let first = span.of_attempt(call().attempt(0));
        let second = span.of_attempt(call().attempt(1));
        assert_eq!(first.trace_id, span.trace_id);
        assert!(first.span_id != second.span_id && first.span_id != span.span_id);
    }
}
