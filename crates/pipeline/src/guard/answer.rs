//! Guardrails over an answer on its way to the caller.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gatehouse_domain::{Closed, Fault, Passage, Place, Point, Screen};
use gatehouse_policy::guardrails::{Action, JsonWindow, Released, Window};

use super::{Guard, HELD_BYTES_MAX, Looker, Shown, guardrails, is_for_answers, json_window};

/// The texts of an answer, kept for webhooks. The lock is never waited for: one task writes, and reads when it is done.
pub(crate) type Gathered = Arc<Mutex<Vec<Shown>>>;

/// Detectors over one answer.
pub(super) struct AnswerScreen {
    guard: Arc<Guard>,
    acts: bool,
    lanes: Vec<Lane>,
    gathered: Option<Gathered>,
}

struct Lane {
    lane: u32,
    side: Point,
    lookers: Vec<Looker>,
    window: Held,
    changed: bool,
    /// Its place among the gathered texts.
    slot: Option<usize>,
}

enum Held {
    /// Nobody looks.
    Nothing,
    Text(Window),
    Json(JsonWindow),
}

impl AnswerScreen {
    pub(super) fn new(guard: Arc<Guard>) -> Self {
        let acts = guard
            .detectors
            .iter()
            .any(|post| post.guardrail.action != Action::Observe && is_for_answers(&post.guardrail.on));
        Self { guard, acts, lanes: Vec::new(), gathered: None }
    }

    pub(super) fn gathering(mut self, gathered: Gathered) -> Self {
        self.gathered = Some(gathered);
        self
    }

    fn gather(&self, place: Place<'_>, text: &str) -> Option<usize> {
        let mut gathered = self.gathered.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.push(Shown { point: place.point, tool: place.tool.map(Arc::from), text: text.to_owned() });
        Some(gathered.len() - 1)
    }

    fn gather_more(&self, slot: Option<usize>, text: &str) {
        if let (Some(slot), Some(gathered)) = (slot, &self.gathered) {
            let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered[slot].text.push_str(text);
        }
    }
}

impl Screen for AnswerScreen {
    fn acts(&self) -> bool {
        self.acts
    }

    fn clears(&mut self, json: &[u8]) -> bool {
        // Who gathers wants to see the texts.
        if self.gathered.is_some() {
            return false;
        }
        let began = Instant::now();
        let clear = self.guard.clears(json, Point::Response);
        self.guard.proof.took(began.elapsed());
        clear
    }

    fn whole(&mut self, passage: &Passage<'_>) -> Result<Option<String>, Fault> {
        let began = Instant::now();
        let instead = self.guard.whole(passage);
        self.guard.proof.took(began.elapsed());
        let instead = instead?;
        self.gather(passage.place, instead.as_deref().unwrap_or(&passage.text));
        Ok(instead)
    }

    fn open(&mut self, lane: u32, place: Place<'_>) {
        self.lanes.retain(|open| open.lane != lane);
        let lookers: Vec<Looker> = self.guard.lookers(place).collect();
        let window = if lookers.is_empty() {
            Held::Nothing
        } else if place.json {
            Held::Json(json_window(&lookers, HELD_BYTES_MAX))
        } else {
            Held::Text(Window::new(&guardrails(&lookers), HELD_BYTES_MAX))
        };
        let slot = self.gather(place, "");
        self.lanes.push(Lane { lane, side: place.side, lookers, window, changed: false, slot });
    }

    fn push(&mut self, lane: u32, text: &str) -> Result<Option<String>, Fault> {
        let Some(at) = self.lanes.iter().position(|open| open.lane == lane) else { return Ok(None) };
        let began = Instant::now();
        let open = &mut self.lanes[at];
        let released = match &mut open.window {
            Held::Nothing => Released { text: text.into(), ..Released::default() },
            Held::Text(window) => window.push(text),
            Held::Json(window) => window.push(text),
        };
        open.changed |= changes(&open.lookers, &released);
        let noted = self.guard.note(&open.lookers, &released, open.side);
        self.guard.proof.took(began.elapsed());
        noted?;
        self.gather_more(self.lanes[at].slot, &released.text);
        Ok((*released.text != *text).then(|| released.text.into_owned()))
    }

    fn close(&mut self, lane: u32) -> Result<Closed, Fault> {
        let Some(at) = self.lanes.iter().position(|open| open.lane == lane) else { return Ok(Closed::default()) };
        let began = Instant::now();
        let mut open = self.lanes.swap_remove(at);
        let released = match &mut open.window {
            Held::Nothing => Released::default(),
            Held::Text(window) => window.finish(),
            Held::Json(window) => window.finish(),
        };
        let changed = open.changed || changes(&open.lookers, &released);
        let noted = self.guard.note(&open.lookers, &released, open.side);
        self.guard.proof.took(began.elapsed());
        noted?;
        self.gather_more(open.slot, &released.text);
        Ok(Closed { rest: released.text.into_owned(), changed })
    }

    fn lost(&mut self) {
        for post in &self.guard.detectors {
            for (at, point) in post.guardrail.on.iter().enumerate() {
                if is_for_answers(&[*point]) {
                    self.guard.proof.failed(post.first + at);
                }
            }
        }
    }
}

/// Does something that was found get replaced?
fn changes(lookers: &[Looker], released: &Released<'_>) -> bool {
    released.found.iter().any(|(index, _)| lookers[*index].guardrail.action == Action::Redact)
}

/// Texts that were decided on beforehand, put in the places they came from: the same answer, read a second time.
pub(crate) struct Replay {
    texts: std::vec::IntoIter<Shown>,
    open: Vec<(u32, String)>,
}

impl Replay {
    pub(crate) fn new(texts: Vec<Shown>) -> Self {
        Self { texts: texts.into_iter(), open: Vec::new() }
    }

    fn next(&mut self) -> String {
        self.texts.next().map(|shown| shown.text).unwrap_or_default()
    }
}

impl Screen for Replay {
    fn acts(&self) -> bool {
        true
    }

    fn whole(&mut self, passage: &Passage<'_>) -> Result<Option<String>, Fault> {
        let text = self.next();
        Ok((text != passage.text).then_some(text))
    }

    fn open(&mut self, lane: u32, _: Place<'_>) {
        let text = self.next();
        self.open.push((lane, text));
    }

    fn push(&mut self, _: u32, _: &str) -> Result<Option<String>, Fault> {
        Ok(Some(String::new()))
    }

    fn close(&mut self, lane: u32) -> Result<Closed, Fault> {
        let at = self.open.iter().position(|(open, _)| *open == lane);
        let rest = at.map(|at| self.open.swap_remove(at).1).unwrap_or_default();
        // A proof over a text that somebody has gone over is dropped: whether it was changed is not known any more.
        Ok(Closed { rest, changed: true })
    }

    fn lost(&mut self) {}
}
