//! How a client is spoken to. Nothing is said until something besides the result must be: an answer is JSON as long as it can be.
//! To a session of the older era everything is said on a stream that can be listened to again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_mcp_gateway::era::Revision;
use gatehouse_mcp_gateway::gateway::{Refusal, refuse};
use gatehouse_mcp_gateway::{Id, Message, Raw, Response, sse};
use gatehouse_pipeline::{Conducted, Floor};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::memory::{Memory, Ring};

/// A stream that says nothing for so long says that it is still there.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client is asked to wait before it comes back.
const RETRY_MS: u64 = 1_000;
/// Messages besides the result that one call may have; what a server says beyond is dropped.
const MESSAGES_MAX: u32 = 20_000;

/// What an errand came to.
pub(super) type Outcome = Result<Raw, Box<Refusal>>;

/// One answer, being given.
pub(super) struct Voice {
    pub(super) floor: Floor,
    revision: Revision,
    /// Does the client take streams?
    streams: bool,
    memory: Option<Arc<Memory>>,
    ring: Option<Ringing>,
    left: u32,
    /// How often a model has answered for the client.
    pub(super) samples: u32,
}

impl Voice {
    pub(super) fn new(floor: Floor, revision: Revision, streams: bool, memory: Option<Arc<Memory>>) -> Self {
        Self { floor, revision, streams, memory, ring: None, left: MESSAGES_MAX, samples: 0 }
    }

    /// Can anything be said but the result?
    pub(super) fn can_speak(&self) -> bool {
        self.streams
    }

    /// Says a message.
    pub(super) async fn say(&mut self, message: &Message) {
        if self.streams && self.left > 0 {
            self.left -= 1;
            self.utter(&message.write()).await;
        }
    }

    /// Says an event again that was said on another stream.
    pub(super) async fn again(&mut self, event: Bytes) {
        self.floor.say(event, stream_headers).await;
    }

    /// Says that the stream is still there.
    pub(super) async fn keep_alive(&mut self) {
        if self.streams {
            self.open().await;
            self.floor.say(sse::keep_alive(), stream_headers).await;
        }
    }

    /// Begins the stream, if there is none yet.
    async fn open(&mut self) {
        if self.floor.has_spoken() {
            return;
        }
        self.ring = self.memory.as_ref().map(|memory| Ringing(memory.ring()));
        // Older clients take an event without data for a broken message.
        let primed = self.ring.as_ref().filter(|_| self.revision >= Revision::V2025_11_25);
        if let Some(primer) = primed.map(|ring| ring.0.primer(RETRY_MS)) {
            self.floor.say(primer, stream_headers).await;
        }
    }

    async fn utter(&mut self, message: &[u8]) {
        self.open().await;
        let event = match &self.ring {
            Some(ring) => ring.0.event(message),
            None => sse::event(message, None),
        };
        self.floor.say(event, stream_headers).await;
    }

    /// Gives the answer and ends.
    pub(super) async fn finish(mut self, id: &Id, outcome: Outcome) -> Conducted {
        if let Err(refusal) = &outcome {
            self.floor.failed(&refusal.fault);
        }
        if !self.floor.has_spoken() {
            let (reply, rest) = match outcome {
                Ok(result) => {
                    let (first, rest) = Response::result(id.clone(), result).write_pieces();
                    (refuse::json(200, first), rest)
                }
                Err(refusal) => (refusal.reply(Some(id)), None),
            };
            return Conducted { floor: self.floor, reply: Some(reply), rest };
        }
        let response = match outcome {
            Ok(result) => Response::result(id.clone(), result),
            Err(refusal) => Response::error(Some(id.clone()), refusal.error.clone()),
        };
        self.utter(&Message::from(response).write()).await;
        self.end()
    }

    /// Ends without an answer: the client has stopped the call, or expects none.
    pub(super) fn end(self) -> Conducted {
        let reply = (!self.floor.has_spoken()).then(refuse::accepted);
        Conducted::new(self.floor, reply)
    }
}

/// A stream that ends, for those who listen to it again, however the call ends that it is of.
struct Ringing(Arc<Ring>);

impl Drop for Ringing {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The head of a stream.
pub(super) fn stream_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers
}
