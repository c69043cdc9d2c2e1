//! The Gemini API of Google AI Studio: owner of generateContent.

use super::kind::{Auth, Native, Needs, Operation, Place, ProviderKind};
use super::{endpoint, model};
use crate::dialects::{DialectName, Quirks};

/// Gemini.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "gemini",
    telemetry_name: "gcp.gemini",
    default_base_url: Some("https://generativelanguage.googleapis.com"),
    version_path: "/v1beta",
    key_env: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    needs: Needs::Key,
    native: &[Native { dialect: DialectName::Gemini, auth: Auth::GoogApiKey, path, covers: endpoint::every_model }],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};

/// `models/` in front of a name, as listings write it, is part of the path already.
fn path(place: &Place, model: &str, operation: Operation) -> Option<String> {
    let model = model.strip_prefix("models%2F").unwrap_or(model);
    Some(format!("{}/v1beta/models/{model}:{}", place.root, endpoint::google_verb(operation)))
}
