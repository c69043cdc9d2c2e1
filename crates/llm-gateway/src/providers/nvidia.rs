//! NVIDIA NIM, hosted or one's own (`base_url: http://host:8000/v1`): open models over Chat and embeddings.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// NVIDIA NIM.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "nvidia",
    telemetry_name: "nvidia",
    default_base_url: Some("https://integrate.api.nvidia.com/v1"),
    version_path: "/v1",
    key_env: &["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
