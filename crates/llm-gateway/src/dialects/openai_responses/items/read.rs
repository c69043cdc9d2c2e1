//! An item as it is read: in requests and, with the same fields, in answers.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::Deserialize;

use super::super::NAME;
use super::super::seal::unseal;
use crate::dialects::openai_shared::wire::{
    CacheControl, ImageUrl, JsonText, LogprobIn, TextOr, invalid, logprobs_in, nested,
};
use crate::dialects::shared::mime::source_of;
use crate::form::{
    Block, Citation, Content, Media, MediaKind, RawJson, Reasoning, Role, Source, TokenLogprob, ToolCall, ToolResult,
    unpack_call_id,
};

/// An item of any type. One flat struct, so that reading needs one pass; an item this dialect alone knows is read again
/// from its raw JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: TextOr<Part<'a>>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<JsonText>,
    #[serde(borrow)]
    output: TextOr<Part<'a>>,
    #[serde(borrow)]
    summary: TextOr<Part<'a>>,
    encrypted_content: Option<String>,
}

/// A content part of any type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
    detail: Option<String>,
    file_id: Option<String>,
    file_url: Option<String>,
    file_data: Option<String>,
    filename: Option<String>,
    input_audio: Option<AudioData>,
    annotations: Option<Vec<AnnotationIn>>,
    logprobs: Option<Vec<LogprobIn>>,
    #[serde(alias = "prompt_cache_breakpoint")]
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AudioData {
    data: String,
    format: String,
}

/// A source cited.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AnnotationIn {
    url: Option<String>,
    title: Option<String>,
    filename: Option<String>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

impl AnnotationIn {
    /// The citation in the words of the form.
    pub(crate) fn citation(self) -> Citation {
        let span = self.start_index.zip(self.end_index);
        Citation { url: self.url, title: self.title.or(self.filename), span, ..Citation::default() }
    }
}

/// Who said an item, and what.
#[derive(Debug)]
pub(crate) enum Said {
    /// Instructions.
    System(Vec<Block>),
    /// A message of the user's.
    User(Vec<Block>),
    /// What a tool answered.
    Result(Block),
    /// Part of the model's turn.
    Assistant(Vec<Block>),
}

impl Item<'_> {
    /// Whether its raw JSON must be kept, because only this dialect knows it.
    pub(crate) fn is_native(&self) -> bool {
        !matches!(&*self.r#type, "" | "message" | "function_call" | "function_call_output" | "reasoning")
    }

    /// What was said. `raw` is the item's JSON, needed only for native ones.
    pub(crate) fn said(self, raw: Option<RawJson>) -> Result<Said, Fault> {
        match &*self.r#type {
            "" | "message" => self.message(),
            "function_call" => self.call().map(|block| Said::Assistant(vec![block])),
            "function_call_output" => self.result().map(Said::Result),
            "reasoning" => Ok(Said::Assistant(self.thought().into_iter().collect())),
            kind => {
                let kind = kind.to_owned();
                let by_client =
                    kind.ends_with("_output") || kind == "mcp_approval_response" || kind == "item_reference";
                let native = raw.map(|raw| Block::new(Content::Native { dialect: NAME, kind, raw }));
                Ok(if by_client {
                    Said::User(native.into_iter().collect())
                } else {
                    Said::Assistant(native.into_iter().collect())
                })
            }
        }
    }

    /// Log probabilities of a message's texts.
    pub(crate) fn logprobs(&mut self) -> Option<Vec<TokenLogprob>> {
        let TextOr::Parts(parts) = &mut self.content else { return None };
        let tokens: Vec<_> = parts.iter_mut().filter_map(|part| part.logprobs.take()).flatten().collect();
        (!tokens.is_empty()).then(|| logprobs_in(tokens))
    }

    fn message(self) -> Result<Said, Fault> {
        let role = match &*self.role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => Role::System,
            "" => return Err(invalid("role", "is missing")),
            _ => return Err(invalid("role", "is not a role this path knows")),
        };
        let blocks = blocks(self.content, "content")?;
        Ok(match role {
            Role::User => Said::User(blocks),
            Role::Assistant => Said::Assistant(blocks),
            Role::System => Said::System(blocks),
        })
    }

    fn call(self) -> Result<Block, Fault> {
        let name = self.name.filter(|name| !name.is_empty()).ok_or_else(|| invalid("name", "is missing"))?;
        let packed = self.call_id.or(self.id).filter(|id| !id.is_empty());
        let (id, signature) = unpack_call_id(&packed.ok_or_else(|| invalid("call_id", "is missing"))?);
        let arguments = match self.arguments {
            Some(JsonText(text)) if !text.trim_ascii().is_empty() => text,
            _ => "{}".to_owned(),
        };
        Ok(Block::new(Content::ToolCall(ToolCall { id, name, arguments, signature })))
    }

    fn result(self) -> Result<Block, Fault> {
        let packed = self.call_id.filter(|id| !id.is_empty());
        let (id, _) = unpack_call_id(&packed.ok_or_else(|| invalid("call_id", "is missing"))?);
        let blocks = blocks(self.output, "output")?;
        Ok(Block::new(Content::ToolResult(ToolResult { id, name: None, blocks, error: false })))
    }

    /// A thought; nothing if there is neither text nor proof.
    fn thought(self) -> Option<Block> {
        let summary = texts(self.summary);
        let mut thought = Reasoning { summary: summary.is_some(), id: self.id, ..Reasoning::default() };
        thought.text = summary.or_else(|| texts(self.content)).unwrap_or_default();
        if let Some(value) = self.encrypted_content.filter(|value| !value.is_empty()) {
            unseal(value, &mut thought);
        }
        let empty = thought.text.is_empty() && thought.signature.is_none() && thought.encrypted.is_none();
        (!empty).then(|| Block::new(Content::Reasoning(thought)))
    }
}

/// The texts of a list of parts, as paragraphs; `None` if there are none.
fn texts(content: TextOr<Part<'_>>) -> Option<String> {
    let TextOr::Parts(parts) = content else { return None };
    let texts: Vec<String> = parts.into_iter().filter_map(|part| part.text).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

fn blocks(content: TextOr<Part<'_>>, field: &str) -> Result<Vec<Block>, Fault> {
    match content {
        TextOr::None => Ok(Vec::new()),
        TextOr::Other => Err(invalid(field, "is neither a string nor a list of parts")),
        TextOr::Text(text) if text.is_empty() => Ok(Vec::new()),
        TextOr::Text(text) => Ok(vec![Block::text(text)]),
        TextOr::Parts(parts) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, part) in parts.into_iter().enumerate() {
                blocks.extend(part.block().map_err(|fault| nested(field, index, fault))?);
            }
            Ok(blocks)
        }
    }
}

impl Part<'_> {
    /// The block, or nothing for an empty text.
    fn block(self) -> Result<Option<Block>, Fault> {
        let cache = self.cache_control.as_ref().map(CacheControl::mark);
        let content = match &*self.r#type {
            "input_text" | "output_text" | "text" => {
                let text = self.text.ok_or_else(|| invalid("text", "is missing"))?;
                if text.is_empty() {
                    return Ok(None);
                }
                let citations = self.annotations.into_iter().flatten().map(AnnotationIn::citation).collect();
                Content::Text { text, citations }
            }
            "refusal" => Content::Refusal(self.refusal.unwrap_or_default()),
            "input_image" => self.image()?,
            "input_file" => self.file()?,
            "input_audio" => {
                let audio = self.input_audio.ok_or_else(|| invalid("input_audio", "is missing"))?;
                let subtype = if audio.format == "mp3" { "mpeg" } else { audio.format.as_str() };
                let mime = (!subtype.is_empty()).then(|| format!("audio/{subtype}"));
                media(MediaKind::Audio, mime, Source::Base64(audio.data), None, None)
            }
            _ => return Err(invalid("type", "is not a content part this path knows")),
        };
        Ok(Some(Block { content, cache }))
    }

    fn image(self) -> Result<Content, Fault> {
        let (mime, source) = match (self.image_url, self.file_id) {
            (Some(image), _) => source_of(image.url),
            (None, Some(id)) => (None, Source::File(id)),
            (None, None) => return Err(invalid("image_url", "is missing")),
        };
        Ok(media(MediaKind::Image, mime, source, None, self.detail))
    }

    fn file(self) -> Result<Content, Fault> {
        let (mime, source) = match (self.file_data, self.file_url, self.file_id) {
            (Some(data), ..) => match source_of(data) {
                (mime, Source::Url(bare)) => (mime, Source::Base64(bare)),
                found => found,
            },
            (None, Some(url), _) => (None, Source::Url(url)),
            (None, None, Some(id)) => (None, Source::File(id)),
            (None, None, None) => return Err(invalid("file_data", "is missing")),
        };
        Ok(media(MediaKind::Document, mime, source, self.filename, None))
    }
}

fn media(
    kind: MediaKind,
    mime: Option<String>,
    source: Source,
    name: Option<String>,
    detail: Option<String>,
) -> Content {
    Content::Media(Media { kind, mime, source, name, detail, citations: false })
}
