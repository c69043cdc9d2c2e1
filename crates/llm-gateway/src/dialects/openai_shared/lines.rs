//! Lines of a stream that is forwarded untouched: handed out without a copy where a line is whole in one chunk.

use memchr::{memchr, memmem};

/// Longest line kept when it is cut between chunks; a longer one is forwarded all the same but not counted. The longest
/// line that matters is the Responses dialect's last event, which repeats the whole answer.
const CARRY_BYTES_MAX: usize = 4 << 20;

/// Cuts chunks into `data:` lines.
#[derive(Default)]
pub(crate) struct DataLines {
    carry: Vec<u8>,
    overflow: bool,
}

impl DataLines {
    /// Whether part of a line is held: at the end of a stream that means it was cut.
    pub(crate) fn is_mid_line(&self) -> bool {
        !self.carry.is_empty() || self.overflow
    }

    /// Hands the payload of each complete `data:` line to `each`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.overflow {
                self.overflow = false;
            } else if self.carry.is_empty() {
                payload(&bytes[..end], each);
            } else if self.carry.len() + end <= CARRY_BYTES_MAX {
                self.carry.extend_from_slice(&bytes[..end]);
                payload(&self.carry, each);
            }
            self.carry.clear();
            bytes = &bytes[end + 1..];
        }
        if self.overflow || bytes.is_empty() {
            return;
        }
        if self.carry.len() + bytes.len() > CARRY_BYTES_MAX {
            self.overflow = true;
            self.carry = Vec::new();
        } else {
            self.carry.extend_from_slice(bytes);
        }
    }
}

fn payload(line: &[u8], each: &mut impl FnMut(&[u8])) {
    if let Some(data) = line.strip_prefix(b"data:") {
        each(data.trim_ascii());
    }
}

/// The first byte of the value of the key `finder` looks for (`"usage"`, quotes included), and everything after it.
///
/// A key inside of a JSON string never matches: its quotes are escaped there.
pub(crate) fn value_of<'a>(finder: &memmem::Finder<'_>, data: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = data;
    loop {
        let at = finder.find(rest)?;
        rest = &rest[at + finder.needle().len()..];
        if let Some(value) = rest.trim_ascii_start().strip_prefix(b":") {
            return Some(value.trim_ascii_start());
        }
    }
}
