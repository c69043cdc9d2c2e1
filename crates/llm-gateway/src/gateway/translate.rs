//! Answers in another dialect than the caller's: read into the superset form and written out of it.

use bytes::Bytes;
use gatehouse_domain::{Code, End, Fault, Keep, Metered, Relay, Screen, Usage};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::forward::{HEADERS, Pointer, STREAM_HEADERS, cut_short, forwarded_headers};
use super::memory::Shelf;
use super::screening::{self, Screening};
use crate::dialects::openai_responses::state;
use crate::dialects::{Decode, Dialect, Encode, Listener, ToolNames};
use crate::form::{Answer, Ask, Content, Delta, Event, Issuer, Open, Signature, Stop};

/// What a decoder cannot know, because it does not see the request: the client's own names of tools, and whose model it
/// is that a dialect's host serves.
#[derive(Clone, Copy)]
struct Corrections {
    names: ToolNames,
    /// The issuer of every proof, where the dialect's own would be wrong.
    issuer: Option<Issuer>,
}

impl Corrections {
    fn new(from: &Dialect, listener: &Listener) -> Self {
        // Both take their own vendor's signatures for granted, and both serve other vendors' models, too.
        let presumes = matches!(from.name, "anthropic" | "bedrock");
        Self { names: from.tool_names, issuer: presumes.then_some(listener.issuer) }
    }

    fn name(&self, ask: &Ask, name: &mut String) {
        if let Some(own) = self.names.client_name(ask, name) {
            own.clone_into(name);
        }
    }

    fn proof(&self, proof: Option<&mut Signature>) {
        if let (Some(proof), Some(issuer)) = (proof, self.issuer) {
            proof.issuer = issuer;
        }
    }

    fn block(&self, ask: &Ask, content: &mut Content) {
        match content {
            Content::ToolCall(call) => self.name(ask, &mut call.name),
            Content::Reasoning(thought) => {
                self.proof(thought.signature.as_mut());
                self.proof(thought.encrypted.as_mut());
            }
            _ => {}
        }
    }

    fn event(&self, ask: &Ask, event: &mut Event) {
        match event {
            Event::Open { block: Open::ToolCall { name, .. }, .. } => self.name(ask, name),
            Event::Delta { delta: Delta::Signature(proof) | Delta::Encrypted(proof), .. } => self.proof(Some(proof)),
            _ => {}
        }
    }
}

/// A whole answer, translated.
pub(crate) struct TranslateWhole {
    pub(crate) from: &'static Dialect,
    pub(crate) to: &'static Dialect,
    pub(crate) listener: Listener,
    pub(crate) metered: Metered,
    /// Where the answer is kept, if it is.
    pub(crate) shelf: Option<Shelf>,
    pub(crate) keep: Option<Keep>,
    /// Who looks at its texts.
    pub(crate) screen: Option<Box<dyn Screen>>,
}

impl Relay for TranslateWhole {
    fn streams(&self) -> bool {
        false
    }

    fn headers(&self, _: &HeaderMap) -> HeaderMap {
        let mut headers = typed("application/json");
        if self.shelf.is_some() && self.keep.is_none() {
            headers.insert("x-gatehouse-dropped", HeaderValue::from_static("store"));
        }
        headers
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let mut answer = (self.from.read_answer)(&bytes)?;
        self.correct(&mut answer);
        self.metered = Metered {
            usage: answer.usage,
            estimated: answer.usage.is_empty(),
            complete: true,
            finish: answer.choices.first().map(|choice| choice.stop.as_str()),
            fault: None,
        };
        if self.metered.estimated {
            self.metered.usage =
                Usage { input: self.listener.input_estimate, output: output_estimate(&answer), ..Usage::default() };
        }
        if let Some(screen) = &mut self.screen {
            screening::answer(screen.as_mut(), &mut answer)?;
        }
        if self.shelf.is_some() {
            // It is kept under a name of the gateway's, whatever its provider calls it.
            answer.id.clear();
        }
        let written = Bytes::from((self.to.write_answer)(&answer, &self.listener));
        self.keep = self.shelf.as_ref().and_then(|shelf| shelf.keep(written.clone()));
        out.push(written);
        Ok(())
    }

    fn keep(&mut self) -> Option<Keep> {
        self.keep.clone()
    }

    fn finish(&mut self, _: End<'_>, _: &mut Vec<Bytes>) -> Metered {
        self.metered.clone()
    }
}

impl TranslateWhole {
    fn correct(&self, answer: &mut Answer) {
        let corrections = Corrections::new(self.from, &self.listener);
        for block in answer.choices.iter_mut().flat_map(|choice| &mut choice.blocks) {
            corrections.block(&self.listener.ask, &mut block.content);
        }
    }
}

fn output_estimate(answer: &Answer) -> u64 {
    let bytes = |content: &Content| match content {
        Content::Text { text, .. } | Content::Refusal(text) => text.len(),
        Content::Reasoning(thought) => thought.text.len(),
        Content::ToolCall(call) => call.name.len() + call.arguments.len(),
        _ => 0,
    };
    let total: usize = answer.choices.iter().flat_map(|choice| &choice.blocks).map(|block| bytes(&block.content)).sum();
    (total as u64).div_ceil(4)
}

/// A streamed answer, translated.
pub(crate) struct TranslateStream {
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    listener: Listener,
    corrections: Corrections,
    stream_type: &'static str,
    events: Vec<Event>,
    seen: Seen,
    /// What `events` came to, once they were looked at.
    passed: Vec<Event>,
    shelf: Option<Shelf>,
    keep: Option<Keep>,
    screening: Option<Screening>,
    /// The provider speaks the caller's dialect: headers and ids are its own.
    same: bool,
    pointer: Option<Pointer>,
}

/// What went by.
#[derive(Default)]
struct Seen {
    usage: Usage,
    output_bytes: u64,
    stop: Option<Stop>,
    ended: bool,
    failed: Option<Code>,
}

impl TranslateStream {
    pub(crate) fn new(
        from: &'static Dialect,
        encoder: Box<dyn Encode>,
        stream_type: &'static str,
        listener: Listener,
    ) -> Self {
        Self {
            corrections: Corrections::new(from, &listener),
            decoder: (from.decoder)(),
            encoder,
            listener,
            stream_type,
            events: Vec::new(),
            passed: Vec::new(),
            seen: Seen::default(),
            shelf: None,
            keep: None,
            screening: None,
            same: false,
            pointer: None,
        }
    }

    /// Keeps the answer there once it is whole.
    pub(crate) fn kept(mut self, shelf: Option<Shelf>) -> Self {
        self.shelf = shelf;
        self
    }

    /// Shows its texts to guardrails before they go on.
    pub(crate) fn screened(mut self, screen: Option<Box<dyn Screen>>) -> Self {
        self.screening = screen.map(Screening::new);
        self
    }

    /// The provider speaks the caller's dialect, and perhaps keeps the answer.
    pub(crate) fn of_the_same_dialect(mut self, pointer: Option<Pointer>) -> Self {
        self.same = true;
        self.pointer = pointer;
        self
    }

    /// Writes the decoded events out. After the end, or a failure, nothing more is written.
    ///
    /// # Errors
    /// `GuardrailBlocked`, after everything that may go on.
    fn write(&mut self, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let mut events = std::mem::take(&mut self.events);
        let mut written = Vec::new();
        let mut blocked = Ok(());
        for mut event in events.drain(..) {
            if self.seen.ended || self.seen.failed.is_some() || blocked.is_err() {
                break;
            }
            self.seen.note(&event);
            self.corrections.event(&self.listener.ask, &mut event);
            if let Event::Start { id, .. } = &mut event {
                self.named(id);
            }
            match &mut self.screening {
                None => self.encode(&event, &mut written),
                Some(screening) => {
                    blocked = screening.event(event, &mut self.passed);
                    let mut passed = std::mem::take(&mut self.passed);
                    passed.iter().for_each(|event| self.encode(event, &mut written));
                    passed.clear();
                    self.passed = passed;
                }
            }
        }
        events.clear();
        self.events = events;
        if !written.is_empty() {
            out.push(written.into());
        }
        blocked
    }

    /// The answer's id has come.
    fn named(&mut self, id: &mut String) {
        if self.shelf.is_some() {
            id.clear();
        } else if let Some(pointer) = self.pointer.take().filter(|_| !id.is_empty()) {
            self.keep = Some(pointer.to(id.clone()));
        }
    }

    fn encode(&mut self, event: &Event, written: &mut Vec<u8>) {
        let before = written.len();
        self.encoder.event(event, written);
        if let (Event::End, Some(shelf)) = (event, &self.shelf) {
            let response = state::last_response(&written[before..]);
            self.keep = response.and_then(|response| shelf.keep(Bytes::copy_from_slice(response)));
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<Bytes>) {
        if self.seen.ended || self.seen.failed.is_some() {
            return;
        }
        let event = Event::Failed(fault);
        self.seen.note(&event);
        let mut written = Vec::new();
        self.encode(&event, &mut written);
        out.push(written.into());
    }
}

impl Relay for TranslateStream {
    fn streams(&self) -> bool {
        true
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        if !self.same {
            return typed(self.stream_type);
        }
        let mut headers = forwarded_headers(upstream, self.stream_type, STREAM_HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.stream_type));
        headers
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let read = self.decoder.feed(&bytes, &mut self.events);
        self.write(out)?;
        read
    }

    fn keep(&mut self) -> Option<Keep> {
        self.keep.take()
    }

    fn finish(&mut self, end: End<'_>, out: &mut Vec<Bytes>) -> Metered {
        match end {
            // What a decoder holds back may be the provider's count of what came so far.
            End::ClientGone => {
                let cut = self.decoder.end(&mut self.events);
                let counts = self.events.drain(..).filter(|event| cut.is_err() && matches!(event, Event::Usage(_)));
                counts.for_each(|event| self.seen.note(&event));
            }
            End::Fault(fault) => self.fail(fault.clone(), out),
            End::Upstream => {
                let read = self.decoder.end(&mut self.events);
                let passed = self.write(out);
                if let Err(fault) = passed.and(read) {
                    self.fail(fault, out);
                } else if !self.seen.ended && self.seen.failed.is_none() {
                    self.fail(cut_short(), out);
                }
            }
        }
        self.seen.metered(self.listener.input_estimate)
    }
}

impl Seen {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Usage(usage) => self.usage = *usage,
            Event::Delta { delta: Delta::Text(text) | Delta::Arguments(text), .. } => {
                self.output_bytes += text.len() as u64
            }
            Event::Stop { choice: 0, stop, .. } => self.stop = Some(*stop),
            Event::End => self.ended = true,
            Event::Failed(fault) => self.failed = Some(fault.code),
            _ => {}
        }
    }

    fn metered(&self, input_estimate: u64) -> Metered {
        // Anthropic tells the input at the start: a count without output is a stream that was cut, not a free one.
        let told = self.usage.output_total() > 0 || (self.ended && !self.usage.is_empty());
        let mut usage = self.usage;
        if !told {
            usage.output = self.output_bytes.div_ceil(4);
            if usage.input_total() == 0 {
                usage.input = input_estimate;
            }
        }
        Metered {
            usage,
            estimated: !told,
            complete: self.ended && self.failed.is_none(),
            finish: self.stop.map(Stop::as_str),
            fault: self.failed,
        }
    }
}

fn typed(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}
