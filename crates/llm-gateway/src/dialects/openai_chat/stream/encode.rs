//! Writes a streamed answer: one chunk an event, all with the same head.

use gatehouse_domain::Usage;
use serde::Serialize;

use super::super::answer::{AnnotationOut, LogprobsOut, answer_id, finish_reason, model_name};
use super::super::details::DetailOut;
use super::error::write_event;
use crate::dialects::openai_shared::details::ChatUsage;
use crate::dialects::openai_shared::wire::{MANY_MAX, json_into, logprobs_out};
use crate::dialects::{Encode, Listener};
use crate::form::{Delta, Event, Issuer, Open, Stop, pack_call_id};

/// Writes a streamed answer.
pub(super) struct Encoder {
    listener: Listener,
    /// `data: {"id":…,"object":…,"created":…,"model":…`, the same in each chunk.
    head: Vec<u8>,
    choices: Vec<ChoiceState>,
    usage: Option<Usage>,
    over: bool,
}

#[derive(Default)]
struct ChoiceState {
    has_role: bool,
    calls: u32,
    /// Inside of a tool call; true once arguments were written.
    arguments: Option<bool>,
    thinking: bool,
    thoughts: u32,
    refused: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    delta: DeltaOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<LogprobsOut<'a>>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct DeltaOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[DetailOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[AnnotationOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallOut<'a>; 1]>,
}

#[derive(Serialize)]
struct CallOut<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                self.start(id, model, *created);
                self.role(0, out);
            }
            Event::Open { choice, block } => self.open(*choice, block, out),
            Event::Delta { choice, delta } => self.delta(*choice, delta, out),
            Event::Close { choice } => self.close(*choice, out),
            Event::Stop { choice, stop, native, .. } => self.stop(*choice, *stop, native.as_deref(), out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(fault) => {
                self.over = true;
                write_event(fault, out);
            }
            Event::End => self.end(out),
        }
    }
}

impl Encoder {
    pub(super) fn new(listener: &Listener) -> Self {
        let mut encoder =
            Self { listener: listener.clone(), head: Vec::new(), choices: Vec::new(), usage: None, over: false };
        encoder.start("", "", 0);
        encoder
    }

    fn start(&mut self, id: &str, model: &str, created: u64) {
        let head = Head {
            id: &answer_id(id, &self.listener),
            object: "chat.completion.chunk",
            created: if created == 0 { self.listener.created } else { created },
            model: model_name(model, &self.listener),
        };
        self.head.clear();
        self.head.extend_from_slice(b"data: ");
        json_into(&mut self.head, &head);
        self.head.pop();
    }

    fn choice(&mut self, choice: u32) -> &mut ChoiceState {
        let index = usize::try_from(choice).unwrap_or(usize::MAX).min(MANY_MAX - 1);
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, ChoiceState::default);
        }
        &mut self.choices[index]
    }

    /// The role comes first in every choice, with an empty text, as clients expect.
    fn role(&mut self, choice: u32, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.choice(choice).has_role, true) {
            self.send(choice, DeltaOut { role: Some("assistant"), content: Some(""), ..DeltaOut::default() }, out);
        }
    }

    fn open(&mut self, choice: u32, block: &Open, out: &mut Vec<u8>) {
        self.role(choice, out);
        let state = self.choice(choice);
        match block {
            Open::ToolCall { id, name, signature } => {
                let index = state.calls;
                state.calls += 1;
                state.arguments = Some(false);
                let function = FunctionOut { name: Some(name), arguments: "" };
                let id = pack_call_id(id, signature.as_ref());
                let call = CallOut { index, id: Some(&id), r#type: Some("function"), function };
                self.send(choice, DeltaOut { tool_calls: Some([call]), ..DeltaOut::default() }, out);
            }
            Open::Reasoning { .. } => state.thinking = true,
            Open::Refusal => state.refused = true,
            Open::Text | Open::Native { .. } => {}
        }
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        let issuer = self.listener.issuer;
        let state = self.choice(choice);
        let mut wire = DeltaOut::default();
        match delta {
            Delta::Text(text) if state.thinking => {
                wire.reasoning_content = Some(text);
                // Only what will be signed must come back piece by piece.
                let signs = issuer == Issuer::Anthropic;
                wire.reasoning_details = signs.then(|| [DetailOut::text(text, issuer, state.thoughts)]);
            }
            Delta::Text(text) if state.refused => wire.refusal = Some(text),
            Delta::Text(text) => wire.content = Some(text),
            Delta::Arguments(arguments) => {
                state.arguments = Some(true);
                wire.tool_calls = Some([more(state.calls, arguments)]);
            }
            Delta::Signature(signature) => {
                wire.reasoning_details = Some([DetailOut::signed(None, signature, state.thoughts)]);
            }
            Delta::Encrypted(data) => {
                wire.reasoning_details = Some([DetailOut::encrypted(data, state.thoughts)]);
            }
            Delta::Citation(citation) => {
                let Some(annotation) = AnnotationOut::of(citation) else { return };
                wire.annotations = Some([annotation]);
            }
            Delta::Logprobs(tokens) => {
                let logprobs = Some(LogprobsOut { content: logprobs_out(tokens), refusal: None });
                let delta = DeltaOut::default();
                let rest =
                    ChoiceOut { index: choice, delta, logprobs, finish_reason: None, native_finish_reason: None };
                return self.write(&rest, out);
            }
        }
        self.send(choice, wire, out);
    }

    fn close(&mut self, choice: u32, out: &mut Vec<u8>) {
        let state = self.choice(choice);
        if std::mem::take(&mut state.thinking) {
            state.thoughts += 1;
        }
        if state.arguments.take() == Some(false) {
            let call = more(state.calls, "{}");
            self.send(choice, DeltaOut { tool_calls: Some([call]), ..DeltaOut::default() }, out);
        }
    }

    fn stop(&mut self, choice: u32, stop: Stop, native: Option<&str>, out: &mut Vec<u8>) {
        self.role(choice, out);
        let word = finish_reason(stop, self.choice(choice).refused);
        let last = ChoiceOut {
            index: choice,
            delta: DeltaOut::default(),
            logprobs: None,
            finish_reason: Some(word),
            native_finish_reason: native.filter(|native| *native != word),
        };
        self.write(&last, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        // A provider that never said leaves the client without the chunk, as OpenAI does with a broken stream: no number
        // is better than a wrong one.
        if let Some(usage) = self.usage.filter(|_| self.listener.ask.stream_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            json_into(out, &ChatUsage::from(&usage));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn send(&self, index: u32, delta: DeltaOut<'_>, out: &mut Vec<u8>) {
        let plain = ChoiceOut { index, delta, logprobs: None, finish_reason: None, native_finish_reason: None };
        self.write(&plain, out);
    }

    fn write(&self, choice: &ChoiceOut<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[");
        json_into(out, choice);
        // Clients that asked for usage expect the field in every chunk.
        let tail: &[u8] = if self.listener.ask.stream_usage { b"],\"usage\":null}\n\n" } else { b"]}\n\n" };
        out.extend_from_slice(tail);
    }
}

/// More arguments of the latest call.
fn more(calls: u32, arguments: &str) -> CallOut<'_> {
    let function = FunctionOut { name: None, arguments };
    CallOut { index: calls.saturating_sub(1), id: None, r#type: None, function }
}
