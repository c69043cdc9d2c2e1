//! Cohere `/v2/chat`.
//!
//! What is particular: tool results are messages of their own, a plan is spoken before calls (`tool_plan`), citations
//! point into the text from outside, and usage says both what was counted and what is billed.

mod answer;
mod ask;
mod error;
mod stop;
mod stream;
mod tally;
mod usage;
mod wire;

use super::shared::refusal;
use super::{Dialect, ToolNames};

/// The dialect's name.
const NAME: &str = "cohere";

/// What Cohere takes as a function's name.
const TOOL_NAMES: ToolNames = ToolNames { max: 64, also: "" };

/// Cohere.
pub static DIALECT: Dialect = Dialect {
    name: NAME,
    read_ask: ask::read,
    write_ask: ask::write,
    read_answer: answer::read,
    write_answer: answer::write,
    decoder: || Box::new(stream::Decoder::default()),
    encoder: |listener| Box::new(stream::Encoder::new(listener)),
    tally: || Box::new(tally::Counter::default()),
    count: tally::count,
    read_error: refusal::read,
    write_error: error::write,
    stream_type: "text/event-stream",
    tool_names: TOOL_NAMES,
};

/// Compact JSON of our own types, which cannot fail to serialise.
fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
