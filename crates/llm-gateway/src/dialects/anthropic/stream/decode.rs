//! Reads a Messages stream.

use gatehouse_domain::{Code, Fault, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::blocks_in::{citation, type_of};
use super::super::error::fault_of;
use super::super::usage::{UsageIn, stop_of};
use crate::dialects::Decode;
use crate::dialects::shared::json_tool::{JSON_TOOL, settled};
use crate::dialects::shared::place::read_upstream;
use crate::form::{Delta, Event, Issuer, Open, RawJson, Signature, Stop};
use crate::sse::{EVENT_BYTES_MAX, Frames};

/// A reader of a Messages stream.
#[derive(Default)]
pub(super) struct Decoder {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    usage: Usage,
    open: Option<OpenBlock>,
    started: bool,
    calls: bool,
    unwrapped: bool,
    stopped: bool,
    /// The terminal event, or an error in its place, was seen: nothing more is read.
    over: bool,
}

struct OpenBlock {
    index: u64,
    kind: BlockKind,
}

enum BlockKind {
    /// Deltas are passed on.
    Plain,
    /// Arguments are the text of a structured answer.
    Json,
    /// A block of Anthropic's own; its input comes in pieces and is put together first.
    Native { raw: Box<RawValue>, input: String },
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.event(frame.data, out))
    }

    fn end(&mut self, _: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.over {
            return Ok(());
        }
        Err(Fault::new(Code::UpstreamBroken, "the provider's stream ended before the answer did"))
    }
}

impl State {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.over {
            return Ok(());
        }
        let event: EventIn = read_upstream(data)?;
        if !self.started && event.kind.belongs_to_message() {
            self.start(MessageIn::default(), out);
        }
        match event.kind {
            Kind::MessageStart => self.start(event.message.unwrap_or_default(), out),
            Kind::ContentBlockStart => {
                let block = event.content_block.ok_or_else(|| broken("a block starts without a block"))?;
                self.open(event.index, block, out)?;
            }
            Kind::ContentBlockDelta => self.delta(event.index, event.delta, out)?,
            Kind::ContentBlockStop => self.close(out),
            Kind::MessageDelta => {
                if let Some(usage) = &event.usage {
                    usage.update(&mut self.usage);
                    out.push(Event::Usage(self.usage));
                }
                if let Some(word) = event.delta.stop_reason {
                    self.stop(Some(word), event.delta.stop_sequence, out);
                }
            }
            Kind::MessageStop => {
                self.stop(None, None, out);
                out.push(Event::End);
                self.over = true;
            }
            Kind::Ping => out.push(Event::Ping),
            Kind::Error => {
                let error = event.error.unwrap_or_default();
                out.push(Event::Failed(fault_of(&error.kind, error.message)));
                self.over = true;
            }
            Kind::Unknown => {}
        }
        Ok(())
    }

    fn start(&mut self, message: MessageIn, out: &mut Vec<Event>) {
        // Some hosts repeat it; a second one would start a second answer.
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        out.push(Event::Start { id: message.id, model: message.model, created: 0 });
        if let Some(usage) = message.usage {
            usage.update(&mut self.usage);
            out.push(Event::Usage(self.usage));
        }
    }

    fn open(&mut self, index: u64, raw: Box<RawValue>, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.stopped {
            return Err(broken("a block comes after the answer's end"));
        }
        self.close(out);
        let block: BlockIn = read_upstream(raw.get().as_bytes())?;
        let mut first = None;
        let (open, kind) = match block.kind {
            BlockWord::Text => {
                first = block.text.filter(|text| !text.is_empty()).map(Delta::Text);
                (Open::Text, BlockKind::Plain)
            }
            BlockWord::Thinking => {
                first = block.thinking.filter(|text| !text.is_empty()).map(Delta::Text);
                (Open::Reasoning { summary: false, id: None }, BlockKind::Plain)
            }
            BlockWord::RedactedThinking => {
                let value = block.data.unwrap_or_default();
                first = Some(Delta::Encrypted(Signature { issuer: Issuer::Anthropic, value }));
                (Open::Reasoning { summary: false, id: None }, BlockKind::Plain)
            }
            BlockWord::ToolUse if block.name.as_deref() == Some(JSON_TOOL) => {
                self.unwrapped = true;
                (Open::Text, BlockKind::Json)
            }
            BlockWord::ToolUse => {
                let (Some(id), Some(name)) = (block.id, block.name) else {
                    return Err(broken("a tool call has no id or no name"));
                };
                self.calls = true;
                // Hosts that do not stream arguments put them here.
                first =
                    block.input.filter(|input| input.get() != "{}").map(|input| Delta::Arguments(input.get().into()));
                (Open::ToolCall { id, name, signature: None }, BlockKind::Plain)
            }
            BlockWord::Native => {
                self.open = Some(OpenBlock { index, kind: BlockKind::Native { raw, input: String::new() } });
                return Ok(());
            }
        };
        out.push(Event::Open { choice: 0, block: open });
        out.extend(first.map(|delta| Event::Delta { choice: 0, delta }));
        self.open = Some(OpenBlock { index, kind });
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: DeltaIn, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Some(open) = self.open.as_mut().filter(|open| open.index == index) else {
            return Err(broken("a delta belongs to no open block"));
        };
        let read = match (delta.kind, &mut open.kind) {
            (DeltaWord::InputJsonDelta, BlockKind::Native { input, .. }) => {
                if input.len() + delta.partial_json.len() > EVENT_BYTES_MAX {
                    return Err(broken("the input of a server tool is longer than 8 MiB"));
                }
                input.push_str(&delta.partial_json);
                return Ok(());
            }
            (_, BlockKind::Native { .. }) => return Ok(()),
            (DeltaWord::TextDelta, _) => Delta::Text(delta.text),
            (DeltaWord::ThinkingDelta, _) => Delta::Text(delta.thinking),
            (DeltaWord::InputJsonDelta, BlockKind::Json) => Delta::Text(delta.partial_json),
            (DeltaWord::InputJsonDelta, BlockKind::Plain) => Delta::Arguments(delta.partial_json),
            (DeltaWord::SignatureDelta, _) => {
                Delta::Signature(Signature { issuer: Issuer::Anthropic, value: delta.signature })
            }
            (DeltaWord::CitationsDelta, _) => match delta.citation {
                Some(raw) => Delta::Citation(citation(raw)),
                None => return Ok(()),
            },
            (DeltaWord::Unknown, _) => return Ok(()),
        };
        let empty = matches!(&read, Delta::Text(text) | Delta::Arguments(text) if text.is_empty());
        if !empty {
            out.push(Event::Delta { choice: 0, delta: read });
        }
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        if let BlockKind::Native { raw, input } = open.kind {
            let raw = if input.is_empty() { raw } else { with_input(&raw, &input).unwrap_or(raw) };
            let kind = type_of(&raw).unwrap_or_default();
            out.push(Event::Open { choice: 0, block: Open::Native { dialect: NAME, kind, raw: RawJson(raw) } });
        }
        out.push(Event::Close { choice: 0 });
    }

    fn stop(&mut self, native: Option<String>, sequence: Option<String>, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.close(out);
        let stop = native.as_deref().map_or(Stop::EndTurn, stop_of);
        let stop = settled(stop, self.calls, self.unwrapped);
        out.push(Event::Stop { choice: 0, stop, native, sequence });
    }
}

/// A server tool's block with the input that came in pieces.
fn with_input(raw: &RawValue, input: &str) -> Option<Box<RawValue>> {
    #[derive(Deserialize, Serialize)]
    struct ServerTool<'a> {
        #[serde(rename = "type")]
        kind: String,
        id: String,
        name: String,
        #[serde(skip_deserializing)]
        input: Option<&'a RawValue>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        caller: Option<&'a RawValue>,
    }
    let mut block: ServerTool<'_> = serde_json::from_str(raw.get()).ok()?;
    block.input = serde_json::from_str(input).ok();
    block.input?;
    serde_json::value::to_raw_value(&block).ok()
}

fn broken(why: &'static str) -> Fault {
    Fault::new(Code::UpstreamBroken, format!("the provider's stream is broken: {why}"))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventIn {
    #[serde(rename = "type")]
    kind: Kind,
    index: u64,
    message: Option<MessageIn>,
    content_block: Option<Box<RawValue>>,
    delta: DeltaIn,
    usage: Option<UsageIn>,
    error: Option<ErrorIn>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    MessageStart,
    ContentBlockStart,
    ContentBlockDelta,
    ContentBlockStop,
    MessageDelta,
    MessageStop,
    Ping,
    Error,
    #[default]
    #[serde(other)]
    Unknown,
}

impl Kind {
    /// Some hosts leave out `message_start`; what comes then must not come before the answer begins.
    const fn belongs_to_message(self) -> bool {
        !matches!(self, Self::MessageStart | Self::Ping | Self::Error | Self::Unknown)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn {
    id: String,
    model: String,
    usage: Option<UsageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BlockIn {
    #[serde(rename = "type")]
    kind: BlockWord,
    text: Option<String>,
    thinking: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BlockWord {
    Text,
    Thinking,
    RedactedThinking,
    ToolUse,
    #[default]
    #[serde(other)]
    Native,
}

/// `delta` of a block, or of the message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DeltaIn {
    #[serde(rename = "type")]
    kind: DeltaWord,
    text: String,
    thinking: String,
    partial_json: String,
    signature: String,
    citation: Option<Box<RawValue>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeltaWord {
    TextDelta,
    ThinkingDelta,
    InputJsonDelta,
    SignatureDelta,
    CitationsDelta,
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorIn {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}
