//! Cohere: owner of the v2 chat dialect.

use super::kind::{Auth, Native, Needs, Operation, Place, ProviderKind};
use super::{endpoint, model};
use crate::dialects::{DialectName, Quirks};

/// Cohere.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "cohere",
    telemetry_name: "cohere",
    default_base_url: Some("https://api.cohere.com"),
    version_path: "/v2",
    key_env: &["COHERE_API_KEY", "CO_API_KEY"],
    needs: Needs::Key,
    native: &[Native { dialect: DialectName::Cohere, auth: Auth::Bearer, path, covers: endpoint::every_model }],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};

fn path(place: &Place, _: &str, operation: Operation) -> Option<String> {
    match operation {
        Operation::Chat { .. } => Some(format!("{}/v2/chat", place.root)),
        Operation::Embed { .. } => Some(format!("{}/v2/embed", place.root)),
        Operation::CountTokens => None,
    }
}
