//! A vLLM server: Chat, Responses, Messages and embeddings, as its newer releases serve them. Whether the `developer`
//! role is known depends on the model's chat template.

use super::kind::{Auth, Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// vLLM.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "vllm",
    telemetry_name: "vllm",
    default_base_url: Some("http://127.0.0.1:8000/v1"),
    version_path: "/v1",
    key_env: &["VLLM_API_KEY"],
    needs: Needs::Nothing,
    native: &[
        endpoint::CHAT_AND_EMBEDDINGS,
        endpoint::RESPONSES,
        Native { auth: Auth::Bearer, path: endpoint::messages_only, ..endpoint::MESSAGES },
    ],
    quirks: |_, _| Quirks { no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
