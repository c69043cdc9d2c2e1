//! What a call consumed, in counters that never overlap, so that every dialect's view and every price is a sum.

use serde::{Deserialize, Serialize};

/// Tokens by kind. The counters are disjoint: a token is in exactly one of them.
///
/// The dialects disagree (OpenAI's `prompt_tokens` includes cached ones, Anthropic's `input_tokens` does not); each
/// dialect converts on its own edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Fresh text input: neither read from nor written to a cache.
    pub input: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read: u64,
    /// Input written to the cache for five minutes (or the provider's only lifetime).
    pub cache_write_5m: u64,
    /// Input written to the cache for one hour.
    pub cache_write_1h: u64,
    /// Audio input.
    pub input_audio: u64,
    /// Image and video input, where the provider counts it apart.
    pub input_image: u64,
    /// Input a provider's own tool put into the prompt (Gemini's `toolUsePromptTokenCount`).
    pub input_tool: u64,
    /// Visible text output, tool arguments included.
    pub output: u64,
    /// Reasoning output.
    pub reasoning: u64,
    /// Audio output.
    pub output_audio: u64,
    /// Image output.
    pub output_image: u64,
}

impl Usage {
    /// Everything that went in. Saturates: the numbers are a provider's word.
    #[must_use]
    pub fn input_total(&self) -> u64 {
        let parts = [
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.input_audio,
            self.input_image,
            self.input_tool,
        ];
        parts.into_iter().fold(self.input, u64::saturating_add)
    }

    /// Everything that came out.
    #[must_use]
    pub fn output_total(&self) -> u64 {
        [self.reasoning, self.output_audio, self.output_image].into_iter().fold(self.output, u64::saturating_add)
    }

    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input_total().saturating_add(self.output_total())
    }

    /// Whether no counter was ever set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
