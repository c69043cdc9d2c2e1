//! Reads a streamed answer.

use gatehouse_domain::Fault;
use serde::Deserialize;

use super::super::answer::{LogprobsIn, stop_of};
use super::super::details::{DetailIn, thoughts};
use super::super::message::{Annotation, Body};
use super::calls::{Calls, Piece};
use crate::dialects::Decode;
use crate::dialects::openai_shared::details::UsageIn;
use crate::dialects::openai_shared::error::in_stream;
use crate::dialects::openai_shared::wire::{MANY_MAX, broken, logprobs_in, seconds};
use crate::dialects::shared::place::json;
use crate::dialects::shared::refusal::ErrorIn;
use crate::form::{Delta, Event, Open, Stop};
use crate::sse::Frames;

/// Most bytes of text kept waiting behind a tool call that is not whole.
const LATE_BYTES_MAX: usize = 8 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChunkIn<'a> {
    id: Option<String>,
    model: Option<String>,
    created: Option<f64>,
    #[serde(borrow)]
    choices: Option<Vec<ChoiceIn<'a>>>,
    usage: Option<UsageIn>,
    service_tier: Option<String>,
    x_groq: Option<Groq>,
    error: Option<ErrorIn>,
}

/// Groq's own corner, where it keeps usage unless asked for it properly, and errors.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Groq {
    usage: Option<UsageIn>,
    error: Option<ErrorIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn<'a> {
    index: u64,
    #[serde(borrow)]
    delta: Option<DeltaIn<'a>>,
    logprobs: Option<LogprobsIn>,
    finish_reason: Option<String>,
    native_finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeltaIn<'a> {
    #[serde(borrow)]
    content: Body<'a>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    reasoning_details: Option<Vec<DetailIn>>,
    tool_calls: Option<Vec<Piece>>,
    annotations: Option<Vec<Annotation>>,
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

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.over {
            return Ok(());
        }
        // Some providers send no `[DONE]`; the last finish reason and a clean end are as good.
        let mut seen = self.state.choices.iter().filter(|choice| choice.seen).peekable();
        let finished = seen.peek().is_some() && seen.all(|choice| choice.stopped);
        if !finished || self.frames.is_mid_event() {
            return Err(broken("its stream ended in the middle"));
        }
        self.state.over = true;
        out.push(Event::End);
        Ok(())
    }
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    choices: Vec<ChoiceState>,
}

#[derive(Default)]
struct ChoiceState {
    open: Option<Kind>,
    calls: Calls,
    /// Text that came in the middle of a call.
    late: String,
    refused: bool,
    seen: bool,
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    Refusal,
}

impl State {
    fn frame(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.over {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            return self.done(out);
        }
        let chunk: ChunkIn<'_> = json(data).map_err(broken)?;
        let groq = chunk.x_groq.unwrap_or_default();
        if let Some(error) = chunk.error.or(groq.error) {
            self.over = true;
            out.push(Event::Failed(in_stream(error)));
            return Ok(());
        }
        // Azure begins with a chunk that has neither choices nor a proper id.
        let says = chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty()) || chunk.usage.is_some();
        if says && !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: chunk.id.unwrap_or_default(),
                model: chunk.model.unwrap_or_default(),
                created: seconds(chunk.created),
            });
        }
        for choice in chunk.choices.into_iter().flatten() {
            let index = usize::try_from(choice.index).unwrap_or(usize::MAX);
            if index >= MANY_MAX {
                return Err(broken("it numbers a choice above 127"));
            }
            if self.choices.len() <= index {
                self.choices.resize_with(index + 1, ChoiceState::default);
            }
            // Below 128, so the conversion cannot fail.
            self.choices[index].chunk(u32::try_from(index).unwrap_or_default(), choice, out)?;
        }
        if let Some(usage) = chunk.usage.or(groq.usage).filter(|_| self.started) {
            out.push(Event::Usage(usage.usage().served(chunk.service_tier.as_deref())));
        }
        Ok(())
    }

    fn done(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.choices.is_empty() {
            return Err(broken("its stream is empty"));
        }
        for (index, choice) in (0..).zip(&mut self.choices).filter(|(_, choice)| choice.seen) {
            choice.stop(index, None, None, out)?;
        }
        self.over = true;
        out.push(Event::End);
        Ok(())
    }
}

impl ChoiceState {
    fn chunk(&mut self, choice: u32, wire: ChoiceIn<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        self.seen = true;
        if self.stopped {
            return Ok(());
        }
        if let Some(delta) = wire.delta {
            self.delta(choice, delta, out)?;
        }
        if let Some(tokens) = wire.logprobs.and_then(|logprobs| logprobs.content).filter(|tokens| !tokens.is_empty())
            && self.open == Some(Kind::Text)
        {
            out.push(Event::Delta { choice, delta: Delta::Logprobs(logprobs_in(tokens)) });
        }
        if let Some(word) = wire.finish_reason.filter(|word| !word.is_empty()) {
            self.stop(choice, Some(word), wire.native_finish_reason, out)?;
        }
        Ok(())
    }

    fn delta(&mut self, choice: u32, delta: DeltaIn<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        self.thoughts(choice, delta.reasoning_content.or(delta.reasoning), delta.reasoning_details, out);
        let mut overflow = false;
        delta.content.pieces(&mut |thought, text| {
            let kind = if thought { Kind::Reasoning } else { Kind::Text };
            overflow |= !self.text(choice, kind, text, out);
        });
        if let Some(refusal) = delta.refusal.filter(|text| !text.is_empty()) {
            self.refused = true;
            overflow |= !self.text(choice, Kind::Refusal, refusal, out);
        }
        if overflow {
            return Err(broken("text in the middle of a tool call is longer than 8 MiB"));
        }
        for citation in delta.annotations.into_iter().flatten().filter_map(Annotation::citation) {
            if self.open == Some(Kind::Text) {
                out.push(Event::Delta { choice, delta: Delta::Citation(citation) });
            }
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.close(choice, out);
            self.calls.piece(choice, piece, out)?;
        }
        Ok(())
    }

    /// Thoughts: the text from whichever field has it, proofs from the details. A signature ends its block.
    fn thoughts(&mut self, choice: u32, plain: Option<String>, details: Option<Vec<DetailIn>>, out: &mut Vec<Event>) {
        for thought in thoughts(plain, details.unwrap_or_default()) {
            if !self.begin(choice, Kind::Reasoning, out) {
                return;
            }
            if !thought.text.is_empty() {
                out.push(Event::Delta { choice, delta: Delta::Text(thought.text) });
            }
            let signed = thought.signature.is_some() || thought.encrypted.is_some();
            out.extend(thought.signature.map(|value| Event::Delta { choice, delta: Delta::Signature(value) }));
            out.extend(thought.encrypted.map(|value| Event::Delta { choice, delta: Delta::Encrypted(value) }));
            if signed {
                self.close(choice, out);
            }
        }
    }

    /// Says a text; false if too much had to wait.
    fn text(&mut self, choice: u32, kind: Kind, text: String, out: &mut Vec<Event>) -> bool {
        if text.is_empty() {
            return true;
        }
        if self.begin(choice, kind, out) {
            out.push(Event::Delta { choice, delta: Delta::Text(text) });
        } else {
            self.late.push_str(&text);
        }
        self.late.len() <= LATE_BYTES_MAX
    }

    /// Makes a block of this kind the open one; false while a tool call that is not whole stands in the way.
    fn begin(&mut self, choice: u32, kind: Kind, out: &mut Vec<Event>) -> bool {
        if self.open == Some(kind) {
            return true;
        }
        self.calls.give_way(choice, out);
        if !self.calls.settled() {
            return false;
        }
        self.close(choice, out);
        self.open = Some(kind);
        let block = match kind {
            Kind::Text => Open::Text,
            Kind::Reasoning => Open::Reasoning { summary: false, id: None },
            Kind::Refusal => Open::Refusal,
        };
        out.push(Event::Open { choice, block });
        true
    }

    fn close(&mut self, choice: u32, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::Close { choice });
        }
    }

    fn stop(
        &mut self,
        choice: u32,
        word: Option<String>,
        native: Option<String>,
        out: &mut Vec<Event>,
    ) -> Result<(), Fault> {
        if self.stopped {
            return Ok(());
        }
        self.close(choice, out);
        self.calls.finish(choice, out)?;
        let late = std::mem::take(&mut self.late);
        self.text(choice, Kind::Text, late, out);
        self.close(choice, out);
        self.stopped = true;
        let stop: Stop = stop_of(word.as_deref(), self.calls.any(), self.refused);
        out.push(Event::Stop { choice, stop, native: native.or(word), sequence: None });
        Ok(())
    }
}
