//! Whole answers, both ways.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::{Deserialize, Serialize};

use super::details::DetailOut;
use super::message::Message;
use crate::dialects::Listener;
use crate::dialects::openai_shared::details::{ChatUsage, UsageIn};
use crate::dialects::openai_shared::error::in_stream;
use crate::dialects::openai_shared::wire::{
    LogprobIn, LogprobOut, MANY_MAX, broken, json_into, logprobs_in, logprobs_out, seconds, service_tier,
};
use crate::dialects::shared::mime::{data_url, usual};
use crate::dialects::shared::place::json;
use crate::dialects::shared::refusal::ErrorIn;
use crate::form::{Answer, Choice, Citation, Content, Media, MediaKind, Source, Stop, ToolCall, pack_call_id};

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerIn<'a> {
    id: Option<String>,
    model: Option<String>,
    created: Option<f64>,
    #[serde(borrow)]
    choices: Option<Vec<ChoiceIn<'a>>>,
    usage: Option<UsageIn>,
    service_tier: Option<String>,
    error: Option<ErrorIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    finish_reason: Option<String>,
    native_finish_reason: Option<String>,
    logprobs: Option<LogprobsIn>,
}

/// `logprobs` of a choice.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LogprobsIn {
    pub(super) content: Option<Vec<LogprobIn>>,
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Answer, Fault> {
    let wire: AnswerIn<'_> = json(body).map_err(broken)?;
    let Some(choices) = wire.choices.filter(|choices| !choices.is_empty() && choices.len() <= MANY_MAX) else {
        return Err(wire.error.map_or_else(|| broken("it has no choices"), in_stream));
    };
    Ok(Answer {
        id: wire.id.unwrap_or_default(),
        model: wire.model.unwrap_or_default(),
        created: seconds(wire.created),
        choices: choices.into_iter().map(choice).collect::<Result<_, _>>()?,
        usage: wire.usage.map(|usage| usage.usage().served(wire.service_tier.as_deref())).unwrap_or_default(),
        service_tier: wire.service_tier,
    })
}

fn choice(wire: ChoiceIn<'_>) -> Result<Choice, Fault> {
    let blocks = wire.message.assistant_blocks().map_err(|fault| broken(fault.message))?;
    let stop = stop_of(
        wire.finish_reason.as_deref(),
        blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_))),
        blocks.iter().any(|block| matches!(block.content, Content::Refusal(_))),
    );
    Ok(Choice {
        blocks,
        stop,
        native_stop: wire.native_finish_reason.or(wire.finish_reason),
        stop_sequence: None,
        logprobs: wire.logprobs.and_then(|logprobs| logprobs.content).map(logprobs_in),
    })
}

/// Why an answer ended. Calls decide where providers disagree; a cut is a cut even in the middle of a call.
pub(super) fn stop_of(word: Option<&str>, calls: bool, refused: bool) -> Stop {
    match word {
        Some("length" | "max_tokens") => Stop::MaxTokens,
        Some("content_filter") => Stop::ContentFilter,
        Some("model_length") => Stop::ContextWindow,
        Some("error" | "insufficient_system_resource") => Stop::Error,
        // Gemini's Chat surface: `function_call_filter: MALFORMED_FUNCTION_CALL`.
        Some(word) if says(word, "malformed") => Stop::Malformed,
        _ if calls => Stop::ToolUse,
        Some("tool_calls" | "function_call") => Stop::ToolUse,
        _ if refused => Stop::Refusal,
        _ => Stop::EndTurn,
    }
}

/// Is `part`, in any case, in it?
fn says(word: &str, part: &str) -> bool {
    word.as_bytes().windows(part.len()).any(|letters| letters.eq_ignore_ascii_case(part.as_bytes()))
}

/// OpenAI's word for it. A refusal in the model's own words is a normal stop with `refusal` set, as OpenAI has it.
pub(super) const fn finish_reason(stop: Stop, refused: bool) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::StopSequence => "stop",
        Stop::Refusal if refused => "stop",
        // The nearest word for an answer that is not whole; `native_finish_reason` says why.
        Stop::MaxTokens | Stop::ContextWindow | Stop::Pause | Stop::Malformed | Stop::Error => "length",
        Stop::ToolUse => "tool_calls",
        Stop::Refusal | Stop::ContentFilter => "content_filter",
    }
}

#[derive(Serialize)]
struct AnswerOut<'a> {
    id: Cow<'a, str>,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ChatUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: usize,
    message: MessageOut<'a>,
    logprobs: Option<LogprobsOut<'a>>,
    finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

/// `logprobs` of a choice, to be written.
#[derive(Serialize)]
pub(super) struct LogprobsOut<'a> {
    pub(super) content: Vec<LogprobOut<'a>>,
    pub(super) refusal: Option<()>,
}

#[derive(Default, Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<DetailOut<'a>>,
    annotations: Vec<AnnotationOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<AudioOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
}

#[derive(Serialize)]
struct ImageOut {
    r#type: &'static str,
    image_url: ImageUrlOut,
}

#[derive(Serialize)]
struct ImageUrlOut {
    url: String,
}

#[derive(Serialize)]
struct AudioOut<'a> {
    id: String,
    data: &'a str,
    expires_at: u64,
    transcript: &'static str,
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: String,
    r#type: &'static str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// A source cited, to be written. Chat knows only those on the web.
#[derive(Serialize)]
pub(super) struct AnnotationOut<'a> {
    r#type: &'static str,
    url_citation: UrlCitationOut<'a>,
}

#[derive(Serialize)]
struct UrlCitationOut<'a> {
    start_index: u64,
    end_index: u64,
    url: &'a str,
    title: &'a str,
}

impl<'a> AnnotationOut<'a> {
    /// The annotation of a citation that has an address.
    pub(super) fn of(citation: &'a Citation) -> Option<Self> {
        let (start_index, end_index) = citation.span.unwrap_or_default();
        let url = citation.url.as_deref()?;
        let title = citation.title.as_deref().unwrap_or(url);
        Some(Self { r#type: "url_citation", url_citation: UrlCitationOut { start_index, end_index, url, title } })
    }
}

/// Writes an answer.
pub(super) fn write(answer: &Answer, listener: &Listener) -> Vec<u8> {
    let wire = AnswerOut {
        id: answer_id(&answer.id, listener),
        object: "chat.completion",
        created: if answer.created == 0 { listener.created } else { answer.created },
        model: model_name(&answer.model, listener),
        choices: answer.choices.iter().enumerate().map(|(at, choice)| choice_out(at, choice, listener)).collect(),
        usage: (!answer.usage.is_empty()).then(|| (&answer.usage).into()),
        service_tier: answer.service_tier.as_deref().and_then(service_tier),
    };
    let mut out = Vec::with_capacity(1024);
    json_into(&mut out, &wire);
    out
}

/// The provider's id where it is one of this dialect, else one made of the call's.
pub(super) fn answer_id<'a>(given: &'a str, listener: &Listener) -> Cow<'a, str> {
    if given.starts_with("chatcmpl") { Cow::Borrowed(given) } else { Cow::Owned(format!("chatcmpl-{}", listener.id)) }
}

/// The model as the client named it; the provider's word where the client named none.
pub(super) fn model_name<'a>(given: &'a str, listener: &'a Listener) -> &'a str {
    if listener.ask.model.is_empty() { given } else { &listener.ask.model }
}

fn choice_out<'a>(index: usize, choice: &'a Choice, listener: &Listener) -> ChoiceOut<'a> {
    let mut message = MessageOut { role: "assistant", ..MessageOut::default() };
    let mut details = 0;
    for block in &choice.blocks {
        match &block.content {
            Content::Text { text, citations } => {
                message.content.get_or_insert_default().push_str(text);
                message.annotations.extend(citations.iter().filter_map(AnnotationOut::of));
            }
            Content::Refusal(text) => message.refusal = Some(text),
            Content::ToolCall(call) => message.tool_calls.push(call_out(call)),
            Content::Reasoning(thought) => {
                if !thought.text.is_empty() {
                    message.reasoning_content.get_or_insert_default().push_str(&thought.text);
                }
                if let Some(signature) = &thought.signature {
                    message.reasoning_details.push(DetailOut::signed(Some(&thought.text), signature, details));
                    details += 1;
                }
                if let Some(data) = &thought.encrypted {
                    message.reasoning_details.push(DetailOut::encrypted(data, details));
                    details += 1;
                }
            }
            Content::Media(media) => media_out(media, &mut message, listener),
            Content::ToolResult(_) | Content::Native { .. } => {}
        }
    }
    let finish_reason = finish_reason(choice.stop, message.refusal.is_some());
    ChoiceOut {
        index,
        message,
        logprobs: choice.logprobs.as_deref().map(|tokens| LogprobsOut { content: logprobs_out(tokens), refusal: None }),
        finish_reason,
        native_finish_reason: choice.native_stop.as_deref().filter(|native| *native != finish_reason),
    }
}

fn call_out(call: &ToolCall) -> CallOut<'_> {
    CallOut {
        id: pack_call_id(&call.id, call.signature.as_ref()),
        r#type: "function",
        function: FunctionOut { name: &call.name, arguments: &call.arguments },
    }
}

/// Pictures go to `images`, where several providers and clients look; a sound to `audio`.
fn media_out<'a>(media: &'a Media, message: &mut MessageOut<'a>, listener: &Listener) {
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64(data)) => {
            let url = data_url(media.mime.as_deref().unwrap_or(usual(MediaKind::Image)), data);
            message.images.push(ImageOut { r#type: "image_url", image_url: ImageUrlOut { url } });
        }
        (MediaKind::Image, Source::Url(url)) => {
            message.images.push(ImageOut { r#type: "image_url", image_url: ImageUrlOut { url: url.clone() } });
        }
        (MediaKind::Audio, Source::Base64(data)) => {
            message.audio = Some(AudioOut {
                id: format!("audio_{}", listener.id),
                data,
                expires_at: listener.created,
                transcript: "",
            });
        }
        _ => {}
    }
}
