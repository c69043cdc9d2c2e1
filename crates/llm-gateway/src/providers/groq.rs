//! Groq. Its models are others' open ones, so no signature is ever its own. It refuses `reasoning_effort` for models
//! that do not reason; the two families named here do. That it takes the `developer` role for every model is not
//! documented.

use super::endpoint;
use super::kind::{Needs, ProviderKind};
use crate::dialects::{Quirks, ThinkingStyle};

/// Groq.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "groq",
    telemetry_name: "groq",
    default_base_url: Some("https://api.groq.com/openai/v1"),
    version_path: "/v1",
    key_env: &["GROQ_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT, endpoint::RESPONSES],
    quirks: |_, _| Quirks { no_developer_role: true, ..Quirks::default() },
    thinking,
    rewrite: None,
};

fn thinking(name: &str) -> ThinkingStyle {
    let reasons = ["gpt-oss", "qwen3"].iter().any(|family| name.to_ascii_lowercase().contains(family));
    if reasons { ThinkingStyle::Effort } else { ThinkingStyle::None }
}
