//! `GenerateContentResponse`, whole, both ways.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ask::TurnReader;
use super::carry::pack;
use super::grounding::{CitationMetadata, Grounding, GroundingOut, citations};
use super::usage::UsageMetadata;
use super::wire::{Args, BlobOut, CallOut, Content, ContentOut, FileOut, PartOut, Piece};
use super::{NAME, bytes, stop};
use crate::dialects::Listener;
use crate::dialects::shared::mime;
use crate::dialects::shared::place::json;
use crate::form::{self, Answer, Block, Choice, Media, Source, Stop, TokenLogprob};

/// A response, or one frame of a stream, as read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Response<'a> {
    pub(super) candidates: Vec<Candidate>,
    pub(super) prompt_feedback: Option<PromptFeedback>,
    /// Every frame of a stream has it and only the last one counts, so it is read when it is needed.
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model_version: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) response_id: Cow<'a, str>,
    pub(super) error: Option<serde::de::IgnoredAny>,
}

/// One candidate, as read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Candidate {
    pub(super) content: Option<Content>,
    pub(super) finish_reason: Option<String>,
    pub(super) index: u32,
    pub(super) grounding_metadata: Option<Grounding>,
    pub(super) citation_metadata: Option<CitationMetadata>,
    pub(super) logprobs_result: Option<LogprobsResult>,
}

/// Why a prompt was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<String>,
}

/// `logprobsResult`, both ways.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogprobsResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_candidates: Vec<TopCandidates>,
    chosen_candidates: Vec<Token>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct TopCandidates {
    candidates: Vec<Token>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Token {
    token: String,
    log_probability: f64,
}

impl LogprobsResult {
    pub(super) fn into_form(self) -> Vec<TokenLogprob> {
        let mut top = self.top_candidates.into_iter();
        self.chosen_candidates
            .into_iter()
            .map(|chosen| TokenLogprob {
                token: chosen.token,
                logprob: chosen.log_probability,
                top: top
                    .next()
                    .map(|list| list.candidates.into_iter().map(|token| (token.token, token.log_probability)).collect())
                    .unwrap_or_default(),
            })
            .collect()
    }

    pub(super) fn from_form(tokens: &[TokenLogprob]) -> Self {
        let has_top = tokens.iter().any(|chosen| !chosen.top.is_empty());
        let token = |token: &str, log_probability| Token { token: token.to_owned(), log_probability };
        Self {
            top_candidates: tokens
                .iter()
                .filter(|_| has_top)
                .map(|chosen| TopCandidates {
                    candidates: chosen.top.iter().map(|(name, logprob)| token(name, *logprob)).collect(),
                })
                .collect(),
            chosen_candidates: tokens.iter().map(|chosen| token(&chosen.token, chosen.logprob)).collect(),
        }
    }
}

/// Reads a whole answer.
///
/// # Errors
/// `UpstreamBroken`.
pub(super) fn read(body: &[u8]) -> Result<Answer, Fault> {
    let response: Response<'_> =
        json(body).map_err(|_| Fault::new(Code::UpstreamBroken, "the provider's answer is not a Gemini response"))?;
    if response.candidates.is_empty() && response.prompt_feedback.is_none() && response.usage_metadata.is_none() {
        return Err(Fault::new(Code::UpstreamBroken, "the provider's answer holds no candidates"));
    }
    let mut answer = Answer {
        id: response.response_id.into_owned(),
        model: response.model_version.into_owned(),
        usage: response.usage_metadata.and_then(|raw| UsageMetadata::parse(raw.get())).unwrap_or_default(),
        ..Answer::default()
    };
    for (index, candidate) in response.candidates.into_iter().enumerate() {
        let reader = TurnReader::of_answer(&answer.id, index);
        answer.choices.push(choice(candidate, reader)?);
    }
    if answer.choices.is_empty() {
        let blocked = response.prompt_feedback.and_then(|feedback| feedback.block_reason);
        let stop = if blocked.is_some() { Stop::ContentFilter } else { Stop::Error };
        answer.choices.push(Choice { stop, native_stop: blocked, ..Choice::default() });
    }
    Ok(answer)
}

fn choice(candidate: Candidate, mut reader: TurnReader) -> Result<Choice, Fault> {
    let parts = candidate.content.map(|content| content.parts).unwrap_or_default();
    let (mut blocks, origins) = reader
        .blocks(parts, "content", &mut Vec::new())
        .map_err(|fault| Fault::new(Code::UpstreamBroken, fault.message))?;
    let block_of = |part: usize| origins.iter().position(|origin| *origin == part);
    let found = {
        let text_of = |part: usize| match &blocks.get(block_of(part)?)?.content {
            form::Content::Text { text, .. } => Some(text.as_str()),
            _ => None,
        };
        citations(candidate.grounding_metadata.as_ref(), candidate.citation_metadata.as_ref(), &text_of)
    };
    for (part, citation) in found {
        let block = block_of(part).and_then(|index| blocks.get_mut(index));
        if let Some(Block { content: form::Content::Text { citations, .. }, .. }) = block {
            citations.push(citation);
        }
    }
    let has_calls = blocks.iter().any(|block| matches!(block.content, form::Content::ToolCall(_)));
    Ok(Choice {
        stop: candidate.finish_reason.as_deref().map_or(Stop::Error, |word| stop::read(word, has_calls)),
        native_stop: candidate.finish_reason,
        blocks,
        stop_sequence: None,
        logprobs: candidate.logprobs_result.map(LogprobsResult::into_form),
    })
}

/// A response, or one frame of a stream, as written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResponseOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) candidates: Vec<CandidateOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageMetadata>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

/// One candidate, as written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CandidateOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'a str>,
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grounding_metadata: Option<GroundingOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs_result: Option<LogprobsResult>,
}

/// Writes a whole answer.
pub(super) fn write(answer: &Answer, listener: &Listener) -> Vec<u8> {
    let candidates = (0..).zip(&answer.choices).map(|(index, choice)| candidate(index, choice)).collect();
    bytes(&ResponseOut {
        candidates,
        usage_metadata: Some(UsageMetadata::from_usage(&answer.usage)),
        model_version: if answer.model.is_empty() { &listener.ask.model } else { &answer.model },
        response_id: if answer.id.is_empty() { &listener.id } else { &answer.id },
    })
}

fn candidate(index: u32, choice: &Choice) -> CandidateOut<'_> {
    let mut parts = Vec::with_capacity(choice.blocks.len());
    let mut grounding = GroundingOut::default();
    for block in &choice.blocks {
        if let form::Content::Text { text, citations } = &block.content {
            for citation in citations {
                grounding.add(parts.len(), text, citation);
            }
        }
        parts.extend(piece(&block.content));
    }
    CandidateOut {
        content: Some(ContentOut { role: Some("model"), parts }),
        finish_reason: Some(stop::write(choice.stop, choice.native_stop.as_deref())),
        index,
        grounding_metadata: grounding.some(),
        logprobs_result: choice.logprobs.as_deref().map(LogprobsResult::from_form),
    }
}

fn piece(content: &form::Content) -> Option<Piece<'_>> {
    let part = match content {
        form::Content::Text { text, .. } | form::Content::Refusal(text) => PartOut::text(text.as_str()),
        form::Content::Media(media) => picture(media)?,
        form::Content::ToolCall(call) => PartOut {
            function_call: Some(CallOut {
                id: Some(&call.id),
                name: Cow::Borrowed(&call.name),
                args: Args::of(&call.arguments).0,
            }),
            thought_signature: call.signature.as_ref().and_then(|signature| pack(signature, false)),
            ..PartOut::default()
        },
        form::Content::Reasoning(thought) => {
            let signature = thought.signature.as_ref().and_then(|signature| pack(signature, false));
            let signature =
                signature.or_else(|| thought.encrypted.as_ref().and_then(|signature| pack(signature, true)));
            if thought.text.is_empty() && signature.is_none() {
                return None;
            }
            let thought_flag = !thought.text.is_empty();
            PartOut { thought: thought_flag, thought_signature: signature, ..PartOut::text(thought.text.as_str()) }
        }
        form::Content::Native { dialect, raw, .. } if *dialect == NAME => return Some(Piece::Native(&raw.0)),
        form::Content::Native { .. } | form::Content::ToolResult(_) => return None,
    };
    Some(Piece::Part(part))
}

fn picture(media: &Media) -> Option<PartOut<'_>> {
    let mime_type = media.mime.as_deref();
    Some(match &media.source {
        Source::Base64(data) => {
            let mime_type = mime_type.unwrap_or(mime::usual(media.kind));
            PartOut { inline_data: Some(BlobOut { mime_type, data }), ..PartOut::default() }
        }
        Source::Url(file_uri) | Source::File(file_uri) => {
            PartOut { file_data: Some(FileOut { mime_type, file_uri }), ..PartOut::default() }
        }
        Source::Text(text) => PartOut::text(text.as_str()),
    })
}
