//! Writing the conversation: tool results are messages of their own here, instructions may stand anywhere.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use crate::dialects::cohere::TOOL_NAMES;
use crate::dialects::cohere::wire::{BlockOut, CallOut, ContentOut, ImageOut};
use crate::dialects::shared::mime;
use crate::form::{Ask, Block, Content, Dropped, Media, MediaKind, Reasoning, Role, Source, ToolResult, Turn};

/// A message, as written.
#[derive(Serialize)]
pub(super) struct MessageOut<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentOut<'a>>,
}

impl<'a> MessageOut<'a> {
    fn new(role: &'static str, content: Option<ContentOut<'a>>) -> Self {
        Self { role, tool_call_id: None, tool_plan: None, tool_calls: Vec::new(), content }
    }
}

/// All messages of a request.
pub(super) fn messages<'a>(ask: &'a Ask, dropped: &mut Dropped) -> Vec<MessageOut<'a>> {
    let mut messages = Vec::with_capacity(ask.turns.len() + 1);
    let order: HashMap<&str, usize> = ask
        .turns
        .iter()
        .flat_map(|turn| &turn.blocks)
        .enumerate()
        .filter_map(|(order, block)| match &block.content {
            Content::ToolCall(call) => Some((call.id.as_str(), order)),
            _ => None,
        })
        .collect();
    plain("system", &ask.system, dropped, &mut messages);
    for turn in &ask.turns {
        match turn.role {
            Role::System => plain("system", &turn.blocks, dropped, &mut messages),
            Role::User => user(turn, &order, dropped, &mut messages),
            Role::Assistant => assistant(turn, dropped, &mut messages),
        }
    }
    messages
}

fn plain<'a>(role: &'static str, blocks: &'a [Block], dropped: &mut Dropped, messages: &mut Vec<MessageOut<'a>>) {
    let said = blocks.iter().filter_map(|block| said(block, dropped)).collect();
    messages.extend(ContentOut::of(said).map(|content| MessageOut::new(role, Some(content))));
}

fn user<'a>(turn: &'a Turn, order: &HashMap<&str, usize>, dropped: &mut Dropped, messages: &mut Vec<MessageOut<'a>>) {
    let mut results: Vec<&'a ToolResult> = Vec::new();
    let mut rest = Vec::new();
    for block in &turn.blocks {
        match &block.content {
            Content::ToolResult(result) => {
                dropped.note_if(block.cache.is_some(), "cache_control");
                results.push(result);
            }
            _ => rest.extend(said(block, dropped)),
        }
    }
    results.sort_by_key(|result| order.get(result.id.as_str()).copied().unwrap_or(usize::MAX));
    for result in results {
        dropped.note_if(result.error, "tool_result.is_error");
        let mut texts = Vec::with_capacity(result.blocks.len());
        for block in &result.blocks {
            if matches!(&block.content, Content::Media(Media { kind, .. }) if *kind != MediaKind::Document) {
                dropped.note("tool_result.image");
            } else {
                texts.extend(said(block, dropped));
            }
        }
        let content = ContentOut::of(texts).unwrap_or(ContentOut::Text(Cow::Borrowed("")));
        messages.push(MessageOut { tool_call_id: Some(&result.id), ..MessageOut::new("tool", Some(content)) });
    }
    messages.extend(ContentOut::of(rest).map(|content| MessageOut::new("user", Some(content))));
}

fn assistant<'a>(turn: &'a Turn, dropped: &mut Dropped, messages: &mut Vec<MessageOut<'a>>) {
    let mut message = MessageOut::new("assistant", None);
    let mut content = Vec::new();
    let has_calls = turn.blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    for block in &turn.blocks {
        match &block.content {
            Content::ToolCall(call) => {
                dropped.note_if(call.signature.is_some(), "tool_calls.signature");
                message.tool_calls.push(CallOut::new(&call.id, TOOL_NAMES.fit(&call.name), &call.arguments));
            }
            Content::Reasoning(thought) if !is_plain(thought) => dropped.note("reasoning"),
            Content::Reasoning(thought) if thought.summary && has_calls => {
                message.tool_plan = Some(match message.tool_plan.take() {
                    None => Cow::Borrowed(thought.text.as_str()),
                    Some(plan) => Cow::Owned(format!("{plan}\n{}", thought.text)),
                });
            }
            Content::Reasoning(thought) => content.push(BlockOut::Thinking { thinking: &thought.text }),
            _ => content.extend(said(block, dropped)),
        }
    }
    message.content = ContentOut::of(content);
    if message.content.is_some() || has_calls {
        messages.push(message);
    }
}

/// A thought that is words only. One that is signed belongs to another vendor's model.
fn is_plain(thought: &Reasoning) -> bool {
    !thought.text.is_empty() && thought.signature.is_none() && thought.encrypted.is_none()
}

fn said<'a>(block: &'a Block, dropped: &mut Dropped) -> Option<BlockOut<'a>> {
    dropped.note_if(block.cache.is_some(), "cache_control");
    match &block.content {
        Content::Text { text, citations } => {
            dropped.note_if(!citations.is_empty(), "citations");
            (!text.is_empty()).then_some(BlockOut::Text { text: Cow::Borrowed(text.as_str()) })
        }
        Content::Refusal(text) => (!text.is_empty()).then_some(BlockOut::Text { text: Cow::Borrowed(text.as_str()) }),
        Content::Media(media) => medium(media, dropped),
        Content::Native { kind, .. } => {
            dropped.note(format!("content[{kind}]"));
            None
        }
        Content::Reasoning(_) => {
            dropped.note("reasoning");
            None
        }
        Content::ToolCall(_) => {
            dropped.note("tool_calls");
            None
        }
        Content::ToolResult(_) => {
            dropped.note("tool_result");
            None
        }
    }
}

fn medium<'a>(media: &'a Media, dropped: &mut Dropped) -> Option<BlockOut<'a>> {
    let detail = media.detail.as_deref();
    match (&media.source, media.kind) {
        (Source::Text(text), _) => return Some(BlockOut::Text { text: Cow::Borrowed(text.as_str()) }),
        (Source::Url(url), MediaKind::Image) if mime::is_web(url) => {
            return Some(BlockOut::ImageUrl { image_url: ImageOut { url: Cow::Borrowed(url.as_str()), detail } });
        }
        (Source::Base64(data), MediaKind::Image) => {
            let mime = media.mime.as_deref().unwrap_or(mime::usual(media.kind));
            let url = Cow::Owned(mime::data_url(mime, data));
            return Some(BlockOut::ImageUrl { image_url: ImageOut { url, detail } });
        }
        (_, MediaKind::Image) => dropped.note("file_id"),
        (_, MediaKind::Audio) => dropped.note("content[audio]"),
        (_, MediaKind::Video) => dropped.note("content[video]"),
        (_, MediaKind::Document) => dropped.note("content[document]"),
    }
    None
}
