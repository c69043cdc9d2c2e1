//! Answers in another dialect than the caller's: read into the superset form and written out of it.

use bytes::Bytes;
use gatehouse_domain::{Code, End, Fault, Keep, Metered, Relay, Usage};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::forward::cut_short;
use super::memory::Shelf;
use crate::dialects::openai_responses::state;
use crate::dialects::{Decode, Dialect, Encode, Listener, bedrock};
use crate::form::{Answer, Ask, Content, Delta, Event, Open, Stop};

/// Undoes what the request's translation did to names: the client hears of the tools it defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolNames {
    /// As they are.
    Same,
    /// Bedrock's restricted names are mapped back.
    Bedrock,
}

impl ToolNames {
    fn restore(self, ask: &Ask, name: &mut String) {
        if self == Self::Bedrock {
            *name = bedrock::client_tool_name(ask, name);
        }
    }
}

/// A whole answer, translated.
pub(crate) struct TranslateWhole {
    pub(crate) from: &'static Dialect,
    pub(crate) to: &'static Dialect,
    pub(crate) listener: Listener,
    pub(crate) tool_names: ToolNames,
    pub(crate) metered: Metered,
    /// Where the answer is kept, if it is.
    pub(crate) shelf: Option<Shelf>,
    pub(crate) keep: Option<Keep>,
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
        self.restore(&mut answer);
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
    fn restore(&self, answer: &mut Answer) {
        for block in answer.choices.iter_mut().flat_map(|choice| &mut choice.blocks) {
            if let Content::ToolCall(call) = &mut block.content {
                self.tool_names.restore(&self.listener.ask, &mut call.name);
            }
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
    tool_names: ToolNames,
    stream_type: &'static str,
    events: Vec<Event>,
    seen: Seen,
    shelf: Option<Shelf>,
    keep: Option<Keep>,
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
        tool_names: ToolNames,
    ) -> Self {
        Self {
            decoder: (from.decoder)(),
            encoder,
            listener,
            tool_names,
            stream_type,
            events: Vec::new(),
            seen: Seen::default(),
            shelf: None,
            keep: None,
        }
    }

    /// Keeps the answer there once it is whole.
    pub(crate) fn kept(mut self, shelf: Option<Shelf>) -> Self {
        self.shelf = shelf;
        self
    }

    /// Writes the decoded events out. After the end, or a failure, nothing more is written.
    fn write(&mut self, out: &mut Vec<Bytes>) {
        let mut written = Vec::new();
        for mut event in self.events.drain(..) {
            if self.seen.ended || self.seen.failed.is_some() {
                break;
            }
            self.seen.note(&event);
            if let Event::Open { block: Open::ToolCall { name, .. }, .. } = &mut event {
                self.tool_names.restore(&self.listener.ask, name);
            }
            if let (Event::Start { id, .. }, Some(_)) = (&mut event, &self.shelf) {
                id.clear();
            }
            let before = written.len();
            self.encoder.event(&event, &mut written);
            if let (Event::End, Some(shelf)) = (&event, &self.shelf) {
                let response = state::last_response(&written[before..]);
                self.keep = response.and_then(|response| shelf.keep(Bytes::copy_from_slice(response)));
            }
        }
        self.events.clear();
        if !written.is_empty() {
            out.push(written.into());
        }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<Bytes>) {
        self.events.push(Event::Failed(fault));
        self.write(out);
    }
}

impl Relay for TranslateStream {
    fn streams(&self) -> bool {
        true
    }

    fn headers(&self, _: &HeaderMap) -> HeaderMap {
        typed(self.stream_type)
    }

    fn feed(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let read = self.decoder.feed(&bytes, &mut self.events);
        self.write(out);
        read
    }

    fn keep(&mut self) -> Option<Keep> {
        self.keep.take()
    }

    fn finish(&mut self, end: End<'_>, out: &mut Vec<Bytes>) -> Metered {
        match end {
            End::ClientGone => {}
            End::Fault(fault) => self.fail(fault.clone(), out),
            End::Upstream => {
                let read = self.decoder.end(&mut self.events);
                self.write(out);
                if let Err(fault) = read {
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
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}
