//! Server-sent events, read without copying where a line is whole (WHATWG HTML §9.2.6), with limits.

use gatehouse_domain::{Code, Fault};
use memchr::memchr2;

/// Longest line.
pub const LINE_BYTES_MAX: usize = 4 << 20;
/// Longest event (all its data lines).
pub const EVENT_BYTES_MAX: usize = 8 << 20;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field; empty if there was none.
    pub event: &'a str,
    /// The `data:` lines joined with line feeds.
    pub data: &'a [u8],
}

/// Cuts bytes into events. CR, LF and CRLF end a line; comments, `id:` and `retry:` are skipped; an event without data
/// is dropped, as the specification says.
#[derive(Debug, Default)]
pub struct Frames {
    line: Vec<u8>,
    event: String,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    started: bool,
}

impl Frames {
    /// Takes bytes, cut anywhere, and hands each complete event to `each`.
    ///
    /// # Errors
    /// `UpstreamBroken` on an oversized line or event, or what `each` returns.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                if self.line.len() + bytes.len() > LINE_BYTES_MAX {
                    return Err(Fault::new(
                        Code::UpstreamBroken,
                        "the provider sent a line longer than 4 MiB in a stream",
                    ));
                }
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            self.after_cr = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.take_line(&bytes[..end], each)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.take_line(&line, each)?;
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// Whether bytes of an unfinished event are held: at the end of a stream that means it was cut.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        !self.line.is_empty() || self.has_data
    }

    fn take_line(&mut self, line: &[u8], each: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
        let line = if std::mem::replace(&mut self.started, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            let result = if self.has_data { each(Frame { event: &self.event, data: &self.data }) } else { Ok(()) };
            self.event.clear();
            self.data.clear();
            self.has_data = false;
            return result;
        }
        if let Some(data) = field(line, b"data") {
            if self.data.len() + data.len() > EVENT_BYTES_MAX {
                return Err(Fault::new(Code::UpstreamBroken, "the provider sent an event longer than 8 MiB"));
            }
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(data);
        } else if let Some(event) = field(line, b"event") {
            self.event.clear();
            self.event.push_str(&String::from_utf8_lossy(event));
        }
        Ok(())
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        let mut frames = Frames::default();
        for chunk in chunks {
            frames
                .feed(chunk, &mut |frame| {
                    seen.push((frame.event.to_owned(), String::from_utf8_lossy(frame.data).into_owned()));
                    Ok(())
                })
                .unwrap_or_default();
        }
        seen
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let text =
            "\u{feff}: hi\r\nevent: a\r\ndata: {\"x\":\"ü\"}\r\n\r\ndata:1\ndata: 2\n\nid: 7\n\ndata\n\n\rdata: z\r\r"
                .as_bytes();
        let whole = all(&[text]);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[1], (String::new(), "1\n2".to_owned()));
        for cut in 0..text.len() {
            assert_eq!(all(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&bytes), whole);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut frames = Frames::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..6).any(|_| frames.feed(&chunk, &mut |_| Ok(())).is_err());
        assert!(refused);
    }
}
