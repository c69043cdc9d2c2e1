//! Server-sent events, read and written (WHATWG HTML, 9.2). The reader takes bytes cut anywhere and holds no more than one
//! event; the writer makes whole events.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

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
    max: usize,
    /// The line that is not ended yet.
    line: BytesMut,
    /// Was the last byte a carriage return? Then a line feed right after it ends no second line.
    after_return: bool,
    /// Is the very first line still to come? A byte order mark may stand before it.
    first: bool,
    data: BytesMut,
    has_data: bool,
    event: Option<Arc<str>>,
    id: Option<Arc<str>>,
    last_id: Option<Arc<str>>,
    retry_ms: Option<u64>,
}

impl Reader {
    /// A reader that takes events of at most this many bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max,
            line: BytesMut::new(),
            after_return: false,
            first: true,
            data: BytesMut::new(),
            has_data: false,
            event: None,
            id: None,
            last_id: None,
            retry_ms: None,
        }
    }

    /// Takes the next piece of the stream and gives the events that are whole by now. An event with an id but without data
    /// is given, too: it primes a stream. What is not ended when the stream ends is no event.
    ///
    /// # Errors
    /// `TooLong`; the stream is to be dropped.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        while let Some(first) = bytes.first() {
            if self.after_return && *first == b'\n' {
                bytes = &bytes[1..];
            }
            self.after_return = false;
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.hold(bytes)?;
                break;
            };
            self.hold(&bytes[..end])?;
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let line = self.line.split();
            events.extend(self.take(&line));
        }
        Ok(events)
    }

    /// The last id the stream has said.
    #[must_use]
    pub fn last_id(&self) -> Option<&Arc<str>> {
        self.last_id.as_ref()
    }

    /// Milliseconds to wait before connecting again, where the stream has said.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.data.len() + part.len() > self.max {
            return Err(TooLong { max: self.max });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    /// Takes one line; an empty one ends an event.
    fn take(&mut self, line: &[u8]) -> Option<Event> {
        let line = match std::mem::take(&mut self.first) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            false => line,
        };
        if line.is_empty() {
            return self.end();
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.data.put_u8(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.event = Some(text(value)).filter(|event| !event.is_empty()),
            b"id" if !value.contains(&0) => self.id = Some(text(value)),
            b"retry" => self.retry_ms = number(value).or(self.retry_ms),
            // Comments and fields nobody knows.
            _ => {}
        }
        None
    }

    fn end(&mut self) -> Option<Event> {
        let event = Event { event: self.event.take(), id: self.id.take(), data: self.data.split().freeze() };
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        (std::mem::take(&mut self.has_data) || event.id.is_some()).then_some(event)
    }
}

fn text(value: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(value).into()
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// An event with this data, with an id where there is one. Line breaks in the data become several fields.
#[must_use]
pub fn event(data: &[u8], id: Option<&str>) -> Bytes {
    let mut text = BytesMut::with_capacity(data.len() + 64);
    if let Some(id) = id {
        put_field(&mut text, "id", id.as_bytes());
    }
    put_data(&mut text, data);
    text.freeze()
}

/// An event of this type (`endpoint` of 2024-11-05).
#[must_use]
pub fn typed(event: &str, data: &[u8]) -> Bytes {
    let mut text = BytesMut::with_capacity(data.len() + 64);
    put_field(&mut text, "event", event.as_bytes());
    put_data(&mut text, data);
    text.freeze()
}

/// The first event of a stream that can be resumed: an id, no data, and how long to wait before coming back.
#[must_use]
pub fn primer(id: &str, retry_ms: Option<u64>) -> Bytes {
    let mut text = BytesMut::new();
    put_field(&mut text, "id", id.as_bytes());
    if let Some(retry) = retry_ms {
        put_field(&mut text, "retry", retry.to_string().as_bytes());
    }
    put_data(&mut text, b"");
    text.freeze()
}

/// A comment: keeps a quiet stream alive.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// The data, a field for each of its lines, and the end of the event.
fn put_data(text: &mut BytesMut, data: &[u8]) {
    let mut rest = data;
    while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
        put_field(text, "data", &rest[..end]);
        let pair = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(pair)..];
    }
    put_field(text, "data", rest);
    text.put_u8(b'\n');
}

/// One field. What would end the line early is left out: an id or a type is one line.
fn put_field(text: &mut BytesMut, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend(value.iter().filter(|byte| !matches!(byte, b'\n' | b'\r' | 0)));
    text.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &[u8] =
        b"\xef\xbb\xbf: hello\r\nid: 1\r\nretry: 250\r\ndata:\r\n\r\nevent: message\ndata: {\"a\":\ndata:  1}\n\n\
        id\rdata: x\r\rdata\n\nfoo: bar\nid: no\0\nretry: 1x\ndata:last\n\n: bye\n\ndata: never ended";

    fn read(pieces: &[&[u8]]) -> (Vec<Event>, Reader) {
        let mut reader = Reader::new(1000);
        let events = pieces.iter().flat_map(|piece| reader.feed(piece).unwrap()).collect();
        (events, reader)
    }

    fn plain(data: &'static str) -> Event {
        Event { data: Bytes::from_static(data.as_bytes()), ..Event::default() }
    }

    #[test]
    fn a_stream_is_read_as_the_standard_says() {
        let (events, reader) = read(&[STREAM]);
        let expected = [
            Event { id: Some("1".into()), ..Event::default() },
            Event { event: Some("message".into()), ..plain("{\"a\":\n 1}") },
            Event { id: Some("".into()), ..plain("x") },
            plain(""),
            plain("last"),
        ];
        assert_eq!(events, expected);
        assert_eq!((reader.last_id().map(|id| &**id), reader.retry_ms()), (Some(""), Some(250)));
    }

    #[test]
    fn where_the_bytes_are_cut_does_not_matter() {
        let whole = read(&[STREAM]).0;
        for cut in 0..=STREAM.len() {
            let (before, after) = STREAM.split_at(cut);
            assert_eq!(read(&[before, after]).0, whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(read(&bytes).0, whole);
    }

    #[test]
    fn an_event_without_an_end_stops_at_its_bound() {
        for endless in [&b"data: x\n"[..], b"x", b"data: "] {
            let mut reader = Reader::new(100);
            let fed = (0..1000).try_for_each(|_| reader.feed(endless).map(drop));
            assert_eq!(fed, Err(TooLong { max: 100 }), "{endless:?}");
        }
    }

    #[test]
    fn comments_for_ever_hold_nothing() {
        let mut reader = Reader::new(10);
        for _ in 0..1000 {
            assert_eq!(reader.feed(&keep_alive()), Ok(Vec::new()));
        }
    }

    #[test]
    fn an_id_cannot_smuggle_a_field_in() {
        let written = event(b"x", Some("1\ndata: evil"));
        assert_eq!(read(&[&written]).0, [Event { id: Some("1data: evil".into()), ..plain("x") }]);
    }

    #[test]
    fn what_opens_a_stream_can_be_read() {
        assert_eq!(read(&[&primer("s-0", Some(9))]).0[0].id.as_deref(), Some("s-0"));
        let endpoint = &read(&[&typed("endpoint", b"/messages?s=1")]).0[0];
        assert_eq!((endpoint.event.as_deref(), &endpoint.data[..]), (Some("endpoint"), &b"/messages?s=1"[..]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(data in "[a-z\u{e9}:\n {}]{0,60}", id in proptest::option::of("[!-~]{1,20}")) {
            let written = event(data.as_bytes(), id.as_deref());
            let expected = Event { id: id.map(Into::into), data: data.into(), event: None };
            prop_assert_eq!(read(&[&written]).0, [expected]);
        }

        #[test]
        fn no_stream_panics(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10)) {
            let mut reader = Reader::new(64);
            for piece in pieces {
                drop(reader.feed(&piece));
            }
        }
    }
}
