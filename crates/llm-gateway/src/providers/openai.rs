//! OpenAI: owner of Chat Completions, Responses and the embeddings dialect.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// OpenAI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "openai",
    telemetry_name: "openai",
    default_base_url: Some("https://api.openai.com/v1"),
    version_path: "/v1",
    key_env: &["OPENAI_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS, endpoint::RESPONSES],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};
