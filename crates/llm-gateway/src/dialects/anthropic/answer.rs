//! Whole answers.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::blocks_in::{BlockIn, read_blocks};
use super::blocks_out::{BlockOut, to_client};
use super::content_in::RawContent;
use super::usage::{UsageIn, UsageOut, lost_word, stop_of, word_of};
use crate::dialects::Listener;
use crate::dialects::shared::json_tool::unwrap_blocks;
use crate::dialects::shared::place::read_upstream;
use crate::form::{Answer, Block, Choice, Content, Stop, pack_call_id};

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerIn {
    id: String,
    model: String,
    content: Option<Vec<BlockIn>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: UsageIn,
}

/// Reads a whole answer. A call of the tool that stands in for structured output becomes the text it is.
///
/// # Errors
/// `UpstreamBroken`.
pub(super) fn read_answer(body: &[u8]) -> Result<Answer, Fault> {
    let read: AnswerIn = read_upstream(body)?;
    let broken = |why: &'static str| Fault::new(gatehouse_domain::Code::UpstreamBroken, why);
    let content = read.content.ok_or_else(|| broken("the provider's answer has no content"))?;
    let mut raws = || -> Vec<&RawValue> {
        serde_json::from_slice::<RawContent<'_>>(body).map_or_else(|_| Vec::new(), |raw| raw.content.0)
    };
    let mut blocks = read_blocks(content, &mut raws)
        .map_err(|_| broken("the provider's answer holds a block that is incomplete"))?;
    let stop = unwrap_blocks(&mut blocks, read.stop_reason.as_deref().map_or(Stop::EndTurn, stop_of));
    Ok(Answer {
        id: read.id,
        model: read.model,
        created: 0,
        choices: vec![Choice {
            blocks,
            stop,
            native_stop: read.stop_reason,
            stop_sequence: read.stop_sequence,
            logprobs: None,
        }],
        usage: read.usage.read(),
        service_tier: read.usage.service_tier,
    })
}

#[derive(Serialize)]
struct AnswerOut<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<BlockOut<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    /// Ours: the provider's word for the end, where Anthropic's says less.
    #[serde(skip_serializing_if = "Option::is_none")]
    native_stop_reason: Option<&'a str>,
    usage: UsageOut<'a>,
}

/// Writes a whole answer; of several alternatives the first, as the dialect has no more.
pub(super) fn write_answer(answer: &Answer, listener: &Listener) -> Vec<u8> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let content = choice.blocks.iter().filter(|block| !is_empty_text(block)).filter_map(|block| {
        let id = match &block.content {
            Content::ToolCall(call) => Cow::Owned(pack_call_id(&call.id, call.signature.as_ref())),
            _ => Cow::Borrowed(""),
        };
        to_client(block, id)
    });
    let body = AnswerOut {
        id: message_id(&answer.id, listener),
        kind: "message",
        role: "assistant",
        model: if answer.model.is_empty() { &listener.ask.model } else { &answer.model },
        content: content.collect(),
        stop_reason: word_of(choice.stop),
        stop_sequence: choice.stop_sequence.as_deref(),
        native_stop_reason: lost_word(choice.stop, choice.native_stop.as_deref()),
        usage: UsageOut::new(&answer.usage, answer.service_tier.as_deref()),
    };
    crate::json::to_vec(&body).unwrap_or_default()
}

/// Clients send answers back as history, where Anthropic refuses empty texts.
fn is_empty_text(block: &Block) -> bool {
    matches!(&block.content, Content::Text { text, .. } | Content::Refusal(text) if text.is_empty())
}

/// Anthropic's own id stays; every other answer gets one of the same look.
pub(super) fn message_id<'a>(id: &'a str, listener: &Listener) -> Cow<'a, str> {
    if id.starts_with("msg_") { Cow::Borrowed(id) } else { Cow::Owned(format!("msg_{}", listener.id)) }
}
