//! What a model answers, whole.

use gatehouse_domain::Usage;

use super::Block;

/// An answer, in the superset form.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// Unix seconds; 0 where the dialect has no such field.
    pub created: u64,
    /// The alternatives; one, unless `n` asked for more.
    pub choices: Vec<Choice>,
    /// What it took, disjoint.
    pub usage: Usage,
    /// The tier that served it, in the provider's words.
    pub service_tier: Option<String>,
}

/// One alternative.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What was said, in order: reasoning, text, tool calls.
    pub blocks: Vec<Block>,
    /// Why it ended. Tool calls make it `ToolUse`, whatever the provider says.
    pub stop: Stop,
    /// The provider's own word for it.
    pub native_stop: Option<String>,
    /// The stop sequence that was hit.
    pub stop_sequence: Option<String>,
    /// Log probabilities of the text, if asked for.
    pub logprobs: Option<Vec<TokenLogprob>>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// The model was done.
    #[default]
    EndTurn,
    /// The output limit.
    MaxTokens,
    /// A stop sequence.
    StopSequence,
    /// It waits for tool results.
    ToolUse,
    /// A filter or guardrail of the provider's.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// A long-running turn was paused (Anthropic `pause_turn`).
    Pause,
    /// The context window is full.
    ContextWindow,
    /// The model wrote something its provider could not parse (malformed tool call).
    Malformed,
    /// The provider failed in the middle.
    Error,
}

impl Stop {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::ContextWindow => "context_window",
            Self::Malformed => "malformed",
            Self::Error => "error",
        }
    }
}

/// Log probability of one token and of its alternatives.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// The best alternatives, likeliest first.
    pub top: Vec<(String, f64)>,
}
