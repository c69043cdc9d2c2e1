//! Writes a Messages stream.

use std::borrow::Cow;
use std::sync::Arc;

use gatehouse_domain::Usage;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::answer::message_id;
use super::super::blocks_out::{CitationOut, own_citation, web};
use super::super::error::ErrorOut;
use super::super::usage::{UsageOut, lost_word, word_of};
use crate::dialects::shared::carried;
use crate::dialects::shared::compact::one_line;
use crate::dialects::{Encode, Listener};
use crate::form::{Ask, Delta, Event, Issuer, Open, Signature, Stop, pack_call_id};

/// A writer of a Messages stream.
pub(super) struct Encoder {
    listener: Listener,
    message: Option<(String, String)>,
    usage: Option<Usage>,
    block: BlockState,
    index: u64,
    stop: Option<StopState>,
    over: bool,
}

/// A block is written when its first piece comes: before, the kind of a thought is not known, and an empty block would
/// come back to Anthropic as history it refuses.
enum BlockState {
    None,
    Open {
        kind: BlockKind,
        written: bool,
    },
    /// Nothing of this block can be said in this dialect.
    Skipped,
}

enum BlockKind {
    Text,
    Thought { id: Option<String> },
    Whole,
}

struct StopState {
    stop: Stop,
    native: Option<String>,
    sequence: Option<String>,
}

impl Encoder {
    pub(super) fn new(listener: &Listener) -> Self {
        // The encoder needs the names and ids only; the conversation is not kept for the length of the stream.
        let ask = Ask { model: listener.ask.model.clone(), ..Ask::default() };
        Self {
            listener: Listener { ask: Arc::new(ask), ..listener.clone() },
            message: None,
            usage: None,
            block: BlockState::None,
            index: 0,
            stop: None,
            over: false,
        }
    }

    /// Writes `message_start`, which waits for the event after it: with luck that is the true usage.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let Some((id, model)) = self.message.take() else { return };
        let usage = self.usage.unwrap_or(Usage { input: self.listener.input_estimate, ..Usage::default() });
        let message = MessageOut {
            id: message_id(&id, &self.listener),
            kind: "message",
            role: "assistant",
            model: if model.is_empty() { &self.listener.ask.model } else { &model },
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: UsageOut::new(&usage, None),
        };
        write(out, &EventOut::MessageStart { message });
    }

    fn open(&mut self, open: &Open, out: &mut Vec<u8>) {
        let block = match open {
            Open::Text | Open::Refusal => {
                self.block = BlockState::Open { kind: BlockKind::Text, written: false };
                return;
            }
            Open::Reasoning { id, .. } => {
                self.block = BlockState::Open { kind: BlockKind::Thought { id: id.clone() }, written: false };
                return;
            }
            Open::ToolCall { id, name, signature } => {
                BlockOut::ToolUse { id: Cow::Owned(pack_call_id(id, signature.as_ref())), name, input: Empty {} }
            }
            Open::Native { dialect, raw, .. } if *dialect == NAME => BlockOut::Native(&raw.0),
            Open::Native { .. } => {
                self.block = BlockState::Skipped;
                return;
            }
        };
        let is_call = matches!(block, BlockOut::ToolUse { .. });
        write(out, &EventOut::ContentBlockStart { index: self.index, content_block: block });
        if is_call {
            // As Anthropic does: a client that waits for a first piece has it, also where no arguments come.
            let delta = DeltaOut::InputJson { partial_json: "" };
            write(out, &EventOut::ContentBlockDelta { index: self.index, delta });
        }
        self.block = BlockState::Open { kind: BlockKind::Whole, written: true };
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let BlockState::Open { kind, written } = &mut self.block else { return };
        let index = self.index;
        let (start, delta) = match (&*kind, delta) {
            (BlockKind::Thought { .. }, Delta::Encrypted(Signature { issuer: Issuer::Anthropic, value })) => {
                (BlockOut::RedactedThinking { data: value }, None)
            }
            (kind, delta) => {
                let Some(delta) = delta_out(delta, kind) else { return };
                let start = match kind {
                    BlockKind::Thought { .. } => BlockOut::Thinking { thinking: "", signature: "" },
                    BlockKind::Text | BlockKind::Whole => BlockOut::Text { text: "" },
                };
                (start, Some(delta))
            }
        };
        if !std::mem::replace(written, true) {
            write(out, &EventOut::ContentBlockStart { index, content_block: start });
        }
        if let Some(delta) = delta {
            write(out, &EventOut::ContentBlockDelta { index, delta });
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if matches!(std::mem::replace(&mut self.block, BlockState::None), BlockState::Open { written: true, .. }) {
            write(out, &EventOut::ContentBlockStop { index: self.index });
            self.index += 1;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let ended = self.stop.take();
        let stop = ended.as_ref().map_or(Stop::EndTurn, |ended| ended.stop);
        let delta = MessageDelta {
            stop_reason: word_of(stop),
            stop_sequence: ended.as_ref().and_then(|ended| ended.sequence.as_deref()),
            native_stop_reason: lost_word(stop, ended.as_ref().and_then(|ended| ended.native.as_deref())),
        };
        let usage = self.usage.unwrap_or(Usage { input: self.listener.input_estimate, ..Usage::default() });
        write(out, &EventOut::MessageDelta { delta, usage: UsageOut::new(&usage, None) });
        write(out, &EventOut::MessageStop);
        self.over = true;
    }
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if !matches!(event, Event::Start { .. } | Event::Usage(_)) {
            self.begin(out);
        }
        match event {
            Event::Start { id, model, .. } => self.message = Some((id.clone(), model.clone())),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Open { choice: 0, block } => self.open(block, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::Close { choice: 0 } => self.close(out),
            Event::Stop { choice: 0, stop, native, sequence } => {
                self.stop = Some(StopState { stop: *stop, native: native.clone(), sequence: sequence.clone() });
            }
            Event::Ping => write(out, &EventOut::Ping),
            Event::End => self.end(out),
            Event::Failed(fault) => {
                write(out, &EventOut::Error { error: ErrorOut::new(fault) });
                self.over = true;
            }
            // The dialect has one alternative.
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } | Event::Stop { .. } => {}
        }
    }
}

/// A delta of this kind of block on the wire.
fn delta_out<'a>(delta: &'a Delta, kind: &BlockKind) -> Option<DeltaOut<'a>> {
    Some(match (delta, kind) {
        (Delta::Text(text), _) if text.is_empty() => return None,
        (Delta::Text(thinking), BlockKind::Thought { .. }) => DeltaOut::Thinking { thinking },
        (Delta::Text(text), _) => DeltaOut::Text { text },
        (Delta::Arguments(partial_json), _) => DeltaOut::InputJson { partial_json },
        (Delta::Signature(signature), BlockKind::Thought { id }) => {
            DeltaOut::Signature { signature: carried::block_signature(signature, false, id.as_deref()) }
        }
        (Delta::Encrypted(signature), BlockKind::Thought { id }) => {
            DeltaOut::Signature { signature: carried::block_signature(signature, true, id.as_deref()) }
        }
        (Delta::Citation(citation), _) => {
            DeltaOut::Citations { citation: own_citation(citation).or_else(|| web(citation))? }
        }
        (Delta::Signature(_) | Delta::Encrypted(_) | Delta::Logprobs(_), _) => return None,
    })
}

/// Appends one server-sent event, named by its own type.
fn write(out: &mut Vec<u8>, event: &EventOut<'_>) {
    let start = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.name().as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let data = out.len();
    match crate::json::append(out, event) {
        Ok(()) => {
            one_line(out, data);
            out.extend_from_slice(b"\n\n");
        }
        Err(_) => out.truncate(start),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum EventOut<'a> {
    MessageStart { message: MessageOut<'a> },
    ContentBlockStart { index: u64, content_block: BlockOut<'a> },
    ContentBlockDelta { index: u64, delta: DeltaOut<'a> },
    ContentBlockStop { index: u64 },
    MessageDelta { delta: MessageDelta<'a>, usage: UsageOut<'a> },
    MessageStop,
    Ping,
    Error { error: ErrorOut<'a> },
}

impl EventOut<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
            Self::Error { .. } => "error",
        }
    }
}

#[derive(Serialize)]
struct MessageOut<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: UsageOut<'a>,
}

#[derive(Serialize)]
struct MessageDelta<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_stop_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockOut<'a> {
    Text {
        text: &'static str,
    },
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Empty,
    },
    #[serde(untagged)]
    Native(&'a RawValue),
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum DeltaOut<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: Cow<'a, str> },
    #[serde(rename = "citations_delta")]
    Citations { citation: CitationOut<'a> },
}
