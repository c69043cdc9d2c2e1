//! Puts tool calls that may come interleaved into order.
//!
//! Chat numbers parallel calls and may send pieces of any of them at any time. The form wants one after the other. The
//! call that is open streams on; pieces of others wait. A call gives way as soon as its arguments are one whole JSON
//! object, because then nothing more can follow; in practice that is before the next one begins, so nothing waits.

use gatehouse_domain::Fault;
use serde::Deserialize;

use super::super::message::Extra;
use crate::dialects::openai_shared::wire::{JsonText, MANY_MAX, broken};
use crate::form::{Delta, Event, Open, Signature, unpack_call_id};

/// Most bytes of arguments kept waiting.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// A piece of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Piece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
    extra_content: Option<Extra>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<JsonText>,
}

/// The calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    /// The slot that is open or is the next to open; all before it are closed.
    current: usize,
    waiting_bytes: usize,
}

#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    signature: Option<Signature>,
    waiting: String,
    open: bool,
    shape: Shape,
}

impl Calls {
    /// Whether the choice called any tool.
    pub(super) fn any(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Whether nothing is open and nothing waits, so that a block of another kind may begin.
    pub(super) fn settled(&self) -> bool {
        self.current == self.slots.len()
    }

    /// Takes a piece and appends what can be said by now.
    pub(super) fn piece(&mut self, choice: u32, piece: Piece, out: &mut Vec<Event>) -> Result<(), Fault> {
        let at = self.slot(&piece)?;
        let slot = &mut self.slots[at];
        if let Some(id) = piece.id.filter(|_| slot.id.is_empty()) {
            let (id, packed) = unpack_call_id(&id);
            slot.id = id;
            slot.signature = slot.signature.take().or(packed);
        }
        if let Some(signature) = piece.extra_content.and_then(Extra::signature) {
            slot.signature = Some(signature);
        }
        let function = piece.function.unwrap_or_default();
        if let Some(name) = function.name.filter(|_| slot.name.is_empty()) {
            slot.name = name;
        }
        if let Some(JsonText(arguments)) = function.arguments {
            slot.shape.feed(&arguments);
            if at < self.current {
                let blank = arguments.trim_ascii().is_empty();
                return if blank { Ok(()) } else { Err(broken("a finished tool call goes on")) };
            }
            self.waiting_bytes += arguments.len();
            if self.waiting_bytes > WAITING_BYTES_MAX {
                return Err(broken("parallel tool calls are longer than 8 MiB"));
            }
            slot.waiting.push_str(&arguments);
        }
        self.advance(choice, out);
        Ok(())
    }

    /// Closes the open call if its arguments are whole: something else wants to begin.
    pub(super) fn give_way(&mut self, choice: u32, out: &mut Vec<Event>) {
        if let Some(slot) = self.slots.get_mut(self.current)
            && slot.open
            && slot.shape.whole()
        {
            slot.open = false;
            self.current += 1;
            out.push(Event::Close { choice });
        }
    }

    /// Says everything that is left.
    pub(super) fn finish(&mut self, choice: u32, out: &mut Vec<Event>) -> Result<(), Fault> {
        while self.current < self.slots.len() {
            self.say(choice, out);
            let slot = &mut self.slots[self.current];
            if !slot.open {
                return Err(broken("a tool call has no name"));
            }
            slot.open = false;
            self.current += 1;
            out.push(Event::Close { choice });
        }
        Ok(())
    }

    /// Which call a piece belongs to. Some providers number all calls 0 and tell them apart by id.
    fn slot(&mut self, piece: &Piece) -> Result<usize, Fault> {
        let id = piece.id.as_deref().filter(|id| !id.is_empty());
        let found = self.slots.iter().rposition(|slot| {
            let same_id = id.is_none_or(|id| slot.id.is_empty() || slot.id == unpack_call_id(id).0);
            same_id && (piece.index.is_none() || slot.index == piece.index)
        });
        if let Some(at) = found {
            return Ok(at);
        }
        if self.slots.len() >= MANY_MAX {
            return Err(broken("it makes more than 128 tool calls"));
        }
        self.slots.push(Slot { index: piece.index, ..Slot::default() });
        Ok(self.slots.len() - 1)
    }

    fn advance(&mut self, choice: u32, out: &mut Vec<Event>) {
        self.say(choice, out);
        while self.current + 1 < self.slots.len() {
            let before = self.current;
            self.give_way(choice, out);
            if self.current == before {
                return;
            }
            self.say(choice, out);
        }
    }

    /// Opens the current call once its name is known and lets out what waits for it.
    fn say(&mut self, choice: u32, out: &mut Vec<Event>) {
        let at = self.current;
        let Some(slot) = self.slots.get_mut(at) else { return };
        if slot.name.is_empty() {
            return;
        }
        if !slot.open {
            slot.open = true;
            let id = if slot.id.is_empty() { format!("call_{at}") } else { slot.id.clone() };
            let block = Open::ToolCall { id, name: slot.name.clone(), signature: slot.signature.clone() };
            out.push(Event::Open { choice, block });
        }
        if !slot.waiting.is_empty() {
            let arguments = std::mem::take(&mut slot.waiting);
            self.waiting_bytes -= arguments.len();
            out.push(Event::Delta { choice, delta: Delta::Arguments(arguments) });
        }
    }
}

/// How much of a JSON object was seen: enough to know when it is whole.
#[derive(Debug, Default)]
struct Shape {
    depth: u32,
    began: bool,
    in_string: bool,
    escaped: bool,
}

impl Shape {
    fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.began = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn whole(&self) -> bool {
        self.began && self.depth == 0 && !self.in_string
    }
}
