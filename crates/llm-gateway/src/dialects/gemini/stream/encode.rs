//! Writing a stream: `data:` frames for `alt=sse`, one JSON array for clients that did not ask for it. Text goes out as
//! it comes; a call goes out whole, because Gemini knows no pieces of arguments.

use std::borrow::Cow;
use std::sync::Arc;

use gatehouse_domain::Usage;
use serde_json::value::RawValue;

use crate::dialects::gemini::answer::{CandidateOut, LogprobsResult, ResponseOut};
use crate::dialects::gemini::carry::pack;
use crate::dialects::gemini::grounding::GroundingOut;
use crate::dialects::gemini::usage::UsageMetadata;
use crate::dialects::gemini::wire::{Args, CallOut, ContentOut, PartOut, Piece};
use crate::dialects::gemini::{NAME, error, stop};
use crate::dialects::shared::compact::compact;
use crate::dialects::{Encode, Listener};
use crate::form::{Ask, Citation, Delta, Event, Open, Signature, Stop};

/// How frames are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects::gemini) enum Framing {
    /// Server-sent events.
    Sse,
    /// Elements of one JSON array.
    Array,
}

/// Encoder of a streamed answer.
pub(in crate::dialects::gemini) struct Encoder {
    framing: Framing,
    ask: Arc<Ask>,
    id: String,
    model: String,
    frames: usize,
    over: bool,
    usage: Option<Usage>,
    choices: Vec<Choice>,
}

/// One alternative.
#[derive(Default)]
struct Choice {
    index: u32,
    open: Block,
    /// All its text so far: citations point into it.
    text: String,
    citations: Vec<Citation>,
    stop: Option<(Stop, Option<String>)>,
}

/// The open block.
#[derive(Default)]
enum Block {
    #[default]
    Text,
    Thought {
        wordless: bool,
    },
    Call {
        id: String,
        name: String,
        signature: Option<Signature>,
        arguments: String,
    },
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                self.model.clone_from(if model.is_empty() { &self.ask.model } else { model });
            }
            Event::Open { choice, block } => self.open(*choice, block, out),
            Event::Delta { choice, delta } => self.delta(*choice, delta, out),
            Event::Close { choice } => self.close(*choice, out),
            Event::Stop { choice, stop, native, .. } => {
                self.choice(*choice).stop = Some((*stop, native.clone()));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => {}
            Event::Failed(fault) => {
                self.over = true;
                let body = error::write(fault);
                self.frame(&body, out);
                self.finish(out);
            }
            Event::End => {
                self.over = true;
                self.last(out);
                self.finish(out);
            }
        }
    }
}

impl Encoder {
    pub(in crate::dialects::gemini) fn new(listener: &Listener, framing: Framing) -> Self {
        Self {
            framing,
            ask: Arc::clone(&listener.ask),
            id: listener.id.clone(),
            model: listener.ask.model.clone(),
            frames: 0,
            over: false,
            usage: None,
            choices: Vec::new(),
        }
    }

    fn open(&mut self, choice: u32, block: &Open, out: &mut Vec<u8>) {
        let block = match block {
            Open::Text | Open::Refusal => Block::Text,
            Open::Reasoning { .. } => Block::Thought { wordless: true },
            Open::ToolCall { id, name, signature } => Block::Call {
                id: id.clone(),
                name: name.clone(),
                signature: signature.clone(),
                arguments: String::new(),
            },
            Open::Native { dialect, raw, .. } => {
                if *dialect == NAME
                    && let Ok(line) = serde_json::from_str::<&RawValue>(&compact(raw.0.get()))
                {
                    self.piece(choice, Piece::Native(line), out);
                }
                Block::Text
            }
        };
        self.choice(choice).open = block;
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        let state = self.choice(choice);
        match (&mut state.open, delta) {
            (Block::Text, Delta::Text(text)) => {
                state.text.push_str(text);
                self.piece(choice, Piece::Part(PartOut::text(text.as_str())), out);
            }
            (Block::Thought { wordless }, Delta::Text(text)) => {
                *wordless = false;
                self.piece(choice, Piece::Part(PartOut { thought: true, ..PartOut::text(text.as_str()) }), out);
            }
            (Block::Thought { wordless }, Delta::Signature(signature)) => {
                let thought = !*wordless;
                self.signature(choice, thought, pack(signature, false), out);
            }
            (Block::Thought { .. }, Delta::Encrypted(signature)) => {
                self.signature(choice, false, pack(signature, true), out);
            }
            (Block::Call { arguments, .. }, Delta::Arguments(more)) => arguments.push_str(more),
            (_, Delta::Citation(citation)) => state.citations.push(citation.clone()),
            (_, Delta::Logprobs(tokens)) => {
                let result = LogprobsResult::from_form(tokens);
                let candidate =
                    CandidateOut { index: choice, logprobs_result: Some(result), ..CandidateOut::default() };
                self.candidates(vec![candidate], None, out);
            }
            _ => {}
        }
    }

    fn signature(&mut self, choice: u32, thought: bool, packed: Option<Cow<'_, str>>, out: &mut Vec<u8>) {
        if packed.is_some() {
            let part = PartOut { thought, thought_signature: packed, ..PartOut::text("") };
            self.piece(choice, Piece::Part(part), out);
        }
    }

    fn close(&mut self, choice: u32, out: &mut Vec<u8>) {
        let block = std::mem::take(&mut self.choice(choice).open);
        if let Block::Call { id, name, signature, arguments } = block {
            let arguments = compact(&arguments);
            let part = PartOut {
                function_call: Some(CallOut {
                    id: Some(&id),
                    name: Cow::Borrowed(&name),
                    args: Args::of(&arguments).0,
                }),
                thought_signature: signature.as_ref().and_then(|signature| pack(signature, false)),
                ..PartOut::default()
            };
            self.piece(choice, Piece::Part(part), out);
        }
    }

    /// The last frame: why each alternative ended, its sources, and the usage.
    fn last(&mut self, out: &mut Vec<u8>) {
        let choices = std::mem::take(&mut self.choices);
        let candidates = choices
            .iter()
            .map(|choice| {
                let mut grounding = GroundingOut::default();
                for citation in &choice.citations {
                    grounding.add(0, &choice.text, citation);
                }
                let (stop, native) =
                    choice.stop.as_ref().map_or((Stop::Error, None), |(stop, native)| (*stop, native.as_deref()));
                CandidateOut {
                    content: Some(ContentOut { role: Some("model"), parts: vec![Piece::Part(PartOut::text(""))] }),
                    finish_reason: Some(stop::write(stop, native)),
                    index: choice.index,
                    grounding_metadata: grounding.some(),
                    logprobs_result: None,
                }
            })
            .collect();
        let usage = self.usage.map(|usage| UsageMetadata::from_usage(&usage));
        self.candidates(candidates, usage, out);
    }

    fn piece(&mut self, choice: u32, piece: Piece<'_>, out: &mut Vec<u8>) {
        let content = ContentOut { role: Some("model"), parts: vec![piece] };
        self.candidates(
            vec![CandidateOut { content: Some(content), index: choice, ..CandidateOut::default() }],
            None,
            out,
        );
    }

    fn candidates(&mut self, candidates: Vec<CandidateOut<'_>>, usage: Option<UsageMetadata>, out: &mut Vec<u8>) {
        self.begin(out);
        let frame =
            ResponseOut { candidates, usage_metadata: usage, model_version: &self.model, response_id: &self.id };
        // Writing to memory cannot fail.
        drop(crate::json::append(out, &frame));
        self.seal(out);
    }

    fn frame(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        out.extend_from_slice(body);
        self.seal(out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(match (self.framing, self.frames) {
            (Framing::Sse, _) => b"data: ",
            (Framing::Array, 0) => b"[",
            (Framing::Array, _) => b",\r\n",
        });
        self.frames += 1;
    }

    fn seal(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Sse {
            out.extend_from_slice(b"\r\n\r\n");
        }
    }

    fn finish(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            out.extend_from_slice(b"]");
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len() - 1
        });
        &mut self.choices[at]
    }
}
