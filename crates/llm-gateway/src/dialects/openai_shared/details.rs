//! Token counts in OpenAI's words, where cached and audio tokens are contained in the sums, to and from disjoint ones.

use gatehouse_domain::Usage;
use serde::{Deserialize, Serialize};

use super::glance;
use crate::json;

/// `usage` as any speaker of either OpenAI dialect writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsageIn {
    #[serde(alias = "input_tokens")]
    pub(super) prompt_tokens: Option<u64>,
    #[serde(alias = "output_tokens")]
    pub(super) completion_tokens: Option<u64>,
    pub(super) total_tokens: Option<u64>,
    #[serde(alias = "input_tokens_details")]
    pub(super) prompt_tokens_details: Option<InputDetailsIn>,
    #[serde(alias = "output_tokens_details")]
    pub(super) completion_tokens_details: Option<OutputDetailsIn>,
    /// DeepSeek's place for cached tokens.
    pub(super) prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's place for cached tokens.
    pub(super) cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InputDetailsIn {
    pub(super) cached_tokens: Option<u64>,
    pub(super) cache_write_tokens: Option<u64>,
    pub(super) audio_tokens: Option<u64>,
    pub(super) image_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutputDetailsIn {
    pub(super) reasoning_tokens: Option<u64>,
    pub(super) audio_tokens: Option<u64>,
    pub(super) image_tokens: Option<u64>,
}

impl UsageIn {
    /// Reads the object that `json` begins with.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        glance::usage(json).or_else(|| Self::deserialize(&mut serde_json::Deserializer::from_slice(json)).ok())
    }

    /// The disjoint counters. Details never add up to more than the sum that contains them, whatever was claimed.
    pub(crate) fn usage(&self) -> Usage {
        let mut fresh = self.prompt_tokens.unwrap_or_default();
        let mut visible = self.completion_tokens.unwrap_or_default();
        let none = InputDetailsIn::default();
        let input = self.prompt_tokens_details.as_ref().unwrap_or(&none);
        let none = OutputDetailsIn::default();
        let output = self.completion_tokens_details.as_ref().unwrap_or(&none);
        let reasoning = output.reasoning_tokens.unwrap_or_default();
        // xAI counts thoughts next to `completion_tokens`, not in it; its own total tells.
        let apart = reasoning > 0 && self.total_tokens == Some(fresh.saturating_add(visible).saturating_add(reasoning));
        let cached = input.cached_tokens.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        Usage {
            cache_read: take(&mut fresh, cached),
            cache_write_5m: take(&mut fresh, input.cache_write_tokens),
            input_audio: take(&mut fresh, input.audio_tokens),
            input_image: take(&mut fresh, input.image_tokens),
            input: fresh,
            reasoning: if apart { reasoning } else { take(&mut visible, Some(reasoning)) },
            output_audio: take(&mut visible, output.audio_tokens),
            output_image: take(&mut visible, output.image_tokens),
            output: visible,
            ..Usage::default()
        }
    }
}

/// Moves a part out of its sum.
fn take(sum: &mut u64, part: Option<u64>) -> u64 {
    let part = part.unwrap_or_default().min(*sum);
    *sum -= part;
    part
}

/// `usage` of the Chat dialect.
#[derive(Debug, Serialize)]
pub(crate) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: ChatInputDetails,
    completion_tokens_details: ChatOutputDetails,
}

#[derive(Debug, Serialize)]
struct ChatInputDetails {
    cached_tokens: u64,
    audio_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct ChatOutputDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl From<&Usage> for ChatUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.input_total(),
            completion_tokens: usage.output_total(),
            total_tokens: usage.total(),
            prompt_tokens_details: ChatInputDetails {
                cached_tokens: usage.cache_read,
                audio_tokens: usage.input_audio,
                cache_write_tokens: usage.cache_write_5m + usage.cache_write_1h,
            },
            completion_tokens_details: ChatOutputDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.output_audio,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}

/// Appends `usage` of the Responses dialect. Clients insist on both details.
pub(crate) fn write_responses_usage(out: &mut Vec<u8>, usage: &Usage) {
    for (name, count) in [
        ("{\"input_tokens\":", usage.input_total()),
        (",\"input_tokens_details\":{\"cached_tokens\":", usage.cache_read),
        (",\"cache_write_tokens\":", usage.cache_write_5m + usage.cache_write_1h),
        ("},\"output_tokens\":", usage.output_total()),
        (",\"output_tokens_details\":{\"reasoning_tokens\":", usage.reasoning),
        ("},\"total_tokens\":", usage.total()),
    ] {
        out.extend_from_slice(name.as_bytes());
        json::push_number(out, count);
    }
    out.push(b'}');
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
