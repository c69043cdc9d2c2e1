//! What the house gives a conversation while it is carried out: whatever a call would get from the stages after admission.
//! Dropping the floor settles what is open and hands the call's record over.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use gatehouse_domain::{
    Action, AttemptStatus, Code, Fault, InnerCall, Metered, Money, Need, Now, Passage, Place, Point, Reply, RequestId,
};
use gatehouse_upstream::{Health, Pool, Verdict};
use http::HeaderMap;

use super::mouth::Mouth;
use super::{Refused, Talk, Visit};
use crate::core::{Detached, Shared};
use crate::guard::Shown;
use crate::inner::{Errands, Making};
use crate::journey::{Hold, Journey};
use crate::snapshot::{KeyEntry, Snapshot};
use crate::stages::admit::{Asker, admit_talk, take_for};
use crate::stages::read::Read;

/// The floor of one conversation.
pub struct Floor {
    pub(super) journey: Box<Journey>,
    snapshot: Arc<Snapshot>,
    lane: usize,
    caller: Arc<KeyEntry>,
    mouth: Arc<Mouth>,
    now: Now,
    /// Where it goes on without its client, a shutdown waits for it.
    detached: Option<Detached>,
}

/// An attempt about to start: one row of the ledger.
pub struct Opening<'a> {
    /// The server, where an LLM call has its provider.
    pub server: &'a Arc<str>,
    /// What of it, under its own name, where an LLM call has its model. The ledger keeps each name for good.
    pub name: &'a Arc<str>,
    /// The same as policies and reports call it, where an LLM call has the model its client named.
    pub canonical: &'a Arc<str>,
    /// The server's breaker.
    pub health: &'a Arc<Health>,
    /// The most it can cost; `None` without a price.
    pub ceiling: Option<Money>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// How.
    pub status: AttemptStatus,
    /// What that says about the server.
    pub verdict: Verdict,
    /// What it cost; `None` without a price.
    pub cost: Option<Money>,
}

/// A text of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text, unescaped.
    pub text: String,
    /// Is it JSON? What stands in its place must then be JSON, too.
    pub json: bool,
}

impl Floor {
    pub(super) fn new(
        journey: Box<Journey>,
        (snapshot, lane): (Arc<Snapshot>, usize),
        caller: Arc<KeyEntry>,
        mouth: Arc<Mouth>,
        now: Now,
    ) -> Self {
        Self { journey, snapshot, lane, caller, mouth, now, detached: None }
    }

    /// The gateway's id of the call.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.journey.outcome.id
    }

    /// When the call came.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Arc<KeyEntry> {
        &self.caller
    }

    /// The call as a server of the gateway's own hears of it.
    #[must_use]
    pub fn visit(&self) -> Visit {
        Visit {
            core: Arc::clone(&self.journey.core),
            snapshot: Arc::clone(&self.snapshot),
            caller: Arc::clone(&self.caller),
            tags: self.journey.outcome.tags.clone(),
            address: self.journey.address,
            now: self.now,
        }
    }

    /// Which snapshot it is judged by; what was composed under another one may no longer hold.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.snapshot.generation
    }

    /// What all cores share.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.journey.core.shared)
    }

    /// This core's connections.
    #[must_use]
    pub fn pool(&self) -> Pool {
        self.journey.core.pool.clone()
    }

    /// May the caller see this in a listing? `action` is what it would be listed for: `CallTool`, `GetPrompt`, `ReadResource`.
    #[must_use]
    pub fn lists(&self, action: Action, resource: &str) -> bool {
        Asker::of(&self.journey, &self.snapshot, &self.caller, self.now).may_list(action, resource)
    }

    /// May the caller see whatever is listed for this action? `false` says only that each has to be asked about.
    #[must_use]
    pub fn lists_all(&self, action: Action) -> bool {
        Asker::of(&self.journey, &self.snapshot, &self.caller, self.now).may_list_all(action)
    }

    /// The trace context for the next attempt.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.journey.trace_of_next_attempt(self.snapshot.traced)
    }

    /// Writes the intent of an attempt down and opens it. What was open before is closed as cancelled.
    ///
    /// # Errors
    /// `LedgerUnavailable` when it cannot be written down, `NoTarget` while the server's breaker is open. Nothing may be sent
    /// then.
    pub fn open(&mut self, opening: &Opening<'_>) -> Result<(), Fault> {
        self.close(Closing { status: AttemptStatus::Cancelled, verdict: Verdict::Silent, cost: None });
        if !opening.health.begin(self.journey.look()) {
            let message = format!("the MCP server `{}` is failing and is left alone for a moment", opening.server);
            return Err(Fault::new(Code::NoTarget, message).retry_after(1));
        }
        let hold = Hold { ceiling: opening.ceiling, input_tokens: 0 };
        // A row says what was asked for in as many words as there are names; the call's own record says it word for word.
        let asked = self.journey.outcome.model.replace(Arc::clone(opening.canonical));
        let opened = self.journey.open((opening.server, opening.name), opening.health, &hold);
        self.journey.outcome.model = asked;
        opened
    }

    /// The first message of the server's answer has arrived.
    pub fn heard(&mut self) {
        self.journey.look();
        self.journey.first_byte_of_attempt();
    }

    /// Time was spent waiting for somebody else since then.
    pub fn waited_since(&mut self, since: Instant) {
        self.journey.waited_since(since);
    }

    /// Settles the open attempt, if there is one.
    pub fn close(&mut self, closing: Closing) {
        let metered = Metered { complete: true, ..Metered::default() };
        self.journey.close(closing.status, closing.verdict, &metered, closing.cost);
    }

    /// Reserves for another round of the same call: what the rounds so far have used is settled.
    ///
    /// # Errors
    /// When limits or budgets have no room for it.
    pub fn again(&mut self, need: &Need, ceiling: Option<Money>) -> Result<(), Fault> {
        self.journey.settle_reservation();
        let now = Now(SystemTime::now());
        let held = take_for(&mut self.journey, &self.snapshot, &self.caller, (need, || ceiling), now);
        self.journey.reservation = held.map_err(|refusal| refusal.fault())?;
        Ok(())
    }

    /// Makes a call of the gateway's own for the same caller, in the same run and trace. It is a call of its own: it passes
    /// every stage, and is paid for by the caller.
    pub fn make(&mut self, call: InnerCall) -> Making {
        Errands::of(&mut self.journey, &self.snapshot, &self.caller).make(call)
    }

    /// Makes several at once; their answers come in the same order.
    pub(crate) fn make_all(&mut self, calls: Vec<InnerCall>) -> impl Future<Output = Vec<Reply>> + Send + use<> {
        let errands = Errands::of(&mut self.journey, &self.snapshot, &self.caller);
        async move { errands.all(calls).await }
    }

    /// Does any guardrail look at what tools answer?
    #[must_use]
    pub fn looks_at_results(&self) -> bool {
        self.journey.guard.is_some()
    }

    /// Admits a part of the conversation that could not be told at its beginning, as if it had come alone: one message of
    /// several. What the parts so far have used is settled.
    ///
    /// # Errors
    /// When that part may not pass.
    pub async fn admit(&mut self, part: Box<dyn Talk>) -> Result<Box<dyn Talk>, Box<Refused>> {
        self.journey.settle_reservation();
        let (snapshot, caller) = (Arc::clone(&self.snapshot), Arc::clone(&self.caller));
        let read = Read { snapshot, lane: self.lane, caller, call: part };
        let now = Now(SystemTime::now());
        admit_talk(&mut self.journey, read, now).await.map(|admitted| admitted.read.call)
    }

    /// Looks at the world as it is now, for a conversation that goes on for long. `false` when its caller is nobody any more.
    pub fn renew(&mut self) -> bool {
        let snapshot = self.shared().snapshot.load_full();
        if snapshot.generation != self.snapshot.generation {
            let key = &self.caller.principal.key;
            let stored = snapshot.keys.entries().chain(snapshot.keys.anonymous());
            if let Some(entry) = stored.into_iter().find(|entry| entry.principal.key == *key) {
                self.caller = Arc::clone(entry);
            } else if self.snapshot.keys.entries().any(|entry| entry.principal.key == *key) {
                return false;
            }
            self.snapshot = snapshot;
        }
        self.now = Now(SystemTime::now());
        self.caller.permit.standing(self.now).is_ok()
    }

    /// Shows the texts of a result to the guardrails and puts in their place what those give back. True if any has changed.
    ///
    /// # Errors
    /// `GuardrailBlocked`, or `GuardrailUnavailable` if one that must run could not.
    pub async fn look_at_result(&mut self, tool: &str, texts: &mut [Text]) -> Result<bool, Fault> {
        let Some(guard) = self.journey.guard.clone() else { return Ok(false) };
        let mut changed = false;
        if let Some(mut screen) = guard.screen_results() {
            for text in texts.iter_mut() {
                let place = Place {
                    side: Point::Response,
                    point: Point::ToolResult,
                    tool: Some(tool),
                    spoken: false,
                    json: text.json,
                };
                if let Some(instead) = screen.whole(&Passage { place, text: text.text.as_str().into() })? {
                    text.text = instead;
                    changed = true;
                }
            }
        }
        if guard.asks_about_results() {
            let tool: Arc<str> = tool.into();
            let shown = |text: &Text| Shown {
                point: Point::ToolResult,
                tool: Some(Arc::clone(&tool)),
                text: text.text.clone(),
            };
            let mut all: Vec<Shown> = texts.iter().map(shown).collect();
            let began = Instant::now();
            let pool = self.pool();
            let answered = guard.answer(&mut all, &pool).await;
            self.journey.waited_since(began);
            if answered? {
                changed = true;
                for (text, shown) in texts.iter_mut().zip(all) {
                    text.text = shown.text;
                }
            }
        }
        Ok(changed)
    }

    /// Has anything been said yet? Until then the answer may still be a whole one.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        self.mouth.has_spoken()
    }

    /// Says something to the client, waiting while it reads slowly. The first word makes the answer a stream, whose head has
    /// these headers besides the gateway's own.
    pub async fn say(&mut self, bytes: Bytes, headers: impl FnOnce() -> HeaderMap) {
        if self.mouth.open(headers) {
            self.journey.outcome.stream = true;
            self.journey.answering(200);
        }
        self.journey.outcome.bytes_out += bytes.len() as u64;
        self.mouth.say(bytes).await;
    }

    /// From here on it listens rather than works: it holds nothing of a limit and is no call under way. A shutdown tells it
    /// to end ([`Floor::draining`]).
    pub fn linger(&mut self) {
        self.journey.linger();
    }

    /// From here on it goes on when its client leaves, or no longer does.
    pub fn outlives_client(&mut self, outlives: bool) {
        self.mouth.outlives_client(outlives);
        self.detached = outlives.then(|| self.journey.core.detached());
    }

    /// Has the client left?
    #[must_use]
    pub fn is_client_gone(&self) -> bool {
        self.mouth.is_gone()
    }

    /// Waits until the client has left. Only a conversation that outlives its client comes to know.
    pub fn client_gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mouth = Arc::clone(&self.mouth);
        async move { mouth.gone().await }
    }

    /// Waits until the process is told to end.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared();
        async move { shared.drained().await }
    }

    /// The client is told of a fault, as a result or in a stream.
    pub fn failed(&mut self, fault: &Fault) {
        self.journey.failed_in_band(fault.code);
    }
}
