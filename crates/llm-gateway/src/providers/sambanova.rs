//! SambaNova Cloud: open models over Chat and embeddings.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// SambaNova.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "sambanova",
    telemetry_name: "sambanova",
    default_base_url: Some("https://api.sambanova.ai/v1"),
    version_path: "/v1",
    key_env: &["SAMBANOVA_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
