//! Server-sent events, read and written (WHATWG HTML, 9.2). The reader takes bytes cut anywhere and holds no more than one
//! event; the writer makes whole events.

use std::sync::Arc;

use bytes::Bytes;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; `None` is `message`.
    pub event: Option<Arc<str>>,
    /// Its id, where it says one.
    pub id: Option<Arc<str>>,
    /// Its data; may be empty where it primes a stream with an id.
    pub data: Bytes,
}

/// A stream that cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {max} bytes")]
pub struct TooLong {
    /// The most that is taken.
    pub max: usize,
}

/// Reads a stream.
#[derive(Debug)]
pub struct Reader {
    _max: usize,
}

impl Reader {
    /// A reader that takes events of at most this many bytes.
    #[must_use]
    pub fn new(_max: usize) -> Self {
        todo!()
    }

    /// Takes the next piece of the stream and gives the events that are whole by now. An event with an id but without data
    /// is given, too: it primes a stream. What is not ended when the stream ends is no event.
    ///
    /// # Errors
    /// `TooLong`; the stream is to be dropped.
    pub fn feed(&mut self, _bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        todo!()
    }

    /// The last id the stream has said.
    #[must_use]
    pub fn last_id(&self) -> Option<&Arc<str>> {
        todo!()
    }

    /// Milliseconds to wait before connecting again, where the stream has said.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        todo!()
    }
}

/// An event with this data, with an id where there is one. Line breaks in the data become several fields.
#[must_use]
pub fn event(_data: &[u8], _id: Option<&str>) -> Bytes {
    todo!()
}

/// An event of this type (`endpoint` of 2024-11-05).
#[must_use]
pub fn typed(_event: &str, _data: &[u8]) -> Bytes {
    todo!()
}

/// The first event of a stream that can be resumed: an id, no data, and how long to wait before coming back.
#[must_use]
pub fn primer(_id: &str, _retry_ms: Option<u64>) -> Bytes {
    todo!()
}

/// A comment: keeps a quiet stream alive.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b":\n\n")
}
