//! What is the same for every link, whatever its transport: how much may be under way at a server, how long anything may take, and
//! what the outcome says of the server's health.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gatehouse_domain::{Availability, Code};
use gatehouse_mcp_gateway::blueprint::{Server, Transport};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::{Message, Notification, Request, Response};
use gatehouse_upstream::{Health, Pool, Verdict};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::link::{Client, Doing, Exchange, Failure, Hello, Link, Outgoing, Remedy, State};

/// How long a link that is let go waits for its calls.
const RETIRES_WITHIN: Duration = Duration::from_secs(60);
/// The most messages that may come because of one request that is no subscription.
const MESSAGES_MAX: u32 = 100_000;

/// What all links to one server share.
pub(super) struct Room {
    pub(super) server: Arc<Server>,
    pub(super) health: Arc<Health>,
    slots: Arc<Semaphore>,
    /// Does one principal's trouble say anything about another's? A child's does not.
    counts: bool,
    /// What times of last use are counted from.
    began: Instant,
}

impl Room {
    pub(super) fn new(server: Arc<Server>, health: Arc<Health>) -> Self {
        let slots = Arc::new(Semaphore::new(server.caps.concurrent.clamp(1, Semaphore::MAX_PERMITS)));
        let counts = server.shared || !matches!(server.transport, Transport::Stdio { .. });
        Self { server, health, slots, counts, began: Instant::now() }
    }

    /// Calls under way.
    pub(super) fn under_way(&self) -> usize {
        self.server.caps.concurrent.saturating_sub(self.slots.available_permits())
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            let (name, at_once) = (&self.server.name, self.server.caps.concurrent);
            let mut failure = Failure::new(
                Code::Overloaded,
                format!(
                    "{at_once} calls of the MCP server `{name}` are under way, and more are not allowed; try again"
                ),
            );
            failure.fault.retry_after_secs = Some(1);
            failure
        })
    }

    fn begin(self: &Arc<Self>, now: Instant) -> Result<Trial, Failure> {
        let now = now.into_std();
        if !self.counts || self.health.begin(now) {
            return Ok(Trial { room: Arc::clone(self), judged: !self.counts });
        }
        let retry_in = match self.health.availability(now) {
            Availability::Broken { retry_in } | Availability::CoolingDown { retry_in } => retry_in.as_secs() + 1,
            Availability::Ready => 1,
        };
        let name = &self.server.name;
        let message = format!("the MCP server `{name}` fails again and again; it is tried again in {retry_in} s");
        let mut failure = Failure::new(Code::NoTarget, message);
        failure.fault.retry_after_secs = Some(retry_in);
        Err(failure)
    }

    /// How long a request may take, whatever happens.
    fn time_for(&self, request: &Request) -> Duration {
        if self.server.tool_timeouts.is_empty() || &*request.method != Method::ToolsCall.as_str() {
            return self.server.caps.total;
        }
        let tool = request.params.as_ref().and_then(|params| params.text_at(&["name"]));
        self.server.time_for(&tool.unwrap_or_default())
    }

    fn too_slow(&self) -> Failure {
        let name = &self.server.name;
        Failure::new(
            Code::UpstreamTimeout,
            format!("the MCP server `{name}` did not answer in time; the call was cancelled"),
        )
    }
}

/// Something that will say how the server does, once.
struct Trial {
    room: Arc<Room>,
    judged: bool,
}

impl Trial {
    fn judge(&mut self, verdict: Verdict) {
        self.judge_at(verdict, Instant::now());
    }

    fn judge_at(&mut self, verdict: Verdict, now: Instant) {
        if !std::mem::replace(&mut self.judged, true) {
            self.room.health.end(verdict, now.into_std());
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.judged {
            self.judge(Verdict::Silent);
        }
    }
}

fn verdict(failure: &Failure) -> Verdict {
    match failure.fault.code {
        _ if failure.remedy != Remedy::Tell => Verdict::Silent,
        Code::UpstreamLimited => {
            Verdict::Limited(Duration::from_secs(failure.fault.retry_after_secs.unwrap_or(1).clamp(1, 60)))
        }
        Code::UpstreamUnreachable | Code::UpstreamTimeout | Code::UpstreamBroken | Code::UpstreamOverloaded => {
            Verdict::Failed
        }
        Code::UpstreamRejected => Verdict::Alive,
        _ => Verdict::Silent,
    }
}

/// A link under the rules of its server.
pub(super) struct Watched {
    room: Arc<Room>,
    inner: Arc<dyn Link>,
    usage: Arc<Use>,
}

/// Is a link used, and when was it last?
#[derive(Default)]
struct Use {
    /// Calls.
    calls: AtomicUsize,
    /// Streams that only tell of changes.
    ears: AtomicUsize,
    last_secs: AtomicU64,
    /// A call has ended.
    ended: Notify,
}

/// One use of a link.
struct Using {
    of: Arc<Use>,
    room: Arc<Room>,
    listens: bool,
    /// The last look at the clock of whoever uses it.
    seen: Instant,
}

impl Drop for Using {
    fn drop(&mut self) {
        // A stream that listens may have done so for hours.
        let seen = if self.listens { Instant::now() } else { self.seen };
        let used_for = seen.saturating_duration_since(self.room.began);
        self.of.last_secs.store(used_for.as_secs(), Ordering::Relaxed);
        self.of.count(self.listens).fetch_sub(1, Ordering::Relaxed);
        self.of.ended.notify_waiters();
    }
}

impl Use {
    fn count(&self, listens: bool) -> &AtomicUsize {
        if listens { &self.ears } else { &self.calls }
    }
}

impl Watched {
    pub(super) fn new(room: &Arc<Room>, inner: Arc<dyn Link>) -> Self {
        let usage = Use { last_secs: AtomicU64::new(room.began.elapsed().as_secs()), ..Use::default() };
        Self { room: Arc::clone(room), inner, usage: Arc::new(usage) }
    }

    /// For how long nobody has used it; `None` while somebody does.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let last = Duration::from_secs(self.usage.last_secs.load(Ordering::Relaxed));
        let users = self.usage.calls.load(Ordering::Relaxed) + self.usage.ears.load(Ordering::Relaxed);
        (users == 0).then(|| self.room.began.elapsed().saturating_sub(last))
    }

    /// Closes the link when its calls have ended, or have had time enough. Streams that only tell of changes end with it.
    pub(super) async fn retire(&self) {
        let ended = async {
            loop {
                let ended = self.usage.ended.notified();
                if self.usage.calls.load(Ordering::Relaxed) == 0 {
                    return;
                }
                ended.await;
            }
        };
        // Whoever still waits is told by the end of the link.
        drop(timeout(RETIRES_WITHIN, ended).await);
        self.inner.close().await;
    }

    fn using(&self, listens: bool, now: Instant) -> Using {
        self.usage.count(listens).fetch_add(1, Ordering::Relaxed);
        Using { of: Arc::clone(&self.usage), room: Arc::clone(&self.room), listens, seen: now }
    }

    async fn ask(&self, pool: &Pool, outgoing: Outgoing) -> Result<Box<dyn Exchange>, Failure> {
        let caps = &self.room.server.caps;
        let began = Instant::now();
        let total = self.room.time_for(&outgoing.request);
        let listens = &*outgoing.request.method == "subscriptions/listen";
        let using = self.using(listens, began);
        // Who only listens takes no slot: it would keep it for good. Nor does who waits for what a task comes to, be it until
        // a person has answered.
        let waits = listens || &*outgoing.request.method == Method::TasksResult.as_str();
        let slot = if waits { None } else { Some(self.room.slot()?) };
        let mut trial = self.room.begin(began)?;
        let asked = timeout_at(began + caps.idle.min(total), self.inner.ask(pool, outgoing)).await;
        let inner = match asked {
            Ok(Ok(inner)) => inner,
            Ok(Err(failure)) => {
                trial.judge(verdict(&failure));
                return Err(failure);
            }
            // A slow tool says nothing about its server.
            Err(_) => return Err(self.room.too_slow()),
        };
        let until = (!listens).then(|| began + total);
        Ok(Box::new(WatchedExchange {
            after_loss: inner.is_after_loss(),
            inner: Some(inner),
            trial,
            idle_at: began + caps.idle,
            until,
            messages: 0,
            asked: None,
            over: false,
            _slot: slot,
            using,
        }))
    }

    /// Anything else that can fail. That it did not says nothing: a link may have answered from memory.
    async fn try_it<T>(&self, doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let began = Instant::now();
        let _using = self.using(false, began);
        let mut trial = self.room.begin(began)?;
        let caps = &self.room.server.caps;
        let Ok(done) = timeout_at(began + caps.idle.min(caps.total), doing).await else {
            trial.judge(Verdict::Failed);
            return Err(self.room.too_slow());
        };
        trial.judge(done.as_ref().map_or_else(verdict, |_| Verdict::Silent));
        done
    }
}

impl Link for Watched {
    fn hello<'a>(&'a self, pool: &'a Pool, client: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>> {
        Box::pin(self.try_it(self.inner.hello(pool, client)))
    }

    fn known(&self) -> Option<Arc<Hello>> {
        self.inner.known()
    }

    fn ask<'a>(&'a self, pool: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>> {
        Box::pin(self.ask(pool, outgoing))
    }

    fn notify<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
        notification: Notification,
    ) -> Doing<'a, Result<(), Failure>> {
        Box::pin(self.try_it(self.inner.notify(pool, client, notification)))
    }

    fn answer<'a>(&'a self, pool: &'a Pool, client: &'a Client, response: Response) -> Doing<'a, Result<(), Failure>> {
        Box::pin(self.try_it(self.inner.answer(pool, client, response)))
    }

    fn overhear<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
    ) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>> {
        Box::pin(async move {
            let using = self.using(true, Instant::now());
            let overheard = self.try_it(self.inner.overhear(pool, client)).await?;
            Ok(overheard.map(|inner| Box::new(Overheard { inner, _using: using }) as Box<dyn Exchange>))
        })
    }

    fn state(&self) -> State {
        self.inner.state()
    }

    fn close(&self) -> Doing<'_, ()> {
        self.inner.close()
    }
}

/// What is overheard has no timers: silence is what it is for.
struct Overheard {
    inner: Box<dyn Exchange>,
    _using: Using,
}

impl Exchange for Overheard {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        self.inner.next()
    }
}

/// A request under way, with its timers.
struct WatchedExchange {
    inner: Option<Box<dyn Exchange>>,
    after_loss: bool,
    trial: Trial,
    /// When it has been silent for too long.
    idle_at: Instant,
    /// When it has taken too long, whatever happens; subscriptions take as long as they please.
    until: Option<Instant>,
    messages: u32,
    /// Since when the server waits for an answer.
    asked: Option<Instant>,
    /// Is there nothing more to come? The exchange itself is kept: what is left of its stream may still arrive and free the
    /// connection.
    over: bool,
    _slot: Option<OwnedSemaphorePermit>,
    using: Using,
}

impl WatchedExchange {
    async fn next_message(&mut self) -> Option<Result<Message, Failure>> {
        // While somebody was asked, nobody listened: the server is not to blame for that time.
        if let Some(asked) = self.asked.take() {
            self.idle_at = Instant::now() + self.trial.room.server.caps.idle;
            self.until = self.until.map(|until| until + asked.elapsed());
        }
        let inner = self.inner.as_mut().filter(|_| !self.over)?;
        let heard = match self.until {
            None => inner.next().await,
            Some(until) => match timeout_at(until.min(self.idle_at), inner.next()).await {
                Ok(heard) => heard,
                Err(_) => {
                    self.inner = None;
                    return Some(Err(self.trial.room.too_slow()));
                }
            },
        };
        self.noted(heard)
    }

    /// Takes note of what was heard, and of what it says about the server.
    fn noted(&mut self, heard: Option<Result<Message, Failure>>) -> Option<Result<Message, Failure>> {
        self.messages += 1;
        let now = Instant::now();
        self.using.seen = now;
        match &heard {
            Some(Ok(Message::Response(_))) => {
                self.trial.judge_at(Verdict::Alive, now);
                self.over = true;
            }
            Some(Err(failure)) => {
                self.trial.judge_at(verdict(failure), now);
                self.inner = None;
            }
            Some(Ok(_)) if self.until.is_some() && self.messages > MESSAGES_MAX => {
                self.inner = None;
                let name = &self.trial.room.server.name;
                let message =
                    format!("the MCP server `{name}` sent more than {MESSAGES_MAX} messages without an answer");
                return Some(Err(Failure::new(Code::UpstreamBroken, message)));
            }
            Some(Ok(message)) => {
                self.idle_at = now + self.trial.room.server.caps.idle;
                self.asked = matches!(message, Message::Request(_)).then_some(now);
            }
            None => self.inner = None,
        }
        heard
    }
}

impl Exchange for WatchedExchange {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.next_message())
    }

    fn at_hand(&mut self) -> Option<Message> {
        // While the server waits for an answer its time stands still; that is for the longer way to see to.
        let inner = self.inner.as_mut().filter(|_| !self.over && self.asked.is_none())?;
        let message = inner.at_hand()?;
        self.noted(Some(Ok(message)))?.ok()
    }

    fn is_after_loss(&self) -> bool {
        self.after_loss
    }
}
