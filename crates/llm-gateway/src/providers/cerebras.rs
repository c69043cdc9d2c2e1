//! Cerebras: open models over Chat. That it takes the `developer` role for every model is not documented.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Cerebras.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "cerebras",
    telemetry_name: "cerebras",
    default_base_url: Some("https://api.cerebras.ai/v1"),
    version_path: "/v1",
    key_env: &["CEREBRAS_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT],
    quirks: |_, _| Quirks { no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
