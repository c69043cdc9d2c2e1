//! The walk over a body: objects and arrays down to the strings, with what is known on the way (which side, which tool).

use std::borrow::Cow;
use std::ops::Range;

use gatehouse_domain::{Fault, Look, Passage, Place, Point};

use super::media::{self, File};
use super::names::{self, Under};
use super::{Edits, names::under};
use crate::scan::{self, Outline};

/// Below this depth a value is shown whole, as JSON: no dialect nests its own fields so deep, and every level is one more
/// pass over what is below it.
const DEPTH_MAX: u8 = 14;

/// Shows every text of a body to `look`. Returns the body with what was put in their place, `None` if nothing was.
///
/// # Errors
/// What `look` returns, or `InvalidJson`.
pub(crate) fn review(body: &[u8], side: Point, look: &mut Look<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let at = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    if !matches!(body.get(at), Some(b'{' | b'[')) {
        return Ok(None);
    }
    let outline = &scan::outline(body, at)?;
    let mut walk = Walk { outline, look, edits: Edits::default(), calls: Vec::new(), likelihoods: Vec::new() };
    let top =
        Spot { side, point: side, tool: None, call: None, definitions: false, spoken: false, thought: false, depth: 0 };
    walk.value(Outline::WHOLE, "", top)?;
    let Walk { mut edits, likelihoods, .. } = walk;
    if !edits.is_empty() && side == Point::Response {
        // How likely each token was spells out what has just been replaced.
        for at in likelihoods {
            let nothing: &[u8] = if body[at.start] == b'[' { b"[]" } else { b"null" };
            edits.put(at, nothing.to_vec());
        }
    }
    Ok(edits.apply(body))
}

struct Walk<'a, 'l> {
    /// What is walked is a piece of this.
    outline: &'l Outline<'a>,
    look: &'l mut Look<'l>,
    edits: Edits,
    /// Names of tools by the ids of their calls, which their results name.
    calls: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    likelihoods: Vec<Range<usize>>,
}

/// What is known of a place in the body.
#[derive(Clone, Copy)]
struct Spot<'n> {
    side: Point,
    point: Point,
    tool: Option<&'n str>,
    /// The id of the call whose name stands further down.
    call: Option<&'n str>,
    definitions: bool,
    spoken: bool,
    thought: bool,
    depth: u8,
}

impl<'n> Spot<'n> {
    fn place(&self, json: bool) -> Place<'n> {
        Place { side: self.side, point: self.point, tool: self.tool, spoken: self.spoken && !json, json }
    }
}

/// The members of an object that say what it is.
#[derive(Default)]
struct Facts<'a> {
    kind: Option<Cow<'a, str>>,
    role: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    /// The call it belongs to.
    call: Option<Cow<'a, str>>,
    /// Is the file in it in base64?
    encoded: bool,
    is_call: bool,
    /// Gemini marks thoughts by a switch beside them.
    thought: bool,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, piece: usize, name: &str, spot: Spot<'_>) -> Result<(), Fault> {
        match self.outline.kind(piece) {
            b'{' => self.object(piece, spot),
            b'[' => {
                let below = Spot { depth: spot.depth + 1, ..spot };
                self.outline.inside(piece).try_for_each(|element| self.element(element, name, below))
            }
            _ => Ok(()),
        }
    }

    fn element(&mut self, piece: usize, name: &str, spot: Spot<'_>) -> Result<(), Fault> {
        match self.outline.kind(piece) {
            b'"' if !spot.definitions || names::describes(name) => self.string(piece, spot),
            b'{' | b'[' if spot.depth >= DEPTH_MAX => self.json(piece, spot),
            b'{' | b'[' => self.value(piece, name, spot),
            _ => Ok(()),
        }
    }

    fn object(&mut self, piece: usize, spot: Spot<'_>) -> Result<(), Fault> {
        let outline = self.outline;
        let facts = self.facts(piece, &spot)?;
        let named = facts.call.as_deref().and_then(|id| self.named(id));
        let mut inside = Spot { depth: spot.depth + 1, ..spot };
        let kind = facts.kind.as_deref().unwrap_or_default();
        if names::is_result(kind) || matches!(facts.role.as_deref(), Some("tool" | "function")) {
            inside.point = Point::ToolResult;
        }
        if inside.point == Point::ToolResult {
            inside.tool = named.as_deref().or(facts.name.as_deref()).or(inside.tool);
        }
        inside.call = facts.id.as_deref().or(inside.call);
        inside.thought |= facts.thought || names::is_thought(kind);
        if kind == "redacted_thinking" {
            return Ok(());
        }
        outline.inside(piece).try_for_each(|member| self.member(member, &facts, inside))
    }

    fn member(&mut self, piece: usize, facts: &Facts<'a>, spot: Spot<'_>) -> Result<(), Fault> {
        let name = &*self.outline.name(piece)?;
        let top = spot.depth == 1;
        if top && (if spot.side == Point::Response { names::is_echo(name) } else { names::is_switch(name) }) {
            return Ok(());
        }
        if spot.definitions {
            return self.element(piece, name, spot);
        }
        let string = self.outline.kind(piece) == b'"';
        match under(name) {
            Under::Nothing => Ok(()),
            Under::Definitions => self.value(piece, name, Spot { definitions: true, ..spot }),
            // Responses keeps the format of the output under the name that everywhere else is a text.
            Under::Words if top && name == "text" && !string => {
                self.value(piece, name, Spot { definitions: true, ..spot })
            }
            Under::Arguments => self.arguments(piece, facts, spot, true),
            Under::Input if facts.is_call => self.arguments(piece, facts, spot, !string),
            Under::Result => self.value(piece, name, Spot { point: Point::ToolResult, ..spot }),
            Under::Payload if spot.point == Point::ToolResult && !string => self.json(piece, spot),
            Under::File if string => self.file(piece, name, facts, spot),
            Under::Likelihood => {
                self.likelihoods.push(self.outline.place(piece));
                Ok(())
            }
            _ => {
                let thought = spot.thought || names::is_thought(name);
                let spoken = spot.side == Point::Response && !thought && matches!(name, "text" | "content");
                self.element(piece, name, Spot { spoken, thought, ..spot })
            }
        }
    }

    fn arguments(&mut self, piece: usize, facts: &Facts<'a>, spot: Spot<'_>, json: bool) -> Result<(), Fault> {
        let spot = Spot { point: Point::ToolArgs, tool: facts.name.as_deref(), ..spot };
        match self.outline.kind(piece) {
            b'"' => self.quoted(piece, spot.place(json)),
            b'{' | b'[' => self.json(piece, spot),
            _ => Ok(()),
        }
    }

    fn string(&mut self, piece: usize, spot: Spot<'_>) -> Result<(), Fault> {
        self.quoted(piece, spot.place(false))
    }

    fn quoted(&mut self, piece: usize, place: Place<'_>) -> Result<(), Fault> {
        let Some(text) = self.outline.string(piece).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        if let Some(instead) = (self.look)(&Passage { place, text })? {
            self.edits.put_text(self.outline.place(piece), &instead);
        }
        Ok(())
    }

    /// A value shown whole.
    fn json(&mut self, piece: usize, spot: Spot<'_>) -> Result<(), Fault> {
        let Ok(text) = std::str::from_utf8(self.outline.bytes(piece)) else { return Ok(()) };
        if let Some(instead) = (self.look)(&Passage { place: spot.place(true), text: Cow::Borrowed(text) })? {
            self.edits.put(self.outline.place(piece), instead.into_bytes());
        }
        Ok(())
    }

    fn file(&mut self, piece: usize, name: &str, facts: &Facts<'a>, spot: Spot<'_>) -> Result<(), Fault> {
        let Some(string) = self.outline.string(piece) else { return Ok(()) };
        match media::file(&string, facts.encoded || matches!(name, "bytes" | "file_data")) {
            File::Binary => Ok(()),
            File::Plain => self.string(piece, spot),
            File::Text(file) => {
                let text = Cow::Borrowed(file.text.as_str());
                if let Some(instead) = (self.look)(&Passage { place: spot.place(false), text })? {
                    self.edits.put_text(self.outline.place(piece), &file.with(&instead));
                }
                Ok(())
            }
        }
    }

    /// What an object's own members say about it; a call is remembered by its id.
    fn facts(&mut self, object: usize, spot: &Spot<'_>) -> Result<Facts<'a>, Fault> {
        let outline = self.outline;
        let mut facts = Facts::default();
        for member in outline.inside(object) {
            let slot = match &*outline.name(member)? {
                "type" => &mut facts.kind,
                "role" => &mut facts.role,
                "name" => &mut facts.name,
                "id" => &mut facts.id,
                "call_id" | "tool_call_id" | "tool_use_id" | "toolUseId" => &mut facts.call,
                "thought" => {
                    facts.thought = outline.bytes(member) == b"true";
                    continue;
                }
                "media_type" | "mimeType" | "mime_type" => {
                    facts.encoded = true;
                    continue;
                }
                _ => continue,
            };
            *slot = outline.string(member);
        }
        let has = |name: &str| outline.inside(object).any(|member| outline.name(member).is_ok_and(|is| is == name));
        let kind = facts.kind.as_deref().unwrap_or_default();
        // Anthropic says of a plain text that it is one, and gives its MIME type all the same.
        facts.encoded = kind == "base64" || (facts.encoded && kind != "text");
        facts.is_call = names::is_call(kind) || (has("toolUseId") && has("input"));
        if let Some(name) = &facts.name
            && (facts.is_call || has("arguments") || has("args"))
        {
            let outer = spot.call.map(|id| Cow::Owned(id.to_owned()));
            for id in [facts.call.clone(), facts.id.clone().or(outer)].into_iter().flatten() {
                self.calls.push((id, name.clone()));
            }
        }
        Ok(facts)
    }

    fn named(&self, id: &str) -> Option<Cow<'a, str>> {
        self.calls.iter().rev().find(|(call, _)| call == id).map(|(_, name)| name.clone())
    }
}
