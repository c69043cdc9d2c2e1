//! Z.ai (GLM): Chat, and an Anthropic endpoint beside it. The coding plan has a base URL of its own
//! (`https://api.z.ai/api/coding/paas/v4`), below which no Anthropic endpoint is known.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Z.ai.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "zai",
    telemetry_name: "z_ai",
    default_base_url: Some("https://api.z.ai/api/paas/v4"),
    version_path: "/paas/v4",
    key_env: &["ZAI_API_KEY", "ZHIPUAI_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT, endpoint::MESSAGES_ASIDE],
    quirks: |_, _| Quirks {
        old_max_tokens: true,
        no_developer_role: true,
        no_json_schema: true,
        reasoning_content_back: true,
        ..Quirks::default()
    },
    thinking: model::thinking,
    rewrite: None,
};
