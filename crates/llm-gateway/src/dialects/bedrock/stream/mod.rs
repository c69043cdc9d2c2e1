//! Streamed answers: events in binary frames. Only tool calls announce their start, and usage comes after the end.

mod decode;
mod encode;

use crate::dialects::{Decode, Encode, Listener};

/// A reader of a ConverseStream.
pub(super) fn decoder() -> Box<dyn Decode> {
    Box::new(decode::Decoder::default())
}

/// A writer of a ConverseStream.
pub(super) fn encoder(_: &Listener) -> Box<dyn Encode> {
    Box::new(encode::Encoder::default())
}
