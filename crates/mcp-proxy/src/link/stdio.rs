//! A server that is a child process, of either era. Which era is found out by asking `server/discover`; whatever is no modern
//! answer to that, silence included, makes it a server of the older one. A child that ends is started again when somebody asks
//! for it, not before, and ever later the sooner it ended.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::era::probe::{self, Found};
use gatehouse_mcp_gateway::era::{Era, Revision, stamp};
use gatehouse_mcp_gateway::{Id, Message, Notification, Response};
use gatehouse_upstream::Pool;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::handshake::{self, facts};
use super::kin::{Kin, Kind};
use super::process::{Murmur, Process, Recipe};
use super::switchboard::{Overheard, Ticket};
use super::{Client, Doing, Exchange, Failure, Hello, Link, Outgoing, State};

/// How long a child may think about `server/discover` before it is asked the older way as well.
const DISCOVERS_WITHIN: Duration = Duration::from_secs(3);
/// How long is waited after the first early end of a child; twice as long after each further one.
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A child that lived so long did not end early.
const LIVED_WELL: Duration = Duration::from_secs(60);

/// A server that is a child process.
pub(crate) struct Stdio(Arc<Inner>);

struct Inner {
    recipe: Recipe,
    /// How long a child may take to answer for the first time.
    answers_within: Duration,
    control: Handle,
    murmur: Arc<Murmur>,
    kin: Arc<Kin>,
    standing: Mutex<Standing>,
    /// Held while a child is started: there is one.
    starting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Standing {
    current: Option<Arc<Child>>,
    started: Option<(Instant, SystemTime)>,
    starts: u64,
    early_ends: u32,
    last_error: Option<(SystemTime, Arc<str>)>,
}

/// A child that has said hello.
struct Child {
    process: Arc<Process>,
    revision: Revision,
    hello: Arc<Hello>,
}

impl Stdio {
    pub(crate) fn new(recipe: Recipe, answers_within: Duration, control: Handle, kin: Arc<Kin>) -> Self {
        Self(Arc::new(Inner {
            recipe,
            answers_within,
            control,
            murmur: Arc::default(),
            kin,
            standing: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
        }))
    }

    /// The child; starts one if there is none. Who stops waiting does not stop the start: the next one to ask finds it done.
    async fn child(&self, client: &Client) -> Result<Arc<Child>, Failure> {
        if let Some(child) = self.0.alive() {
            return Ok(child);
        }
        let (inner, client) = (Arc::clone(&self.0), client.clone());
        let started = self.0.control.spawn(async move { inner.start(&client).await }).await;
        started.unwrap_or_else(|_| Err(Failure::new(Code::Draining, "the gateway is shutting down")))
    }
}

impl Inner {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Option<Arc<Child>> {
        self.standing().current.as_ref().filter(|child| !child.process.board().has_ended()).cloned()
    }

    async fn start(&self, client: &Client) -> Result<Arc<Child>, Failure> {
        let _alone = self.starting.lock().await;
        if let Some(child) = self.alive() {
            return Ok(child);
        }
        let nobody = handshake::nobody();
        let client = if self.recipe.shared { &nobody } else { client };
        let incarnation = self.may_start()?;
        let mut greeted = self.greet(client, incarnation).await;
        if matches!(&greeted, Err(Unheard::DiedOfDiscover(_))) {
            // Some older servers take an unknown first message for the end of the world. They get the one they know.
            self.kin.set(Some(Kind::Legacy));
            greeted = self.greet(client, incarnation).await;
        }
        let mut standing = self.standing();
        match greeted {
            Ok(child) => {
                let child = Arc::new(child);
                self.kin.set(Some(if child.hello.modern { Kind::Modern } else { Kind::Legacy }));
                standing.current = Some(Arc::clone(&child));
                Ok(child)
            }
            Err(Unheard::DiedOfDiscover(failure) | Unheard::Failed(failure)) => {
                self.kin.set(None);
                standing.last_error = Some((SystemTime::now(), failure.fault.message.clone().into()));
                Err(failure)
            }
        }
    }

    /// Says whether it is time to start a child again, and which one it is.
    fn may_start(&self) -> Result<u64, Failure> {
        let mut standing = self.standing();
        if let Some((began, _)) = standing.started {
            if began.elapsed() >= LIVED_WELL {
                standing.early_ends = 0;
            }
            let wait = WAIT_FIRST.saturating_mul(1 << standing.early_ends.min(8)).min(WAIT_MAX);
            if let Some(left) = wait.checked_sub(began.elapsed()).filter(|_| standing.early_ends > 0) {
                let seconds = left.as_secs() + 1;
                let name = &self.recipe.server;
                let message = format!("the MCP server `{name}` ended too soon; it is started again in {seconds} s");
                let mut failure = Failure::new(Code::UpstreamUnreachable, message);
                failure.fault.retry_after_secs = Some(seconds);
                return Err(failure);
            }
            standing.early_ends += 1;
        }
        standing.started = Some((Instant::now(), SystemTime::now()));
        standing.starts += 1;
        standing.current = None;
        Ok(standing.starts)
    }

    /// Starts a child and finds out how to speak with it.
    async fn greet(&self, client: &Client, incarnation: u64) -> Result<Child, Unheard> {
        let process = Process::start(&self.recipe, Arc::clone(&self.murmur))?;
        let greeting = Greeting { inner: self, process: &process, client, incarnation };
        let known = self.kin.get();
        let greeted = timeout(self.answers_within, async {
            if known == Some(Kind::Legacy) { greeting.open(None).await } else { greeting.probe().await }
        });
        let outcome = greeted.await.unwrap_or_else(|_| {
            let name = &self.recipe.server;
            let message =
                format!("the MCP server `{name}` was started and did not answer in time; see its standard error");
            Err(Failure::new(Code::UpstreamTimeout, message).into())
        });
        match outcome {
            Ok((revision, hello)) => Ok(Child { process, revision, hello: Arc::new(hello) }),
            Err(unheard) => {
                // A child that does not speak may not listen either, and its end may take a while.
                tokio::spawn(async move { process.close().await });
                Err(unheard)
            }
        }
    }
}

/// Why there is no hello.
enum Unheard {
    /// The child ended when it was asked the modern way.
    DiedOfDiscover(Failure),
    Failed(Failure),
}

impl From<Failure> for Unheard {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The first words with one child.
struct Greeting<'a> {
    inner: &'a Inner,
    process: &'a Process,
    client: &'a Client,
    incarnation: u64,
}

impl Greeting<'_> {
    async fn send(&self, request: gatehouse_mcp_gateway::Request) -> Result<Ticket, Failure> {
        let ticket = self.process.expect(&request)?;
        self.process.send(&request.into()).await?;
        Ok(ticket)
    }

    /// Asks the modern way first.
    async fn probe(&self) -> Result<(Revision, Hello), Unheard> {
        let mut ticket = self.send(handshake::discover(Revision::LATEST, self.client)).await?;
        match timeout(DISCOVERS_WITHIN, ticket.next()).await {
            // It may only be slow to start: it is asked the other way, too, and whichever answer comes first counts.
            Err(_) => self.open(Some(ticket)).await,
            Ok(Some(Ok(Message::Response(response)))) => self.judge(response).await,
            Ok(Some(Err(failure))) => Err(Unheard::DiedOfDiscover(failure)),
            Ok(_) => self.open(Some(ticket)).await,
        }
    }

    /// What the answer to `server/discover` makes of the server.
    async fn judge(&self, response: Response) -> Result<(Revision, Hello), Unheard> {
        let name = &self.inner.recipe.server;
        match (probe::of_line(Some(&response)), response.outcome) {
            (Found::Modern(revision), Ok(result)) => {
                Ok((revision, handshake::of_discover(revision, &result, self.incarnation)))
            }
            (Found::Modern(revision), Err(_)) => {
                let again = self.send(handshake::discover(revision, self.client)).await?.response().await;
                match again.map(|response| response.map(|response| response.outcome)) {
                    Some(Ok(Ok(result))) => Ok((revision, handshake::of_discover(revision, &result, self.incarnation))),
                    Some(Err(failure)) => Err(failure.into()),
                    _ => Err(handshake::stranger(name).into()),
                }
            }
            (Found::Stranger, _) => Err(handshake::stranger(name).into()),
            (Found::Legacy | Found::Unsaid, _) => self.open(None).await,
        }
    }

    /// Opens a session of the older era, unless an answer to `server/discover` comes after all.
    async fn open(&self, mut discover: Option<Ticket>) -> Result<(Revision, Hello), Unheard> {
        let mut initialize = self.send(handshake::initialize(self.client)).await?;
        let response = loop {
            let late = async {
                match &mut discover {
                    Some(ticket) => ticket.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                heard = late => match heard {
                    Some(Ok(Message::Response(response))) => {
                        discover = None;
                        if let Found::Modern(revision) = probe::of_line(Some(&response))
                            && let Ok(result) = response.outcome
                        {
                            return Ok((revision, handshake::of_discover(revision, &result, self.incarnation)));
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => discover = None,
                },
                heard = initialize.next() => match heard {
                    Some(Ok(Message::Response(response))) => break response,
                    Some(Ok(_)) => {}
                    Some(Err(failure)) => return Err(failure.into()),
                    None => return Err(Failure::new(Code::Internal, "a channel ended without a word").into()),
                },
            }
        };
        let name = &self.inner.recipe.server;
        let result = response.outcome.map_err(|error| handshake::not_opened(name, &error))?;
        let hello = handshake::of_initialize(name, &result, self.incarnation)?;
        self.process.send(&handshake::initialized().into()).await?;
        Ok(hello)
    }
}

impl Link for Stdio {
    fn hello<'a>(&'a self, _: &'a Pool, client: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>> {
        Box::pin(async { Ok(Arc::clone(&self.child(client).await?.hello)) })
    }

    fn ask<'a>(&'a self, _: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>> {
        Box::pin(async move {
            let child = self.child(&outgoing.client).await?;
            let request = stamp::body(child.revision, outgoing.request, facts(&outgoing.client));
            let ticket = child.process.expect(&request)?;
            let exchange = Call { process: Arc::clone(&child.process), id: request.id.clone(), ticket };
            child.process.send(&request.into()).await?;
            Ok(Box::new(exchange) as Box<dyn Exchange>)
        })
    }

    fn notify<'a>(&'a self, _: &'a Pool, _: &'a Client, notification: Notification) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async move {
            match self.0.alive() {
                Some(child) => child.process.send(&notification.into()).await,
                // What a process was to be told that has ended concerns nobody any more.
                None => Ok(()),
            }
        })
    }

    fn answer<'a>(&'a self, _: &'a Pool, _: &'a Client, response: Response) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async move {
            match self.0.alive() {
                Some(child) => child.process.send(&response.into()).await,
                None => Err(Failure::new(Code::UpstreamBroken, "the process that asked has ended")),
            }
        })
    }

    fn overhear<'a>(
        &'a self,
        _: &'a Pool,
        client: &'a Client,
    ) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>> {
        Box::pin(async {
            let child = self.child(client).await?;
            if child.revision.era() == Era::Modern {
                return Ok(None);
            }
            Ok(Some(Box::new(Overheard(child.process.board().listen())) as Box<dyn Exchange>))
        })
    }

    fn state(&self) -> State {
        let alive = self.0.alive();
        let standing = self.0.standing();
        State {
            revision: alive.as_ref().map(|child| Arc::clone(&child.hello.revision)),
            since: standing.started.filter(|_| alive.is_some()).map(|(_, since)| since),
            last_error: standing.last_error.clone(),
            restarts: standing.starts.saturating_sub(1),
            garbage: self.0.murmur.garbage.load(Ordering::Relaxed),
            stderr: self.0.murmur.stderr(),
        }
    }

    fn close(&self) -> Doing<'_, ()> {
        Box::pin(async {
            let child = self.0.standing().current.take();
            if let Some(child) = child {
                child.process.close().await;
            }
        })
    }
}

/// A request that a child has.
struct Call {
    process: Arc<Process>,
    id: Id,
    ticket: Ticket,
}

impl Exchange for Call {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.ticket.next())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.ticket.is_open() && self.process.board().forget(&self.id) {
            self.process.send_if_room(&handshake::cancelled(&self.id).into());
        }
    }
}
