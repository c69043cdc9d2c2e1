//! What an HTTP server answers a message with: nothing, one JSON text, or a stream of events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_mcp_gateway::sse::{Event, Reader};
use gatehouse_upstream::{Body, Sent};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::runtime::Handle;

use super::Failure;
use super::endpoint::Endpoint;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// How long an answered stream may take to end, so that its connection can be used again.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// The headers of every `POST`, with room for others.
pub(super) fn post_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, BOTH);
    headers
}

/// The headers of a `GET` that opens a stream.
pub(super) fn get_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, EVENTS);
    headers
}

/// An answer of status 2xx.
#[expect(clippy::large_enum_variant, reason = "lives for a moment, and every answer would pay for a box")]
pub(super) enum Answer {
    /// Taken, and nothing to say about it.
    Nothing,
    /// One JSON text.
    Whole(Bytes),
    /// Events.
    Stream(Events),
}

/// Reads an answer, or begins to.
///
/// # Errors
/// When it is neither JSON nor events, or breaks off.
pub(super) async fn open(endpoint: &Endpoint, Sent { head, body }: Sent) -> Result<Answer, Failure> {
    if matches!(head.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        // Read to its end, such as it is: the connection is worth more than the wait.
        endpoint.refusal(body).await;
        return Ok(Answer::Nothing);
    }
    if is_events(&head.headers) {
        return Ok(Answer::Stream(Events::new(body, endpoint.server().caps.message_bytes)));
    }
    // Its headers lie in the buffer of the connection, which is about to be free for the next answer.
    drop(head);
    let whole = endpoint.whole(body).await?;
    match whole.trim_ascii().is_empty() {
        true => Ok(Answer::Nothing),
        false => Ok(Answer::Whole(whole)),
    }
}

/// Is the body a stream of events, with or without parameters behind the type?
pub(super) fn is_events(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Does an event carry a message? Those without data prime a stream, and those of other types are somebody else's.
pub(super) fn is_message(event: &Event) -> bool {
    !event.data.is_empty() && event.event.as_deref().is_none_or(|kind| kind == "message")
}

/// A stream of events.
pub(super) struct Events {
    body: Body,
    reader: Reader,
    ready: VecDeque<Event>,
}

/// Why a stream gives no more events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It broke off.
    Cut,
    /// An event is longer than a message may be.
    TooLong,
}

impl Events {
    pub(super) fn new(body: Body, at_most: usize) -> Self {
        Self { body, reader: Reader::new(at_most), ready: VecDeque::new() }
    }

    /// The next event; `None` at the proper end. A future that is dropped has lost nothing.
    pub(super) async fn next(&mut self) -> Option<Result<Event, Stopped>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let Ok(chunk) = self.body.chunk().await? else { return Some(Err(Stopped::Cut)) };
            match self.reader.feed(&chunk) {
                Ok(events) => self.ready.extend(events),
                Err(_) => return Some(Err(Stopped::TooLong)),
            }
        }
    }

    /// The last id the stream has said.
    pub(super) fn last_id(&self) -> Option<&Arc<str>> {
        self.reader.last_id()
    }

    /// How long the server wants to be left alone before somebody comes back.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.reader.retry_ms().map(Duration::from_millis)
    }

    /// Nothing more is wanted of it. Most often its end is there already, and the connection goes back to the pool.
    pub(super) fn finish(mut self) {
        let mut at_once = Context::from_waker(Waker::noop());
        while let Poll::Ready(chunk) = self.body.poll_chunk(&mut at_once) {
            if !matches!(chunk, Some(Ok(_))) {
                return;
            }
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tokio::time::timeout(ENDS_WITHIN, async move {
                while let Some(Ok(_)) = self.body.chunk().await {}
            }));
        }
    }
}
