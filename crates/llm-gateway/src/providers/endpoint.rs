//! Paths of the six dialects as their owners lay them out, and the percent-encoding of model names in them.

use gatehouse_domain::{Code, Fault};

use super::kind::{Auth, Native, Operation, Place};
use crate::dialects::DialectName;

/// OpenAI Chat without embeddings, below the base URL.
pub(super) const CHAT: Native =
    Native { dialect: DialectName::OpenAiChat, auth: Auth::Bearer, path: chat, covers: every_model };
/// OpenAI Chat and embeddings, below the base URL.
pub(super) const CHAT_AND_EMBEDDINGS: Native = Native { path: chat_and_embeddings, ..CHAT };
/// OpenAI Responses, below the base URL.
pub(super) const RESPONSES: Native = Native { dialect: DialectName::OpenAiResponses, path: responses, ..CHAT };
/// Anthropic Messages at `/v1`, authenticated as Anthropic does.
pub(super) const MESSAGES: Native =
    Native { dialect: DialectName::Anthropic, auth: Auth::XApiKey, path: messages, covers: every_model };
/// Anthropic Messages below `/anthropic`, where makers of other models keep their compatible endpoint. None of them is
/// known to count tokens.
pub(super) const MESSAGES_ASIDE: Native = Native { path: messages_aside, ..MESSAGES };

/// For [`Native::covers`].
pub(super) fn every_model(_: &str) -> bool {
    true
}

fn chat(place: &Place, _: &str, operation: Operation) -> Option<String> {
    matches!(operation, Operation::Chat { .. }).then(|| format!("{}/chat/completions", place.base))
}

fn chat_and_embeddings(place: &Place, model: &str, operation: Operation) -> Option<String> {
    match operation {
        Operation::Embed { .. } => Some(format!("{}/embeddings", place.base)),
        _ => chat(place, model, operation),
    }
}

fn responses(place: &Place, _: &str, operation: Operation) -> Option<String> {
    matches!(operation, Operation::Chat { .. }).then(|| format!("{}/responses", place.base))
}

fn messages(place: &Place, _: &str, operation: Operation) -> Option<String> {
    match operation {
        Operation::Chat { .. } => Some(format!("{}/v1/messages", place.root)),
        Operation::CountTokens => Some(format!("{}/v1/messages/count_tokens", place.root)),
        Operation::Embed { .. } => None,
    }
}

/// [`messages`] where tokens are not counted.
pub(super) fn messages_only(place: &Place, model: &str, operation: Operation) -> Option<String> {
    matches!(operation, Operation::Chat { .. }).then(|| messages(place, model, operation)).flatten()
}

fn messages_aside(place: &Place, _: &str, operation: Operation) -> Option<String> {
    matches!(operation, Operation::Chat { .. }).then(|| format!("{}/anthropic/v1/messages", place.root))
}

/// `{model}:{verb}` of Google's APIs, `alt=sse` where a stream is wanted.
pub(super) fn google_verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat { stream: false } => "generateContent",
        Operation::Chat { stream: true } => "streamGenerateContent?alt=sse",
        Operation::Embed { many: false } => "embedContent",
        Operation::Embed { many: true } => "batchEmbedContents",
        Operation::CountTokens => "countTokens",
    }
}

/// A model name as one path segment. Everything outside RFC 3986's unreserved characters is encoded, `:` and `/` included
/// (they have a meaning in Google's and Amazon's paths); `@` stays, as Vertex writes it.
///
/// # Errors
/// `InvalidRequest` for an empty name and for `.` and `..`, which would name another path.
pub fn encode_segment(model: &str) -> Result<String, Fault> {
    if model.is_empty() || model == "." || model == ".." {
        return Err(Fault::new(Code::InvalidRequest, "the provider's model name is empty or a dot segment").at("model"));
    }
    let mut encoded = String::with_capacity(model.len());
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => encoded.push(byte.into()),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(HEX[usize::from(byte >> 4)].into());
                encoded.push(HEX[usize::from(byte & 15)].into());
            }
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_cannot_leave_its_segment() {
        assert_eq!(encode_segment("us.anthropic.claude-v1:0").unwrap(), "us.anthropic.claude-v1%3A0");
        assert_eq!(encode_segment("../admin?x=1#y").unwrap(), "..%2Fadmin%3Fx%3D1%23y");
        assert_eq!(encode_segment("claude@20250929").unwrap(), "claude@20250929");
        assert_eq!(encode_segment("a b%20ü").unwrap(), "a%20b%2520%C3%BC");
        assert!(encode_segment("..").is_err() && encode_segment("").is_err());
    }
}
