//! A server over HTTP, of whatever revision. Which it is, the server is asked once (2026-07-28, versioning, backward compatibility):
//! `server/discover` first, then `initialize`, then `GET` for the two endpoints of 2024-11-05. What was found is kept for all
//! principals and asked again when it turns out wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::{Message, Notification, Response};
use gatehouse_upstream::Pool;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::handshake;
use super::http_legacy::{self, Opened, Overheard, Session};
use super::http_modern::{self, Discovered, Modern};
use super::kin::{Kin, Kind};
use super::sse::{self, Sse};
use super::{Client, Doing, Exchange, Failure, Hello, Link, Outgoing, Remedy, State, switchboard};

/// Where what outlives a call runs, and the connections it uses.
#[derive(Clone)]
pub(crate) struct Control {
    /// The control plane's runtime.
    pub(crate) runtime: Handle,
    /// Its connections.
    pub(crate) pool: Pool,
}

/// A server over HTTP, as one principal reaches it.
pub(crate) struct Http {
    endpoint: Arc<Endpoint>,
    control: Control,
    shared: bool,
    kin: Arc<Kin>,
    standing: Mutex<Standing>,
    /// Held during a handshake: there is one.
    greeting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Standing {
    current: Option<Spoken>,
    since: Option<SystemTime>,
    greetings: u64,
    last_error: Option<(SystemTime, Arc<str>)>,
}

/// What is spoken with the server, and the session there may be.
#[derive(Clone)]
enum Spoken {
    Modern(Arc<Modern>),
    Legacy(Arc<Session>),
    Sse(Arc<Sse>),
}

/// Why a request did not reach a server that was known.
pub(super) enum Missed {
    /// The server does not speak this way any more; it has not begun.
    OtherEra,
    /// The server does not know the session any more.
    SessionLost,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Missed {
    /// What to tell when there is nothing else to try.
    pub(super) fn into_failure(self, endpoint: &Endpoint) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::SessionLost => http_legacy::lost(endpoint),
            Self::OtherEra => endpoint.broken("speaks another revision of the protocol than it did a moment ago"),
        }
    }
}

impl Spoken {
    fn hello(&self) -> &Arc<Hello> {
        match self {
            Self::Modern(modern) => &modern.hello,
            Self::Legacy(session) => &session.hello,
            Self::Sse(sse) => &sse.hello,
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self, Self::Sse(sse) if sse.has_ended())
    }

    async fn ask(&self, pool: &Pool, outgoing: &Outgoing) -> Result<Box<dyn Exchange>, Missed> {
        match self {
            Self::Modern(modern) => modern.ask(pool, outgoing).await,
            Self::Legacy(session) => session.ask(pool, outgoing).await,
            Self::Sse(sse) => sse.ask(pool, outgoing).await,
        }
    }

    async fn tell(&self, pool: &Pool, message: &Message) -> Result<(), Missed> {
        match self {
            // Servers of this era are told nothing over HTTP but requests.
            Self::Modern(_) => Ok(()),
            Self::Legacy(session) => session.tell(pool, message).await,
            Self::Sse(sse) => sse.tell(pool, message).await,
        }
    }

    async fn overhear(&self, pool: &Pool) -> Result<Option<Box<dyn Exchange>>, Missed> {
        match self {
            Self::Modern(_) => Ok(None),
            Self::Legacy(session) => Ok(session
                .listen(pool, None)
                .await?
                .map(|events| Box::new(Overheard::new(session, pool, events)) as Box<dyn Exchange>)),
            Self::Sse(sse) => Ok(Some(Box::new(switchboard::Overheard(sse.listen())))),
        }
    }
}

impl Http {
    pub(crate) fn new(endpoint: Endpoint, control: Control, shared: bool, kin: Arc<Kin>) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            control,
            shared,
            kin,
            standing: Mutex::default(),
            greeting: tokio::sync::Mutex::default(),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<Spoken> {
        self.standing().current.as_ref().filter(|spoken| !spoken.has_ended()).cloned()
    }

    /// What is spoken with the server; makes the handshake if there was none.
    async fn spoken(&self, pool: &Pool, client: &Client) -> Result<Spoken, Failure> {
        if let Some(spoken) = self.current() {
            return Ok(spoken);
        }
        // Boxed: seldom done, and every call would carry the room for it.
        Box::pin(self.greet(pool, client)).await
    }

    async fn greet(&self, pool: &Pool, client: &Client) -> Result<Spoken, Failure> {
        let _alone = self.greeting.lock().await;
        if let Some(spoken) = self.current() {
            return Ok(spoken);
        }
        let incarnation = {
            let mut standing = self.standing();
            standing.current = None;
            standing.greetings += 1;
            standing.greetings
        };
        let nobody = handshake::nobody();
        let client = if self.shared { &nobody } else { client };
        // Several questions may have to be asked, each of which has to connect at worst.
        let within = self.endpoint.server().caps.connect.saturating_mul(3);
        let greeted = timeout(within, self.find_out(pool, client, incarnation)).await.unwrap_or_else(|_| {
            let name = &self.endpoint.server().name;
            Err(Failure::new(Code::UpstreamTimeout, format!("the MCP server `{name}` did not answer in time")))
        });
        let mut standing = self.standing();
        match &greeted {
            Ok(spoken) => {
                standing.current = Some(spoken.clone());
                standing.since = Some(SystemTime::now());
            }
            Err(failure) => {
                // A server that answers, and answers something else than it did, may be another one.
                if matches!(failure.fault.code, Code::UpstreamBroken | Code::UpstreamRejected) {
                    self.kin.set(None);
                }
                standing.last_error = Some((SystemTime::now(), failure.fault.message.clone().into()));
            }
        }
        greeted
    }

    async fn find_out(&self, pool: &Pool, client: &Client, incarnation: u64) -> Result<Spoken, Failure> {
        let known = self.kin.get();
        if known == Some(Kind::Sse) {
            return self.open_sse(client, incarnation).await;
        }
        if known != Some(Kind::Legacy)
            && let Discovered::Modern(modern) = http_modern::discover(&self.endpoint, pool, client, incarnation).await?
        {
            self.kin.set(Some(Kind::Modern));
            return Ok(Spoken::Modern(Arc::new(modern)));
        }
        match http_legacy::open(&self.endpoint, pool, client, incarnation).await? {
            Opened::Session(session) => {
                self.kin.set(Some(Kind::Legacy));
                Ok(Spoken::Legacy(Arc::new(session)))
            }
            // If it is none of those servers either, what it said to the question before says more.
            Opened::Other(refusal) => {
                self.open_sse(client, incarnation).await.map_err(|failure| match failure.remedy {
                    Remedy::Tell => refusal,
                    _ => failure,
                })
            }
        }
    }

    async fn open_sse(&self, client: &Client, incarnation: u64) -> Result<Spoken, Failure> {
        let sse = sse::open(&self.endpoint, &self.control, client, self.shared, incarnation).await?;
        self.kin.set(Some(Kind::Sse));
        Ok(Spoken::Sse(sse))
    }

    /// What was spoken is over, unless it was something else that went wrong; the next to ask makes a new handshake.
    fn forget(&self, hello: &Arc<Hello>, missed: &Missed) {
        if matches!(missed, Missed::Failed(_)) {
            return;
        }
        let mut standing = self.standing();
        if standing.current.as_ref().is_some_and(|current| Arc::ptr_eq(current.hello(), hello)) {
            standing.current = None;
            let what = if matches!(missed, Missed::OtherEra) { "it changed its era" } else { "the session was lost" };
            standing.last_error = Some((SystemTime::now(), what.into()));
        }
        drop(standing);
        if matches!(missed, Missed::OtherEra) {
            self.kin.set(None);
        }
    }

    async fn try_twice(&self, pool: &Pool, outgoing: &Outgoing) -> Result<Box<dyn Exchange>, Failure> {
        let (mut first, mut lost) = (true, false);
        loop {
            let spoken = self.spoken(pool, &outgoing.client).await?;
            let missed = match spoken.ask(pool, outgoing).await {
                Ok(exchange) if lost => return Ok(Box::new(AfterLoss(exchange))),
                Ok(exchange) => return Ok(exchange),
                Err(missed) => missed,
            };
            let again = match &missed {
                // It was refused for want of a session, or before anybody looked at it: nobody has begun with it.
                Missed::OtherEra | Missed::SessionLost => true,
                // The connection broke, perhaps because it was an old one, and nobody knows who has begun with what.
                Missed::Failed(failure) => failure.fault.code == Code::UpstreamBroken && is_repeatable(outgoing),
            };
            self.forget(spoken.hello(), &missed);
            if !(first && again) {
                return Err(missed.into_failure(&self.endpoint));
            }
            first = false;
            lost = matches!(missed, Missed::SessionLost);
            if lost {
                let (server, method) = (&*self.endpoint.server().name, &*outgoing.request.method);
                tracing::warn!(
                    server,
                    method,
                    "the MCP server has forgotten the session; the request is sent in a new one"
                );
            }
        }
    }

    async fn tell(&self, pool: &Pool, message: Message) -> Result<(), Failure> {
        let Some(spoken) = self.current() else { return Ok(()) };
        spoken.tell(pool, &message).await.map_err(|missed| {
            self.forget(spoken.hello(), &missed);
            missed.into_failure(&self.endpoint)
        })
    }
}

/// A request of a session that was opened in the place of a lost one (2025-11-25, transports, session management: who gets 404
/// for its session opens a new one; the server has not looked at the request).
struct AfterLoss(Box<dyn Exchange>);

impl Exchange for AfterLoss {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        self.0.next()
    }

    fn at_hand(&mut self) -> Option<Message> {
        self.0.at_hand()
    }

    fn is_after_loss(&self) -> bool {
        true
    }
}

/// Does it change nothing to send a request twice?
fn is_repeatable(outgoing: &Outgoing) -> bool {
    use Method::{
        Complete, Discover, Ping, PromptsGet, PromptsList, ResourcesList, ResourcesRead, SetLevel, Subscribe, TasksGet,
        TasksList, TemplatesList, ToolsList, Unsubscribe,
    };
    let reads = |method| match method {
        ToolsList | PromptsList | PromptsGet | ResourcesList | TemplatesList | ResourcesRead => true,
        // The level and subscriptions are state, but state that the request itself says whole.
        Complete | Ping | Discover | SetLevel | Subscribe | Unsubscribe | TasksGet | TasksList => true,
        _ => false,
    };
    outgoing.repeatable || Method::of(&outgoing.request.method).is_some_and(reads)
}

impl Link for Http {
    fn hello<'a>(&'a self, pool: &'a Pool, client: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>> {
        Box::pin(async { Ok(Arc::clone(self.spoken(pool, client).await?.hello())) })
    }

    fn known(&self) -> Option<Arc<Hello>> {
        self.current().map(|spoken| Arc::clone(spoken.hello()))
    }

    fn ask<'a>(&'a self, pool: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>> {
        Box::pin(async move { self.try_twice(pool, &outgoing).await })
    }

    fn notify<'a>(
        &'a self,
        pool: &'a Pool,
        _: &'a Client,
        notification: Notification,
    ) -> Doing<'a, Result<(), Failure>> {
        Box::pin(self.tell(pool, notification.into()))
    }

    fn answer<'a>(&'a self, pool: &'a Pool, _: &'a Client, response: Response) -> Doing<'a, Result<(), Failure>> {
        Box::pin(self.tell(pool, response.into()))
    }

    fn overhear<'a>(
        &'a self,
        pool: &'a Pool,
        client: &'a Client,
    ) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>> {
        Box::pin(async {
            let spoken = self.spoken(pool, client).await?;
            match spoken.overhear(pool).await {
                Ok(exchange) => Ok(exchange),
                Err(Missed::Failed(failure)) => Err(failure),
                Err(missed) => {
                    self.forget(spoken.hello(), &missed);
                    let anew = self.spoken(pool, client).await?;
                    anew.overhear(pool).await.map_err(|missed| missed.into_failure(&self.endpoint))
                }
            }
        })
    }

    fn state(&self) -> State {
        let current = self.current();
        let standing = self.standing();
        State {
            revision: current.as_ref().map(|spoken| Arc::clone(&spoken.hello().revision)),
            since: standing.since.filter(|_| current.is_some()),
            last_error: standing.last_error.clone(),
            restarts: standing.greetings.saturating_sub(1),
            ..State::default()
        }
    }

    fn close(&self) -> Doing<'_, ()> {
        Box::pin(async {
            let current = self.standing().current.take();
            match current {
                Some(Spoken::Legacy(session)) => session.end(&self.control.pool).await,
                Some(Spoken::Sse(sse)) => sse.end(),
                Some(Spoken::Modern(_)) | None => {}
            }
        })
    }
}
