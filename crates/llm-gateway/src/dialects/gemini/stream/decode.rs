//! Reading a stream: `data:` frames, each a response of whole parts. Usage is cumulative. There is no terminal marker:
//! the answer is whole when the transport ends after a `finishReason`.

use gatehouse_domain::{Code, Fault};

use crate::dialects::Decode;
use crate::dialects::gemini::answer::{Candidate, Response};
use crate::dialects::gemini::ask::TurnReader;
use crate::dialects::gemini::carry::unpack;
use crate::dialects::gemini::grounding::citations;
use crate::dialects::gemini::usage::UsageMetadata;
use crate::dialects::gemini::wire::{Part, inline_raw};
use crate::dialects::gemini::{NAME, error, stop};
use crate::dialects::shared::place::json;
use crate::form::{Delta, Event, Open, Signature, Stop};
use crate::sse::{Frame, Frames};

/// Most alternatives in one stream.
const CHOICES_MAX: usize = 128;

/// Decoder of `streamGenerateContent?alt=sse`.
#[derive(Default)]
pub(in crate::dialects::gemini) struct Decoder {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    failed: bool,
    id: String,
    /// The last `usageMetadata`, raw, if it was not told yet. Told at the start and when the answer ends.
    usage: String,
    choices: Vec<Choice>,
}

/// One alternative.
#[derive(Default)]
struct Choice {
    index: u32,
    open: Kind,
    /// Text of the open or last text block: citations point into it.
    text: String,
    calls: TurnReader,
    has_calls: bool,
    finish: Option<Finish>,
}

/// Why it ended, as far as was seen; told at the end, because parts may follow.
enum Finish {
    Reason(String),
    Blocked(String),
}

/// What kind of block is open.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    Text,
    Thought,
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.frame(frame, out))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.failed {
            return Ok(());
        }
        if self.state.started {
            self.state.tell_usage(out);
        }
        if self.frames.is_mid_event() || self.state.choices.is_empty() {
            return Err(broken("the provider's stream was cut short"));
        }
        for choice in &mut self.state.choices {
            choice.close(out);
            let (stop, word) = match choice.finish.take() {
                Some(Finish::Reason(word)) => (stop::read(&word, choice.has_calls), word),
                Some(Finish::Blocked(word)) => (Stop::ContentFilter, word),
                None => return Err(broken("the provider's stream ended without a finish reason")),
            };
            out.push(Event::Stop { choice: choice.index, stop, native: Some(word), sequence: None });
        }
        out.push(Event::End);
        Ok(())
    }
}

impl State {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.failed {
            return Ok(());
        }
        let response: Response<'_> =
            json(frame.data).map_err(|_| broken("a frame of the provider's stream is not a Gemini response"))?;
        if response.error.is_some() {
            self.failed = true;
            out.push(Event::Failed(error::in_band(frame.data)));
            return Ok(());
        }
        if !self.started {
            self.id.push_str(&response.response_id);
            let (id, model) = (response.response_id.into_owned(), response.model_version.into_owned());
            out.push(Event::Start { id, model, created: 0 });
        }
        for candidate in response.candidates {
            self.candidate(candidate, out)?;
        }
        if let Some(reason) = response.prompt_feedback.and_then(|feedback| feedback.block_reason)
            && self.choices.is_empty()
        {
            self.choices.push(Choice { finish: Some(Finish::Blocked(reason)), ..Choice::default() });
        }
        if let Some(raw) = response.usage_metadata {
            self.usage.clear();
            self.usage.push_str(raw.get());
        }
        let finished = self.choices.iter().any(|choice| choice.finish.is_some());
        if finished || !std::mem::replace(&mut self.started, true) {
            self.tell_usage(out);
        }
        Ok(())
    }

    fn tell_usage(&mut self, out: &mut Vec<Event>) {
        if !self.usage.is_empty() {
            out.extend(UsageMetadata::parse(&self.usage).map(Event::Usage));
            self.usage.clear();
        }
    }

    fn candidate(&mut self, candidate: Candidate, out: &mut Vec<Event>) -> Result<(), Fault> {
        let at = match self.choices.iter().position(|choice| choice.index == candidate.index) {
            Some(at) => at,
            None if self.choices.len() < CHOICES_MAX => {
                let calls = TurnReader::of_answer(&self.id, candidate.index as usize);
                self.choices.push(Choice { index: candidate.index, calls, ..Choice::default() });
                self.choices.len() - 1
            }
            None => return Err(broken("the provider's stream holds more than 128 candidates")),
        };
        let choice = &mut self.choices[at];
        for part in candidate.content.map(|content| content.parts).unwrap_or_default() {
            choice.part(part, out)?;
        }
        if candidate.grounding_metadata.is_some() || candidate.citation_metadata.is_some() {
            let text = choice.text.as_str();
            let found =
                citations(candidate.grounding_metadata.as_ref(), candidate.citation_metadata.as_ref(), &|part| {
                    (part == 0).then_some(text)
                });
            if !found.is_empty() {
                choice.open(Kind::Text, || Open::Text, out);
            }
            let index = choice.index;
            out.extend(
                found.into_iter().map(|(_, citation)| Event::Delta { choice: index, delta: Delta::Citation(citation) }),
            );
        }
        if let Some(result) = candidate.logprobs_result {
            choice.open(Kind::Text, || Open::Text, out);
            choice.delta(Delta::Logprobs(result.into_form()), out);
        }
        if let Some(reason) = candidate.finish_reason {
            choice.finish = Some(Finish::Reason(reason));
        }
        Ok(())
    }
}

impl Choice {
    fn part(&mut self, mut part: Part, out: &mut Vec<Event>) -> Result<(), Fault> {
        let signature = part.signature.take().map(unpack);
        if let Some(call) = part.call.take() {
            let signature = signature.map(|(signature, _)| signature);
            let call = self.calls.call(call, signature).map_err(broken)?;
            self.has_calls = true;
            self.close(out);
            let block = Open::ToolCall { id: call.id, name: call.name, signature: call.signature };
            out.push(Event::Open { choice: self.index, block });
            self.delta(Delta::Arguments(call.arguments), out);
            out.push(Event::Close { choice: self.index });
        } else if let Some(blob) = part.inline.take() {
            let raw = inline_raw(&blob).ok_or_else(|| broken("the provider sent a broken part"))?;
            self.native("inlineData".to_owned(), raw, out);
        } else if part.text.is_some() || signature.is_some() && part.other.is_empty() {
            let text = part.text.take().unwrap_or_default();
            if part.thought {
                self.thought(text, signature, out);
            } else {
                self.said(text, signature, out);
            }
        } else {
            drop(part.take_notes());
            part.signature = signature.map(|(signature, _)| signature.value);
            if let Some((kind, raw)) = part.native() {
                self.native(kind, raw, out);
            }
        }
        Ok(())
    }

    fn said(&mut self, text: String, signature: Option<(Signature, bool)>, out: &mut Vec<Event>) {
        if !text.is_empty() {
            if self.open != Kind::Text {
                self.text.clear();
            }
            self.open(Kind::Text, || Open::Text, out);
            self.text.push_str(&text);
            self.delta(Delta::Text(text), out);
        }
        if signature.is_some() {
            // The signature of a text travels behind it, as a thought without words.
            self.close(out);
            self.thought(String::new(), signature, out);
        }
    }

    fn thought(&mut self, text: String, signature: Option<(Signature, bool)>, out: &mut Vec<Event>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        self.open(Kind::Thought, || Open::Reasoning { summary: false, id: None }, out);
        if !text.is_empty() {
            self.delta(Delta::Text(text), out);
        }
        match signature {
            Some((signature, true)) => self.delta(Delta::Encrypted(signature), out),
            Some((signature, false)) => self.delta(Delta::Signature(signature), out),
            None => return,
        }
        // What follows a signature is another thought.
        self.close(out);
    }

    fn native(&mut self, kind: String, raw: crate::form::RawJson, out: &mut Vec<Event>) {
        self.close(out);
        out.push(Event::Open { choice: self.index, block: Open::Native { dialect: NAME, kind, raw } });
        out.push(Event::Close { choice: self.index });
    }

    fn open(&mut self, kind: Kind, block: impl FnOnce() -> Open, out: &mut Vec<Event>) {
        if self.open != kind {
            self.close(out);
            self.open = kind;
            out.push(Event::Open { choice: self.index, block: block() });
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.open) != Kind::None {
            out.push(Event::Close { choice: self.index });
        }
    }

    fn delta(&self, delta: Delta, out: &mut Vec<Event>) {
        out.push(Event::Delta { choice: self.index, delta });
    }
}

fn broken(message: &'static str) -> Fault {
    Fault::new(Code::UpstreamBroken, message)
}
