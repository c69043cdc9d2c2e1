//! Azure OpenAI (Microsoft Foundry). Without `api_version` the v1 API is used, where the deployment goes in the body;
//! with `api_version: preview` or another word too, and with a date the older paths, where it goes in the path.

use super::kind::{Auth, Native, Needs, Operation, Place, ProviderKind};
use super::{endpoint, model};
use crate::dialects::Quirks;

/// Azure OpenAI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "azure-openai",
    telemetry_name: "azure.ai.openai",
    default_base_url: None,
    version_path: "/openai/v1",
    key_env: &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
    needs: Needs::Key,
    native: &[
        Native { auth: Auth::ApiKey, path, ..endpoint::CHAT_AND_EMBEDDINGS },
        Native { auth: Auth::ApiKey, path: responses, ..endpoint::RESPONSES },
    ],
    quirks: |_, _| Quirks::default(),
    thinking: model::thinking,
    rewrite: None,
};

fn path(place: &Place, deployment: &str, operation: Operation) -> Option<String> {
    let endpoint = match operation {
        Operation::Chat { .. } => "chat/completions",
        Operation::Embed { .. } => "embeddings",
        Operation::CountTokens => return None,
    };
    Some(match dated(place) {
        Some(version) => format!("{}/openai/deployments/{deployment}/{endpoint}?api-version={version}", place.root),
        None => format!("{}/{endpoint}{}", place.base, query(place)),
    })
}

fn responses(place: &Place, _: &str, operation: Operation) -> Option<String> {
    if !matches!(operation, Operation::Chat { .. }) {
        return None;
    }
    Some(match dated(place) {
        Some(version) => format!("{}/openai/responses?api-version={version}", place.root),
        None => format!("{}/responses{}", place.base, query(place)),
    })
}

/// The version, if it is one of the dated ones that came before the v1 API.
fn dated(place: &Place) -> Option<&str> {
    place.api_version.as_deref().filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn query(place: &Place) -> String {
    place.api_version.as_ref().map(|version| format!("?api-version={version}")).unwrap_or_default()
}
