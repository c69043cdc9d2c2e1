//! Guardrails on the path of a call: which are for it, what each of them did, and what became of the texts.
//!
//! A gateway shows the texts ([`Passage`]s of a request, [`Screen`] of an answer); detectors look at each as it passes,
//! webhooks at all of one point together. [`Proof`] keeps, for each guardrail at each of its points, whether it ran.

mod answer;
mod proof;
mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_domain::{Asked, Code, Fault, GuardrailRun, Passage, Place, Point, Principal, RequestId, Screen};
use gatehouse_policy::guardrails::{Action, Finding, Guardrail, JsonWindow, Released, Subject, redact};
use gatehouse_upstream::Pool;

pub(crate) use answer::{Gathered, Replay};
pub use webhook::Webhook;

use answer::AnswerScreen;
use proof::Proof;

/// The most of one text that may wait for a finding to end.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Every guardrail of a snapshot.
#[derive(Default)]
pub struct Guardrails {
    /// Those that look for themselves, in the order of the configuration.
    pub detectors: Vec<Arc<Guardrail>>,
    /// Those that ask somebody.
    pub webhooks: Vec<Arc<Webhook>>,
}

/// The guardrails of one call.
pub(crate) struct Guard {
    detectors: Vec<Post>,
    webhooks: Vec<HookPost>,
    proof: Proof,
    who: Arc<Principal>,
    model: Arc<str>,
    id: RequestId,
}

/// A detector that is for this call.
struct Post {
    guardrail: Arc<Guardrail>,
    /// Its first place in the proof; the points follow in their order.
    first: usize,
}

/// A webhook that is for this call.
struct HookPost {
    webhook: Arc<Webhook>,
    first: usize,
}

/// One detector looking at one text.
#[derive(Clone)]
pub(super) struct Looker {
    guardrail: Arc<Guardrail>,
    /// Its place in the proof.
    cell: usize,
}

impl Guard {
    /// The guardrails that are for this call, if any are.
    pub(crate) fn of(
        guardrails: &Guardrails,
        who: &Arc<Principal>,
        model: &Arc<str>,
        asked_for: Option<&str>,
        id: RequestId,
    ) -> Option<Arc<Self>> {
        let subject =
            |model| Subject { team: who.team.as_deref(), key: Some(&who.name), model: Some(model), tool: None };
        let models = || [Some(&**model), asked_for].into_iter().flatten();
        let mut proof = Proof::default();
        let detectors: Vec<Post> = guardrails
            .detectors
            .iter()
            .filter(|guardrail| models().any(|model| guardrail.scope.covers_caller(subject(model))))
            .map(|guardrail| Post {
                first: proof.add(&guardrail.name, &guardrail.on, guardrail.action),
                guardrail: Arc::clone(guardrail),
            })
            .collect();
        let webhooks: Vec<HookPost> = guardrails
            .webhooks
            .iter()
            .filter(|webhook| models().any(|model| webhook.scope.covers_caller(subject(model))))
            .map(|webhook| HookPost {
                first: proof.add(&webhook.name, &webhook.on, webhook.action),
                webhook: Arc::clone(webhook),
            })
            .collect();
        let any = !detectors.is_empty() || !webhooks.is_empty();
        any.then(|| Arc::new(Self { detectors, webhooks, proof, who: Arc::clone(who), model: Arc::clone(model), id }))
    }

    /// How many guardrails look.
    pub(crate) fn count(&self) -> usize {
        self.detectors.len() + self.webhooks.len()
    }

    /// Lets detectors look at the request.
    ///
    /// # Errors
    /// `GuardrailBlocked`, or `GuardrailUnavailable` if one that must run could not.
    pub(crate) fn look<A: Asked + ?Sized>(&self, call: &mut A) -> Result<(), Fault> {
        if self.detectors.is_empty() || call.body().is_some_and(|body| self.clears(body, Point::Request)) {
            return Ok(());
        }
        call.review(&mut |passage| self.whole(passage))
    }

    /// Notes what detectors took of the call's time.
    pub(crate) fn took(&self, time: Duration) {
        self.proof.took(time);
    }

    /// Does a webhook look at the call, too?
    pub(crate) fn has_webhooks(&self) -> bool {
        !self.webhooks.is_empty()
    }

    /// Asks webhooks about the request, as detectors left it.
    ///
    /// # Errors
    /// As [`Guard::look`].
    pub(crate) async fn request<A: Asked + ?Sized>(&self, call: &mut A, pool: &Pool) -> Result<(), Fault> {
        for post in &self.webhooks {
            let mut texts = Vec::new();
            call.review(&mut |passage| {
                if let Some(point) = self.asks(post, passage.place) {
                    texts.push((point, passage.text.clone().into_owned()));
                }
                Ok(None)
            })?;
            if self.ask(post, &mut texts, pool).await? {
                let mut texts = texts.into_iter();
                call.review(&mut |passage| match self.asks(post, passage.place) {
                    Some(_) => Ok(texts.next().map(|(_, text)| text).filter(|text| *text != passage.text)),
                    None => Ok(None),
                })?;
            }
        }
        Ok(())
    }

    /// Who looks at the answer, if anybody does.
    pub(crate) fn screen(self: &Arc<Self>) -> Option<Box<dyn Screen>> {
        let looks = self.detectors.iter().any(|post| is_for_answers(&post.guardrail.on));
        looks.then(|| Box::new(AnswerScreen::new(Arc::clone(self))) as Box<dyn Screen>)
    }

    /// Who looks at what a tool answers, if anybody does.
    pub(crate) fn screen_results(self: &Arc<Self>) -> Option<Box<dyn Screen>> {
        let looks = self.detectors.iter().any(|post| is_for_results(&post.guardrail.on));
        looks.then(|| Box::new(AnswerScreen::new(Arc::clone(self))) as Box<dyn Screen>)
    }

    /// Does a webhook wait for what a tool answers?
    pub(crate) fn asks_about_results(&self) -> bool {
        self.webhooks.iter().any(|post| is_for_results(&post.webhook.on))
    }

    /// Does a webhook wait for the answer of a model? Then it is collected whole.
    pub(crate) fn asks_about_answers(&self) -> bool {
        self.webhooks.iter().any(|post| is_for_answers(&post.webhook.on))
    }

    /// Like [`Guard::screen`], and keeps every text for the webhooks.
    pub(crate) fn gathering(self: &Arc<Self>, gathered: &Gathered) -> Box<dyn Screen> {
        Box::new(AnswerScreen::new(Arc::clone(self)).gathering(gathered.clone()))
    }

    /// Asks the webhooks about an answer. True if they have changed its texts.
    ///
    /// # Errors
    /// As [`Guard::request`].
    pub(crate) async fn answer(&self, texts: &mut [Shown], pool: &Pool) -> Result<bool, Fault> {
        let mut changed = false;
        for post in &self.webhooks {
            let mut asked: Vec<(Point, String)> = Vec::new();
            let mut places = Vec::new();
            for (index, shown) in texts.iter().enumerate() {
                if let Some(point) = self.asks(post, shown.place()) {
                    asked.push((point, shown.text.clone()));
                    places.push(index);
                }
            }
            if self.ask(post, &mut asked, pool).await? {
                changed = true;
                for (index, (_, text)) in places.into_iter().zip(asked) {
                    texts[index].text = text;
                }
            }
        }
        Ok(changed)
    }

    /// What each guardrail did.
    pub(crate) fn runs(&self) -> Vec<GuardrailRun> {
        self.proof.runs()
    }

    /// Microseconds that all of them took.
    pub(crate) fn spent_us(&self) -> u64 {
        self.proof.spent_us()
    }

    /// The value of `x-gatehouse-guardrails`. `open`: the answer is still to come.
    pub(crate) fn told(&self, open: bool) -> String {
        self.proof.told(open)
    }

    /// The detectors that look at a text, each with its place in the proof.
    fn lookers<'g>(&'g self, place: Place<'g>) -> impl Iterator<Item = Looker> + 'g {
        let subject = self.subject(place.tool);
        self.detectors.iter().filter_map(move |post| {
            let guardrail = &post.guardrail;
            let at = point_of(&guardrail.on, place)?;
            // A schema is for the answer itself; thoughts, sources and arguments have shapes of their own.
            let suits = guardrail.detector.kind() != "json_schema" || place.spoken || place.side == Point::Request;
            let looks = suits && guardrail.scope.covers(subject);
            looks.then(|| Looker { guardrail: Arc::clone(guardrail), cell: post.first + at })
        })
    }

    fn asks(&self, post: &HookPost, place: Place<'_>) -> Option<Point> {
        let at = point_of(&post.webhook.on, place)?;
        post.webhook.scope.covers(self.subject(place.tool)).then(|| post.webhook.on[at])
    }

    fn subject<'g>(&'g self, tool: Option<&'g str>) -> Subject<'g> {
        Subject { team: self.who.team.as_deref(), key: Some(&self.who.name), model: Some(&self.model), tool }
    }

    /// Do the detectors know from a body as it is written that they would find nothing in it? They have then looked at all of
    /// it. Whether those for tools had anything to look at only a walk tells.
    fn clears(&self, json: &[u8], side: Point) -> bool {
        let clears = |post: &Post| {
            let Guardrail { on, scope, detector, .. } = &*post.guardrail;
            let for_tools = on.iter().any(|point| matches!(point, Point::ToolArgs | Point::ToolResult));
            !for_tools && scope.tools.is_empty() && (!on.contains(&side) || detector.clears(json))
        };
        let clear = self.detectors.iter().all(clears);
        if clear {
            let of_side = |post: &Post| Some(post.first + post.guardrail.on.iter().position(|point| *point == side)?);
            self.detectors.iter().filter_map(of_side).for_each(|cell| self.proof.ran(cell));
        }
        clear
    }

    /// A whole text.
    fn whole(&self, passage: &Passage<'_>) -> Result<Option<String>, Fault> {
        if passage.place.json {
            return self.whole_json(passage);
        }
        let mut marks = Vec::new();
        let mut found = Vec::new();
        for looker in self.lookers(passage.place) {
            looker.guardrail.detector.find(&passage.text, &mut found);
            self.proof.ran(looker.cell);
            self.proof.found(looker.cell, found.len());
            match (looker.guardrail.action, found.first()) {
                (Action::Block, Some(first)) => {
                    return Err(blocked(&looker.guardrail.name, &first.rule, passage.place.side));
                }
                (Action::Redact, Some(_)) => marks.append(&mut found),
                _ => found.clear(),
            }
        }
        Ok((!marks.is_empty()).then(|| redact(&passage.text, &marks)))
    }

    fn whole_json(&self, passage: &Passage<'_>) -> Result<Option<String>, Fault> {
        let lookers: Vec<Looker> = self.lookers(passage.place).collect();
        if lookers.is_empty() {
            return Ok(None);
        }
        let mut window = json_window(&lookers, usize::MAX);
        let first = window.push(&passage.text);
        self.note(&lookers, &first, passage.place.side)?;
        let last = window.finish();
        self.note(&lookers, &last, passage.place.side)?;
        let text = first.text.into_owned() + &last.text;
        Ok((text != passage.text).then_some(text))
    }

    /// Writes down what a window found.
    ///
    /// # Errors
    /// When one of the guardrails lets nothing more pass.
    fn note(&self, lookers: &[Looker], released: &Released<'_>, side: Point) -> Result<(), Fault> {
        for looker in lookers {
            self.proof.ran(looker.cell);
        }
        for (index, _) in &released.found {
            self.proof.found(lookers[*index].cell, 1);
        }
        for index in &released.failed {
            self.proof.failed(lookers[*index].cell);
        }
        let Some(index) = released.blocked else { return Ok(()) };
        let name = &lookers[index].guardrail.name;
        let rule = |(of, finding): &(usize, Finding)| (*of == index).then(|| Arc::clone(&finding.rule));
        Err(match released.found.iter().find_map(rule) {
            Some(rule) => blocked(name, &rule, side),
            None if released.failed.contains(&index) => unavailable(name, "the text is longer than it can hold"),
            None => blocked(name, "", side),
        })
    }

    /// Asks a webhook about texts, point by point. True if it has changed them.
    async fn ask(&self, post: &HookPost, texts: &mut [(Point, String)], pool: &Pool) -> Result<bool, Fault> {
        let webhook = &post.webhook;
        let mut changed = false;
        for (at, point) in webhook.on.iter().enumerate() {
            let mut of_point: Vec<&mut String> =
                texts.iter_mut().filter(|(of, _)| of == point).map(|(_, text)| text).collect();
            if of_point.is_empty() {
                continue;
            }
            let cell = post.first + at;
            let began = Instant::now();
            let question = webhook::Question {
                point: *point,
                texts: of_point.iter().map(|text| text.as_str()).collect(),
                who: &self.who,
                model: &self.model,
                id: self.id,
            };
            let said = webhook.ask(pool, &question).await;
            self.proof.took(began.elapsed());
            match said {
                Ok(verdict) => {
                    self.proof.ran(cell);
                    changed |= self.follow(webhook, cell, *point, verdict, &mut of_point)?;
                }
                Err(failure) => {
                    self.proof.failed(cell);
                    tracing::warn!(guardrail = &*webhook.name, %failure, open = webhook.fail_open, "a guardrail's webhook failed");
                    if !webhook.fail_open && webhook.action != Action::Observe {
                        return Err(unavailable(&webhook.name, failure.what()));
                    }
                }
            }
        }
        Ok(changed)
    }

    /// Does what a webhook has said. One that observes is written down and not followed.
    fn follow(
        &self,
        webhook: &Webhook,
        cell: usize,
        point: Point,
        verdict: webhook::Verdict,
        texts: &mut [&mut String],
    ) -> Result<bool, Fault> {
        match verdict {
            webhook::Verdict::Allow => Ok(false),
            webhook::Verdict::Block { reason } => {
                self.proof.found(cell, 1);
                if webhook.action == Action::Observe {
                    return Ok(false);
                }
                Err(blocked(&webhook.name, &reason, point))
            }
            webhook::Verdict::Redact { texts: instead } => {
                self.proof.found(cell, texts.iter().zip(&instead).filter(|(old, new)| **old != *new).count());
                if webhook.action == Action::Observe {
                    return Ok(false);
                }
                for (text, instead) in texts.iter_mut().zip(instead) {
                    **text = instead;
                }
                Ok(true)
            }
        }
    }
}

/// A text of an answer, as detectors left it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) point: Point,
    pub(crate) tool: Option<Arc<str>>,
    pub(crate) text: String,
}

impl Shown {
    fn place(&self) -> Place<'_> {
        Place { side: Point::Response, point: self.point, tool: self.tool.as_deref(), spoken: false, json: false }
    }
}

/// Is the fault a guardrail's own?
pub(crate) fn is_guards(code: Code) -> bool {
    matches!(code, Code::GuardrailBlocked | Code::GuardrailUnavailable)
}

fn is_for_answers(on: &[Point]) -> bool {
    on.iter().any(|point| matches!(point, Point::Response | Point::ToolArgs))
}

fn is_for_results(on: &[Point]) -> bool {
    on.iter().any(|point| matches!(point, Point::Response | Point::ToolResult))
}

/// Under which of its points a guardrail sees a text: the exact one, or the side of the call as a whole.
fn point_of(on: &[Point], place: Place<'_>) -> Option<usize> {
    let at = |wanted: Point| on.iter().position(|point| *point == wanted);
    at(place.point).or_else(|| at(place.side))
}

fn json_window(lookers: &[Looker], held_max: usize) -> JsonWindow {
    JsonWindow::new(&guardrails(lookers), held_max)
}

fn guardrails(lookers: &[Looker]) -> Vec<Arc<Guardrail>> {
    lookers.iter().map(|looker| Arc::clone(&looker.guardrail)).collect()
}

fn blocked(name: &str, rule: &str, side: Point) -> Fault {
    let rule = if rule.is_empty() { String::new() } else { format!(" by its rule `{rule}`") };
    let message = if side == Point::Request || side == Point::ToolResult {
        format!("the guardrail `{name}` blocked this request{rule}; take out what the rule is about and send it again")
    } else {
        format!("the guardrail `{name}` blocked the model's answer{rule}; ask for something else")
    };
    Fault::new(Code::GuardrailBlocked, message)
}

fn unavailable(name: &str, what: &str) -> Fault {
    let message = format!("the guardrail `{name}` must run and could not: {what}; try again");
    Fault::new(Code::GuardrailUnavailable, message).retry_after(1)
}
