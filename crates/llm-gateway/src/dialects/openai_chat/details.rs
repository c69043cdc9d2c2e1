//! `reasoning_content` and `reasoning_details`: the extension fields in which thoughts and their signatures travel.
//!
//! Chat has no place for thoughts. Several providers and clients agree on `reasoning_content` for the text, and on
//! `reasoning_details` for what must come back unmodified: the text with its signature, or an encrypted thought. `format`
//! says whose it is.

use serde::{Deserialize, Serialize};

use crate::form::{Issuer, Reasoning, Signature};

/// One entry of `reasoning_details`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DetailIn {
    r#type: Option<String>,
    text: Option<String>,
    summary: Option<String>,
    data: Option<String>,
    signature: Option<String>,
    format: Option<String>,
    id: Option<String>,
}

impl DetailIn {
    /// The thought it holds; `None` if it holds nothing.
    pub(super) fn thought(self) -> Option<Reasoning> {
        let issuer = issuer_of(self.format.as_deref());
        let sign = |value: String| (!value.is_empty()).then_some(Signature { issuer, value });
        let thought = Reasoning {
            summary: self.r#type.as_deref() == Some("reasoning.summary"),
            text: self.text.or(self.summary).unwrap_or_default(),
            signature: self.signature.and_then(sign),
            encrypted: self.data.and_then(sign),
            id: self.id,
        };
        let empty = thought.text.is_empty() && thought.signature.is_none() && thought.encrypted.is_none();
        (!empty).then_some(thought)
    }
}

/// One entry of `reasoning_details`, to be written.
#[derive(Debug, Serialize)]
pub(super) struct DetailOut<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    format: &'static str,
    index: u32,
}

impl<'a> DetailOut<'a> {
    /// A piece of text, of an issuer that signs its thoughts.
    pub(super) fn text(text: &'a str, issuer: Issuer, index: u32) -> Self {
        let format = format_of(issuer);
        Self { r#type: "reasoning.text", text: Some(text), data: None, signature: None, format, index }
    }

    /// A signature; `text` is what it signs, where that was not written in entries of its own.
    pub(super) fn signed(text: Option<&'a str>, signature: &'a Signature, index: u32) -> Self {
        let format = format_of(signature.issuer);
        Self { r#type: "reasoning.text", text, data: None, signature: Some(&signature.value), format, index }
    }

    /// An encrypted thought.
    pub(super) fn encrypted(data: &'a Signature, index: u32) -> Self {
        let format = format_of(data.issuer);
        Self { r#type: "reasoning.encrypted", text: None, data: Some(&data.value), signature: None, format, index }
    }
}

/// The thoughts of a message or of a piece of one: from the details where they hold text, else from the plain text with
/// the details' proofs. Entries of a stream that a client merely lined up are joined up to their signature.
pub(super) fn thoughts(plain: Option<String>, details: Vec<DetailIn>) -> Vec<Reasoning> {
    let mut thoughts: Vec<Reasoning> = Vec::new();
    for next in details.into_iter().filter_map(DetailIn::thought) {
        match thoughts.last_mut() {
            Some(last) if joins(last, &next) => {
                last.text.push_str(&next.text);
                last.signature = next.signature;
            }
            _ => thoughts.push(next),
        }
    }
    let Some(plain) = plain.filter(|plain| !plain.is_empty()) else { return thoughts };
    if thoughts.iter().any(|thought| !thought.text.is_empty()) {
        return thoughts;
    }
    match thoughts.iter_mut().find(|thought| thought.encrypted.is_none()) {
        Some(signed) => signed.text = plain,
        None => thoughts.insert(0, Reasoning { text: plain, ..Reasoning::default() }),
    }
    thoughts
}

fn joins(last: &Reasoning, next: &Reasoning) -> bool {
    let open = last.signature.is_none() && last.encrypted.is_none() && next.encrypted.is_none();
    open && last.summary == next.summary
}

const fn format_of(issuer: Issuer) -> &'static str {
    match issuer {
        Issuer::Anthropic => "anthropic-claude-v1",
        Issuer::Google => "google-gemini-v1",
        Issuer::OpenAi => "openai-responses-v1",
        Issuer::Other => "unknown",
    }
}

fn issuer_of(format: Option<&str>) -> Issuer {
    match format.unwrap_or_default() {
        word if word.starts_with("anthropic") => Issuer::Anthropic,
        word if word.starts_with("google") => Issuer::Google,
        word if word.starts_with("openai") || word.starts_with("azure-openai") => Issuer::OpenAi,
        _ => Issuer::Other,
    }
}
