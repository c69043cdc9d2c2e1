//! A body that is sent in pieces where it would have to be copied to be one: a request to a provider, a long answer to a client.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Shorter bodies are joined: to hand over three pieces costs more than to copy so little.
const JOINED_BYTES_MAX: usize = 4096;

/// A body, in pieces if it is a long one into which something was spliced: then nothing of it is copied.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    first: Bytes,
    /// What follows. Boxed, because a connection keeps room for dozens of requests, and few have pieces.
    rest: Option<Box<[Bytes; 2]>>,
}

impl Payload {
    /// `body` with the bytes of `range` replaced by `with`.
    ///
    /// # Panics
    /// When the range is not in the body.
    #[must_use]
    pub fn spliced(body: &Bytes, range: Range<usize>, with: Bytes) -> Self {
        if body.len() > JOINED_BYTES_MAX {
            let rest = Some(Box::new([with, body.slice(range.end..)]));
            return Self { first: body.slice(..range.start), rest };
        }
        let mut whole = Vec::with_capacity(body.len() - range.len() + with.len());
        whole.extend_from_slice(&body[..range.start]);
        whole.extend_from_slice(&with);
        whole.extend_from_slice(&body[range.end..]);
        Bytes::from(whole).into()
    }

    /// These three in a row, as they are.
    #[must_use]
    pub fn pieces(first: Bytes, rest: Option<Box<[Bytes; 2]>>) -> Self {
        Self { first, rest }
    }

    /// How many bytes are left of it.
    #[must_use]
    pub fn len(&self) -> usize {
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        self.first.len() + rest.map(Bytes::len).sum::<usize>()
    }

    /// Is nothing left of it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next piece out.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        let rest = self.rest.iter_mut().flat_map(|rest| rest.iter_mut());
        std::iter::once(&mut self.first).chain(rest).find(|piece| !piece.is_empty()).map(std::mem::take)
    }

    /// All of it in one piece, copied only if it is not.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        let length = self.len();
        let Some(first) = self.next_piece() else { return Bytes::new() };
        if first.len() == length {
            return first;
        }
        let mut whole = BytesMut::with_capacity(length);
        whole.extend_from_slice(&first);
        while let Some(piece) = self.next_piece() {
            whole.extend_from_slice(&piece);
        }
        whole.freeze()
    }
}

impl From<Bytes> for Payload {
    fn from(body: Bytes) -> Self {
        Self { first: body, rest: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_splice_touches_nothing_else_whatever_the_length() {
        for padding in [0, JOINED_BYTES_MAX] {
            let body = Bytes::from(format!("{{\"model\":\"fast\",\"n\":1{}}}", " ".repeat(padding)));
            let spliced = Payload::spliced(&body, 9..15, Bytes::from_static(b"\"gpt-5\""));
            assert_eq!(spliced.len(), body.len() + 1);
            let whole = String::from_utf8(spliced.into_bytes().to_vec()).unwrap();
            assert_eq!(whole, String::from_utf8_lossy(&body).replace("fast", "gpt-5"));
        }
    }

    #[test]
    fn pieces_come_in_order_and_empty_ones_do_not() {
        let body = Bytes::from(vec![b'x'; JOINED_BYTES_MAX + 1]);
        let mut at_start = Payload::spliced(&body, 0..0, Bytes::from_static(b"a"));
        assert_eq!(at_start.next_piece().as_deref(), Some(&b"a"[..]));
        assert_eq!(at_start.next_piece().map(|piece| piece.len()), Some(body.len()));
        assert!(at_start.next_piece().is_none() && at_start.is_empty());
    }
}
