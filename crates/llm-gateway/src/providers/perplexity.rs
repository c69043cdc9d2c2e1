//! Perplexity Sonar: Chat without tools; answers carry citations beside the choices. It bills a fee for each search,
//! which the price catalogue does not know. Its deviations are not documented field by field: the older forms are
//! written.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Perplexity.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "perplexity",
    telemetry_name: "perplexity",
    default_base_url: Some("https://api.perplexity.ai"),
    version_path: "/v1",
    key_env: &["PERPLEXITY_API_KEY", "PPLX_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT],
    quirks: |_, _| Quirks { old_max_tokens: true, no_developer_role: true, ..Quirks::default() },
    thinking: model::thinking,
    rewrite: None,
};
