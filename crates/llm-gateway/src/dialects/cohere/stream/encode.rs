//! Writing a stream: `message-start`, blocks with start, deltas and end, `message-end`.

use std::borrow::Cow;
use std::sync::Arc;

use gatehouse_domain::Usage;
use serde::Serialize;

use crate::dialects::cohere::answer::{CitationOut, LogprobItem};
use crate::dialects::cohere::stop;
use crate::dialects::cohere::usage::UsageBody;
use crate::dialects::cohere::wire::CallOut;
use crate::dialects::{Encode, Listener};
use crate::form::{Ask, Delta, Event, Open, Stop, pack_call_id};

/// Encoder of a chat stream. Cohere knows one alternative only: the first.
pub(in crate::dialects::cohere) struct Encoder {
    ask: Arc<Ask>,
    id: String,
    over: bool,
    open: Block,
    contents: usize,
    calls: usize,
    citations: usize,
    /// Text of the open text block: citations point into it.
    text: String,
    usage: Usage,
    stop: Stop,
}

/// The open block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    None,
    Text,
    /// A thought without a word so far.
    Silence,
    Thought,
    Plan,
    Call,
}

#[derive(Serialize)]
struct Frame<T: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<LogprobItem>,
}

#[derive(Serialize)]
struct InMessage<T: Serialize> {
    message: T,
}

#[derive(Serialize)]
struct Start {
    role: &'static str,
    content: [(); 0],
    tool_plan: &'static str,
    tool_calls: [(); 0],
    citations: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Member<'a> {
    Content(Content<'a>),
    ToolPlan(&'a str),
    ToolCalls(CallOut<'a>),
    Citations(CitationOut<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    TextStart {
        #[serde(rename = "type")]
        kind: &'static str,
        text: &'static str,
    },
    ThinkingStart {
        #[serde(rename = "type")]
        kind: &'static str,
        thinking: &'static str,
    },
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
    },
}

#[derive(Serialize)]
struct Arguments<'a> {
    tool_calls: ArgumentsCall<'a>,
}
#[derive(Serialize)]
struct ArgumentsCall<'a> {
    function: ArgumentsText<'a>,
}
#[derive(Serialize)]
struct ArgumentsText<'a> {
    arguments: &'a str,
}

#[derive(Serialize)]
struct Finish<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    finish_reason: &'static str,
    usage: UsageBody,
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, .. } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                let start = Start { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
                let id = Some(self.id.clone());
                let delta = Some(InMessage { message: start });
                write(&Frame { kind: "message-start", id, index: None, delta, logprobs: None }, out);
            }
            Event::Open { choice: 0, block } => self.open(block, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::Close { choice: 0 } => self.close(out),
            Event::Stop { choice: 0, stop, .. } => self.stop = *stop,
            Event::Usage(usage) => self.usage = *usage,
            Event::Failed(fault) => self.finish(Some(&fault.message), "ERROR", out),
            Event::End => self.finish(None, stop::write(self.stop), out),
            _ => {}
        }
    }
}

impl Encoder {
    pub(in crate::dialects::cohere) fn new(listener: &Listener) -> Self {
        Self {
            ask: Arc::clone(&listener.ask),
            id: listener.id.clone(),
            over: false,
            open: Block::None,
            contents: 0,
            calls: 0,
            citations: 0,
            text: String::new(),
            usage: Usage::default(),
            stop: Stop::Error,
        }
    }

    fn open(&mut self, block: &Open, out: &mut Vec<u8>) {
        self.open = match block {
            Open::Text | Open::Refusal => {
                self.text.clear();
                let start = Member::Content(Content::TextStart { kind: "text", text: "" });
                member("content-start", Some(self.contents), start, out);
                Block::Text
            }
            // A summary before calls is what Cohere calls the plan.
            Open::Reasoning { summary: true, .. } if !self.ask.tools.is_empty() => Block::Plan,
            // Begun with its first word: a thought may be a signature only, and those have no place here.
            Open::Reasoning { .. } => Block::Silence,
            Open::ToolCall { id, name, signature } => {
                let id = pack_call_id(id, signature.as_ref());
                member(
                    "tool-call-start",
                    Some(self.calls),
                    Member::ToolCalls(CallOut::new(&id, Cow::Borrowed(name), "")),
                    out,
                );
                Block::Call
            }
            Open::Native { .. } => Block::None,
        };
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match (self.open, delta) {
            (Block::Text, Delta::Text(text)) => {
                self.text.push_str(text);
                member("content-delta", Some(self.contents), Member::Content(Content::Text { text }), out);
            }
            (Block::Silence | Block::Thought, Delta::Text(thinking)) => {
                if self.open == Block::Silence {
                    self.open = Block::Thought;
                    let start = Member::Content(Content::ThinkingStart { kind: "thinking", thinking: "" });
                    member("content-start", Some(self.contents), start, out);
                }
                member("content-delta", Some(self.contents), Member::Content(Content::Thinking { thinking }), out);
            }
            (Block::Plan, Delta::Text(plan)) => member("tool-plan-delta", None, Member::ToolPlan(plan), out),
            (Block::Call, Delta::Arguments(arguments)) => {
                let delta = ArgumentsCall { function: ArgumentsText { arguments } };
                let delta = Some(InMessage { message: Arguments { tool_calls: delta } });
                let index = Some(self.calls);
                write(&Frame { kind: "tool-call-delta", id: None, index, delta, logprobs: None }, out);
            }
            (Block::Text, Delta::Citation(citation)) => {
                if let Some(citation) = CitationOut::new(self.contents, &self.text, citation) {
                    member("citation-start", Some(self.citations), Member::Citations(citation), out);
                    bare("citation-end", self.citations, out);
                    self.citations += 1;
                }
            }
            (Block::Text, Delta::Logprobs(tokens)) => {
                for token in tokens {
                    let delta = Some(InMessage { message: Member::Content(Content::Text { text: "" }) });
                    let logprobs = Some(LogprobItem::from_form(token));
                    let index = Some(self.contents);
                    write(&Frame { kind: "content-delta", id: None, index, delta, logprobs }, out);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Block::None) {
            Block::Text | Block::Thought => {
                bare("content-end", self.contents, out);
                self.contents += 1;
            }
            Block::Call => {
                bare("tool-call-end", self.calls, out);
                self.calls += 1;
            }
            Block::None | Block::Plan | Block::Silence => {}
        }
    }

    fn finish(&mut self, error: Option<&str>, finish_reason: &'static str, out: &mut Vec<u8>) {
        self.over = true;
        let delta = Some(Finish { error, finish_reason, usage: UsageBody::from_usage(&self.usage) });
        let id = Some(self.id.clone());
        write(&Frame { kind: "message-end", id, index: None, delta, logprobs: None }, out);
    }
}

fn member(kind: &'static str, index: Option<usize>, message: Member<'_>, out: &mut Vec<u8>) {
    write(&Frame { kind, id: None, index, delta: Some(InMessage { message }), logprobs: None }, out);
}

fn bare(kind: &'static str, index: usize, out: &mut Vec<u8>) {
    write(&Frame::<()> { kind, id: None, index: Some(index), delta: None, logprobs: None }, out);
}

fn write<T: Serialize>(frame: &Frame<T>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(frame.kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Writing to memory cannot fail.
    drop(serde_json::to_writer(&mut *out, frame));
    out.extend_from_slice(b"\n\n");
}
