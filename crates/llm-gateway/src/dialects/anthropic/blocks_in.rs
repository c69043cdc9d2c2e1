//! Content blocks as they come: one flat wire type for all kinds, because tagged serde enums buffer every block and
//! cannot hold raw JSON. Blocks only Anthropic knows are looked up raw, and only when there are any.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::NAME;
use super::content_in::{CitationsIn, ContentIn, RawContent, SourceIn};
use crate::dialects::shared::carried;
use crate::form::{
    Block, CacheMark, Citation, Content, Issuer, Media, MediaKind, RawJson, Reasoning, Signature, Source, ToolCall,
    ToolResult, unpack_call_id,
};

/// What is wrong with a block, and where in its list.
#[derive(Debug)]
pub(super) struct BlockFault {
    /// `content[3].source`.
    pub(super) path: String,
    /// Why.
    pub(super) why: &'static str,
}

/// A content block of any kind.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockIn {
    #[serde(rename = "type")]
    kind: Kind,
    text: Option<String>,
    citations: Option<CitationsIn>,
    cache_control: Option<CacheIn>,
    source: Option<SourceIn>,
    title: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
    tool_use_id: Option<String>,
    content: Option<ContentIn>,
    is_error: Option<bool>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Image,
    Document,
    ToolUse,
    ToolResult,
    Thinking,
    RedactedThinking,
    #[serde(skip)]
    #[default]
    Missing,
    #[serde(other)]
    Native,
}

/// `cache_control`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CacheIn {
    ttl: Option<String>,
}

impl CacheIn {
    /// The mark it stands for.
    pub(super) fn mark(&self) -> CacheMark {
        if self.ttl.as_deref() == Some("1h") { CacheMark::OneHour } else { CacheMark::FiveMinutes }
    }
}

/// Reads a list of blocks. `raws` gives the same list raw; it is asked only when a block must be kept raw.
pub(super) fn read_blocks<'a>(
    blocks: Vec<BlockIn>,
    raws: &mut dyn FnMut() -> Vec<&'a RawValue>,
) -> Result<Vec<Block>, BlockFault> {
    let raws = if blocks.iter().any(BlockIn::needs_raw) { raws() } else { Vec::new() };
    let mut read = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        let at = |field: &str, why| BlockFault { path: format!("content[{index}]{field}"), why };
        let cache = block.cache_control.as_ref().map(CacheIn::mark);
        let raw = raws.get(index).copied();
        let content = if block.is_native() {
            native(raw).ok_or_else(|| at(".type", "the block has no type"))?
        } else {
            block.content(raw).map_err(|(field, why)| at(field, why))?
        };
        read.push(Block { content, cache });
    }
    Ok(read)
}

/// Reads `content`, string or blocks, of a message or a system prompt.
pub(super) fn read_content<'a>(
    content: ContentIn,
    raws: &mut dyn FnMut() -> Vec<&'a RawValue>,
) -> Result<Vec<Block>, BlockFault> {
    match content {
        ContentIn::Text(text) => Ok(vec![Block::text(text)]),
        ContentIn::Blocks(blocks) => read_blocks(blocks, raws),
        ContentIn::Neither => {
            Err(BlockFault { path: "content".to_owned(), why: "content must be a string or a list of blocks" })
        }
    }
}

/// A citation, with the original kept for Anthropic's own readers.
pub(super) fn citation(raw: Box<RawValue>) -> Citation {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct CitationIn {
        url: Option<String>,
        source: Option<String>,
        title: Option<String>,
        document_title: Option<String>,
        cited_text: Option<String>,
    }
    let read: CitationIn = serde_json::from_str(raw.get()).unwrap_or_default();
    Citation {
        url: read.url.or(read.source.filter(|source| source.starts_with("http"))),
        title: read.title.or(read.document_title),
        quote: read.cited_text,
        span: None,
        native: Some(RawJson(raw)),
    }
}

/// A block kept as it is.
fn native(raw: Option<&RawValue>) -> Option<Content> {
    let raw = raw?;
    let kind = type_of(raw)?;
    Some(Content::Native { dialect: NAME, kind, raw: RawJson(raw.to_owned()) })
}

/// The `type` of a raw object.
pub(super) fn type_of(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    // serde would read a list as an object, too.
    raw.get().starts_with('{').then(|| serde_json::from_str::<Typed>(raw.get()).ok()).flatten().map(|typed| typed.kind)
}

type Wrong = (&'static str, &'static str);

impl BlockIn {
    fn is_native(&self) -> bool {
        match self.kind {
            Kind::Native | Kind::Missing => true,
            // A document in chunks: joined, it would lose what its citations point at.
            Kind::Document => {
                self.source.as_ref().is_some_and(|source| matches!(source.0.content, Some(ContentIn::Blocks(_))))
            }
            _ => false,
        }
    }

    fn needs_raw(&self) -> bool {
        self.is_native() || matches!(&self.content, Some(ContentIn::Blocks(inner)) if inner.iter().any(Self::needs_raw))
    }

    fn content(self, raw: Option<&RawValue>) -> Result<Content, Wrong> {
        Ok(match self.kind {
            Kind::Text => {
                let citations = match self.citations {
                    Some(CitationsIn::List(list)) => list.into_iter().map(citation).collect(),
                    _ => Vec::new(),
                };
                Content::Text { text: self.text.ok_or((".text", "a text block needs `text`"))?, citations }
            }
            Kind::Thinking => {
                Content::Reasoning(carried::block_thought(self.thinking.unwrap_or_default(), self.signature))
            }
            Kind::RedactedThinking => Content::Reasoning(Reasoning {
                encrypted: Some(Signature { issuer: Issuer::Anthropic, value: self.data.unwrap_or_default() }),
                ..Reasoning::default()
            }),
            Kind::ToolUse => self.tool_call()?,
            Kind::ToolResult => self.tool_result(raw)?,
            Kind::Image | Kind::Document => Content::Media(self.media()?),
            Kind::Native | Kind::Missing => return Err((".type", "the block has no known type")),
        })
    }

    fn tool_call(self) -> Result<Content, Wrong> {
        let packed = self.id.filter(|id| !id.is_empty()).ok_or((".id", "a tool_use block needs `id`"))?;
        let (id, signature) = unpack_call_id(&packed);
        Ok(Content::ToolCall(ToolCall {
            id,
            name: self.name.filter(|name| !name.is_empty()).ok_or((".name", "a tool_use block needs `name`"))?,
            arguments: self.input.map_or_else(|| "{}".to_owned(), |input| Box::<str>::from(input).into_string()),
            signature,
        }))
    }

    fn tool_result(self, raw: Option<&RawValue>) -> Result<Content, Wrong> {
        let packed = self.tool_use_id.ok_or((".tool_use_id", "a tool_result block needs `tool_use_id`"))?;
        let blocks = match self.content {
            None => Vec::new(),
            Some(content) => read_content(content, &mut || {
                raw.and_then(|raw| serde_json::from_str::<RawContent<'_>>(raw.get()).ok())
                    .map_or_else(Vec::new, |raw| raw.content.0)
            })
            .map_err(|fault| (".content", fault.why))?,
        };
        Ok(Content::ToolResult(ToolResult {
            id: unpack_call_id(&packed).0,
            name: None,
            blocks,
            error: self.is_error.unwrap_or(false),
        }))
    }

    fn media(self) -> Result<Media, Wrong> {
        const WHY: &str = "`source` must hold base64 data, text, a url or a file id";
        let source = self.source.ok_or((".source", WHY))?.0;
        let kind = if self.kind == Kind::Image { MediaKind::Image } else { MediaKind::Document };
        let from = match source.kind.as_str() {
            "base64" => source.data.map(Source::Base64),
            "text" => source.data.map(Source::Text),
            "url" => source.url.map(Source::Url),
            "file" => source.file_id.map(Source::File),
            "content" => match source.content {
                Some(ContentIn::Text(text)) => Some(Source::Text(text)),
                _ => None,
            },
            _ => None,
        };
        Ok(Media {
            kind,
            mime: source.media_type,
            source: from.ok_or((".source", WHY))?,
            name: self.title,
            detail: None,
            citations: matches!(self.citations, Some(CitationsIn::Switch(true))),
        })
    }
}
