//! xAI: Chat and Responses. `grok-4` reasons but refuses `reasoning_effort`, as do the code models and the
//! non-reasoning variants; `grok-3-mini` takes it. Newer ones are left to the dialect's newest form.

use super::endpoint;
use super::kind::{Needs, ProviderKind};
use crate::dialects::{Quirks, ThinkingStyle};

/// xAI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "xai",
    telemetry_name: "x_ai",
    default_base_url: Some("https://api.x.ai/v1"),
    version_path: "/v1",
    key_env: &["XAI_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT, endpoint::RESPONSES],
    quirks: |_, _| Quirks::default(),
    thinking,
    rewrite: None,
};

fn thinking(name: &str) -> ThinkingStyle {
    const REFUSE: [&str; 5] = ["grok-2", "grok-3", "grok-4", "grok-4-0709", "grok-4-latest"];
    let name = name.to_ascii_lowercase();
    if name.starts_with("grok-3-mini") {
        return ThinkingStyle::Effort;
    }
    let refuses = REFUSE.contains(&name.as_str())
        || ["grok-4-fast", "grok-4-1-fast", "grok-code"].iter().any(|prefix| name.starts_with(prefix))
        || name.contains("non-reasoning");
    if refuses { ThinkingStyle::None } else { ThinkingStyle::Unknown }
}
