//! Fireworks AI: open models over Chat, Responses, Messages and embeddings. Models are named
//! `accounts/fireworks/models/…`.

use super::kind::{Auth, Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Fireworks AI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "fireworks",
    telemetry_name: "fireworks",
    default_base_url: Some("https://api.fireworks.ai/inference/v1"),
    version_path: "/v1",
    key_env: &["FIREWORKS_API_KEY"],
    needs: Needs::Key,
    native: &[
        endpoint::CHAT_AND_EMBEDDINGS,
        endpoint::RESPONSES,
        Native { auth: Auth::Bearer, path: endpoint::messages_only, ..endpoint::MESSAGES },
    ],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
