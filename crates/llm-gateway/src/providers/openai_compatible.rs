//! Any server that speaks Chat Completions below its base URL. Nothing else is assumed: callers of Responses are
//! translated.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// An OpenAI-compatible server.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "openai-compatible",
    telemetry_name: "openai_compatible",
    default_base_url: None,
    version_path: "/v1",
    key_env: &[],
    needs: Needs::Nothing,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
