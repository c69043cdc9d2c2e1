//! Writes the items of an answer.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::seal::seal;
use crate::dialects::openai_shared::wire::{LogprobOut, json_into, logprobs_out};
use crate::form::{Citation, Reasoning, Signature, TokenLogprob, ToolCall, pack_call_id};
use crate::json::push_text;

/// Items written so far, as the inside of a JSON array.
#[derive(Debug, Default)]
pub(crate) struct OutputItems {
    json: Vec<u8>,
    count: u64,
}

/// A text or refusal, whole.
#[derive(Debug, Default)]
pub(crate) struct PartText {
    pub(crate) refusal: bool,
    pub(crate) text: String,
    pub(crate) citations: Vec<Citation>,
    pub(crate) logprobs: Vec<TokenLogprob>,
}

impl PartText {
    /// Is it a text of which there is nothing more to say?
    fn is_plain(&self) -> bool {
        !self.refusal && self.citations.is_empty() && self.logprobs.is_empty()
    }
}

/// A content part as it is written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum PartOut<'a> {
    OutputText {
        #[serde(serialize_with = "crate::json::text")]
        text: &'a str,
        annotations: Vec<AnnotationOut<'a>>,
        logprobs: Vec<LogprobOut<'a>>,
    },
    Refusal {
        refusal: &'a str,
    },
}

impl<'a> From<&'a PartText> for PartOut<'a> {
    fn from(part: &'a PartText) -> Self {
        if part.refusal {
            return Self::Refusal { refusal: &part.text };
        }
        Self::OutputText {
            text: &part.text,
            annotations: part.citations.iter().filter_map(AnnotationOut::of).collect(),
            logprobs: logprobs_out(&part.logprobs),
        }
    }
}

/// A source cited. Only those on the web can be said here.
#[derive(Serialize)]
pub(crate) struct AnnotationOut<'a> {
    r#type: &'static str,
    start_index: u64,
    end_index: u64,
    url: &'a str,
    title: &'a str,
}

impl<'a> AnnotationOut<'a> {
    /// The annotation of a citation that has an address.
    pub(crate) fn of(citation: &'a Citation) -> Option<Self> {
        let (start_index, end_index) = citation.span.unwrap_or_default();
        let url = citation.url.as_deref()?;
        let title = citation.title.as_deref().unwrap_or(url);
        Some(Self { r#type: "url_citation", start_index, end_index, url, title })
    }
}

/// A message.
#[derive(Serialize)]
pub(crate) struct MessageOut<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    role: &'static str,
    content: Vec<PartOut<'a>>,
}

impl<'a> MessageOut<'a> {
    pub(crate) fn new(id: &'a str, status: &'static str, parts: &'a [PartText]) -> Self {
        let content = parts.iter().map(PartOut::from).collect();
        Self { id, r#type: "message", status, role: "assistant", content }
    }
}

/// A function call. Its item id and the id its result names are two things.
#[derive(Serialize)]
pub(crate) struct CallOut<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    arguments: &'a str,
    call_id: &'a str,
    name: &'a str,
}

impl<'a> CallOut<'a> {
    pub(crate) fn new(id: &'a str, status: &'static str, call_id: &'a str, name: &'a str, arguments: &'a str) -> Self {
        Self { id, r#type: "function_call", status, arguments, call_id, name }
    }
}

/// A thought. Its text is shown as the summary, where clients of this dialect look for it.
#[derive(Serialize)]
pub(crate) struct ReasoningOut<'a> {
    id: &'a str,
    r#type: &'static str,
    summary: Vec<SummaryOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_content: Option<Cow<'a, str>>,
}

/// One paragraph of a thought.
#[derive(Serialize)]
pub(crate) struct SummaryOut<'a> {
    r#type: &'static str,
    text: &'a str,
}

impl<'a> SummaryOut<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { r#type: "summary_text", text }
    }
}

impl<'a> ReasoningOut<'a> {
    pub(crate) fn new(
        id: &'a str,
        text: &'a str,
        signature: Option<&'a Signature>,
        encrypted: Option<&'a Signature>,
    ) -> Self {
        let summary = if text.is_empty() { Vec::new() } else { vec![SummaryOut::new(text)] };
        Self { id, r#type: "reasoning", summary, encrypted_content: seal(signature, encrypted) }
    }
}

impl OutputItems {
    /// Index of the next item.
    pub(crate) fn next_index(&self) -> u64 {
        self.count
    }

    /// Id of the next item: its type's prefix, the call, its place.
    pub(crate) fn next_id(&self, prefix: &str, call: &str) -> String {
        [prefix, "_", call, "_", &self.count.to_string()].concat()
    }

    /// The inside of the JSON array.
    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Appends an item.
    pub(crate) fn push(&mut self, item: &impl Serialize) {
        if self.count > 0 {
            self.json.push(b',');
        }
        json_into(&mut self.json, item);
        self.count += 1;
    }

    /// Appends a message of whole parts, if there are any, and empties them.
    pub(crate) fn message(&mut self, parts: &mut Vec<PartText>, call: &str) {
        if parts.is_empty() {
            return;
        }
        let id = self.next_id("msg", call);
        match &parts[..] {
            [part] if part.is_plain() => self.plain_message(&id, &part.text),
            parts => self.push(&MessageOut::new(&id, "completed", parts)),
        }
        parts.clear();
    }

    /// Appends the usual message: one text, and nothing said about it. By hand, as most answers are no more than this.
    fn plain_message(&mut self, id: &str, text: &str) {
        let json = &mut self.json;
        json.reserve(text.len() + id.len() + 256);
        json.extend_from_slice(if self.count > 0 { b",{\"id\":" } else { b"{\"id\":" });
        push_text(json, id);
        json.extend_from_slice(
            br#","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"#,
        );
        push_text(json, text);
        json.extend_from_slice(br#","annotations":[],"logprobs":[]}]}"#);
        self.count += 1;
    }

    /// Appends a function call.
    pub(crate) fn call(&mut self, tool: &ToolCall, call: &str) {
        let id = self.next_id("fc", call);
        let call_id = pack_call_id(&tool.id, tool.signature.as_ref());
        self.push(&CallOut::new(&id, "completed", &call_id, &tool.name, &tool.arguments));
    }

    /// Appends a thought.
    pub(crate) fn thought(&mut self, thought: &Reasoning, call: &str) {
        let id = thought.id.clone().unwrap_or_else(|| self.next_id("rs", call));
        self.push(&ReasoningOut::new(&id, &thought.text, thought.signature.as_ref(), thought.encrypted.as_ref()));
    }

    /// Appends an item of this dialect as it came.
    pub(crate) fn native(&mut self, raw: &RawValue) {
        self.push(&raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_message_is_written_as_any_other() {
        let part = |text: &str| PartText { text: text.to_owned(), ..PartText::default() };
        let (mut by_hand, mut by_serde) = (OutputItems::default(), OutputItems::default());
        for text in ["", "a \"quoted\"\nline", "é"] {
            let id = by_serde.next_id("msg", "call");
            by_serde.push(&MessageOut::new(&id, "completed", &[part(text)]));
            by_hand.message(&mut vec![part(text)], "call");
        }
        assert_eq!(String::from_utf8_lossy(by_hand.json()), String::from_utf8_lossy(by_serde.json()));
    }
}
