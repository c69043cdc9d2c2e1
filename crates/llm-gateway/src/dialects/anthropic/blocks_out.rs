//! Content blocks as they go, to upstreams and to clients.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::blocks_in::type_of;
use super::{NAME, TOOL_NAMES};
use crate::dialects::shared::carried;
use crate::dialects::shared::marks::CacheOut;
use crate::dialects::shared::words::{arguments_object, fit};
use crate::form::{Block, Citation, Content, Dropped, Issuer, Media, MediaKind, Reasoning, Role, Source, ToolResult};

/// Longest call id.
const CALL_ID_MAX: usize = 128;

/// A block on the wire.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockOut<'a> {
    Text {
        #[serde(serialize_with = "crate::json::text")]
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<CitationOut<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<BlockOut<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    Image {
        source: SourceOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    Document {
        source: SourceOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Enabled>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    #[serde(untagged)]
    Native(&'a RawValue),
}

/// A switch that is on.
#[derive(Serialize)]
pub(super) struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum SourceOut<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: Cow<'a, str> },
    Url { url: &'a str },
    File { file_id: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CitationOut<'a> {
    Own(&'a RawValue),
    Web(WebCitation<'a>),
}

#[derive(Serialize)]
pub(super) struct WebCitation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
    title: Option<&'a str>,
    cited_text: &'a str,
    encrypted_index: &'static str,
}

/// Can this block of a request be written to a Claude model? What cannot is named.
pub(super) fn is_writable(role: Role, block: &Block, issuer: Issuer, dropped: &mut Dropped) -> bool {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => !text.trim().is_empty(),
        Content::ToolCall(_) => role == Role::Assistant,
        Content::ToolResult(_) => role == Role::User,
        Content::Reasoning(thought) => {
            let own = role == Role::Assistant && issuer == Issuer::Anthropic && is_own(thought);
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
            *dialect == NAME && role != Role::System
        }
    }
}

fn is_own(thought: &Reasoning) -> bool {
    let proof = thought.encrypted.as_ref().or(thought.signature.as_ref());
    proof.is_some_and(|proof| proof.issuer == Issuer::Anthropic && !proof.value.is_empty())
}

const fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// A block for an upstream. `None` only for what `is_writable` refused.
pub(super) fn to_upstream<'a>(
    block: &'a Block,
    cache_control: Option<CacheOut>,
    issuer: Issuer,
    dropped: &mut Dropped,
) -> Option<BlockOut<'a>> {
    Some(match &block.content {
        Content::Text { text, citations } => {
            let written: Vec<_> = citations.iter().filter_map(own_citation).collect();
            dropped.note_if(written.len() < citations.len(), "citations");
            BlockOut::Text { text, citations: written, cache_control }
        }
        Content::Refusal(text) => BlockOut::Text { text, citations: Vec::new(), cache_control },
        Content::Reasoning(thought) => thought_out(thought)?,
        Content::ToolCall(call) => BlockOut::ToolUse {
            id: fit(&call.id, CALL_ID_MAX, ""),
            name: TOOL_NAMES.fit(&call.name),
            input: arguments_object(&call.arguments),
            cache_control,
        },
        Content::ToolResult(result) => tool_result(result, cache_control, issuer, dropped),
        Content::Media(media) => media_out(media, cache_control)?,
        Content::Native { raw, .. } => BlockOut::Native(&raw.0),
    })
}

fn tool_result<'a>(
    result: &'a ToolResult,
    cache_control: Option<CacheOut>,
    issuer: Issuer,
    dropped: &mut Dropped,
) -> BlockOut<'a> {
    let mut content = Vec::with_capacity(result.blocks.len());
    for block in &result.blocks {
        // Marks are not allowed in here; the one that counts is on the result itself.
        if is_writable(Role::User, block, issuer, dropped) {
            content.extend(to_upstream(block, None, issuer, dropped));
        }
    }
    BlockOut::ToolResult {
        tool_use_id: fit(&result.id, CALL_ID_MAX, ""),
        content,
        is_error: result.error,
        cache_control,
    }
}

fn media_out(media: &Media, cache_control: Option<CacheOut>) -> Option<BlockOut<'_>> {
    let source = source(media).ok()?;
    Some(if media.kind == MediaKind::Image {
        BlockOut::Image { source, cache_control }
    } else {
        BlockOut::Document {
            source,
            title: media.name.as_deref(),
            citations: media.citations.then_some(Enabled { enabled: true }),
            cache_control,
        }
    })
}

/// Where the bytes are, or the name of what cannot cross.
fn source(media: &Media) -> Result<SourceOut<'_>, &'static str> {
    let mime = media.mime.as_deref();
    Ok(match (&media.source, media.kind) {
        (_, kind @ (MediaKind::Audio | MediaKind::Video)) => return Err(kind_name(kind)),
        (Source::Base64(data), MediaKind::Image) => SourceOut::Base64 { media_type: mime.unwrap_or("image/png"), data },
        (Source::Base64(data), _) => match mime {
            None | Some("application/pdf") => SourceOut::Base64 { media_type: "application/pdf", data },
            Some(text) if text.starts_with("text/") || text == "application/json" => {
                let bytes = STANDARD.decode(data).map_err(|_| "document")?;
                let text = String::from_utf8(bytes).map_err(|_| "document")?;
                SourceOut::Text { media_type: "text/plain", data: Cow::Owned(text) }
            }
            Some(_) => return Err("document"),
        },
        (Source::Text(text), _) => SourceOut::Text { media_type: "text/plain", data: Cow::Borrowed(text) },
        (Source::Url(url), _) if url.starts_with("https://") || url.starts_with("http://") => SourceOut::Url { url },
        (Source::Url(_), kind) => return Err(kind_name(kind)),
        // Ids of other vendors' file stores mean nothing here.
        (Source::File(id), _) if id.starts_with("file_") => SourceOut::File { file_id: id },
        (Source::File(_), _) => return Err("file_id"),
    })
}

/// A block for a client. `None` for what the dialect has no block for.
pub(super) fn to_client<'a>(block: &'a Block, tool_id: Cow<'a, str>) -> Option<BlockOut<'a>> {
    Some(match &block.content {
        Content::Text { text, citations } => BlockOut::Text {
            text,
            citations: citations
                .iter()
                .filter_map(|citation| own_citation(citation).or_else(|| web(citation)))
                .collect(),
            cache_control: None,
        },
        Content::Refusal(text) => BlockOut::Text { text, citations: Vec::new(), cache_control: None },
        Content::Reasoning(thought) => thought_out(thought)?,
        Content::ToolCall(call) => BlockOut::ToolUse {
            id: tool_id,
            name: Cow::Borrowed(&call.name),
            input: arguments_object(&call.arguments),
            cache_control: None,
        },
        Content::Native { dialect, raw, .. } if *dialect == NAME => BlockOut::Native(&raw.0),
        Content::Media(_) | Content::ToolResult(_) | Content::Native { .. } => return None,
    })
}

fn thought_out(thought: &Reasoning) -> Option<BlockOut<'_>> {
    if let Some(data) = thought.encrypted.as_ref().filter(|data| data.issuer == Issuer::Anthropic) {
        return Some(BlockOut::RedactedThinking { data: &data.value });
    }
    let signature = match (&thought.encrypted, &thought.signature) {
        (Some(data), _) => carried::block_signature(data, true, thought.id.as_deref()),
        (None, Some(signature)) => carried::block_signature(signature, false, thought.id.as_deref()),
        (None, None) => Cow::Borrowed(""),
    };
    (!thought.text.is_empty() || !signature.is_empty())
        .then_some(BlockOut::Thinking { thinking: &thought.text, signature })
}

/// A citation in Anthropic's own words, if it came in them.
pub(super) fn own_citation(citation: &Citation) -> Option<CitationOut<'_>> {
    let raw = &citation.native.as_ref()?.0;
    let own = type_of(raw).is_some_and(|kind| kind.ends_with("_location"));
    own.then_some(CitationOut::Own(raw))
}

/// A citation of a page on the web, for a client.
pub(super) fn web(citation: &Citation) -> Option<CitationOut<'_>> {
    Some(CitationOut::Web(WebCitation {
        kind: "web_search_result_location",
        url: citation.url.as_deref()?,
        title: citation.title.as_deref(),
        cited_text: citation.quote.as_deref().unwrap_or_default(),
        encrypted_index: "",
    }))
}
