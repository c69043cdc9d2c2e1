//! Content blocks as they come: objects with one key, which says what they are. A key nobody here knows is kept raw.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::NAME;
use super::media::mime_of;
use crate::dialects::shared::carried;
use crate::form::{
    Block, CacheMark, Citation, Content, Issuer, Media, MediaKind, RawJson, Reasoning, Signature, Source, ToolCall,
    ToolResult, unpack_call_id,
};

/// A content block, or a cache point that belongs to the block before it.
pub(super) enum BlockIn {
    Content(Content),
    Cache(CacheMark),
}

/// Gives each cache point to the block before it.
pub(super) fn collect(read: Vec<BlockIn>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::with_capacity(read.len());
    for block in read {
        match block {
            BlockIn::Content(content) => blocks.push(Block::new(content)),
            BlockIn::Cache(mark) => {
                if let Some(last) = blocks.last_mut() {
                    last.cache = Some(mark);
                }
            }
        }
    }
    blocks
}

impl<'de> Deserialize<'de> for BlockIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = BlockIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content block")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BlockIn, A::Error> {
                let mut block = None;
                while let Some(key) = map.next_key::<String>()? {
                    if block.is_none() {
                        // SDKs of some languages write the other members as null.
                        block = read_member(key, &mut map)?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                block.ok_or_else(|| A::Error::custom("a content block is empty"))
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

fn read_member<'de, A: MapAccess<'de>>(key: String, map: &mut A) -> Result<Option<BlockIn>, A::Error> {
    let content = match key.as_str() {
        "text" => map.next_value::<Option<String>>()?.map(|text| Content::Text { text, citations: Vec::new() }),
        "image" => media(MediaKind::Image, map)?,
        "document" => media(MediaKind::Document, map)?,
        "video" => media(MediaKind::Video, map)?,
        "audio" => media(MediaKind::Audio, map)?,
        "toolUse" => map.next_value::<Option<ToolUseIn>>()?.map(ToolUseIn::read).transpose()?,
        "toolResult" => map.next_value::<Option<ToolResultIn>>()?.map(ToolResultIn::read).transpose()?,
        "reasoningContent" => map.next_value::<Option<ReasoningIn>>()?.map(ReasoningIn::read),
        "citationsContent" => map.next_value::<Option<CitationsContentIn>>()?.map(CitationsContentIn::read),
        "json" => map
            .next_value::<Option<Box<RawValue>>>()?
            .map(|json| Content::Text { text: Box::<str>::from(json).into_string(), citations: Vec::new() }),
        "cachePoint" => {
            return Ok(map.next_value::<Option<CachePointIn>>()?.map(|point| BlockIn::Cache(point.mark())));
        }
        _ => match map.next_value::<Option<Box<RawValue>>>()? {
            Some(raw) => native(key, &raw),
            None => None,
        },
    };
    Ok(content.map(BlockIn::Content))
}

/// A block kept as it is.
pub(super) fn native(kind: String, raw: &RawValue) -> Option<Content> {
    let name = serde_json::Value::from(kind.as_str());
    let raw = RawValue::from_string(format!("{{{name}:{}}}", raw.get())).ok()?;
    Some(Content::Native { dialect: NAME, kind, raw: RawJson(raw) })
}

/// `cachePoint`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CachePointIn {
    ttl: Option<String>,
}

impl CachePointIn {
    /// The mark it stands for.
    pub(super) fn mark(&self) -> CacheMark {
        if self.ttl.as_deref() == Some("1h") { CacheMark::OneHour } else { CacheMark::FiveMinutes }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MediaIn {
    format: Option<String>,
    name: Option<String>,
    source: SourceIn,
    citations: Option<CitationsSwitchIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SourceIn {
    bytes: Option<String>,
    s3_location: Option<S3In>,
    text: Option<String>,
    content: Option<Vec<TextIn>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct S3In {
    uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TextIn {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CitationsSwitchIn {
    enabled: bool,
}

fn media<'de, A: MapAccess<'de>>(kind: MediaKind, map: &mut A) -> Result<Option<Content>, A::Error> {
    let Some(read) = map.next_value::<Option<MediaIn>>()? else { return Ok(None) };
    let SourceIn { bytes, s3_location, text, content } = read.source;
    let source = bytes
        .map(Source::Base64)
        .or_else(|| s3_location.map(|s3| Source::Url(s3.uri)))
        .or_else(|| text.map(Source::Text))
        .or_else(|| content.map(|parts| Source::Text(joined(&parts))));
    Ok(Some(Content::Media(Media {
        kind,
        mime: read.format.as_deref().and_then(|format| mime_of(kind, format)),
        source: source.ok_or_else(|| A::Error::custom("a `source` needs bytes, s3Location or text"))?,
        name: read.name,
        detail: None,
        citations: read.citations.is_some_and(|switch| switch.enabled),
    })))
}

fn joined(parts: &[TextIn]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolUseIn {
    tool_use_id: String,
    name: String,
    input: Option<Box<RawValue>>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl ToolUseIn {
    fn read<E: Error>(self) -> Result<Content, E> {
        if self.tool_use_id.is_empty() || self.name.is_empty() {
            return Err(E::custom("a toolUse block needs `toolUseId` and `name`"));
        }
        if self.kind.is_some() {
            return Ok(self.server_tool());
        }
        let (id, signature) = unpack_call_id(&self.tool_use_id);
        let arguments = self.input.map_or_else(|| "{}".to_owned(), |input| Box::<str>::from(input).into_string());
        Ok(Content::ToolCall(ToolCall { id, name: self.name, arguments, signature }))
    }

    /// A call the provider runs itself.
    fn server_tool(self) -> Content {
        let block = serde_json::json!({"toolUse": {
            "toolUseId": self.tool_use_id, "name": self.name, "type": self.kind, "input": self.input,
        }});
        let raw = RawValue::from_string(block.to_string()).unwrap_or_default();
        Content::Native { dialect: NAME, kind: self.kind.unwrap_or_default(), raw: RawJson(raw) }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolResultIn {
    tool_use_id: String,
    content: Option<Vec<BlockIn>>,
    status: Option<String>,
}

impl ToolResultIn {
    fn read<E: Error>(self) -> Result<Content, E> {
        if self.tool_use_id.is_empty() {
            return Err(E::custom("a toolResult block needs `toolUseId`"));
        }
        Ok(Content::ToolResult(ToolResult {
            id: unpack_call_id(&self.tool_use_id).0,
            name: None,
            blocks: collect(self.content.unwrap_or_default()),
            error: self.status.as_deref() == Some("error"),
        }))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReasoningIn {
    reasoning_text: Option<ReasoningTextIn>,
    redacted_content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningTextIn {
    text: String,
    signature: Option<String>,
}

impl ReasoningIn {
    fn read(self) -> Content {
        Content::Reasoning(match (self.redacted_content, self.reasoning_text) {
            (Some(value), _) => {
                Reasoning { encrypted: Some(Signature { issuer: Issuer::Anthropic, value }), ..Reasoning::default() }
            }
            (None, Some(thought)) => carried::block_thought(thought.text, thought.signature),
            (None, None) => Reasoning::default(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CitationsContentIn {
    content: Option<Vec<TextIn>>,
    citations: Option<Vec<Box<RawValue>>>,
}

impl CitationsContentIn {
    fn read(self) -> Content {
        let text = self.content.unwrap_or_default().into_iter().map(|part| part.text).collect();
        Content::Text { text, citations: self.citations.unwrap_or_default().into_iter().map(citation).collect() }
    }
}

/// A citation, with the original kept for Bedrock's own readers.
pub(super) fn citation(raw: Box<RawValue>) -> Citation {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct CitationIn {
        title: Option<String>,
        source: Option<String>,
        source_content: Option<SourceContentIn>,
        location: Option<LocationIn>,
    }
    /// A list in whole answers, one object in some streams.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum SourceContentIn {
        List(Vec<TextIn>),
        One(TextIn),
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct LocationIn {
        web: Option<WebIn>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct WebIn {
        url: Option<String>,
    }
    let read: CitationIn = serde_json::from_str(raw.get()).unwrap_or_default();
    let url = read.location.and_then(|location| location.web).and_then(|web| web.url);
    Citation {
        url: url.or(read.source.filter(|source| source.starts_with("http"))),
        title: read.title,
        quote: read.source_content.map(|content| match content {
            SourceContentIn::List(parts) => joined(&parts),
            SourceContentIn::One(part) => part.text,
        }),
        span: None,
        native: Some(RawJson(raw)),
    }
}
