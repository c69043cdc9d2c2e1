//! Writes a streamed answer.
//!
//! created, in_progress; then each item: added, its parts (added, deltas, done), done; then completed, incomplete or
//! failed with everything once more. Only the first alternative is written: this dialect knows no others.

use gatehouse_domain::{Fault, Usage};

use super::super::NAME;
use super::super::answer::response_id;
use super::super::items::{AnnotationOut, CallOut, MessageOut, OutputItems, PartOut, PartText, ReasoningOut};
use super::super::response::{Facts, Status, write_response};
use super::frames::{Framer, Part, PartOrSummary, Place, Said};
use crate::dialects::openai_shared::wire::logprobs_out;
use crate::dialects::{Encode, Listener};
use crate::form::{Delta, Event, Open, Signature, Stop, pack_call_id};

/// Writes a streamed answer.
pub(super) struct Encoder {
    listener: Listener,
    id: String,
    model: String,
    created: u64,
    framer: Framer,
    items: OutputItems,
    open: Item,
    stop: Stop,
    refused: bool,
    usage: Option<Usage>,
    over: bool,
}

/// The item that is open.
enum Item {
    None,
    /// A message; the last part is the one that is open, if `part_open`.
    Message {
        id: String,
        parts: Vec<PartText>,
        part_open: bool,
    },
    Call {
        id: String,
        call_id: String,
        name: String,
        arguments: String,
    },
    Thought {
        id: String,
        text: String,
        signature: Option<Signature>,
        encrypted: Option<Signature>,
    },
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created, out),
            Event::Open { choice: 0, block } => self.open(block, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::Close { choice: 0 } => self.close(out),
            Event::Stop { choice: 0, stop, .. } => {
                self.stop = *stop;
                let status = if matches!(Status::of(*stop, self.refused), Status::Completed) {
                    "completed"
                } else {
                    "incomplete"
                };
                self.finish_message(status, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(fault) => self.fail(fault, out),
            Event::End => self.end(out),
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } | Event::Stop { .. } => {}
        }
    }
}

impl Encoder {
    pub(super) fn new(listener: &Listener) -> Self {
        Self {
            id: response_id("", listener).into_owned(),
            model: String::new(),
            created: listener.created,
            listener: listener.clone(),
            framer: Framer::default(),
            items: OutputItems::default(),
            open: Item::None,
            stop: Stop::default(),
            refused: false,
            usage: None,
            over: false,
        }
    }

    fn start(&mut self, id: &str, model: &str, created: u64, out: &mut Vec<u8>) {
        self.id = response_id(id, &self.listener).into_owned();
        model.clone_into(&mut self.model);
        if created != 0 {
            self.created = created;
        }
        self.response("response.created", Status::InProgress, out);
        self.response("response.in_progress", Status::InProgress, out);
    }

    /// An event with the response object as it is now.
    fn response(&mut self, kind: &'static str, status: Status<'_>, out: &mut Vec<u8>) {
        let done = matches!(status, Status::Completed | Status::Incomplete(_));
        let facts = Facts {
            id: &self.id,
            model: &self.model,
            created: self.created,
            status,
            usage: self.usage.as_ref().filter(|_| done),
            service_tier: None,
        };
        let (listener, items) = (&self.listener, self.items.json());
        self.framer.response(kind, out, |out| write_response(out, listener, &facts, items));
    }

    fn open(&mut self, block: &Open, out: &mut Vec<u8>) {
        if let Open::Text | Open::Refusal = block {
            return self.open_part(matches!(block, Open::Refusal), out);
        }
        self.finish_message("completed", out);
        let index = self.items.next_index();
        let call = &self.listener.id;
        match block {
            Open::ToolCall { id: call_id, name, signature } => {
                let id = self.items.next_id("fc", call);
                let call_id = pack_call_id(call_id, signature.as_ref());
                let item = CallOut::new(&id, "in_progress", &call_id, name, "");
                self.framer.item("response.output_item.added", index, &item, out);
                self.open = Item::Call { id, call_id, name: name.clone(), arguments: String::new() };
            }
            Open::Reasoning { id, .. } => {
                let id = id.clone().unwrap_or_else(|| self.items.next_id("rs", call));
                let item = ReasoningOut::new(&id, "", None, None);
                self.framer.item("response.output_item.added", index, &item, out);
                self.open = Item::Thought { id, text: String::new(), signature: None, encrypted: None };
            }
            Open::Native { dialect: NAME, raw, .. } => {
                self.framer.item("response.output_item.added", index, &raw.0, out);
                self.framer.item("response.output_item.done", index, &raw.0, out);
                self.items.native(&raw.0);
            }
            Open::Text | Open::Refusal | Open::Native { .. } => {}
        }
    }

    /// Opens a part in the open message, or in a new one.
    fn open_part(&mut self, refusal: bool, out: &mut Vec<u8>) {
        self.refused |= refusal;
        let index = self.items.next_index();
        if !matches!(self.open, Item::Message { .. }) {
            let id = self.items.next_id("msg", &self.listener.id);
            let item = MessageOut::new(&id, "in_progress", &[]);
            self.framer.item("response.output_item.added", index, &item, out);
            self.open = Item::Message { id, parts: Vec::new(), part_open: false };
        }
        let Item::Message { id, parts, part_open } = &mut self.open else { return };
        let place = Place { item_id: id, output_index: index, part: Part::Content(parts.len() as u64) };
        let part = PartText { refusal, ..PartText::default() };
        let said = Said { part: Some(PartOrSummary::Content(PartOut::from(&part))), ..Said::default() };
        self.framer.part("response.content_part.added", place, &said, out);
        parts.push(part);
        *part_open = true;
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let output_index = self.items.next_index();
        match (&mut self.open, delta) {
            (Item::Message { id, parts, .. }, delta) => {
                let content_index = parts.len().saturating_sub(1) as u64;
                let place = Place { item_id: id, output_index, part: Part::Content(content_index) };
                if let Some(part) = parts.last_mut() {
                    part_delta(part, place, delta, &mut self.framer, out);
                }
            }
            (Item::Call { id, arguments, .. }, Delta::Arguments(more)) => {
                arguments.push_str(more);
                let place = Place { item_id: id, output_index, part: Part::None };
                self.framer.text("response.function_call_arguments.delta", place, more, "", out);
            }
            (Item::Thought { id, text, .. }, Delta::Text(more)) => {
                let place = Place { item_id: id, output_index, part: Part::Summary(0) };
                if text.is_empty() {
                    self.framer.part("response.reasoning_summary_part.added", place, &summary(""), out);
                }
                text.push_str(more);
                self.framer.text("response.reasoning_summary_text.delta", place, more, "", out);
            }
            (Item::Thought { signature, .. }, Delta::Signature(value)) => *signature = Some(value.clone()),
            (Item::Thought { encrypted, .. }, Delta::Encrypted(value)) => *encrypted = Some(value.clone()),
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let output_index = self.items.next_index();
        match std::mem::replace(&mut self.open, Item::None) {
            Item::None => {}
            Item::Message { id, parts, part_open } => {
                if let Some(part) = parts.last().filter(|_| part_open) {
                    let place = Part::Content(parts.len().saturating_sub(1) as u64);
                    part_done(part, Place { item_id: &id, output_index, part: place }, &mut self.framer, out);
                }
                self.open = Item::Message { id, parts, part_open: false };
            }
            Item::Call { id, call_id, name, mut arguments } => {
                let place = Place { item_id: &id, output_index, part: Part::None };
                if arguments.is_empty() {
                    arguments.push_str("{}");
                    let said = Said { delta: Some("{}"), ..Said::default() };
                    self.framer.part("response.function_call_arguments.delta", place, &said, out);
                }
                let said = Said { name: Some(&name), arguments: Some(&arguments), ..Said::default() };
                self.framer.part("response.function_call_arguments.done", place, &said, out);
                let item = CallOut::new(&id, "completed", &call_id, &name, &arguments);
                self.framer.item("response.output_item.done", output_index, &item, out);
                self.items.push(&item);
            }
            Item::Thought { id, text, signature, encrypted } => {
                let place = Place { item_id: &id, output_index, part: Part::Summary(0) };
                if !text.is_empty() {
                    let said = Said { text: Some(&text), ..Said::default() };
                    self.framer.part("response.reasoning_summary_text.done", place, &said, out);
                    self.framer.part("response.reasoning_summary_part.done", place, &summary(&text), out);
                }
                let item = ReasoningOut::new(&id, &text, signature.as_ref(), encrypted.as_ref());
                self.framer.item("response.output_item.done", output_index, &item, out);
                self.items.push(&item);
            }
        }
    }

    /// Texts in a row share a message, so it ends only when something else begins.
    fn finish_message(&mut self, status: &'static str, out: &mut Vec<u8>) {
        if let Item::Message { id, parts, .. } = std::mem::replace(&mut self.open, Item::None) {
            let item = MessageOut::new(&id, status, &parts);
            self.framer.item("response.output_item.done", self.items.next_index(), &item, out);
            self.items.push(&item);
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.over = true;
        self.response("response.failed", Status::Failed(fault), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        let status = Status::of(self.stop, self.refused);
        let kind = match status {
            Status::Incomplete(_) => "response.incomplete",
            Status::Failed(_) | Status::Broken => "response.failed",
            _ => "response.completed",
        };
        self.response(kind, status, out);
    }
}

fn summary(text: &str) -> Said<'_> {
    Said { part: Some(PartOrSummary::Summary { r#type: "summary_text", text }), ..Said::default() }
}

fn part_delta(part: &mut PartText, place: Place<'_>, delta: &Delta, framer: &mut Framer, out: &mut Vec<u8>) {
    match delta {
        Delta::Text(more) => {
            part.text.push_str(more);
            if part.refusal {
                framer.text("response.refusal.delta", place, more, "", out);
            } else {
                framer.text("response.output_text.delta", place, more, ",\"logprobs\":[]", out);
            }
        }
        Delta::Logprobs(tokens) => {
            let said = Said { delta: Some(""), logprobs: Some(logprobs_out(tokens)), ..Said::default() };
            framer.part("response.output_text.delta", place, &said, out);
            part.logprobs.extend_from_slice(tokens);
        }
        Delta::Citation(citation) => {
            if let Some(annotation) = AnnotationOut::of(citation) {
                let index = part.citations.len() as u64;
                let said = Said { annotation_index: Some(index), annotation: Some(annotation), ..Said::default() };
                framer.part("response.output_text.annotation.added", place, &said, out);
                part.citations.push(citation.clone());
            }
        }
        Delta::Arguments(_) | Delta::Signature(_) | Delta::Encrypted(_) => {}
    }
}

fn part_done(part: &PartText, place: Place<'_>, framer: &mut Framer, out: &mut Vec<u8>) {
    if part.refusal {
        let said = Said { refusal: Some(&part.text), ..Said::default() };
        framer.part("response.refusal.done", place, &said, out);
    } else {
        let logprobs = Some(logprobs_out(&part.logprobs));
        let said = Said { text: Some(&part.text), logprobs, ..Said::default() };
        framer.part("response.output_text.done", place, &said, out);
    }
    let said = Said { part: Some(PartOrSummary::Content(PartOut::from(part))), ..Said::default() };
    framer.part("response.content_part.done", place, &said, out);
}
