//! Anthropic Messages (`/v1/messages`, API version 2023-06-01).
//!
//! Read `ask` (requests), `answer` (whole answers), `stream` (streamed answers), `error` and `tally`; `blocks_in` and
//! `blocks_out` are the content blocks all of them share, `thinking` decides how a Claude model is told to think.

mod answer;
mod ask;
pub mod betas;
mod blocks_in;
mod blocks_out;
mod content_in;
mod error;
mod stream;
mod tally;
pub(in crate::dialects) mod thinking;
mod tools_in;
mod usage;

use crate::dialects::shared::refusal;
use crate::dialects::{Dialect, ToolNames};

const NAME: &str = "anthropic";

/// What Anthropic takes as a tool's name.
const TOOL_NAMES: ToolNames = ToolNames { max: 128, also: "" };

/// Most cache breakpoints in one request, for Claude models wherever hosted.
pub(in crate::dialects) const CACHE_MARKS_MAX: usize = 4;

/// The Messages API.
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
    stream_type: "text/event-stream",
    tool_names: TOOL_NAMES,
};
