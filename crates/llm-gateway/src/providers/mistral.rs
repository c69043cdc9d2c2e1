//! Mistral: Chat with names of its own, and a validator that answers 422 to any field it does not know. The last chunk
//! of a stream always has usage, so `stream_options` is not needed. `reasoning_effort` is taken by the models that
//! adjust their reasoning; which those are is only known here for the ones named.

use super::endpoint;
use super::kind::{Needs, ProviderKind};
use crate::dialects::{Quirks, ThinkingStyle};

/// Mistral.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "mistral",
    telemetry_name: "mistral_ai",
    default_base_url: Some("https://api.mistral.ai/v1"),
    version_path: "/v1",
    key_env: &["MISTRAL_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks {
        old_max_tokens: true,
        no_developer_role: true,
        no_stream_options: true,
        tool_choice_any: true,
        short_call_ids: true,
        random_seed: true,
        ..Quirks::default()
    },
    thinking,
    rewrite: None,
};

fn thinking(name: &str) -> ThinkingStyle {
    let adjusts = ["mistral-small-4", "mistral-small-2603", "mistral-medium-3-5", "mistral-medium-3.5"];
    if adjusts.iter().any(|prefix| name.starts_with(prefix)) { ThinkingStyle::Effort } else { ThinkingStyle::None }
}
