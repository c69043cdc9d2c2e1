//! OpenAI Chat Completions, and the many providers that speak something close to it.

mod answer;
mod ask;
mod details;
mod error;
mod message;
mod stream;
mod tally;

#[cfg(test)]
mod tests;

use super::Dialect;

/// The dialect.
pub static DIALECT: Dialect = Dialect {
    name: NAME,
    read_ask: ask::read,
    write_ask: ask::write,
    read_answer: answer::read,
    write_answer: answer::write,
    decoder: stream::decoder,
    encoder: stream::encoder,
    tally: tally::tally,
    count: tally::count,
    read_error: crate::dialects::shared::refusal::read,
    write_error: error::write,
    stream_type: "text/event-stream",
    tool_names: crate::dialects::openai_shared::TOOL_NAMES,
};

const NAME: &str = "openai_chat";
