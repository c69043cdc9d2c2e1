//! Any server that speaks Messages at `/v1/messages` below its base URL. Whether it counts tokens is not assumed.

use super::kind::{Native, Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// An Anthropic-compatible server.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "anthropic-compatible",
    telemetry_name: "anthropic_compatible",
    default_base_url: None,
    version_path: "/v1",
    key_env: &[],
    needs: Needs::Nothing,
    native: &[Native { path: endpoint::messages_only, ..endpoint::MESSAGES }],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};
