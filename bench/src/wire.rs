//! Just enough HTTP/1.1 to find where a message ends, without copying anything: generator and upstream must cost so
//! little that the process under test is what is measured.

use memchr::memmem;

/// What a look at the bytes so far says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The message ends here.
    Whole(usize),
    /// More bytes are needed.
    Partial,
    /// This is not HTTP as it is spoken here.
    Broken,
}

/// Where the body starts.
#[must_use]
pub fn body_start(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// The `content-length` of a head.
#[must_use]
pub fn content_length(head: &[u8]) -> Option<usize> {
    let mut rest = head;
    while let Some(at) = memchr::memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        let name = b"content-length:";
        if rest.len() > name.len() && rest[..name.len()].eq_ignore_ascii_case(name) {
            let value = &rest[name.len()..];
            let end = memchr::memchr(b'\r', value)?;
            return std::str::from_utf8(&value[..end]).ok()?.trim().parse().ok();
        }
    }
    None
}

/// The end of a message that has a length, or of a chunked one.
#[must_use]
pub fn message_end(bytes: &[u8]) -> Progress {
    let Some(start) = body_start(bytes) else { return Progress::Partial };
    if let Some(length) = content_length(&bytes[..start]) {
        return if bytes.len() >= start + length { Progress::Whole(start + length) } else { Progress::Partial };
    }
    if !is_chunked(&bytes[..start]) {
        return Progress::Whole(start);
    }
    let mut chunks = Chunks::default();
    match chunks.advance(&bytes[start..]) {
        Progress::Whole(len) => Progress::Whole(start + len),
        other => other,
    }
}

/// Does the head announce chunks?
#[must_use]
pub fn is_chunked(head: &[u8]) -> bool {
    memmem::find(head, b"chunked").is_some()
}

/// Walks over a chunked body that arrives in parts; remembers only where it stands.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    /// Bytes of the current chunk, its line end included, still to come.
    left: usize,
    /// The current chunk is the last one.
    last: bool,
    /// A size line that has not arrived whole.
    line: Vec<u8>,
}

impl Chunks {
    /// Walks on; `Whole` says how many of these bytes belonged to the body.
    pub fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        loop {
            let skip = self.left.min(bytes.len() - at);
            at += skip;
            self.left -= skip;
            if self.left > 0 {
                return Progress::Partial;
            }
            if self.last {
                return Progress::Whole(at);
            }
            let Some(end) = memchr::memchr(b'\n', &bytes[at..]) else {
                self.line.extend_from_slice(&bytes[at..]);
                return Progress::Partial;
            };
            self.line.extend_from_slice(&bytes[at..=at + end]);
            at += end + 1;
            let Some(size) = chunk_size(&self.line) else { return Progress::Broken };
            self.line.clear();
            self.last = size == 0;
            self.left = size + 2;
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?.trim();
    usize::from_str_radix(text.split(';').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_ends_at_the_same_byte_wherever_it_is_cut() {
        let body = b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunks = Chunks::default();
            assert_eq!(chunks.advance(&body[..cut]), Progress::Partial, "{cut}");
            assert_eq!(chunks.advance(&body[cut..]), Progress::Whole(body.len() - cut), "{cut}");
        }
    }

    #[test]
    fn a_message_with_a_length_ends_where_it_says() {
        let message = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP";
        assert_eq!(message_end(message), Progress::Whole(message.len() - 4));
        assert_eq!(message_end(&message[..message.len() - 5]), Progress::Partial);
    }
}
