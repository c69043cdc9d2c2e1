//! Google Vertex AI: Gemini for Google's models, Messages for Claude. Requests carry the token of a service account;
//! with an express-mode `api_key` only Google's models are served. Embeddings there have a body of their own
//! (`:predict`) and are not served.

use bytes::Bytes;
use gatehouse_domain::{Code, Fault};
use serde_json::value::RawValue;

use super::kind::{Auth, Native, Needs, Operation, Place, ProviderKind};
use super::{members, model};
use crate::dialects::{DialectName, Quirks};

/// Vertex AI.
pub(super) static KIND: ProviderKind = ProviderKind {
    name: "vertex",
    telemetry_name: "gcp.vertex_ai",
    default_base_url: Some("https://{location}-aiplatform.googleapis.com"),
    version_path: "/v1",
    key_env: &["GOOGLE_APPLICATION_CREDENTIALS"],
    needs: Needs::Google,
    native: &[
        Native {
            dialect: DialectName::Gemini,
            auth: Auth::Grant,
            path: gemini,
            covers: |name| !name.contains("claude"),
        },
        Native {
            dialect: DialectName::Anthropic,
            auth: Auth::Grant,
            path: claude,
            covers: |name| name.contains("claude"),
        },
    ],
    quirks: |_, dialect| Quirks {
        no_call_ids: dialect == DialectName::Gemini,
        no_output_format: dialect == DialectName::Anthropic,
        ..Quirks::default()
    },
    thinking: model::thinking,
    rewrite: Some(rewrite),
};

fn gemini(place: &Place, model: &str, operation: Operation) -> Option<String> {
    if matches!(operation, Operation::Embed { .. }) {
        return None;
    }
    let model = model.strip_prefix("models%2F").unwrap_or(model);
    let verb = super::endpoint::google_verb(operation);
    Some(format!("{}/publishers/google/models/{model}:{verb}", resource(place)))
}

fn claude(place: &Place, model: &str, operation: Operation) -> Option<String> {
    let (model, verb) = match operation {
        Operation::Chat { stream: false } => (model, "rawPredict"),
        Operation::Chat { stream: true } => (model, "streamRawPredict"),
        Operation::CountTokens => ("count-tokens", "rawPredict"),
        Operation::Embed { .. } => return None,
    };
    Some(format!("{}/publishers/anthropic/models/{model}:{verb}", resource(place)))
}

/// In express mode the key stands for the project.
fn resource(place: &Place) -> String {
    match (&place.project, &place.location) {
        (Some(project), Some(location)) => format!("{}/v1/projects/{project}/locations/{location}", place.root),
        _ => format!("{}/v1", place.root),
    }
}

/// Claude on Vertex takes the version in the body and refuses the model there, unless tokens are counted: then the model
/// is nowhere else.
fn rewrite(dialect: DialectName, operation: Operation, body: Bytes) -> Result<Bytes, Fault> {
    if dialect != DialectName::Anthropic {
        return Ok(body);
    }
    let mut fields =
        members::read(&body).map_err(|_| Fault::new(Code::InvalidRequest, "the body is not a JSON object"))?;
    if operation != Operation::CountTokens {
        fields.retain(|(name, _)| name != "model");
    }
    if fields.iter().any(|(name, _)| name == "anthropic_version") {
        return Ok(members::write(&fields));
    }
    let version = RawValue::from_string("\"vertex-2023-10-16\"".to_owned())
        .map_err(|_| Fault::new(Code::Internal, "the Vertex version is not JSON"))?;
    fields.insert(0, ("anthropic_version".into(), &version));
    Ok(members::write(&fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Operation = Operation::Chat { stream: true };

    #[test]
    fn claude_gets_its_version_in_the_body_and_loses_the_model() {
        let body = Bytes::from_static(br#"{"model":"claude-x", "max_tokens":5,"messages":[{"content":"a  b"}]}"#);
        let written = rewrite(DialectName::Anthropic, CHAT, body).unwrap();
        assert_eq!(
            written,
            br#"{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[{"content":"a  b"}]}"#[..]
        );
    }

    #[test]
    fn a_count_keeps_the_model() {
        let body = Bytes::from_static(br#"{"model":"c","messages":[]}"#);
        let written = rewrite(DialectName::Anthropic, Operation::CountTokens, body).unwrap();
        assert!(written.ends_with(br#""model":"c","messages":[]}"#));
    }

    #[test]
    fn gemini_bodies_are_left_alone() {
        let body = Bytes::from_static(b"anything");
        assert_eq!(rewrite(DialectName::Gemini, CHAT, body.clone()).unwrap(), body);
        assert!(rewrite(DialectName::Anthropic, CHAT, body).is_err());
    }
}
