//! Reads a ConverseStream.

use gatehouse_domain::{Code, Fault};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_in::citation;
use super::super::error::fault_of;
use super::super::frames::{Frame, Frames};
use super::super::usage::{TierIn, UsageIn, stop_of};
use crate::dialects::Decode;
use crate::dialects::shared::json_tool::{JSON_TOOL, settled};
use crate::dialects::shared::place::read_upstream;
use crate::form::{Delta, Event, Issuer, Open, RawJson, Signature};

/// A reader of a ConverseStream.
#[derive(Default)]
pub(super) struct Decoder {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    open: Option<(u64, BlockKind)>,
    calls: bool,
    unwrapped: bool,
    stopped: bool,
    /// The last event, or an exception in its place, was seen: nothing more is read.
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Text,
    Reasoning,
    ToolCall,
    /// Arguments are the text of a structured answer.
    Json,
    /// A block of Bedrock's own, already whole; its deltas have no place in the form.
    Native,
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.frame(frame, out))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.over {
            return Ok(());
        }
        if self.state.stopped && !self.frames.is_mid_frame() {
            self.state.over = true;
            out.push(Event::End);
            return Ok(());
        }
        Err(broken("it ended before the answer did"))
    }
}

impl State {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.over {
            return Ok(());
        }
        if frame.exception {
            out.push(Event::Failed(fault_of(frame.name, frame.payload)));
            self.over = true;
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start { id: String::new(), model: String::new(), created: 0 });
        }
        if self.stopped && matches!(frame.name, "contentBlockStart" | "contentBlockDelta") {
            return Err(broken("a block comes after the answer's end"));
        }
        match frame.name {
            "contentBlockStart" => self.start(read_upstream(frame.payload)?, out),
            "contentBlockDelta" => self.delta(read_upstream(frame.payload)?, out),
            "contentBlockStop" => self.close(out),
            "messageStop" => self.stop(read_upstream(frame.payload)?, out),
            "metadata" => {
                let metadata: MetadataIn = read_upstream(frame.payload)?;
                if let Some(usage) = metadata.usage {
                    let tier = metadata.service_tier.as_ref().and_then(TierIn::word);
                    out.push(Event::Usage(usage.read().served(tier)));
                }
                if self.stopped {
                    out.push(Event::End);
                    self.over = true;
                }
            }
            // `messageStart` says the role only; events that come to the dialect later are none of ours.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, event: StartIn, out: &mut Vec<Event>) {
        self.close(out);
        let raw = event.start;
        let read: BlockStartIn = serde_json::from_str(raw.get()).unwrap_or_default();
        let (block, kind) = match read.tool_use {
            Some(tool) if tool.kind.is_none() && tool.name == JSON_TOOL => {
                self.unwrapped = true;
                (Open::Text, BlockKind::Json)
            }
            Some(tool) if tool.kind.is_none() && !tool.name.is_empty() && !tool.tool_use_id.is_empty() => {
                self.calls = true;
                (Open::ToolCall { id: tool.tool_use_id, name: tool.name, signature: None }, BlockKind::ToolCall)
            }
            Some(tool) => {
                let kind = tool.kind.unwrap_or_else(|| "toolUse".to_owned());
                (Open::Native { dialect: NAME, kind, raw: RawJson(raw) }, BlockKind::Native)
            }
            // Announced without a kind: the first delta will say.
            None if raw.get() == "{}" => return,
            None => {
                let kind = first_key(&raw).unwrap_or_else(|| "block".to_owned());
                (Open::Native { dialect: NAME, kind, raw: RawJson(raw) }, BlockKind::Native)
            }
        };
        out.push(Event::Open { choice: 0, block });
        self.open = Some((event.content_block_index, kind));
    }

    fn delta(&mut self, event: DeltaEventIn, out: &mut Vec<Event>) {
        let index = event.content_block_index;
        let open = self.open.filter(|(open, _)| *open == index).map(|(_, kind)| kind);
        let delta = event.delta;
        if open == Some(BlockKind::Native) {
            return;
        }
        if let Some(tool) = delta.tool_use {
            let delta = match open {
                Some(BlockKind::ToolCall) => Delta::Arguments(tool.input),
                Some(BlockKind::Json) => Delta::Text(tool.input),
                _ => return,
            };
            push_delta(delta, out);
            return;
        }
        if let Some(thought) = delta.reasoning_content {
            self.ensure(index, BlockKind::Reasoning, out);
            let signed = |value| Signature { issuer: Issuer::Anthropic, value };
            push_delta(Delta::Text(thought.text.unwrap_or_default()), out);
            if let Some(value) = thought.signature {
                push_delta(Delta::Signature(signed(value)), out);
            }
            if let Some(value) = thought.redacted_content {
                push_delta(Delta::Encrypted(signed(value)), out);
            }
            return;
        }
        if let Some(text) = delta.text {
            self.ensure(index, BlockKind::Text, out);
            push_delta(Delta::Text(text), out);
        }
        if let Some(raw) = delta.citation {
            self.ensure(index, BlockKind::Text, out);
            push_delta(Delta::Citation(citation(raw)), out);
        }
    }

    /// Opens a block of this kind unless it is open: text and thoughts do not announce themselves.
    fn ensure(&mut self, index: u64, kind: BlockKind, out: &mut Vec<Event>) {
        if self.open == Some((index, kind)) {
            return;
        }
        self.close(out);
        let block = match kind {
            BlockKind::Reasoning => Open::Reasoning { summary: false, id: None },
            _ => Open::Text,
        };
        out.push(Event::Open { choice: 0, block });
        self.open = Some((index, kind));
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::Close { choice: 0 });
        }
    }

    fn stop(&mut self, event: StopIn, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.close(out);
        let stop = settled(stop_of(&event.stop_reason), self.calls, self.unwrapped);
        out.push(Event::Stop { choice: 0, stop, native: Some(event.stop_reason), sequence: None });
    }
}

fn push_delta(delta: Delta, out: &mut Vec<Event>) {
    let empty = matches!(&delta, Delta::Text(text) | Delta::Arguments(text) if text.is_empty());
    if !empty {
        out.push(Event::Delta { choice: 0, delta });
    }
}

/// The key of an object that has one.
fn first_key(raw: &RawValue) -> Option<String> {
    let rest = raw.get().strip_prefix('{')?.trim_start().strip_prefix('"')?;
    Some(rest.split('"').next()?.to_owned())
}

fn broken(why: &str) -> Fault {
    Fault::new(Code::UpstreamBroken, format!("the provider's stream is broken: {why}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartIn {
    #[serde(default)]
    content_block_index: u64,
    start: Box<RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BlockStartIn {
    tool_use: Option<ToolStartIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolStartIn {
    tool_use_id: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeltaEventIn {
    #[serde(default)]
    content_block_index: u64,
    delta: DeltaIn,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DeltaIn {
    text: Option<String>,
    tool_use: Option<ToolDeltaIn>,
    reasoning_content: Option<ReasoningDeltaIn>,
    citation: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolDeltaIn {
    input: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReasoningDeltaIn {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopIn {
    stop_reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MetadataIn {
    usage: Option<UsageIn>,
    service_tier: Option<TierIn>,
}
