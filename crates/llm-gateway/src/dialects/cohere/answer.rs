//! The answer of `/v2/chat`, whole, both ways.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ask;
use super::usage::UsageBody;
use super::wire::{BlockOut, Blocks, CallIn, CallOut};
use super::{bytes, stop};
use crate::dialects::Listener;
use crate::dialects::shared::place::json;
use crate::form::{
    Answer, Block, Choice, Citation, Content, RawJson, Reasoning, Stop, TokenLogprob, ToolCall, pack_call_id,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    id: String,
    finish_reason: Option<String>,
    message: Option<Message>,
    usage: Option<UsageBody>,
    logprobs: Option<Vec<LogprobItem>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    content: Blocks,
    tool_calls: Option<Vec<CallIn>>,
    tool_plan: Option<String>,
    citations: Option<Vec<CitationIn>>,
}

/// Log probabilities of a piece of text, both ways.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct LogprobItem {
    text: String,
    token_ids: Vec<u64>,
    logprobs: Vec<f64>,
}

impl LogprobItem {
    /// One entry per token. Cohere gives the text of the piece as a whole: it goes to the piece's first token.
    pub(super) fn into_form(self) -> impl Iterator<Item = TokenLogprob> {
        let mut text = Some(self.text);
        self.logprobs.into_iter().map(move |logprob| TokenLogprob {
            token: text.take().unwrap_or_default(),
            logprob,
            top: Vec::new(),
        })
    }

    pub(super) fn from_form(token: &TokenLogprob) -> Self {
        Self { text: token.token.clone(), token_ids: Vec::new(), logprobs: vec![token.logprob] }
    }
}

/// A citation, as read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CitationIn {
    start: u64,
    end: u64,
    content_index: Option<usize>,
    sources: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SourceIn {
    document: Option<DocumentIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DocumentIn {
    url: Option<String>,
    title: Option<String>,
    snippet: Option<String>,
}

impl CitationIn {
    /// The content block it is about, and the citation: one source stands for all, the rest stay in `native`.
    pub(super) fn into_form(self) -> (usize, Citation) {
        let sources: Vec<SourceIn> =
            self.sources.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let document = sources.into_iter().find_map(|source| source.document).unwrap_or_default();
        let citation = Citation {
            url: document.url,
            title: document.title,
            quote: document.snippet,
            span: Some((self.start, self.end.max(self.start))),
            native: self.sources.map(RawJson),
        };
        (self.content_index.unwrap_or_default(), citation)
    }
}

/// Reads a whole answer.
///
/// # Errors
/// `UpstreamBroken`.
pub(super) fn read(body: &[u8]) -> Result<Answer, Fault> {
    let response: Response = json(body)
        .map_err(|_| Fault::new(Code::UpstreamBroken, "the provider's answer is not a Cohere chat answer"))?;
    let message =
        response.message.ok_or_else(|| Fault::new(Code::UpstreamBroken, "the provider's answer holds no message"))?;
    let has_calls = message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
    let stop = response.finish_reason.as_deref().map_or(Stop::Error, |word| stop::read(word, has_calls));
    let choice = Choice {
        blocks: message.into_blocks()?,
        stop,
        native_stop: response.finish_reason,
        stop_sequence: None,
        logprobs: response.logprobs.map(|items| items.into_iter().flat_map(LogprobItem::into_form).collect()),
    };
    Ok(Answer {
        id: response.id,
        choices: vec![choice],
        usage: response.usage.map(|usage| usage.to_usage()).unwrap_or_default(),
        ..Answer::default()
    })
}

impl Message {
    fn into_blocks(self) -> Result<Vec<Block>, Fault> {
        let mut blocks: Vec<Block> = self.content.0.into_iter().filter_map(ask::block).collect();
        for (index, citation) in self.citations.into_iter().flatten().map(CitationIn::into_form) {
            if let Some(Block { content: Content::Text { citations, .. }, .. }) = blocks.get_mut(index) {
                citations.push(citation);
            }
        }
        blocks.retain(|block| !matches!(&block.content, Content::Text { text, .. } if text.is_empty()));
        if let Some(plan) = self.tool_plan.filter(|plan| !plan.is_empty()) {
            let thought = Reasoning { text: plan, summary: true, ..Reasoning::default() };
            blocks.push(Block::new(Content::Reasoning(thought)));
        }
        for call in self.tool_calls.into_iter().flatten() {
            if call.id.is_empty() || call.function.name.is_empty() {
                return Err(Fault::new(Code::UpstreamBroken, "the provider sent a tool call without id or name"));
            }
            let arguments = call.function.arguments.filter(|text| !text.is_empty());
            blocks.push(Block::new(Content::ToolCall(ToolCall {
                id: call.id,
                name: call.function.name,
                arguments: arguments.unwrap_or_else(|| "{}".to_owned()),
                signature: None,
            })));
        }
        Ok(blocks)
    }
}

#[derive(Serialize)]
struct ResponseOut<'a> {
    id: &'a str,
    finish_reason: &'static str,
    message: MessageOut<'a>,
    usage: UsageBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<LogprobItem>>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_plan: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<OwnedCall<'a>>,
    content: Vec<BlockOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    citations: Vec<CitationOut<'a>>,
}

/// A call whose id may carry a signature.
struct OwnedCall<'a> {
    id: String,
    call: &'a ToolCall,
}

impl Serialize for OwnedCall<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CallOut::new(&self.id, Cow::Borrowed(&self.call.name), &self.call.arguments).serialize(serializer)
    }
}

/// A citation, as written.
#[derive(Serialize)]
pub(super) struct CitationOut<'a> {
    start: u64,
    end: u64,
    text: Cow<'a, str>,
    sources: [SourceOut<'a>; 1],
    content_index: usize,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct SourceOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    document: DocumentOut<'a>,
}

#[derive(Serialize)]
struct DocumentOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<&'a str>,
}

impl<'a> CitationOut<'a> {
    /// A citation of the text of one content block; `None` where it has no place in the text.
    pub(super) fn new(content_index: usize, text: &str, citation: &'a Citation) -> Option<Self> {
        let (start, end) = citation.span?;
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let cited: String = text.chars().skip(usize::try_from(start).unwrap_or(usize::MAX)).take(length).collect();
        let document = DocumentOut {
            url: citation.url.as_deref(),
            title: citation.title.as_deref(),
            snippet: citation.quote.as_deref(),
        };
        let id = citation.url.as_deref().or(citation.title.as_deref()).unwrap_or("source");
        let sources = [SourceOut { kind: "document", id, document }];
        Some(Self { start, end, text: Cow::Owned(cited), sources, content_index, kind: "TEXT_CONTENT" })
    }
}

/// Writes a whole answer. Cohere knows one alternative only: the first.
pub(super) fn write(answer: &Answer, listener: &Listener) -> Vec<u8> {
    let nothing = Choice::default();
    let choice = answer.choices.first().unwrap_or(&nothing);
    bytes(&ResponseOut {
        id: if answer.id.is_empty() { &listener.id } else { &answer.id },
        finish_reason: stop::write(choice.stop),
        message: message(choice, !listener.ask.tools.is_empty()),
        usage: UsageBody::from_usage(&answer.usage),
        logprobs: choice.logprobs.as_ref().map(|tokens| tokens.iter().map(LogprobItem::from_form).collect()),
    })
}

fn message(choice: &Choice, has_tools: bool) -> MessageOut<'_> {
    let mut out = MessageOut {
        role: "assistant",
        tool_plan: None,
        tool_calls: Vec::new(),
        content: Vec::new(),
        citations: Vec::new(),
    };
    for block in &choice.blocks {
        match &block.content {
            Content::Text { text, citations } => {
                let index = out.content.len();
                out.citations.extend(citations.iter().filter_map(|citation| CitationOut::new(index, text, citation)));
                out.content.push(BlockOut::Text { text: Cow::Borrowed(text) });
            }
            Content::Refusal(text) => out.content.push(BlockOut::Text { text: Cow::Borrowed(text) }),
            Content::Reasoning(thought) if thought.text.is_empty() => {}
            // A summary before calls is what Cohere calls the plan.
            Content::Reasoning(thought) if thought.summary && has_tools => {
                let plan = out.tool_plan.get_or_insert_default();
                if !plan.is_empty() {
                    plan.push('\n');
                }
                plan.push_str(&thought.text);
            }
            Content::Reasoning(thought) => out.content.push(BlockOut::Thinking { thinking: &thought.text }),
            Content::ToolCall(call) => {
                let id = pack_call_id(&call.id, call.signature.as_ref());
                out.tool_calls.push(OwnedCall { id, call });
            }
            Content::Media(_) | Content::ToolResult(_) | Content::Native { .. } => {}
        }
    }
    out
}
