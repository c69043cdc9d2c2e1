//! LM Studio on this machine: Chat, Responses and embeddings; Messages since 0.4.1.

use super::kind::{Auth, Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// LM Studio.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "lmstudio",
    telemetry_name: "lm_studio",
    default_base_url: Some("http://127.0.0.1:1234/v1"),
    version_path: "/v1",
    key_env: &["LMSTUDIO_API_KEY", "LM_API_TOKEN"],
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
