//! Writes the items of a request.
//!
//! Thoughts go back only to who issued them. Tool results may hold pictures and files here.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::output::SummaryOut;
use crate::dialects::Speaker;
use crate::dialects::openai_shared::TOOL_NAMES;
use crate::dialects::openai_shared::wire::short_id;
use crate::dialects::shared::mime::{data_url, usual};
use crate::form::{Ask, Block, Content, Dropped, Issuer, Media, MediaKind, Reasoning, Role, Source, ToolResult, Turn};

/// Longest call id OpenAI takes here.
const CALL_ID_BYTES_MAX: usize = 64;

/// An item as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ItemOut<'a> {
    Message {
        r#type: &'static str,
        role: &'static str,
        content: TextOrParts<'a>,
    },
    Call {
        r#type: &'static str,
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: &'a str,
    },
    Result {
        r#type: &'static str,
        call_id: Cow<'a, str>,
        output: TextOrParts<'a>,
    },
    Reasoning {
        r#type: &'static str,
        id: Cow<'a, str>,
        summary: Vec<SummaryOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
    Native(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum TextOrParts<'a> {
    Text(&'a str),
    Parts(Vec<PartOut<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(crate) enum PartOut<'a> {
    #[serde(rename = "input_text")]
    Text { text: &'a str },
    #[serde(rename = "input_image")]
    Image {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    #[serde(rename = "input_file")]
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
    },
}

/// All items of the conversation. `system` are the instructions that did not fit into `instructions`.
pub(crate) fn input_items<'a>(
    ask: &'a Ask,
    system: &'a [Block],
    speaker: &Speaker<'_>,
    dropped: &mut Dropped,
) -> Vec<ItemOut<'a>> {
    let mut scribe = Scribe { speaker, dropped, out: Vec::with_capacity(ask.turns.len() + 1) };
    scribe.blocks("developer", system, "system");
    for (index, turn) in ask.turns.iter().enumerate() {
        let Turn { role, blocks } = turn;
        let role = match role {
            Role::System => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        scribe.blocks(role, blocks, &format!("input[{index}]"));
    }
    scribe.out
}

struct Scribe<'a, 's> {
    speaker: &'s Speaker<'s>,
    dropped: &'s mut Dropped,
    out: Vec<ItemOut<'a>>,
}

impl<'a> Scribe<'a, '_> {
    /// One turn: its texts and media gather in messages; calls, results and thoughts are items between them.
    fn blocks(&mut self, role: &'static str, blocks: &'a [Block], place: &str) {
        let mut parts = Vec::new();
        for (index, block) in blocks.iter().enumerate() {
            self.dropped.note_if(block.cache.is_some(), "cache_control");
            let item = match &block.content {
                // As a part, what the model said would need the id it had in its answer; as a string it needs none.
                Content::Text { text, .. } | Content::Refusal(text) if role == "assistant" => {
                    Some(ItemOut::Message { r#type: "message", role, content: TextOrParts::Text(text) })
                }
                content if role != "assistant" && is_part(content) => {
                    match part(content) {
                        Some(part) => parts.push(part),
                        None => self.dropped.note(format!("{place}.content[{index}]")),
                    }
                    continue;
                }
                Content::ToolCall(call) => Some(ItemOut::Call {
                    r#type: "function_call",
                    call_id: call_id(&call.id),
                    name: TOOL_NAMES.fit(&call.name),
                    arguments: &call.arguments,
                }),
                Content::ToolResult(result) => Some(self.result(result, place)),
                Content::Reasoning(thought) => self.thought(thought),
                Content::Native { dialect: NAME, raw, .. } => Some(ItemOut::Native(&raw.0)),
                _ => {
                    self.dropped.note(format!("{place}.content[{index}]"));
                    None
                }
            };
            if let Some(item) = item {
                self.message(role, &mut parts);
                self.out.push(item);
            }
        }
        self.message(role, &mut parts);
    }

    fn message(&mut self, role: &'static str, parts: &mut Vec<PartOut<'a>>) {
        let content = match parts.as_slice() {
            [] => return,
            [PartOut::Text { text }] => TextOrParts::Text(text),
            _ => TextOrParts::Parts(std::mem::take(parts)),
        };
        parts.clear();
        self.out.push(ItemOut::Message { r#type: "message", role, content });
    }

    fn result(&mut self, result: &'a ToolResult, place: &str) -> ItemOut<'a> {
        self.dropped.note_if(result.error, "is_error");
        let output = match result.blocks.as_slice() {
            [] => TextOrParts::Text(""),
            [Block { content: Content::Text { text, .. }, .. }] => TextOrParts::Text(text),
            blocks => {
                let mut parts = Vec::with_capacity(blocks.len());
                for (index, block) in blocks.iter().enumerate() {
                    match part(&block.content) {
                        Some(part) => parts.push(part),
                        None => self.dropped.note(format!("{place}.output[{index}]")),
                    }
                }
                TextOrParts::Parts(parts)
            }
        };
        ItemOut::Result { r#type: "function_call_output", call_id: call_id(&result.id), output }
    }

    /// A thought of OpenAI's own goes back encrypted; all others cannot.
    fn thought(&mut self, thought: &'a Reasoning) -> Option<ItemOut<'a>> {
        let own = thought.encrypted.as_ref().filter(|proof| proof.issuer == Issuer::OpenAi);
        let (Some(proof), Issuer::OpenAi) = (own, self.speaker.issuer) else {
            self.dropped.note("reasoning");
            return None;
        };
        let id = match &thought.id {
            Some(id) => Cow::Borrowed(id.as_str()),
            None => Cow::Owned(format!("rs_{}", short_id(&proof.value))),
        };
        let summary = if thought.text.is_empty() { Vec::new() } else { vec![SummaryOut::new(&thought.text)] };
        Some(ItemOut::Reasoning { r#type: "reasoning", id, summary, encrypted_content: Some(&proof.value) })
    }
}

fn call_id(id: &str) -> Cow<'_, str> {
    if id.len() <= CALL_ID_BYTES_MAX { Cow::Borrowed(id) } else { Cow::Owned(short_id(id)) }
}

/// Whether a block is content of a message, and not an item of its own.
fn is_part(content: &Content) -> bool {
    matches!(content, Content::Text { .. } | Content::Refusal(_) | Content::Media(_))
}

/// The content part of a block; `None` where this dialect has none.
fn part(content: &Content) -> Option<PartOut<'_>> {
    match content {
        Content::Text { text, .. } | Content::Refusal(text) => Some(PartOut::Text { text }),
        Content::Media(media) => media_part(media),
        _ => None,
    }
}

fn media_part(media: &Media) -> Option<PartOut<'_>> {
    let mime = media.mime.as_deref();
    let detail = media.detail.as_deref().unwrap_or("auto");
    let name = media.name.as_deref();
    let image = |image_url, file_id| PartOut::Image { image_url, file_id, detail };
    let file = |file_data, file_url, file_id, filename| PartOut::File { file_data, file_url, file_id, filename };
    Some(match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64(data)) => {
            image(Some(Cow::Owned(data_url(mime.unwrap_or(usual(MediaKind::Image)), data))), None)
        }
        (MediaKind::Image, Source::Url(url)) => image(Some(Cow::Borrowed(url)), None),
        (MediaKind::Image, Source::File(id)) => image(None, Some(id)),
        (MediaKind::Document, Source::Base64(data)) => {
            let data = data_url(mime.unwrap_or(usual(MediaKind::Document)), data);
            file(Some(data), None, None, Some(name.unwrap_or("document.pdf")))
        }
        (MediaKind::Document, Source::Url(url)) => file(None, Some(url), None, name),
        (MediaKind::Document, Source::File(id)) => file(None, None, Some(id), name),
        (_, Source::Text(text)) => PartOut::Text { text },
        _ => return None,
    })
}
