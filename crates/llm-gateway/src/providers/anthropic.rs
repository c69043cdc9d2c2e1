//! Anthropic: owner of Messages. `anthropic-version` is sent as the client sent it, else as the version every SDK
//! sends.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Anthropic.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "anthropic",
    telemetry_name: "anthropic",
    default_base_url: Some("https://api.anthropic.com"),
    version_path: "/v1",
    key_env: &["ANTHROPIC_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::MESSAGES],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};
