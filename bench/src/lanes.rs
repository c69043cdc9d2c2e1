//! What is measured: one lane per kind of traffic, each against the floor doing the same.

use bytes::Bytes;
use gatehouse_tests::Dialect;

use crate::canned::{REQUEST_BYTES, request, unstored};
use crate::house::{GOVERNED_KEY, House, PLAIN_KEY, WHOLE_KEY};
use crate::report::Bound;

/// One kind of traffic.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its name in tables.
    pub name: &'static str,
    /// The most CPU per request, as a multiple of the floor's; no bound where the issue sets none.
    pub limit: Bound,
    /// Which gateway is asked.
    pub house: House,
    /// Path.
    pub path: String,
    /// Key.
    pub key: &'static str,
    /// Body.
    pub body: Bytes,
    /// Requests of one run, before scaling.
    pub requests: u64,
    /// Is the answer a stream?
    pub stream: bool,
}

/// Requests of a unary lane: enough for a tick of 10 ms to be less than a hundredth of the CPU time.
const UNARY_REQUESTS: u64 = 100_000;
const STREAMS: u64 = 4_000;

/// Every lane. The relayed call is asked of a gateway that does what the issue says of that lane (key checked, priced, in the
/// ledger) and no more; all others have request log, log lines and policies in force as well.
#[must_use]
pub fn all() -> Vec<Lane> {
    let chat = |model: &str, stream: bool, bytes: usize| request(Dialect::OpenAiChat, model, stream, bytes);
    let lane = |name, limit, body| Lane {
        name,
        limit: Bound::AtMost(limit),
        house: House::Full,
        path: Dialect::OpenAiChat.path("", false),
        key: PLAIN_KEY,
        body,
        requests: UNARY_REQUESTS,
        stream: false,
    };
    let responses = request(Dialect::OpenAiResponses, "gemini-instant", false, REQUEST_BYTES);
    let lane_of_responses = |lane| Lane { path: Dialect::OpenAiResponses.path("", false), ..lane };
    let stream = |lane: Lane| Lane { stream: true, requests: STREAMS, ..lane };
    vec![
        Lane { house: House::Lean, ..lane("relay", 1.4, chat("chat-instant", false, REQUEST_BYTES)) },
        Lane { key: GOVERNED_KEY, ..lane("governed", 1.9, chat("chat-instant", false, REQUEST_BYTES)) },
        Lane { key: WHOLE_KEY, ..lane("governed, policy, guardrail", 2.2, chat("chat-instant", false, REQUEST_BYTES)) },
        lane("chat to anthropic", 2.2, chat("anthropic-instant", false, REQUEST_BYTES)),
        lane_of_responses(lane("responses to gemini", 2.2, unstored(&responses))),
        Lane { limit: Bound::None, ..lane_of_responses(lane("responses to gemini, answers stored", 0.0, responses)) },
        Lane { requests: UNARY_REQUESTS / 4, ..lane("64 KB body relay", 1.3, chat("chat-instant", false, 64 << 10)) },
        stream(lane("stream relay", 1.15, chat("chat-instant", true, REQUEST_BYTES))),
        stream(lane("stream chat to anthropic", 1.5, chat("anthropic-instant", true, REQUEST_BYTES))),
    ]
}
