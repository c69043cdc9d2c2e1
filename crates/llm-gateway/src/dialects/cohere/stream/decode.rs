//! Reading a stream: named events; `message-end` is the terminal one. Citations may follow the end of the text they
//! cite, so a text block is closed only when the next block begins.

use gatehouse_domain::{Code, Fault};
use serde::Deserialize;

use crate::dialects::Decode;
use crate::dialects::cohere::answer::{CitationIn, LogprobItem};
use crate::dialects::cohere::stop;
use crate::dialects::cohere::usage::UsageBody;
use crate::dialects::shared::place::json;
use crate::form::{Delta, Event, Open};
use crate::sse::{Frame, Frames};

/// Decoder of a chat stream.
#[derive(Default)]
pub(in crate::dialects::cohere) struct Decoder {
    frames: Frames,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    open: Kind,
    has_calls: bool,
    arguments_seen: bool,
}

/// What kind of block is open.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    Text,
    Thought,
    Plan,
    Call,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    delta: DeltaBody,
    logprobs: Option<LogprobItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeltaBody {
    message: MessageBody,
    finish_reason: Option<String>,
    usage: Option<UsageBody>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageBody {
    content: One<ContentBody>,
    tool_plan: Option<String>,
    tool_calls: One<CallBody>,
    citations: One<CitationIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContentBody {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
    thinking: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallBody {
    id: String,
    function: FunctionBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionBody {
    name: String,
    arguments: Option<String>,
}

/// `message-start` has empty lists where the other events have one object.
struct One<T>(Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for OneVisitor<T> {
            type Value = One<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object or a list")
            }
            fn visit_unit<E>(self) -> Result<One<T>, E> {
                Ok(One(None))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<One<T>, A::Error> {
                let first = seq.next_element()?;
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(One(first))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<One<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|one| One(Some(one)))
            }
        }
        deserializer.deserialize_any(OneVisitor(std::marker::PhantomData))
    }
}

impl Decode for Decoder {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.frame(frame, out))
    }

    fn end(&mut self, _out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.state.over { Ok(()) } else { Err(broken("the provider's stream ended before message-end")) }
    }
}

impl State {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        if self.over || frame.data == b"[DONE]" {
            return Ok(());
        }
        let body: Body =
            json(frame.data).map_err(|_| broken("a frame of the provider's stream is not a Cohere chat event"))?;
        if !self.started {
            self.started = true;
            out.push(Event::Start { id: body.id.clone(), model: String::new(), created: 0 });
        }
        let kind = if body.kind.is_empty() { frame.event } else { &body.kind };
        let message = body.delta.message;
        match kind {
            "content-start" | "content-delta" => {
                if let Some(content) = message.content.0 {
                    self.content(content, out);
                }
                if let Some(item) = body.logprobs {
                    self.open(Kind::Text, out);
                    delta(Delta::Logprobs(item.into_form().collect()), out);
                }
            }
            "tool-plan-delta" => {
                if let Some(plan) = message.tool_plan.filter(|plan| !plan.is_empty()) {
                    self.open(Kind::Plan, out);
                    delta(Delta::Text(plan), out);
                }
            }
            "tool-call-start" => self.call(message.tool_calls.0.unwrap_or_default(), out)?,
            "tool-call-delta" => {
                let more = message.tool_calls.0.and_then(|call| call.function.arguments);
                if let Some(more) = more.filter(|more| !more.is_empty() && self.open == Kind::Call) {
                    self.arguments_seen = true;
                    delta(Delta::Arguments(more), out);
                }
            }
            "tool-call-end" if self.open == Kind::Call => self.close(out),
            "citation-start" => {
                if let Some(citation) = message.citations.0 {
                    self.open(Kind::Text, out);
                    delta(Delta::Citation(citation.into_form().1), out);
                }
            }
            "message-end" => {
                self.finish(body.delta.finish_reason, body.delta.usage, body.delta.error, out);
            }
            _ => {}
        }
        Ok(())
    }

    fn content(&mut self, content: ContentBody, out: &mut Vec<Event>) {
        let is_thought = content.thinking.is_some() || content.kind.as_deref() == Some("thinking");
        let text = content.thinking.or(content.text).filter(|text| !text.is_empty());
        if let Some(text) = text {
            self.open(if is_thought { Kind::Thought } else { Kind::Text }, out);
            delta(Delta::Text(text), out);
        } else if content.kind.is_some() {
            // A new content block, still empty: what was open is whole.
            self.close(out);
        }
    }

    fn call(&mut self, call: CallBody, out: &mut Vec<Event>) -> Result<(), Fault> {
        if call.id.is_empty() || call.function.name.is_empty() {
            return Err(broken("the provider sent a tool call without id or name"));
        }
        self.close(out);
        self.has_calls = true;
        self.open = Kind::Call;
        self.arguments_seen = false;
        let block = Open::ToolCall { id: call.id, name: call.function.name, signature: None };
        out.push(Event::Open { choice: 0, block });
        if let Some(arguments) = call.function.arguments.filter(|arguments| !arguments.is_empty()) {
            self.arguments_seen = true;
            delta(Delta::Arguments(arguments), out);
        }
        Ok(())
    }

    fn finish(&mut self, word: Option<String>, usage: Option<UsageBody>, error: Option<String>, out: &mut Vec<Event>) {
        self.over = true;
        self.close(out);
        if let Some(usage) = usage {
            out.push(Event::Usage(usage.to_usage()));
        }
        if let Some(message) = error.filter(|message| !message.is_empty()) {
            out.push(Event::Failed(Fault::new(Code::UpstreamBroken, message)));
            return;
        }
        let stop = word.as_deref().map_or(crate::form::Stop::Error, |word| stop::read(word, self.has_calls));
        out.push(Event::Stop { choice: 0, stop, native: word, sequence: None });
        out.push(Event::End);
    }

    fn open(&mut self, kind: Kind, out: &mut Vec<Event>) {
        if self.open == kind {
            return;
        }
        self.close(out);
        self.open = kind;
        let block = match kind {
            Kind::Thought => Open::Reasoning { summary: false, id: None },
            Kind::Plan => Open::Reasoning { summary: true, id: None },
            _ => Open::Text,
        };
        out.push(Event::Open { choice: 0, block });
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        let open = std::mem::take(&mut self.open);
        if open == Kind::Call && !self.arguments_seen {
            delta(Delta::Arguments("{}".to_owned()), out);
        }
        if open != Kind::None {
            out.push(Event::Close { choice: 0 });
        }
    }
}

fn delta(delta: Delta, out: &mut Vec<Event>) {
    out.push(Event::Delta { choice: 0, delta });
}

fn broken(message: &'static str) -> Fault {
    Fault::new(Code::UpstreamBroken, message)
}
