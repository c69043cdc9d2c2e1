//! The six dialects: the seam each fills in, and the list of them.
//!
//! A dialect is a value of functions over the superset form. All functions are pure. One folder each:
//! `ask.rs` (request, both ways), `answer.rs` (whole answer, both ways), `stream.rs` (streamed answer, both ways),
//! `error.rs` (errors, both ways), `tally.rs` (counting a stream that is forwarded untouched) and `mod.rs` with the
//! [`Dialect`] value.

pub mod anthropic;
pub mod bedrock;
pub mod cohere;
pub mod embeddings;
pub mod gemini;
pub mod openai_chat;
pub mod openai_responses;
mod openai_shared;
mod shared;

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Fault, Usage};

pub use shared::words::ToolNames;

use crate::form::{Answer, Ask, Dropped, Event, Issuer, Stop};

/// A wire format by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialectName {
    /// OpenAI Chat Completions; with [`crate::providers::Operation::Embed`], OpenAI embeddings.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini generateContent.
    Gemini,
    /// Bedrock Converse.
    Bedrock,
    /// Cohere v2.
    Cohere,
}

impl DialectName {
    /// Every dialect.
    pub const ALL: [Self; 6] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Bedrock, Self::Cohere];

    /// The name in configuration, metrics and golden files: that of the dialect's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
        }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}

/// The dialect of a name.
#[must_use]
pub fn of(name: DialectName) -> &'static Dialect {
    match name {
        DialectName::OpenAiChat => &openai_chat::DIALECT,
        DialectName::OpenAiResponses => &openai_responses::DIALECT,
        DialectName::Anthropic => &anthropic::DIALECT,
        DialectName::Gemini => &gemini::DIALECT,
        DialectName::Bedrock => &bedrock::DIALECT,
        DialectName::Cohere => &cohere::DIALECT,
    }
}

/// Every dialect, in the order of the documentation.
#[must_use]
pub fn all() -> &'static [&'static Dialect] {
    static ALL: [&Dialect; 6] = [
        &openai_chat::DIALECT,
        &openai_responses::DIALECT,
        &anthropic::DIALECT,
        &gemini::DIALECT,
        &bedrock::DIALECT,
        &cohere::DIALECT,
    ];
    &ALL
}

/// One wire format.
pub struct Dialect {
    /// Its name, in configuration, metrics and golden files: `openai_chat`, `openai_responses`, `anthropic`, `gemini`,
    /// `bedrock`, `cohere`.
    pub name: &'static str,
    /// Reads a request. `ask.model` and `ask.stream` are overwritten by the caller where the path carries them.
    ///
    /// Errors: `InvalidJson`, or `InvalidRequest` with `param` naming the field.
    pub read_ask: fn(&[u8]) -> Result<Ask, Fault>,
    /// Writes a request for an upstream, compact JSON. What it cannot say goes to `Dropped`; only what makes the request
    /// meaningless is an error.
    pub write_ask: fn(&Ask, &Speaker<'_>, &mut Dropped) -> Result<Vec<u8>, Fault>,
    /// Reads a whole answer. Errors: `UpstreamBroken`.
    pub read_answer: fn(&[u8]) -> Result<Answer, Fault>,
    /// Writes a whole answer, compact JSON.
    pub write_answer: fn(&Answer, &Listener) -> Vec<u8>,
    /// A decoder of a streamed answer.
    pub decoder: fn() -> Box<dyn Decode>,
    /// An encoder of a streamed answer.
    pub encoder: fn(&Listener) -> Box<dyn Encode>,
    /// Counts a stream that is forwarded byte for byte.
    pub tally: fn() -> Box<dyn Tally>,
    /// Counts a whole answer that is forwarded byte for byte: usage, stop reason. `None` if it is not an answer.
    pub count: fn(&[u8]) -> Option<Counted>,
    /// Reads an upstream's error body, whatever it is: HTML and nothing at all included.
    pub read_error: fn(u16, &[u8]) -> UpstreamError,
    /// Writes an error body.
    pub write_error: fn(&Fault) -> Vec<u8>,
    /// Content type of a streamed answer.
    pub stream_type: &'static str,
    /// The tool names its upstreams take.
    pub tool_names: ToolNames,
}

/// To whom a request is written: what the writer must know of the target.
#[derive(Clone, Debug)]
pub struct Speaker<'a> {
    /// The provider's name of the model, to be written where the dialect has it in the body.
    pub model: &'a str,
    /// Streamed answer wanted?
    pub stream: bool,
    /// Whose signatures this target understands; all others are dropped.
    pub issuer: Issuer,
    /// Output limit to write where the dialect requires one (Anthropic) and the client named none.
    pub default_output_cap: u64,
    /// How this target takes thinking.
    pub thinking: ThinkingStyle,
    /// Deviations of the target from its dialect.
    pub quirks: Quirks,
}

/// How a model takes thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// Not known: write the dialect's newest form.
    #[default]
    Unknown,
    /// The model does not think: do not write the field at all.
    None,
    /// By effort: OpenAI `reasoning_effort`, Anthropic adaptive + `output_config.effort`, Gemini 3 `thinkingLevel`.
    Effort,
    /// By token budget: older Claude, Gemini 2.5.
    Budget,
}

/// Deviations of a provider from the dialect it speaks. All false = the dialect's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Chat: the output limit is called `max_tokens`, not `max_completion_tokens`.
    pub old_max_tokens: bool,
    /// Chat: knows no `developer` role.
    pub no_developer_role: bool,
    /// Chat: rejects `stream_options`.
    pub no_stream_options: bool,
    /// Chat: `response_format: json_schema` is unknown; write `json_object`.
    pub no_json_schema: bool,
    /// Chat: `tool_choice: required` is called `any` (Mistral).
    pub tool_choice_any: bool,
    /// Chat: tool call ids must be nine letters or digits (Mistral).
    pub short_call_ids: bool,
    /// Chat: the reasoning text of earlier turns must be sent back as `reasoning_content` (DeepSeek, Moonshot, Z.ai).
    pub reasoning_content_back: bool,
    /// Chat: `seed` is called `random_seed` (Mistral).
    pub random_seed: bool,
    /// Gemini on Vertex: function calls and responses carry no `id`.
    pub no_call_ids: bool,
    /// Anthropic on Bedrock or Vertex: structured output is not known; force a tool instead.
    pub no_output_format: bool,
}

/// To whom an answer is written: what the writer must know of the client's request.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The request: the model as the client named it, what was asked for, what some dialects echo.
    pub ask: Arc<Ask>,
    /// The gateway's id of the call, hex without dashes, for ids the dialect needs and the upstream did not give.
    pub id: String,
    /// Unix seconds of the call.
    pub created: u64,
    /// Whose model answers: the issuer of signatures in the answer.
    pub issuer: Issuer,
    /// Input tokens as estimated before the call, for dialects that tell them at the start of a stream.
    pub input_estimate: u64,
}

/// Reads a streamed answer.
pub trait Decode: Send {
    /// Takes bytes, cut anywhere, and appends events in the order `form::Event` promises.
    ///
    /// # Errors
    /// `UpstreamBroken`: malformed frame, oversized line or event.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault>;
    /// The transport ended: closes what may be closed (`Event::End` only if the dialect's terminal event, or what counts
    /// as one, was seen).
    ///
    /// # Errors
    /// `UpstreamBroken` when the stream was cut short.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Fault>;
}

/// Writes a streamed answer. Must cope with any stream that keeps the order `form::Event` promises.
pub trait Encode: Send {
    /// Appends the frames of one event. `Event::Failed` writes the dialect's in-band error and nothing after it.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);
}

/// Counts a stream that is forwarded byte for byte, without building anything.
pub trait Tally: Send {
    /// Takes bytes, cut anywhere. Must be cheap: one pass, no parsing of frames that cannot hold usage or a stop reason.
    fn feed(&mut self, bytes: &Bytes);
    /// What was counted so far.
    fn counted(&self) -> Counted;
}

/// What a tally knows.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// The last usage seen, if any.
    pub usage: Option<Usage>,
    /// Why it ended, if it said.
    pub stop: Option<Stop>,
    /// Was the terminal event seen?
    pub complete: bool,
    /// Bytes of visible output so far, for an estimate where the provider never says.
    pub output_bytes: u64,
    /// Did the stream carry an in-band error?
    pub failed: bool,
}

/// What an upstream's error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// The provider's message, or a sentence of ours when the body held none.
    pub message: String,
    /// The provider's name for it (`overloaded_error`, `RESOURCE_EXHAUSTED`, `ThrottlingException`).
    pub kind: Option<String>,
    /// The provider's code (`context_length_exceeded`).
    pub code: Option<String>,
    /// The field it is about.
    pub param: Option<String>,
}
