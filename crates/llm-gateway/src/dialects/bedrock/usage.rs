//! Usage and stop reasons: Converse's words and the form's.

use gatehouse_domain::Usage;
use serde::{Deserialize, Serialize};

use crate::dialects::shared::words::sane;
use crate::form::Stop;

/// Usage as it comes; `inputTokens` is without the cache.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UsageIn {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<CacheDetailIn>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CacheDetailIn {
    ttl: String,
    input_tokens: u64,
}

/// `serviceTier`: the tier that served a call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TierIn {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

impl TierIn {
    pub(super) fn word(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

impl UsageIn {
    pub(super) fn read(&self) -> Usage {
        let written = self.cache_write_input_tokens.map_or(0, sane);
        let details = self.cache_details.as_deref().unwrap_or_default();
        let hour = details
            .iter()
            .filter(|detail| detail.ttl == "1h")
            .map(|detail| detail.input_tokens)
            .fold(0, u64::saturating_add);
        let hour = hour.min(written);
        Usage {
            input: sane(self.input_tokens),
            cache_read: self.cache_read_input_tokens.map_or(0, sane),
            cache_write_5m: written - hour,
            cache_write_1h: hour,
            output: sane(self.output_tokens),
            ..Usage::default()
        }
    }
}

/// Usage as it goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageOut {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_details: Vec<CacheDetailOut>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetailOut {
    ttl: &'static str,
    input_tokens: u64,
}

impl From<&Usage> for UsageOut {
    fn from(usage: &Usage) -> Self {
        let written = usage.cache_write_5m + usage.cache_write_1h;
        let cache_details = [("1h", usage.cache_write_1h), ("5m", usage.cache_write_5m)]
            .into_iter()
            .filter(|(_, tokens)| *tokens > 0)
            .map(|(ttl, input_tokens)| CacheDetailOut { ttl, input_tokens })
            .collect();
        Self {
            input_tokens: usage.input_total() - usage.cache_read - written,
            output_tokens: usage.output_total(),
            total_tokens: usage.total(),
            cache_read_input_tokens: usage.cache_read,
            cache_write_input_tokens: written,
            cache_details,
        }
    }
}

/// What a call took in time; the dialect requires the field, and the gateway tells it in its own headers.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricsOut {
    latency_ms: u64,
}

/// Reads a stop reason. A word nobody here knows is never taken for plain success.
pub(super) fn stop_of(word: &str) -> Stop {
    match word {
        "end_turn" => Stop::EndTurn,
        "tool_use" => Stop::ToolUse,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "guardrail_intervened" | "content_filtered" => Stop::ContentFilter,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::Pause,
        "malformed_model_output" | "malformed_tool_use" => Stop::Malformed,
        "model_context_window_exceeded" => Stop::ContextWindow,
        _ => Stop::Error,
    }
}

/// Writes a stop reason. What Converse has no word for is an answer cut short, not a finished one.
pub(super) const fn word_of(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::ToolUse => "tool_use",
        Stop::MaxTokens | Stop::Pause => "max_tokens",
        Stop::StopSequence => "stop_sequence",
        Stop::ContentFilter | Stop::Refusal => "content_filtered",
        Stop::Malformed | Stop::Error => "malformed_model_output",
        Stop::ContextWindow => "model_context_window_exceeded",
    }
}

/// `additionalModelResponseFields`: the provider's own word for the end, where Converse's says less.
#[derive(Debug, Serialize)]
pub(super) struct ExtraFieldsOut<'a> {
    native_stop_reason: &'a str,
}

impl<'a> ExtraFieldsOut<'a> {
    pub(super) fn new(stop: Stop, native: Option<&'a str>) -> Option<Self> {
        let lossy = matches!(stop, Stop::ContentFilter | Stop::Refusal | Stop::Pause | Stop::Malformed | Stop::Error);
        let native_stop_reason = native.filter(|word| lossy && *word != word_of(stop))?;
        Some(Self { native_stop_reason })
    }
}
