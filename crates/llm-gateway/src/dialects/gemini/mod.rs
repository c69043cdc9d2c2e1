//! Gemini `generateContent` and `streamGenerateContent` (`/v1beta/models/{model}:…`), of Google AI and Vertex.
//!
//! What is particular: whole parts instead of deltas, calls that may have no id, `STOP` even with calls, thought
//! signatures that must return, a schema language of its own, and no terminal marker in a stream.

mod answer;
mod ask;
mod carry;
mod error;
mod grounding;
mod schema;
mod stop;
mod stream;
mod tally;
mod usage;
mod wire;

use super::shared::refusal;
use super::{Dialect, Encode, Listener, ToolNames};

/// The dialect's name.
const NAME: &str = "gemini";

/// What Gemini takes as a function's name.
const TOOL_NAMES: ToolNames = ToolNames { max: 64, also: ".:" };

/// Gemini.
pub static DIALECT: Dialect = Dialect {
    name: NAME,
    read_ask: ask::read,
    write_ask: ask::write,
    read_answer: answer::read,
    write_answer: answer::write,
    decoder: || Box::new(stream::Decoder::default()),
    encoder: |listener| Box::new(stream::Encoder::new(listener, stream::Framing::Sse)),
    tally: || Box::new(tally::Counter::default()),
    count: tally::count,
    read_error: refusal::read,
    write_error: error::write,
    stream_type: "text/event-stream",
    tool_names: TOOL_NAMES,
};

/// Content type of [`encoder_array`].
pub const ARRAY_TYPE: &str = "application/json";

/// An encoder for clients that call `streamGenerateContent` without `alt=sse`: one JSON array of responses.
#[must_use]
pub fn encoder_array(listener: &Listener) -> Box<dyn Encode> {
    Box::new(stream::Encoder::new(listener, stream::Framing::Array))
}

/// Compact JSON of our own types, which cannot fail to serialise.
fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    crate::json::to_vec(value).unwrap_or_default()
}
