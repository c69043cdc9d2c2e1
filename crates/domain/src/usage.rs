//! What a call consumed, in counters that never overlap, so that every dialect's view and every price is a sum.

use serde::{Deserialize, Serialize};

/// How urgently a provider served a call: each class has prices of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ServiceTier {
    /// The ordinary one.
    #[default]
    Standard = 0,
    /// Within hours, for less.
    Batch = 1,
    /// When there is room, for less.
    Flex = 2,
    /// Before others, for more.
    Priority = 3,
}

impl ServiceTier {
    /// Every tier, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }

    /// The word in price lists, the ledger and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }

    /// The tier of a stored number; one a later version may know is the ordinary one here.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// What a provider calls it (OpenAI and Anthropic `service_tier`, Bedrock `serviceTier.type`, Vertex `trafficType`). A word
    /// nobody knows is the ordinary one: `default`, `auto`, `standard_only`, `scale`.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "batch" => Self::Batch,
            "flex" | "ON_DEMAND_FLEX" => Self::Flex,
            "priority" | "ON_DEMAND_PRIORITY" => Self::Priority,
            _ => Self::Standard,
        }
    }
}

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
    /// How the provider says it served the call.
    #[serde(skip_serializing_if = "ServiceTier::is_standard")]
    pub tier: ServiceTier,
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
        *self == Self { tier: self.tier, ..Self::default() }
    }
}
