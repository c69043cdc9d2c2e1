//! Moonshot (Kimi): Chat, and an Anthropic endpoint beside it. Keys of the international and the Chinese site are not
//! interchangeable: set `base_url: https://api.moonshot.cn/v1` for the latter. Thinking models want their earlier
//! `reasoning_content` back. That `json_schema` is unknown to it is from older documentation and may have changed.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Moonshot.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "moonshot",
    telemetry_name: "moonshot_ai",
    default_base_url: Some("https://api.moonshot.ai/v1"),
    version_path: "/v1",
    key_env: &["MOONSHOT_API_KEY", "KIMI_API_KEY"],
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
