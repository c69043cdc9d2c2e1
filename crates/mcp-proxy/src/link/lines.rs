//! Bytes as they come, lines as they are: the framing of stdio, under a limit.

use bytes::{Bytes, BytesMut};

/// A stream of lines.
pub(crate) struct Lines {
    /// What came and is no whole line yet; bytes are read into it.
    pub(crate) buffer: BytesMut,
    searched: usize,
    skipping: bool,
    at_most: usize,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its end.
    Whole(Bytes),
    /// Longer than allowed; none of it was kept.
    TooLong,
}

impl Lines {
    /// A stream whose lines may be so many bytes long.
    pub(crate) fn new(at_most: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(8 << 10), searched: 0, skipping: false, at_most }
    }

    /// The next line that is not empty, without its end.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                if self.searched > self.at_most {
                    self.buffer.clear();
                    self.searched = 0;
                    if !std::mem::replace(&mut self.skipping, true) {
                        return Some(Line::TooLong);
                    }
                }
                self.buffer.reserve(4 << 10);
                return None;
            };
            let mut line = self.buffer.split_to(self.searched + found + 1);
            self.searched = 0;
            line.truncate(line.len() - 1);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            match line.len() {
                0 => {}
                length if length > self.at_most => return Some(Line::TooLong),
                _ => return Some(Line::Whole(line.freeze())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(at_most: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(at_most);
        let mut found = Vec::new();
        for piece in pieces {
            lines.buffer.extend_from_slice(piece);
            while let Some(line) = lines.next() {
                found.push(match line {
                    Line::Whole(text) => String::from_utf8(text.to_vec()).unwrap(),
                    Line::TooLong => "TOO LONG".to_owned(),
                });
            }
        }
        found
    }

    #[test]
    fn lines_are_the_same_wherever_the_bytes_are_cut() {
        let text = b"{\"a\":1}\r\n\n{\"b\":2}\n";
        for cut in 0..text.len() {
            assert_eq!(lines(100, &[&text[..cut], &text[cut..]]), ["{\"a\":1}", "{\"b\":2}"], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_told_once_and_what_follows_it_is_read() {
        let long = [b'x'; 64];
        assert_eq!(lines(10, &[&long, &long, &long, b"\nnext\n"]), ["TOO LONG", "next"]);
        assert_eq!(lines(10, &[b"12345678901\nnext\n"]), ["TOO LONG", "next"]);
    }
}
