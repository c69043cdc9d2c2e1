//! Amazon Bedrock: owner of Converse. Requests are signed, or carry a Bedrock API key. Embeddings there have a body of
//! their own for each maker and are not served. A model is a model id, an inference profile or an ARN.

use super::kind::{Auth, Native, Needs, Operation, Place, ProviderKind};
use super::{endpoint, model};
use crate::dialects::{DialectName, Quirks, ThinkingStyle};

/// Amazon Bedrock.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "bedrock",
    telemetry_name: "aws.bedrock",
    default_base_url: Some("https://bedrock-runtime.{region}.amazonaws.com"),
    version_path: "",
    key_env: &["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID"],
    needs: Needs::Aws,
    native: &[Native { dialect: DialectName::Bedrock, auth: Auth::SigV4, path, covers: endpoint::every_model }],
    quirks: |_, _| Quirks { no_output_format: true, ..Quirks::default() },
    thinking,
    rewrite: None,
};

fn path(place: &Place, model: &str, operation: Operation) -> Option<String> {
    match operation {
        Operation::Chat { stream: false } => Some(format!("{}/model/{model}/converse", place.base)),
        Operation::Chat { stream: true } => Some(format!("{}/model/{model}/converse-stream", place.base)),
        Operation::Embed { .. } | Operation::CountTokens => None,
    }
}

/// Converse has no field for thinking; the one that is passed through to Claude means nothing to other makers' models.
fn thinking(name: &str) -> ThinkingStyle {
    if name.contains("claude") { model::thinking(name) } else { ThinkingStyle::None }
}
