//! A message as it is read: in requests and, with the same fields, in answers.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::Deserialize;

use super::details::{DetailIn, thoughts};
use crate::dialects::openai_shared::wire::{CacheControl, ImageUrl, JsonText, TextOr, invalid, nested};
use crate::dialects::shared::mime::source_of;
use crate::form::{Block, Citation, Content, Issuer, Media, MediaKind, Signature, Source, ToolCall, unpack_call_id};

/// A message of any role.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) role: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) content: Body<'a>,
    pub(super) name: Option<String>,
    pub(super) tool_calls: Option<Vec<Call>>,
    pub(super) tool_call_id: Option<String>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    reasoning_details: Option<Vec<DetailIn>>,
    audio: Option<Audio>,
    images: Option<Vec<Part<'a>>>,
    annotations: Option<Vec<Annotation>>,
    pub(super) cache_control: Option<CacheControl>,
}

/// Content of a message.
pub(super) type Body<'a> = TextOr<Part<'a>>;

/// A content part of any type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
    video_url: Option<ImageUrl>,
    input_audio: Option<AudioData>,
    file: Option<File>,
    /// Mistral's thoughts inside of the content.
    thinking: Option<Vec<Part<'a>>>,
    #[serde(alias = "prompt_cache_breakpoint")]
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AudioData {
    data: String,
    format: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    file_data: Option<String>,
    file_id: Option<String>,
    filename: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Audio {
    id: Option<String>,
    data: Option<String>,
    transcript: Option<String>,
}

/// A source cited.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotation {
    url_citation: Option<UrlCitation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UrlCitation {
    url: Option<String>,
    title: Option<String>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

impl Annotation {
    /// The citation in the words of the form.
    pub(super) fn citation(self) -> Option<Citation> {
        let UrlCitation { url, title, start_index, end_index } = self.url_citation?;
        Some(Citation { url, title, span: start_index.zip(end_index), ..Citation::default() })
    }
}

/// A tool call of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    id: Option<String>,
    function: Option<Function>,
    custom: Option<Custom>,
    extra_content: Option<Extra>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Function {
    name: String,
    arguments: Option<JsonText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Custom {
    name: String,
    input: String,
}

/// Where Gemini's Chat surface keeps the signature of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    google: Option<Google>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Google {
    thought_signature: Option<String>,
}

impl Extra {
    /// The signature, if there is one.
    pub(super) fn signature(self) -> Option<Signature> {
        let value = self.google?.thought_signature?;
        Some(Signature { issuer: Issuer::Google, value })
    }
}

impl Call {
    /// The call in the words of the form; `index` is its place among its message's calls, for an id where none is given.
    pub(super) fn call(self, index: usize) -> Result<ToolCall, Fault> {
        let (name, arguments) = match (self.function, self.custom) {
            (Some(function), _) => (function.name, function.arguments.unwrap_or_default().0),
            // A custom tool takes free text; as arguments it is an object with that text.
            (None, Some(custom)) => (custom.name, serde_json::json!({"input": custom.input}).to_string()),
            (None, None) => return Err(invalid("function", "is missing")),
        };
        if name.is_empty() {
            return Err(invalid("function.name", "is missing"));
        }
        let id = self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{index}"));
        let (id, packed) = unpack_call_id(&id);
        let arguments = if arguments.trim_ascii().is_empty() { "{}".to_owned() } else { arguments };
        Ok(ToolCall { id, name, arguments, signature: self.extra_content.and_then(Extra::signature).or(packed) })
    }
}

impl Message<'_> {
    /// The blocks of a message by the model: thoughts, text, refusal, calls.
    pub(super) fn assistant_blocks(self) -> Result<Vec<Block>, Fault> {
        let plain = self.reasoning_content.or(self.reasoning);
        let mut blocks: Vec<Block> = thoughts(plain, self.reasoning_details.unwrap_or_default())
            .into_iter()
            .map(|thought| Block::new(Content::Reasoning(thought)))
            .collect();
        let said_from = blocks.len();
        blocks.extend(self.content.blocks(self.cache_control.as_ref())?);
        if let Some(audio) = self.audio {
            audio.blocks(&mut blocks);
        }
        for (index, image) in self.images.unwrap_or_default().into_iter().enumerate() {
            blocks.extend(image.block().map_err(|fault| nested("images", index, fault))?);
        }
        let citations = self.annotations.unwrap_or_default().into_iter().filter_map(Annotation::citation);
        if let Some(Block { content: Content::Text { citations: cited, .. }, .. }) =
            blocks[said_from..].iter_mut().find(|block| matches!(block.content, Content::Text { .. }))
        {
            cited.extend(citations);
        }
        if let Some(refusal) = self.refusal.filter(|refusal| !refusal.is_empty()) {
            blocks.push(Block::new(Content::Refusal(refusal)));
        }
        for (index, call) in self.tool_calls.unwrap_or_default().into_iter().enumerate() {
            let call = call.call(index).map_err(|fault| nested("tool_calls", index, fault))?;
            blocks.push(Block::new(Content::ToolCall(call)));
        }
        Ok(blocks)
    }
}

impl TextOr<Part<'_>> {
    /// The blocks; empty texts are left out, as several dialects refuse them. `outer` is a cache mark on the message.
    pub(super) fn blocks(self, outer: Option<&CacheControl>) -> Result<Vec<Block>, Fault> {
        let mut blocks = match self {
            Self::None => Vec::new(),
            Self::Other => return Err(invalid("content", "is neither a string nor a list of parts")),
            Self::Text(text) if text.is_empty() => Vec::new(),
            Self::Text(text) => vec![Block::text(text)],
            Self::Parts(parts) => {
                let mut blocks = Vec::with_capacity(parts.len());
                for (index, part) in parts.into_iter().enumerate() {
                    blocks.extend(part.block().map_err(|fault| nested("content", index, fault))?);
                }
                blocks
            }
        };
        if let (Some(outer), Some(last)) = (outer, blocks.last_mut()) {
            last.cache.get_or_insert(outer.mark());
        }
        Ok(blocks)
    }

    /// Text and thoughts of a streamed piece; Mistral sends parts there, everyone else a string.
    pub(super) fn pieces(self, each: &mut dyn FnMut(bool, String)) {
        match self {
            Self::None | Self::Other => {}
            Self::Text(text) => each(false, text),
            Self::Parts(parts) => {
                for part in parts {
                    for thought in part.thinking.into_iter().flatten() {
                        each(true, thought.text.unwrap_or_default());
                    }
                    each(false, part.text.unwrap_or_default());
                }
            }
        }
    }
}

impl Part<'_> {
    /// The block, or nothing for an empty text.
    fn block(self) -> Result<Option<Block>, Fault> {
        let content = match &*self.r#type {
            "text" | "input_text" | "output_text" => {
                let text = self.text.ok_or_else(|| invalid("text", "is missing"))?;
                if text.is_empty() {
                    return Ok(None);
                }
                Content::Text { text, citations: Vec::new() }
            }
            "refusal" => Content::Refusal(self.refusal.unwrap_or_default()),
            "thinking" => {
                let text = self.thinking.into_iter().flatten().filter_map(|part| part.text).collect();
                Content::Reasoning(crate::form::Reasoning { text, ..Default::default() })
            }
            "image_url" => {
                media_url(MediaKind::Image, self.image_url.ok_or_else(|| invalid("image_url", "is missing"))?)
            }
            "video_url" => {
                media_url(MediaKind::Video, self.video_url.ok_or_else(|| invalid("video_url", "is missing"))?)
            }
            "input_audio" => self.input_audio.ok_or_else(|| invalid("input_audio", "is missing"))?.content(),
            "file" => self.file.ok_or_else(|| invalid("file", "is missing"))?.content()?,
            _ => return Err(invalid("type", "is not a content part this path knows")),
        };
        Ok(Some(Block { content, cache: self.cache_control.map(|cache| cache.mark()) }))
    }
}

fn media_url(kind: MediaKind, image: ImageUrl) -> Content {
    let (mime, source) = source_of(image.url);
    Content::Media(Media { kind, mime, source, name: None, detail: image.detail, citations: false })
}

impl AudioData {
    fn content(self) -> Content {
        let mime = match self.format.as_str() {
            "" => None,
            "mp3" => Some("audio/mpeg".to_owned()),
            format => Some(format!("audio/{format}")),
        };
        let source = Source::Base64(self.data);
        Content::Media(Media { kind: MediaKind::Audio, mime, source, name: None, detail: None, citations: false })
    }
}

impl File {
    fn content(self) -> Result<Content, Fault> {
        let (mime, source) = match (self.file_data, self.file_id) {
            (Some(data), _) => match source_of(data) {
                (mime, Source::Url(bare)) if !bare.starts_with("http") => (mime, Source::Base64(bare)),
                found => found,
            },
            (None, Some(id)) => (None, Source::File(id)),
            (None, None) => return Err(invalid("file", "needs `file_data` or `file_id`")),
        };
        let kind = MediaKind::Document;
        Ok(Content::Media(Media { kind, mime, source, name: self.filename, detail: None, citations: false }))
    }
}

impl Audio {
    /// Spoken output: in answers the sound itself, in histories only its id.
    fn blocks(self, blocks: &mut Vec<Block>) {
        let source = match (self.data, self.id) {
            (Some(data), _) => Source::Base64(data),
            (None, Some(id)) => Source::File(id),
            (None, None) => return,
        };
        if let Some(transcript) = self.transcript.filter(|text| !text.is_empty()) {
            blocks.push(Block::text(transcript));
        }
        let kind = MediaKind::Audio;
        let sound = Media { kind, mime: None, source, name: None, detail: None, citations: false };
        blocks.push(Block::new(Content::Media(sound)));
    }
}
