//! Amazon Bedrock Converse and ConverseStream (`/model/{model}/converse`, `/model/{model}/converse-stream`).
//!
//! Read `ask` (requests), `answer` (whole answers), `frames` (the binary event stream), `stream` (streamed answers),
//! `error` and `tally`; `blocks_in` and `blocks_out` are the content blocks all of them share.

mod answer;
mod ask;
mod blocks_in;
mod blocks_out;
mod error;
pub mod frames;
mod media;
mod stream;
mod tally;
mod usage;

pub use error::exception_name;

use crate::dialects::shared::refusal;
use crate::dialects::{Dialect, ToolNames};

const NAME: &str = "bedrock";

/// What Converse takes as a tool's name.
const TOOL_NAMES: ToolNames = ToolNames { max: 64, also: "" };

/// The Converse API.
pub static DIALECT: Dialect = Dialect {
    name: NAME,
    read_ask: ask::read_ask,
    write_ask: ask::write_ask,
    read_answer: answer::read_answer,
    write_answer: answer::write_answer,
    decoder: stream::decoder,
    encoder: stream::encoder,
    tally: tally::tally,
    count: tally::count,
    read_error: refusal::read,
    write_error: error::write_error,
    stream_type: "application/vnd.amazon.eventstream",
    tool_names: TOOL_NAMES,
};
