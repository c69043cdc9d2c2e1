//! DeepSeek: Chat, and an Anthropic endpoint beside it. In a tool loop its thinking models want their earlier
//! reasoning back as `reasoning_content`. JSON output is `json_object` only.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// DeepSeek.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "deepseek",
    telemetry_name: "deepseek",
    default_base_url: Some("https://api.deepseek.com/v1"),
    version_path: "/v1",
    key_env: &["DEEPSEEK_API_KEY"],
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
