//! Content blocks as they go, to upstreams and to clients.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{DocumentNames, format_of, kind_name};
use super::{NAME, TOOL_NAMES};
use crate::dialects::shared::carried;
use crate::dialects::shared::words::{arguments_object, fit};
use crate::form::{
    Block, CacheMark, Citation, Content, Dropped, Issuer, Media, MediaKind, Reasoning, Role, Source, ToolCall,
    ToolResult, pack_call_id,
};

/// Longest call id.
const CALL_ID_MAX: usize = 64;
/// What a call id may hold beside letters, digits, `_` and `-`.
const ID_ALSO: &str = ".:";

/// A block on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum BlockOut<'a> {
    Text(&'a str),
    Image {
        format: &'static str,
        source: SourceOut<'a>,
    },
    Video {
        format: &'static str,
        source: SourceOut<'a>,
    },
    Audio {
        format: &'static str,
        source: SourceOut<'a>,
    },
    Document {
        format: &'static str,
        name: Cow<'a, str>,
        source: SourceOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Enabled>,
    },
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<BlockOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
    },
    ReasoningContent(ReasoningOut<'a>),
    CitationsContent {
        content: [TextOut<'a>; 1],
        citations: Vec<CitationOut<'a>>,
    },
    CachePoint(CachePointOut),
    #[serde(untagged)]
    Native(&'a RawValue),
}

/// A cache point.
#[derive(Clone, Copy, Serialize)]
pub(super) struct CachePointOut {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl From<CacheMark> for CachePointOut {
    fn from(mark: CacheMark) -> Self {
        Self { kind: "default", ttl: (mark == CacheMark::OneHour).then_some("1h") }
    }
}

#[derive(Serialize)]
pub(super) struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
pub(super) struct TextOut<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SourceOut<'a> {
    Bytes(&'a str),
    S3Location { uri: &'a str },
    Text(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum ReasoningOut<'a> {
    ReasoningText {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<Cow<'a, str>>,
    },
    RedactedContent(&'a str),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CitationOut<'a> {
    Own(&'a RawValue),
    #[serde(rename_all = "camelCase")]
    Web {
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        source_content: Vec<TextOut<'a>>,
        location: LocationOut<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum LocationOut<'a> {
    Web { url: &'a str },
}

/// Can this block of a request be written? What cannot is named.
pub(super) fn is_writable(role: Role, block: &Block, issuer: Issuer, dropped: &mut Dropped) -> bool {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => !text.trim().is_empty(),
        Content::ToolCall(_) => role == Role::Assistant,
        Content::ToolResult(_) => role == Role::User,
        Content::Reasoning(thought) => {
            let own = role == Role::Assistant && is_own(thought, issuer);
            dropped.note_if(!own, "reasoning");
            own
        }
        Content::Media(media) => match source(media) {
            Ok(_) if role == Role::User => true,
            Ok(_) => {
                dropped.note(kind_name(media.kind));
                false
            }
            Err(name) => {
                dropped.note(name);
                false
            }
        },
        Content::Native { dialect, kind, .. } => {
            if *dialect != NAME {
                dropped.note(format!("content[{kind}]"));
            }
            *dialect == NAME
        }
    }
}

/// A thought returns only to whom it came from, and Converse has a place for Anthropic's alone.
fn is_own(thought: &Reasoning, issuer: Issuer) -> bool {
    let proof = thought.encrypted.as_ref().or(thought.signature.as_ref());
    issuer == Issuer::Anthropic
        && proof.is_some_and(|proof| proof.issuer == Issuer::Anthropic && !proof.value.is_empty())
}

/// Writes the blocks of one request; keeps what must be unique across all of them.
pub(super) struct BlockWriter<'d> {
    pub(super) issuer: Issuer,
    pub(super) names: DocumentNames,
    pub(super) dropped: &'d mut Dropped,
}

impl BlockWriter<'_> {
    /// A block for an upstream.
    pub(super) fn write<'a>(&mut self, block: &'a Block) -> Option<BlockOut<'a>> {
        Some(match &block.content {
            Content::Text { text, citations } => {
                // Converse takes its own citations back, and no others.
                let own: Vec<_> = citations.iter().filter_map(own_citation).collect();
                self.dropped.note_if(own.len() < citations.len(), "citations");
                cited(text, own)
            }
            Content::Refusal(text) => BlockOut::Text(text),
            Content::Reasoning(thought) => BlockOut::ReasoningContent(thought_out(thought)?),
            Content::ToolCall(call) => BlockOut::ToolUse {
                tool_use_id: fit(&call.id, CALL_ID_MAX, ID_ALSO),
                name: TOOL_NAMES.fit(&call.name),
                input: arguments_object(&call.arguments),
            },
            Content::ToolResult(result) => self.tool_result(result),
            Content::Media(media) => self.media(media)?,
            Content::Native { raw, .. } => BlockOut::Native(&raw.0),
        })
    }

    fn tool_result<'a>(&mut self, result: &'a ToolResult) -> BlockOut<'a> {
        let mut content = Vec::with_capacity(result.blocks.len());
        for block in &result.blocks {
            if is_writable(Role::User, block, self.issuer, self.dropped) {
                content.extend(self.write(block));
            }
        }
        BlockOut::ToolResult {
            tool_use_id: fit(&result.id, CALL_ID_MAX, ID_ALSO),
            content,
            status: result.error.then_some("error"),
        }
    }

    fn media<'a>(&mut self, media: &'a Media) -> Option<BlockOut<'a>> {
        let (format, source) = source(media).ok()?;
        Some(match media.kind {
            MediaKind::Image => BlockOut::Image { format, source },
            MediaKind::Video => BlockOut::Video { format, source },
            MediaKind::Audio => BlockOut::Audio { format, source },
            MediaKind::Document => {
                let name = self.names.next(media.name.as_deref());
                self.dropped.note_if(name.is_none(), "document");
                BlockOut::Document {
                    format,
                    name: name?,
                    source,
                    citations: media.citations.then_some(Enabled { enabled: true }),
                }
            }
        })
    }
}

/// Format and place of the bytes, or the name of what cannot cross: Converse fetches from S3 only.
fn source(media: &Media) -> Result<(&'static str, SourceOut<'_>), &'static str> {
    let name = kind_name(media.kind);
    let format = || format_of(media.kind, media.mime.as_deref()).ok_or(name);
    Ok(match &media.source {
        Source::Base64(data) => (format()?, SourceOut::Bytes(data)),
        Source::Url(uri) if uri.starts_with("s3://") => (format()?, SourceOut::S3Location { uri }),
        Source::Text(text) if media.kind == MediaKind::Document => (
            format_of(media.kind, media.mime.as_deref()).filter(|_| media.mime.is_some()).unwrap_or("txt"),
            SourceOut::Text(text),
        ),
        Source::Url(_) if media.kind == MediaKind::Image => return Err("image_url"),
        Source::Url(_) => return Err("file_url"),
        Source::File(_) => return Err("file_id"),
        Source::Text(_) => return Err(name),
    })
}

/// A block for a client. `None` for what the dialect has no block for.
pub(super) fn to_client(block: &Block) -> Option<BlockOut<'_>> {
    Some(match &block.content {
        Content::Text { text, citations } => cited(
            text,
            citations.iter().filter_map(|citation| own_citation(citation).or_else(|| web(citation))).collect(),
        ),
        Content::Refusal(text) => BlockOut::Text(text),
        Content::Reasoning(thought) => BlockOut::ReasoningContent(thought_out(thought)?),
        Content::ToolCall(call) => BlockOut::ToolUse {
            tool_use_id: Cow::Owned(call_id(call)),
            name: Cow::Borrowed(&call.name),
            input: arguments_object(&call.arguments),
        },
        Content::Native { dialect, raw, .. } if *dialect == NAME => BlockOut::Native(&raw.0),
        Content::Media(_) | Content::ToolResult(_) | Content::Native { .. } => return None,
    })
}

fn call_id(call: &ToolCall) -> String {
    pack_call_id(&call.id, call.signature.as_ref())
}

fn cited<'a>(text: &'a str, citations: Vec<CitationOut<'a>>) -> BlockOut<'a> {
    if citations.is_empty() {
        return BlockOut::Text(text);
    }
    BlockOut::CitationsContent { content: [TextOut { text }], citations }
}

fn thought_out(thought: &Reasoning) -> Option<ReasoningOut<'_>> {
    if let Some(data) = thought.encrypted.as_ref().filter(|data| data.issuer == Issuer::Anthropic) {
        return Some(ReasoningOut::RedactedContent(&data.value));
    }
    let signature = match (&thought.encrypted, &thought.signature) {
        (Some(data), _) => Some(carried::block_signature(data, true, thought.id.as_deref())),
        (None, Some(signature)) => Some(carried::block_signature(signature, false, thought.id.as_deref())),
        (None, None) => None,
    };
    let signature = signature.filter(|signature| !signature.is_empty());
    (!thought.text.is_empty() || signature.is_some())
        .then_some(ReasoningOut::ReasoningText { text: &thought.text, signature })
}

/// A citation in Converse's own words, if it came in them.
pub(super) fn own_citation(citation: &Citation) -> Option<CitationOut<'_>> {
    #[derive(serde::Deserialize)]
    struct Own {
        #[serde(rename = "location")]
        _location: serde::de::IgnoredAny,
    }
    let raw = &citation.native.as_ref()?.0;
    let own = raw.get().starts_with('{') && serde_json::from_str::<Own>(raw.get()).is_ok();
    own.then_some(CitationOut::Own(raw))
}

/// A citation of a page on the web, for a client.
pub(super) fn web(citation: &Citation) -> Option<CitationOut<'_>> {
    Some(CitationOut::Web {
        title: citation.title.as_deref(),
        source_content: citation.quote.as_deref().map(|text| TextOut { text }).into_iter().collect(),
        location: LocationOut::Web { url: citation.url.as_deref()? },
    })
}
