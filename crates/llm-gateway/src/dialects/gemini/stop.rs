//! Why an answer ended, in Gemini's words.

use crate::form::Stop;

/// The form's word for a `finishReason`. Gemini says `STOP` even when it calls tools.
pub(super) fn read(word: &str, has_calls: bool) -> Stop {
    match word {
        "STOP" | "FINISH_REASON_UNSPECIFIED" if has_calls => Stop::ToolUse,
        "STOP" | "FINISH_REASON_UNSPECIFIED" => Stop::EndTurn,
        "MAX_TOKENS" => Stop::MaxTokens,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Stop::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => Stop::Malformed,
        // OTHER, NO_IMAGE, IMAGE_OTHER and words yet to come: never to be taken for success.
        _ => Stop::Error,
    }
}

/// Gemini's word: the native one where it is Gemini's own.
pub(super) fn write(stop: Stop, native: Option<&str>) -> &str {
    if let Some(native) = native
        && is_word(native)
        && read(native, stop == Stop::ToolUse) == stop
    {
        return native;
    }
    match stop {
        Stop::EndTurn | Stop::ToolUse | Stop::StopSequence | Stop::Pause => "STOP",
        Stop::MaxTokens | Stop::ContextWindow => "MAX_TOKENS",
        Stop::ContentFilter | Stop::Refusal => "SAFETY",
        Stop::Malformed => "MALFORMED_FUNCTION_CALL",
        Stop::Error => "OTHER",
    }
}

fn is_word(word: &str) -> bool {
    matches!(word, "OTHER" | "NO_IMAGE" | "IMAGE_OTHER") || read(word, false) != Stop::Error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_as_itself() {
        for word in ["STOP", "MAX_TOKENS", "SPII", "IMAGE_SAFETY", "TOO_MANY_TOOL_CALLS", "OTHER", "NO_IMAGE"] {
            assert_eq!(write(read(word, false), Some(word)), word);
        }
        assert_eq!(write(Stop::ToolUse, Some("STOP")), "STOP");
    }

    #[test]
    fn a_word_of_another_dialect_is_not_passed_on() {
        assert_eq!(write(Stop::MaxTokens, Some("length")), "MAX_TOKENS");
        assert_eq!(write(Stop::Error, Some("failed")), "OTHER");
    }

    #[test]
    fn an_unknown_word_is_never_success() {
        assert_eq!(read("NEW_REASON", true), Stop::Error);
    }
}
