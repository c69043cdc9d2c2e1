//! Structured output for targets that do not know it: a tool with the schema as its input, which the model is made to
//! call. A reader that meets a call of it reads text, so the client never sees the trick.

use std::sync::LazyLock;

use serde_json::value::RawValue;

use crate::dialects::Speaker;
use crate::form::{Ask, Block, Content, Format, Stop, ToolChoice};

/// Name of the tool. It is the gateway's own, so that readers, who do not know the request, can tell it.
pub(in crate::dialects) const JSON_TOOL: &str = "gatehouse_json_output";

/// What the tool says of itself when the client's schema has no description.
pub(in crate::dialects) const JSON_TOOL_DESCRIPTION: &str = "Gives the answer. Call it once, with the whole answer.";

/// The schema every object follows.
pub(in crate::dialects) fn any_object() -> &'static RawValue {
    static ANY_OBJECT: LazyLock<Box<RawValue>> =
        LazyLock::new(|| RawValue::from_string(r#"{"type":"object"}"#.to_owned()).unwrap_or_default());
    &ANY_OBJECT
}

/// The schema the output must follow, if any.
pub(in crate::dialects) fn schema_of(ask: &Ask) -> Option<&RawValue> {
    match &ask.format {
        Some(Format::Schema { schema, .. }) => Some(schema),
        Some(Format::Json) => Some(any_object()),
        Some(Format::Text) | None => None,
    }
}

/// The schema that must be had by forcing the tool; a tool the client itself insists on goes first.
pub(in crate::dialects) fn forced_schema<'a>(ask: &'a Ask, speaker: &Speaker<'_>) -> Option<&'a RawValue> {
    let possible = speaker.quirks.no_output_format && !matches!(ask.tool_choice, Some(ToolChoice::Tool(_)));
    schema_of(ask).filter(|_| possible)
}

/// Turns calls of the tool into the text they are, and says how the answer then ended: other calls make it `ToolUse`,
/// calls that were text all along do not.
pub(in crate::dialects) fn unwrap_blocks(blocks: &mut [Block], stop: Stop) -> Stop {
    let (mut calls, mut unwrapped) = (false, false);
    for block in blocks {
        match &mut block.content {
            Content::ToolCall(call) if call.name == JSON_TOOL => {
                *block = Block::text(std::mem::take(&mut call.arguments));
                unwrapped = true;
            }
            Content::ToolCall(_) => calls = true,
            _ => {}
        }
    }
    settled(stop, calls, unwrapped)
}

/// How an answer ended, given whether it holds calls, and whether it held some that were text all along.
pub(in crate::dialects) const fn settled(stop: Stop, calls: bool, unwrapped: bool) -> Stop {
    match stop {
        Stop::EndTurn | Stop::StopSequence if calls => Stop::ToolUse,
        Stop::ToolUse if unwrapped && !calls => Stop::EndTurn,
        stop => stop,
    }
}
