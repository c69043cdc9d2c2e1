//! Whole answers.

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};

use super::blocks_in::{BlockIn, collect};
use super::blocks_out::{BlockOut, to_client};
use super::usage::{ExtraFieldsOut, MetricsOut, TierIn, UsageIn, UsageOut, stop_of, word_of};
use crate::dialects::Listener;
use crate::dialects::shared::json_tool::unwrap_blocks;
use crate::dialects::shared::place::read_upstream;
use crate::form::{Answer, Block, Choice, Content};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerIn {
    output: OutputIn,
    stop_reason: String,
    #[serde(default)]
    usage: UsageIn,
    #[serde(default)]
    service_tier: Option<TierIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputIn {
    message: Option<MessageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn {
    content: Vec<BlockIn>,
}

/// Reads a whole answer. A call of the tool that stands in for structured output becomes the text it is. The dialect
/// says neither id nor model.
///
/// # Errors
/// `UpstreamBroken`.
pub(super) fn read_answer(body: &[u8]) -> Result<Answer, Fault> {
    let read: AnswerIn = read_upstream(body)?;
    let message = read
        .output
        .message
        .ok_or_else(|| Fault::new(Code::UpstreamBroken, "the provider's answer holds no message"))?;
    let mut blocks = collect(message.content);
    let stop = unwrap_blocks(&mut blocks, stop_of(&read.stop_reason));
    Ok(Answer {
        choices: vec![Choice { blocks, stop, native_stop: Some(read.stop_reason), ..Choice::default() }],
        usage: read.usage.read().served(read.service_tier.as_ref().and_then(TierIn::word)),
        service_tier: read.service_tier.and_then(|tier| tier.kind),
        ..Answer::default()
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerOut<'a> {
    output: OutputOut<'a>,
    stop_reason: &'static str,
    usage: UsageOut,
    metrics: MetricsOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_fields: Option<ExtraFieldsOut<'a>>,
}

#[derive(Serialize)]
struct OutputOut<'a> {
    message: MessageOut<'a>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
}

/// Writes a whole answer; of several alternatives the first, as the dialect has no more.
pub(super) fn write_answer(answer: &Answer, _: &Listener) -> Vec<u8> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let content = choice.blocks.iter().filter(|block| !is_empty_text(block)).filter_map(to_client).collect();
    let body = AnswerOut {
        output: OutputOut { message: MessageOut { role: "assistant", content } },
        stop_reason: word_of(choice.stop),
        usage: UsageOut::from(&answer.usage),
        metrics: MetricsOut::default(),
        additional_model_response_fields: ExtraFieldsOut::new(choice.stop, choice.native_stop.as_deref()),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Clients send answers back as history, where Bedrock refuses empty texts.
fn is_empty_text(block: &Block) -> bool {
    matches!(&block.content, Content::Text { text, .. } | Content::Refusal(text) if text.is_empty())
}
