//! The texts of an answer on their way through guardrails, in the superset form: whole, or as they come.

use gatehouse_domain::{Closed, Fault, Passage, Place, Point, Screen};
use serde_json::value::RawValue;

use crate::form::{Answer, Citation, Content, Delta, Event, Open, RawJson};
use crate::passages;

/// A place in an answer.
fn place(point: Point, tool: Option<&str>, json: bool) -> Place<'_> {
    Place { side: Point::Response, point, tool, spoken: false, json }
}

/// What the model says.
fn answer_place() -> Place<'static> {
    Place { spoken: true, ..place(Point::Response, None, false) }
}

/// A streamed answer under guardrails that act.
pub(crate) struct Screening {
    screen: Box<dyn Screen>,
    /// The open block of each alternative.
    open: Vec<Lane>,
}

struct Lane {
    choice: u32,
    kind: Kind,
    tool: String,
    /// Is its text still coming? A proof closes it.
    flows: bool,
    changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answer,
    Words,
    Arguments,
}

impl Screening {
    pub(crate) fn new(screen: Box<dyn Screen>) -> Self {
        Self { screen, open: Vec::new() }
    }

    /// Appends what may go on instead of the event.
    ///
    /// # Errors
    /// `GuardrailBlocked`.
    pub(crate) fn event(&mut self, mut event: Event, out: &mut Vec<Event>) -> Result<(), Fault> {
        match &mut event {
            Event::Open { choice, block } => {
                let choice = *choice;
                self.begin(choice, block)?;
            }
            Event::Delta { choice, delta } => {
                let choice = *choice;
                if !self.delta(choice, delta, out)? {
                    return Ok(());
                }
            }
            Event::Close { choice } => self.close(*choice, out)?,
            _ => {}
        }
        out.push(event);
        Ok(())
    }

    fn begin(&mut self, choice: u32, block: &mut Open) -> Result<(), Fault> {
        let (kind, tool) = match block {
            Open::Native { raw, .. } => return native(self.screen.as_mut(), raw),
            Open::ToolCall { name, .. } => (Kind::Arguments, name.clone()),
            Open::Text => (Kind::Answer, String::new()),
            Open::Reasoning { .. } | Open::Refusal => (Kind::Words, String::new()),
        };
        self.open.retain(|lane| lane.choice != choice);
        self.open.push(Lane { choice, kind, tool, flows: false, changed: false });
        Ok(())
    }

    /// Whether the delta, as it now is, goes on.
    fn delta(&mut self, choice: u32, delta: &mut Delta, out: &mut Vec<Event>) -> Result<bool, Fault> {
        match delta {
            Delta::Text(text) | Delta::Arguments(text) => {
                let Some(lane) = self.open.iter_mut().find(|lane| lane.choice == choice) else { return Ok(true) };
                if !std::mem::replace(&mut lane.flows, true) {
                    self.screen.open(choice, lane.place());
                }
                if let Some(instead) = self.screen.push(choice, text)? {
                    *text = instead;
                    return Ok(!text.is_empty());
                }
                Ok(true)
            }
            // A proof stands over the whole text, and over no other than the model's own.
            Delta::Signature(_) | Delta::Encrypted(_) => {
                self.flush(choice, out)?;
                Ok(!self.open.iter().any(|lane| lane.choice == choice && lane.changed))
            }
            Delta::Citation(citation) => self.citation(citation).map(|()| true),
            // It spells out a text that may be held back.
            Delta::Logprobs(_) => Ok(false),
        }
    }

    fn close(&mut self, choice: u32, out: &mut Vec<Event>) -> Result<(), Fault> {
        self.flush(choice, out)?;
        self.open.retain(|lane| lane.choice != choice);
        Ok(())
    }

    /// What was held back goes on before whatever comes next.
    fn flush(&mut self, choice: u32, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Some(lane) = self.open.iter_mut().find(|lane| lane.choice == choice && lane.flows) else { return Ok(()) };
        lane.flows = false;
        let Closed { rest, changed } = self.screen.close(choice)?;
        lane.changed |= changed;
        if !rest.is_empty() {
            let delta = if lane.kind == Kind::Arguments { Delta::Arguments(rest) } else { Delta::Text(rest) };
            out.push(Event::Delta { choice, delta });
        }
        Ok(())
    }

    fn citation(&mut self, citation: &mut Citation) -> Result<(), Fault> {
        cited(self.screen.as_mut(), citation).map(drop)
    }
}

impl Lane {
    fn place(&self) -> Place<'_> {
        match self.kind {
            Kind::Answer => answer_place(),
            Kind::Words => beside(),
            Kind::Arguments => place(Point::ToolArgs, Some(&self.tool), true),
        }
    }
}

/// An answer that passes as it is, shown beside.
pub(crate) struct Beside {
    decoder: Box<dyn crate::dialects::Decode>,
    screening: Screening,
    events: Vec<Event>,
    shown: Vec<Event>,
    lost: bool,
}

impl Beside {
    pub(crate) fn new(decoder: Box<dyn crate::dialects::Decode>, screen: Box<dyn Screen>) -> Self {
        Self { decoder, screening: Screening::new(screen), events: Vec::new(), shown: Vec::new(), lost: false }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if !self.lost {
            let read = self.decoder.feed(bytes, &mut self.events);
            self.show(read.is_err());
        }
    }

    /// The stream is over. One that was cut is looked at as far as it came.
    pub(crate) fn end(&mut self) {
        if !self.lost {
            drop(self.decoder.end(&mut self.events));
            let open: Vec<u32> = self.screening.open.iter().map(|lane| lane.choice).collect();
            self.events.extend(open.into_iter().map(|choice| Event::Close { choice }));
            self.show(false);
        }
    }

    fn show(&mut self, lost: bool) {
        for event in self.events.drain(..) {
            // Guardrails that do not act block nothing.
            drop(self.screening.event(event, &mut self.shown));
            self.shown.clear();
        }
        if lost {
            self.lost = true;
            self.screening.screen.lost();
        }
    }
}

/// A whole answer.
///
/// # Errors
/// `GuardrailBlocked`.
pub(crate) fn answer(screen: &mut dyn Screen, answer: &mut Answer) -> Result<(), Fault> {
    for choice in &mut answer.choices {
        let mut changed = false;
        for block in &mut choice.blocks {
            changed |= content(screen, &mut block.content)?;
        }
        if changed {
            choice.logprobs = None;
        }
    }
    Ok(())
}

fn content(screen: &mut dyn Screen, content: &mut Content) -> Result<bool, Fault> {
    match content {
        Content::Text { text, citations } => {
            let mut changed = words(screen, text, answer_place())?;
            for citation in citations {
                changed |= cited(screen, citation)?;
            }
            Ok(changed)
        }
        Content::Refusal(text) => words(screen, text, beside()),
        Content::Reasoning(thought) => {
            let changed = words(screen, &mut thought.text, beside())?;
            if changed {
                thought.signature = None;
                thought.encrypted = None;
            }
            Ok(changed)
        }
        Content::ToolCall(call) => {
            let place = place(Point::ToolArgs, Some(&call.name), true);
            match screen.whole(&Passage { place, text: call.arguments.as_str().into() })? {
                Some(instead) => call.arguments = instead,
                None => return Ok(false),
            }
            Ok(true)
        }
        Content::Native { raw, .. } => native(screen, raw).map(|()| false),
        Content::Media(_) | Content::ToolResult(_) => Ok(false),
    }
}

/// What stands beside the answer: thoughts, refusals, sources.
fn beside() -> Place<'static> {
    place(Point::Response, None, false)
}

fn words(screen: &mut dyn Screen, text: &mut String, place: Place<'_>) -> Result<bool, Fault> {
    if text.is_empty() {
        return Ok(false);
    }
    let passage = Passage { place, text: text.as_str().into() };
    let instead = screen.whole(&passage)?;
    let changed = instead.is_some();
    if let Some(instead) = instead {
        *text = instead;
    }
    Ok(changed)
}

fn cited(screen: &mut dyn Screen, citation: &mut Citation) -> Result<bool, Fault> {
    let mut changed = false;
    for text in [&mut citation.quote, &mut citation.title, &mut citation.url].into_iter().flatten() {
        changed |= words(screen, text, beside())?;
    }
    if let Some(raw) = &mut citation.native {
        native(screen, raw)?;
    }
    Ok(changed)
}

/// A block only one dialect knows.
fn native(screen: &mut dyn Screen, raw: &mut RawJson) -> Result<(), Fault> {
    let changed = passages::review(raw.0.get().as_bytes(), Point::Response, &mut |passage| screen.whole(passage))?;
    let changed = changed.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(text) = changed.and_then(|text| RawValue::from_string(text).ok()) {
        raw.0 = text;
    }
    Ok(())
}
