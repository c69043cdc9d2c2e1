//! Streamed answers: named server-sent events, numbered blocks, one terminal event.

mod decode;
mod encode;

use crate::dialects::{Decode, Encode, Listener};

/// A reader of a Messages stream.
pub(super) fn decoder() -> Box<dyn Decode> {
    Box::new(decode::Decoder::default())
}

/// A writer of a Messages stream.
pub(super) fn encoder(listener: &Listener) -> Box<dyn Encode> {
    Box::new(encode::Encoder::new(listener))
}
