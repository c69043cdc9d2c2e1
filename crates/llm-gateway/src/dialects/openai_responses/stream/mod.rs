//! Streamed answers, both ways.

mod decode;
mod encode;
mod frames;

use crate::dialects::{Decode, Encode, Listener};

/// A decoder.
pub(super) fn decoder() -> Box<dyn Decode> {
    Box::<decode::Decoder>::default()
}

/// An encoder.
pub(super) fn encoder(listener: &Listener) -> Box<dyn Encode> {
    Box::new(encode::Encoder::new(listener))
}
