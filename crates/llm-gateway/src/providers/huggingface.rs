//! Hugging Face Inference Providers: a router over hosts; `model:host` picks one. Its Responses endpoint is documented
//! as beta and is therefore not used.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Hugging Face.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "huggingface",
    telemetry_name: "hugging_face",
    default_base_url: Some("https://router.huggingface.co/v1"),
    version_path: "/v1",
    key_env: &["HF_TOKEN", "HUGGINGFACE_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
