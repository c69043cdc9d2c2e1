//! The chunked coding (RFC 9112 §7.1), read strictly: sizes are hexadecimal digits, lines end with CR LF. Extensions and
//! trailers are passed over.

use std::io;

use bytes::{Buf as _, BytesMut};

use super::broken;

/// Longest line around chunks: a size with extensions, or a trailer.
const LINE_BYTES_MAX: usize = 4096;
/// Most trailers of a body.
const TRAILERS_MAX: u8 = 100;

/// Where in the coding a body is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// Before the size of a chunk.
    #[default]
    Size,
    /// So many bytes of data are left of a chunk.
    Data(u64),
    /// Behind the data of a chunk.
    DataEnd,
    /// Behind the last chunk, with so many trailers read.
    Trailers(u8),
    /// At the end.
    Over,
}

impl Chunks {
    pub(super) fn are_over(&self) -> bool {
        *self == Self::Over
    }

    /// Passes over what is no data, as far as it has been read; says how many bytes of data follow.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> io::Result<u64> {
        loop {
            *self = match self {
                Self::Data(left) => return Ok(*left),
                Self::Over => return Ok(0),
                Self::Size => match line(read)? {
                    None => return Ok(0),
                    Some(end) => {
                        let size = size(&read[..end])?;
                        read.advance(end + 2);
                        if size == 0 { Self::Trailers(0) } else { Self::Data(size) }
                    }
                },
                Self::DataEnd => match line(read)? {
                    None => return Ok(0),
                    Some(0) => {
                        read.advance(2);
                        Self::Size
                    }
                    Some(_) => return Err(broken("a chunk is longer than its size")),
                },
                Self::Trailers(count) => match line(read)? {
                    None => return Ok(0),
                    Some(end) => {
                        read.advance(end + 2);
                        match *count {
                            _ if end == 0 => Self::Over,
                            TRAILERS_MAX => return Err(broken("there are too many trailers")),
                            count => Self::Trailers(count + 1),
                        }
                    }
                },
            };
        }
    }

    /// So many bytes of data were taken.
    pub(super) fn took(&mut self, count: u64) {
        if let Self::Data(left) = self {
            *left = left.saturating_sub(count);
            if *left == 0 {
                *self = Self::DataEnd;
            }
        }
    }
}

/// The length of the line that begins here, without its end, if all of it has been read.
fn line(read: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = memchr::memchr(b'\n', read) else {
        return if read.len() > LINE_BYTES_MAX { Err(broken("a line of the body is too long")) } else { Ok(None) };
    };
    match end.checked_sub(1) {
        Some(end) if read[end] == b'\r' && end <= LINE_BYTES_MAX => Ok(Some(end)),
        _ => Err(broken("a line of the body does not end as it should")),
    }
}

fn size(line: &[u8]) -> io::Result<u64> {
    const WRONG: &str = "the size of a chunk is not a number";
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || digits.len() > 16 {
        return Err(broken(WRONG));
    }
    digits.iter().try_fold(0, |size: u64, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or_else(|| broken(WRONG))?;
        Ok(size << 4 | u64::from(digit))
    })
}
