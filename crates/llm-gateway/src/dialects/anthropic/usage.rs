//! Usage and stop reasons: Anthropic's words and the form's.

use gatehouse_domain::{ServiceTier, Usage};
use serde::{Deserialize, Serialize};

use crate::dialects::shared::words::sane;
use crate::form::Stop;

/// Usage as it comes. `input_tokens` is without the cache; in a stream every counter is cumulative and may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsageIn {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<OutputDetails>,
    /// The tier that served it.
    pub(super) service_tier: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: u64,
}

impl UsageIn {
    /// Takes over what this one says into what is known.
    pub(super) fn update(&self, usage: &mut Usage) {
        if let Some(word) = &self.service_tier {
            usage.tier = ServiceTier::of_word(word);
        }
        let set = |slot: &mut u64, value: Option<u64>| *slot = value.map_or(*slot, sane);
        set(&mut usage.input, self.input_tokens);
        set(&mut usage.cache_read, self.cache_read_input_tokens);
        if let Some(total) = self.cache_creation_input_tokens.map(sane) {
            usage.cache_write_1h = match self.cache_creation {
                Some(split) => split.ephemeral_1h_input_tokens.min(total),
                None => usage.cache_write_1h.min(total),
            };
            usage.cache_write_5m = total - usage.cache_write_1h;
        } else if let Some(split) = self.cache_creation {
            usage.cache_write_1h = sane(split.ephemeral_1h_input_tokens);
            usage.cache_write_5m = sane(split.ephemeral_5m_input_tokens);
        }
        if let Some(total) = self.output_tokens.map(sane) {
            usage.reasoning = match self.output_tokens_details {
                Some(details) => details.thinking_tokens.min(total),
                None => usage.reasoning.min(total),
            };
            usage.output = total - usage.reasoning;
        }
    }

    /// As a whole.
    pub(super) fn read(&self) -> Usage {
        let mut usage = Usage::default();
        self.update(&mut usage);
        usage
    }
}

/// Usage as it goes.
#[derive(Debug, Serialize)]
pub(super) struct UsageOut<'a> {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

impl<'a> UsageOut<'a> {
    /// The view of `usage` an Anthropic client knows: input without the cache, output with the thoughts.
    pub(super) fn new(usage: &Usage, service_tier: Option<&'a str>) -> Self {
        let written = usage.cache_write_5m + usage.cache_write_1h;
        Self {
            input_tokens: usage.input_total() - usage.cache_read - written,
            cache_creation_input_tokens: written,
            cache_read_input_tokens: usage.cache_read,
            cache_creation: (written > 0).then_some(CacheCreation {
                ephemeral_5m_input_tokens: usage.cache_write_5m,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            }),
            output_tokens: usage.output_total(),
            output_tokens_details: (usage.reasoning > 0).then_some(OutputDetails { thinking_tokens: usage.reasoning }),
            service_tier: service_tier.filter(|tier| matches!(*tier, "standard" | "priority" | "batch")),
        }
    }
}

/// Reads a stop reason. A word nobody here knows is never taken for plain success.
pub(super) fn stop_of(word: &str) -> Stop {
    match word {
        "end_turn" => Stop::EndTurn,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "tool_use" => Stop::ToolUse,
        "pause_turn" | "compaction" => Stop::Pause,
        "refusal" => Stop::Refusal,
        "model_context_window_exceeded" => Stop::ContextWindow,
        _ => Stop::Error,
    }
}

/// Writes a stop reason. What Anthropic has no word for is an answer cut short, not a finished one.
pub(super) const fn word_of(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::MaxTokens | Stop::Malformed | Stop::Error => "max_tokens",
        Stop::StopSequence => "stop_sequence",
        Stop::ToolUse => "tool_use",
        Stop::ContentFilter | Stop::Refusal => "refusal",
        Stop::Pause => "pause_turn",
        Stop::ContextWindow => "model_context_window_exceeded",
    }
}

/// The provider's own word, where ours says less.
pub(super) fn lost_word(stop: Stop, native: Option<&str>) -> Option<&str> {
    let lossy = matches!(stop, Stop::ContentFilter | Stop::Malformed | Stop::Error);
    native.filter(|_| lossy)
}
