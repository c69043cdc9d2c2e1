//! Why an answer ended, in Cohere's words.

use crate::form::Stop;

/// The form's word for a `finish_reason`.
pub(super) fn read(word: &str, has_calls: bool) -> Stop {
    match word {
        "TOOL_CALL" => Stop::ToolUse,
        "COMPLETE" if has_calls => Stop::ToolUse,
        "COMPLETE" => Stop::EndTurn,
        "STOP_SEQUENCE" => Stop::StopSequence,
        "MAX_TOKENS" => Stop::MaxTokens,
        "ERROR_LIMIT" => Stop::ContextWindow,
        "ERROR_TOXIC" => Stop::ContentFilter,
        // ERROR, TIMEOUT and words yet to come: never to be taken for success.
        _ => Stop::Error,
    }
}

/// Cohere's word. It has none for a filter or a refusal, and those must not look like success.
pub(super) const fn write(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::Pause => "COMPLETE",
        Stop::StopSequence => "STOP_SEQUENCE",
        Stop::MaxTokens | Stop::ContextWindow => "MAX_TOKENS",
        Stop::ToolUse => "TOOL_CALL",
        Stop::ContentFilter | Stop::Refusal | Stop::Malformed | Stop::Error => "ERROR",
    }
}
