//! Reads a streamed answer.
//!
//! Items come one after the other in practice. Should two be open at once, the first streams on and the other is taken
//! whole when it is done. Events not named here say nothing the form knows, or nothing the closing events do not repeat.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::super::answer::{ResponseIn, output_item, waits};
use super::super::items::AnnotationIn;
use crate::dialects::Decode;
use crate::dialects::openai_shared::error::in_stream;
use crate::dialects::openai_shared::wire::{LogprobIn, TextOr, broken, logprobs_in};
use crate::dialects::shared::place::json;
use crate::dialects::shared::refusal::{ErrorIn, Scalar};
use crate::form::{Block, Content, Delta, Event, Open, ToolCall, unpack_call_id};
use crate::sse::Frames;

/// Most items kept waiting behind an open one.
const WAITING_MAX: usize = 128;

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventIn<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    response: Option<ResponseIn>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
    delta: TextOr<IgnoredAny>,
    #[serde(borrow)]
    annotation: Option<&'a RawValue>,
    logprobs: Option<Vec<LogprobIn>>,
    error: Option<ErrorIn>,
    message: Scalar,
    code: Scalar,
    param: Scalar,
}

/// The few fields of an item that matter when it begins.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ItemHead<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
}

/// Reads a streamed answer.
#[derive(Default)]
pub(super) struct Decoder {
    frames: Frames,
    state: State,
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.frame(frame.data, out))
    }

    fn end(&mut self, _out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.over { Ok(()) } else { Err(broken("its stream ended in the middle")) }
    }
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    /// The item that streams: its place and its id.
    current: Option<(u64, Option<String>)>,
    /// What of it is open, and which of its parts that is.
    open: Option<(Kind, u64)>,
    /// Whether anything of it was said, so that its end need not be taken whole.
    said: bool,
    /// Items that were done while another streamed.
    waiting: Vec<Vec<Block>>,
    calls: bool,
    refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Summary,
    Thought,
    Call,
}

impl State {
    fn frame(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.over || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let event: EventIn<'_> = json(data).map_err(broken)?;
        let part = event.content_index.or(event.summary_index).unwrap_or_default();
        match &*event.r#type {
            "response.created" | "response.in_progress" | "response.queued" => self.start(event.response, out),
            "response.output_item.added" => self.added(event.output_index, event.item, out),
            "response.output_item.done" => self.done(event.output_index, event.item, out)?,
            "response.output_text.delta" => {
                self.text(Kind::Text, part, event.output_index, event.delta, out);
                self.logprobs(event.logprobs, out);
            }
            "response.refusal.delta" => self.text(Kind::Refusal, part, event.output_index, event.delta, out),
            "response.reasoning_summary_text.delta" => {
                self.text(Kind::Summary, part, event.output_index, event.delta, out);
            }
            "response.reasoning_text.delta" => self.text(Kind::Thought, part, event.output_index, event.delta, out),
            "response.function_call_arguments.delta" => self.arguments(event.output_index, event.delta, out),
            "response.output_text.annotation.added" => self.annotation(event.annotation, out),
            "response.content_part.done" if self.is_current(event.output_index) => self.close_text(out),
            "response.completed" | "response.incomplete" => self.finish(event.response, out),
            "response.failed" => self.fail(event.response.and_then(|response| response.error).unwrap_or_default(), out),
            "error" => {
                let flat = ErrorIn::new(event.message, event.code, event.param);
                self.fail(event.error.unwrap_or(flat), out);
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, response: Option<ResponseIn>, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            let response = response.unwrap_or_default();
            out.push(Event::Start {
                created: response.created(),
                id: response.id.unwrap_or_default(),
                model: response.model.unwrap_or_default(),
            });
        }
    }

    fn is_current(&self, index: Option<u64>) -> bool {
        self.current.as_ref().is_some_and(|(current, _)| index.is_none_or(|index| index == *current))
    }

    fn added(&mut self, index: Option<u64>, item: Option<&RawValue>, out: &mut Vec<Event>) {
        if self.current.is_some() {
            return;
        }
        self.start(None, out);
        let head = item.and_then(|raw| serde_json::from_str::<ItemHead<'_>>(raw.get()).ok()).unwrap_or_default();
        self.said = false;
        if head.r#type == "function_call"
            && let (Some(packed), Some(name)) = (head.call_id, head.name)
            && !packed.is_empty()
            && !name.is_empty()
        {
            let (id, signature) = unpack_call_id(&packed);
            out.push(Event::Open { choice: 0, block: Open::ToolCall { id, name, signature } });
            self.open = Some((Kind::Call, 0));
            self.calls = true;
        }
        self.current = Some((index.unwrap_or_default(), head.id));
    }

    /// More text of the current item; opens the block it belongs to.
    fn text(&mut self, kind: Kind, part: u64, index: Option<u64>, delta: TextOr<IgnoredAny>, out: &mut Vec<Event>) {
        let TextOr::Text(text) = delta else { return };
        if !self.is_current(index) || text.is_empty() {
            return;
        }
        match self.open {
            Some((open, at)) if open == kind && at == part => {}
            // Paragraphs of one thought stay one block.
            Some((open @ (Kind::Summary | Kind::Thought), _)) if open == kind => {
                self.open = Some((kind, part));
                out.push(Event::Delta { choice: 0, delta: Delta::Text("\n\n".to_owned()) });
            }
            _ => {
                self.close(out);
                let id = self.current.as_ref().and_then(|(_, id)| id.clone());
                let block = match kind {
                    Kind::Refusal => Open::Refusal,
                    Kind::Summary => Open::Reasoning { summary: true, id },
                    Kind::Thought => Open::Reasoning { summary: false, id },
                    Kind::Text | Kind::Call => Open::Text,
                };
                out.push(Event::Open { choice: 0, block });
                self.open = Some((kind, part));
                self.refused |= kind == Kind::Refusal;
            }
        }
        self.said = true;
        out.push(Event::Delta { choice: 0, delta: Delta::Text(text) });
    }

    fn logprobs(&mut self, tokens: Option<Vec<LogprobIn>>, out: &mut Vec<Event>) {
        if let (Some(tokens), Some((Kind::Text, _))) = (tokens.filter(|tokens| !tokens.is_empty()), self.open) {
            out.push(Event::Delta { choice: 0, delta: Delta::Logprobs(logprobs_in(tokens)) });
        }
    }

    fn annotation(&mut self, annotation: Option<&RawValue>, out: &mut Vec<Event>) {
        let annotation = annotation.and_then(|raw| serde_json::from_str::<AnnotationIn>(raw.get()).ok());
        if let (Some(annotation), Some((Kind::Text, _))) = (annotation, self.open) {
            out.push(Event::Delta { choice: 0, delta: Delta::Citation(annotation.citation()) });
        }
    }

    fn arguments(&mut self, index: Option<u64>, delta: TextOr<IgnoredAny>, out: &mut Vec<Event>) {
        if let (TextOr::Text(text), Some((Kind::Call, _)), true) = (delta, self.open, self.is_current(index))
            && !text.is_empty()
        {
            self.said = true;
            out.push(Event::Delta { choice: 0, delta: Delta::Arguments(text) });
        }
    }

    /// An item is whole: closes it, says it whole if it was not streamed, or keeps it until it is its turn.
    fn done(&mut self, index: Option<u64>, item: Option<&RawValue>, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Some(raw) = item else { return Ok(()) };
        let (blocks, _) = output_item(raw);
        self.start(None, out);
        if self.current.is_none() {
            self.whole(blocks, out);
        } else if !self.is_current(index) {
            if self.waiting.len() >= WAITING_MAX {
                return Err(broken("more than 128 of its items are open at once"));
            }
            self.waiting.push(blocks);
        } else {
            self.settle(blocks, out);
            self.current = None;
            self.flush(out);
        }
        Ok(())
    }

    /// The current item is whole: what its deltas did not say follows from `blocks`.
    fn settle(&mut self, mut blocks: Vec<Block>, out: &mut Vec<Event>) {
        match (self.open, blocks.pop()) {
            (Some((Kind::Call, _)), Some(Block { content: Content::ToolCall(call), .. })) if !self.said => {
                out.push(Event::Delta { choice: 0, delta: Delta::Arguments(call.arguments) });
                self.close(out);
            }
            (Some((Kind::Summary | Kind::Thought, _)), Some(Block { content: Content::Reasoning(thought), .. })) => {
                out.extend(thought.signature.map(|value| Event::Delta { choice: 0, delta: Delta::Signature(value) }));
                out.extend(thought.encrypted.map(|value| Event::Delta { choice: 0, delta: Delta::Encrypted(value) }));
                self.close(out);
            }
            (None, last) if !self.said => {
                blocks.extend(last);
                self.whole(blocks, out);
            }
            _ => self.close(out),
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        for blocks in std::mem::take(&mut self.waiting) {
            self.whole(blocks, out);
        }
    }

    /// Says blocks that were not streamed.
    fn whole(&mut self, blocks: Vec<Block>, out: &mut Vec<Event>) {
        for Block { content, .. } in blocks {
            let mut say = |block, deltas: Vec<Delta>| {
                out.push(Event::Open { choice: 0, block });
                out.extend(deltas.into_iter().map(|delta| Event::Delta { choice: 0, delta }));
                out.push(Event::Close { choice: 0 });
            };
            match content {
                Content::Text { text, citations } => {
                    let citations = citations.into_iter().map(Delta::Citation);
                    say(Open::Text, std::iter::once(Delta::Text(text)).chain(citations).collect());
                }
                Content::Refusal(text) => {
                    self.refused = true;
                    say(Open::Refusal, vec![Delta::Text(text)]);
                }
                Content::ToolCall(ToolCall { id, name, arguments, signature }) => {
                    self.calls = true;
                    say(Open::ToolCall { id, name, signature }, vec![Delta::Arguments(arguments)]);
                }
                Content::Reasoning(thought) => {
                    let text = Some(thought.text).filter(|text| !text.is_empty()).map(Delta::Text);
                    let proofs = thought.signature.map(Delta::Signature).into_iter();
                    let proofs = proofs.chain(thought.encrypted.map(Delta::Encrypted));
                    let block = Open::Reasoning { summary: thought.summary, id: thought.id };
                    say(block, text.into_iter().chain(proofs).collect());
                }
                Content::Native { dialect, kind, raw } => {
                    self.calls |= waits(&kind);
                    say(Open::Native { dialect, kind, raw }, Vec::new());
                }
                Content::Media(_) | Content::ToolResult(_) => {}
            }
        }
    }

    /// A part of a message is whole. Thoughts and calls wait for their item's end, which brings proofs and arguments.
    fn close_text(&mut self, out: &mut Vec<Event>) {
        if matches!(self.open, Some((Kind::Text | Kind::Refusal, _))) {
            self.close(out);
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::Close { choice: 0 });
        }
    }

    fn finish(&mut self, response: Option<ResponseIn>, out: &mut Vec<Event>) {
        let response = response.unwrap_or_default();
        self.over = true;
        self.start(None, out);
        self.close(out);
        self.flush(out);
        let (stop, native) = response.stop(self.calls, self.refused);
        out.push(Event::Stop { choice: 0, stop, native, sequence: None });
        out.extend(response.usage().map(Event::Usage));
        out.push(Event::End);
    }

    fn fail(&mut self, error: ErrorIn, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Failed(in_stream(error)));
    }
}
