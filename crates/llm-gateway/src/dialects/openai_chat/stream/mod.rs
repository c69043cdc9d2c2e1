//! Streamed answers, both ways.

mod calls;
mod decode;
mod encode;

use super::error;
use crate::dialects::{Decode, Encode, Listener};

/// A decoder.
pub(super) fn decoder() -> Box<dyn Decode> {
    Box::<decode::Decoder>::default()
}

/// An encoder.
pub(super) fn encoder(listener: &Listener) -> Box<dyn Encode> {
    Box::new(encode::Encoder::new(listener))
}
