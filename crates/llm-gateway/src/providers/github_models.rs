//! GitHub Models: Chat and embeddings below `/inference`, with a GitHub token that has the `models: read` permission.
//! OpenAI's models take its newer fields, the others the older ones.

use super::kind::{Needs, ProviderKind};
use super::{endpoint, model};
use crate::dialects::{DialectName, Quirks};

/// GitHub Models.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "github-models",
    telemetry_name: "github_models",
    default_base_url: Some("https://models.github.ai/inference"),
    version_path: "",
    key_env: &["GITHUB_TOKEN", "GITHUB_API_KEY"],
    needs: Needs::Key,
    native: &[endpoint::CHAT_AND_EMBEDDINGS],
    quirks,
    thinking: model::thinking,
    rewrite: None,
};

fn quirks(name: &str, _: DialectName) -> Quirks {
    let old = !name.starts_with("openai/");
    Quirks { old_max_tokens: old, no_developer_role: old, ..Quirks::default() }
}
