//! Ollama on this machine (or elsewhere by `base_url`): Chat and embeddings; Responses since 0.13 and Messages since
//! 0.14.

use super::kind::{Auth, Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Ollama.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "ollama",
    telemetry_name: "ollama",
    default_base_url: Some("http://127.0.0.1:11434/v1"),
    version_path: "/v1",
    key_env: &["OLLAMA_API_KEY"],
    needs: Needs::Nothing,
    native: &[
        endpoint::CHAT_AND_EMBEDDINGS,
        endpoint::RESPONSES,
        Native { auth: Auth::Bearer, path: endpoint::messages_only, ..endpoint::MESSAGES },
    ],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
