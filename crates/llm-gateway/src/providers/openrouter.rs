//! OpenRouter: one account for many makers. Chat, Responses and an Anthropic endpoint, all below `/api/v1`, all with a
//! bearer key. Models are named `maker/model`, so signatures keep their maker.

use super::kind::{Auth, Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// OpenRouter.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "openrouter",
    telemetry_name: "openrouter",
    default_base_url: Some("https://openrouter.ai/api/v1"),
    version_path: "/v1",
    key_env: &["OPENROUTER_API_KEY"],
    needs: Needs::Key,
    native: &[
        endpoint::CHAT_AND_EMBEDDINGS,
        endpoint::RESPONSES,
        Native { auth: Auth::Bearer, path: endpoint::messages_only, ..endpoint::MESSAGES },
    ],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};
