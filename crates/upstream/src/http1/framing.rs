//! Where the body of an answer ends (RFC 9112 §6).

use bytes::{Bytes, BytesMut};
use std::io;

use super::broken;
use super::chunks::Chunks;

/// How the end of a body is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunk by chunk.
    Chunked(Chunks),
    /// With the connection.
    UntilClose,
}

impl Framing {
    /// Nothing, or nothing more.
    pub(super) const OVER: Self = Self::Length(0);

    /// Has all of it been taken?
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.are_over(),
            Self::UntilClose => false,
        }
    }

    /// The exact length of what is still to come, if it is known.
    pub(crate) fn exact(&self) -> Option<u64> {
        if let Self::Length(left) = self { Some(*left) } else { None }
    }

    /// Takes what there is of the body out of what was read.
    pub(crate) fn take(&mut self, read: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let most = match self {
            Self::Length(left) => *left,
            Self::Chunked(chunks) => chunks.next(read)?,
            Self::UntilClose => u64::MAX,
        };
        let length = read.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(None);
        }
        let data = read.split_to(length).freeze();
        match self {
            Self::Length(left) => *left -= length as u64,
            Self::Chunked(chunks) => {
                chunks.took(length as u64);
                // The end has mostly come with the last of the data, and the connection is free with it.
                chunks.next(read)?;
            }
            Self::UntilClose => {}
        }
        Ok(Some(data))
    }

    /// The connection was closed by the other side. Was that the end of the body?
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match self {
            Self::UntilClose => *self = Self::OVER,
            _ if self.is_over() => {}
            _ => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body broke off before its end")),
        }
        Ok(())
    }
}

/// What the headers of an answer say about its body, gathered as they are read.
#[derive(Debug, Default)]
pub(super) struct Said {
    length: Option<u64>,
    /// Any transfer coding at all, and whether the last one is `chunked`.
    coded: Option<bool>,
}

impl Said {
    /// A `Content-Length`. Several must agree, and so must the members of a list.
    pub(super) fn length(&mut self, value: &[u8]) -> io::Result<()> {
        const WRONG: &str = "the length of the body is not one number";
        for part in value.split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            if part.is_empty() || !part.iter().all(u8::is_ascii_digit) {
                return Err(broken(WRONG));
            }
            let length = std::str::from_utf8(part).ok().and_then(|digits| digits.parse().ok());
            let length: u64 = length.ok_or_else(|| broken(WRONG))?;
            if *self.length.get_or_insert(length) != length {
                return Err(broken(WRONG));
            }
        }
        Ok(())
    }

    /// A `Transfer-Encoding`. The last coding of all of them counts.
    pub(super) fn coding(&mut self, value: &[u8]) {
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
        self.coded = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
    }

    /// The framing of a body that there is, and whether another answer can follow it (RFC 9112 §6.3).
    pub(super) fn framing(&self) -> (Framing, bool) {
        match (self.coded, self.length) {
            // Both is somebody's confusion or somebody's trick: the coding counts, and nothing after it is believed.
            (Some(true), length) => (Framing::Chunked(Chunks::default()), length.is_none()),
            (None, Some(length)) => (Framing::Length(length), true),
            (Some(false), _) | (None, None) => (Framing::UntilClose, false),
        }
    }
}
