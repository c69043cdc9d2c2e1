//! Together AI: open models over Chat and embeddings.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Together AI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "together",
    telemetry_name: "together",
    default_base_url: Some("https://api.together.xyz/v1"),
    version_path: "/v1",
    key_env: &["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
