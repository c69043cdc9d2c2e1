//! Writes a ConverseStream.

use std::borrow::Cow;

use gatehouse_domain::Usage;
use serde::Serialize;

use super::super::NAME;
use super::super::blocks_out::{CitationOut, own_citation, web};
use super::super::error::{stream_exception_name, write_error};
use super::super::frames::{write_event, write_exception};
use super::super::usage::{ExtraFieldsOut, MetricsOut, UsageOut, word_of};
use crate::dialects::Encode;
use crate::dialects::shared::carried;
use crate::form::{Delta, Event, Issuer, Open, Signature, Stop, pack_call_id};

/// A writer of a ConverseStream.
#[derive(Default)]
pub(super) struct Encoder {
    started: bool,
    index: u64,
    block: Option<BlockState>,
    usage: Usage,
    stop: Option<(Stop, Option<String>)>,
    over: bool,
}

struct BlockState {
    kind: BlockKind,
    /// Something of it was written, so that it has to be closed.
    written: bool,
}

enum BlockKind {
    Text,
    Thought {
        id: Option<String>,
    },
    /// A call; clients parse the pieces of its arguments, so there has to be one.
    ToolCall {
        empty: bool,
    },
    /// Nothing of it can be said in this dialect.
    Skipped,
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { .. } => self.start(out),
            Event::Usage(usage) => self.usage = *usage,
            Event::Open { choice: 0, block } => self.open(block, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::Close { choice: 0 } => self.close(out),
            Event::Stop { choice: 0, stop, native, .. } => self.stop = Some((*stop, native.clone())),
            Event::End => self.end(out),
            Event::Failed(fault) => {
                write_exception(out, stream_exception_name(fault), write_error(fault));
                self.over = true;
            }
            // The dialect has one alternative and no sign of life.
            Event::Ping | Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } | Event::Stop { .. } => {}
        }
    }
}

impl Encoder {
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            write_event(out, "messageStart", &RoleOut { role: "assistant" });
        }
    }

    fn open(&mut self, open: &Open, out: &mut Vec<u8>) {
        let index = self.index;
        self.block = Some(match open {
            Open::Text | Open::Refusal => BlockState { kind: BlockKind::Text, written: false },
            Open::Reasoning { id, .. } => BlockState { kind: BlockKind::Thought { id: id.clone() }, written: false },
            Open::ToolCall { id, name, signature } => {
                let tool_use = ToolStartOut { tool_use_id: pack_call_id(id, signature.as_ref()), name };
                write_event(out, "contentBlockStart", &StartOut { start: BlockStartOut { tool_use }, index });
                BlockState { kind: BlockKind::ToolCall { empty: true }, written: true }
            }
            Open::Native { dialect, raw, .. } if *dialect == NAME => {
                write_event(out, "contentBlockStart", &NativeStartOut { start: &raw.0, index });
                BlockState { kind: BlockKind::Skipped, written: true }
            }
            Open::Native { .. } => BlockState { kind: BlockKind::Skipped, written: false },
        });
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let Some(block) = &mut self.block else { return };
        let Some(delta) = delta_out(delta, &block.kind) else { return };
        block.written = true;
        if let BlockKind::ToolCall { empty } = &mut block.kind {
            *empty = false;
        }
        write_event(out, "contentBlockDelta", &DeltaEventOut { delta, index: self.index });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.block.take().filter(|block| block.written) else { return };
        if matches!(block.kind, BlockKind::ToolCall { empty: true }) {
            let delta = DeltaOut::ToolUse { input: "{}" };
            write_event(out, "contentBlockDelta", &DeltaEventOut { delta, index: self.index });
        }
        write_event(out, "contentBlockStop", &IndexOut { index: self.index });
        self.index += 1;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let (stop, native) = self.stop.take().unwrap_or_default();
        let fields = ExtraFieldsOut::new(stop, native.as_deref());
        write_event(out, "messageStop", &StopOut { stop_reason: word_of(stop), fields });
        let metadata = MetadataOut { usage: UsageOut::from(&self.usage), metrics: MetricsOut::default() };
        write_event(out, "metadata", &metadata);
        self.over = true;
    }
}

/// A delta of this kind of block on the wire.
fn delta_out<'a>(delta: &'a Delta, kind: &BlockKind) -> Option<DeltaOut<'a>> {
    Some(match (delta, kind) {
        (_, BlockKind::Skipped) => return None,
        (Delta::Text(text), _) if text.is_empty() => return None,
        (Delta::Text(text), BlockKind::Thought { .. }) => DeltaOut::ReasoningContent(ThoughtOut::Text(text)),
        (Delta::Text(text), _) => DeltaOut::Text(text),
        (Delta::Arguments(input), BlockKind::ToolCall { .. }) => DeltaOut::ToolUse { input },
        (Delta::Encrypted(Signature { issuer: Issuer::Anthropic, value }), BlockKind::Thought { .. }) => {
            DeltaOut::ReasoningContent(ThoughtOut::RedactedContent(value))
        }
        (Delta::Signature(signature), BlockKind::Thought { id }) => signed(signature, false, id.as_deref()),
        (Delta::Encrypted(signature), BlockKind::Thought { id }) => signed(signature, true, id.as_deref()),
        (Delta::Citation(citation), BlockKind::Text) => {
            DeltaOut::Citation(own_citation(citation).or_else(|| web(citation))?)
        }
        _ => return None,
    })
}

fn signed<'a>(signature: &'a Signature, encrypted: bool, id: Option<&str>) -> DeltaOut<'a> {
    DeltaOut::ReasoningContent(ThoughtOut::Signature(carried::block_signature(signature, encrypted, id)))
}

#[derive(Serialize)]
struct RoleOut {
    role: &'static str,
}

#[derive(Serialize)]
struct StartOut<'a> {
    start: BlockStartOut<'a>,
    #[serde(rename = "contentBlockIndex")]
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockStartOut<'a> {
    tool_use: ToolStartOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolStartOut<'a> {
    tool_use_id: String,
    name: &'a str,
}

#[derive(Serialize)]
struct NativeStartOut<'a> {
    start: &'a serde_json::value::RawValue,
    #[serde(rename = "contentBlockIndex")]
    index: u64,
}

#[derive(Serialize)]
struct DeltaEventOut<'a> {
    delta: DeltaOut<'a>,
    #[serde(rename = "contentBlockIndex")]
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum DeltaOut<'a> {
    Text(&'a str),
    ToolUse { input: &'a str },
    ReasoningContent(ThoughtOut<'a>),
    Citation(CitationOut<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ThoughtOut<'a> {
    Text(&'a str),
    Signature(Cow<'a, str>),
    RedactedContent(&'a str),
}

#[derive(Serialize)]
struct IndexOut {
    #[serde(rename = "contentBlockIndex")]
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StopOut<'a> {
    stop_reason: &'static str,
    #[serde(rename = "additionalModelResponseFields", skip_serializing_if = "Option::is_none")]
    fields: Option<ExtraFieldsOut<'a>>,
}

#[derive(Serialize)]
struct MetadataOut {
    usage: UsageOut,
    metrics: MetricsOut,
}
