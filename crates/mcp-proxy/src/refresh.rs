//! Keeps the catalogue fresh. Every server has a task on the control plane that fetches its lists, hears when they change, and
//! asks again after a while; whatever comes is composed into a new catalogue, and who reads it never waits. A server that does
//! not answer keeps the lists it had, also over a restart.
//!
//! [`fetch`] the lists of one server · [`news`] when they change · [`making`] from lists, names and pins to a catalogue, and what
//! is remembered of it · [`personal`] servers whose lists are each user's own.

mod fetch;
mod making;
mod news;
mod personal;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use gatehouse_domain::{Fault, Principal, PrincipalKind};
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::blueprint::{Auth, Blueprint, Server, Transport};
use gatehouse_mcp_gateway::catalogue::{Catalogue, Fetched, Kind, Sheet, State};
use gatehouse_mcp_gateway::pins::{Hash, PinState};
use gatehouse_store::{Store, StoreError};
use gatehouse_upstream::Pool;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::Links;
use crate::link::{Client, Failure, Link};
use making::Making;
use news::News;
use personal::Personal;

/// How long lists are good of a server that does not say and can be asked again cheaply.
const PERIOD: Duration = Duration::from_secs(5 * 60);
/// The same for a program, or where changes are heard of.
const LONG_PERIOD: Duration = Duration::from_secs(30 * 60);
/// The shortest time a server's `ttlMs` is heeded with.
const SHORT_PERIOD: Duration = Duration::from_secs(10);
/// Between two looks at a server, however often it says that something changed.
const DEBOUNCE: Duration = Duration::from_millis(500);
/// After a failure, the first time; twice as long after each more, up to the last.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(120);
/// From then on names are given for good, whether every server has been asked or not.
const SETTLED: Duration = Duration::from_secs(10);

/// What the refresher works with.
pub struct Means {
    /// Where lists, names and pins are remembered.
    pub store: Store,
    /// The ways to servers.
    pub links: Arc<Links>,
    /// The control plane's runtime and connections.
    pub control: Handle,
    /// Its connections.
    pub pool: Pool,
    /// The gateway's name and version, as servers hear it (`clientInfo`).
    pub info: Raw,
    /// Who is told of a server and of what it offers that waits for approval from now on (`tool log`). Told once, when it is
    /// written down; it may not wait.
    pub waits: Waits,
}

/// Takes a server's name and the items of it that wait.
pub type Waits = Box<dyn Fn(&str, &[String]) + Send + Sync>;

/// Keeps the catalogue fresh, from [`Refresher::start`] until it is dropped.
pub struct Refresher {
    means: Means,
    /// As whom servers are asked whose lists are everybody's.
    own: Arc<Principal>,
    making: tokio::sync::Mutex<Making>,
    current: watch::Sender<Arc<Catalogue>>,
    personal: Personal,
    /// The servers it is about; read on the path of a call, so never behind a lock that a slow task can hold.
    personal_servers: ArcSwap<Vec<Arc<Server>>>,
    following: Mutex<HashMap<Arc<str>, Following>>,
}

/// The task of one server.
struct Following {
    server: Arc<Server>,
    task: JoinHandle<()>,
    nudge: Arc<Notify>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Refresher {
    /// Reads what is remembered. Nothing is fetched before [`Self::configure`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(means: Means) -> Result<Arc<Self>, StoreError> {
        let making = Making::remembered(&means.store).await?;
        Ok(Arc::new(Self {
            own: Arc::new(Principal::bare(PrincipalKind::Service, "gatehouse", "gatehouse")),
            making: tokio::sync::Mutex::new(making),
            current: watch::Sender::new(Arc::default()),
            personal: Personal::default(),
            personal_servers: ArcSwap::default(),
            following: Mutex::default(),
            means,
        }))
    }

    /// The catalogue as it is, and whoever waits on it hears when what it offers changes.
    #[must_use]
    pub fn catalogue(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.current.subscribe()
    }

    /// The catalogue of one principal: the common one, and the lists of those servers that each user has their own of. Asks
    /// servers that were not asked for this principal, or not lately; one that does not answer in time is left out.
    pub async fn catalogue_of(self: &Arc<Self>, principal: &Arc<Principal>) -> Arc<Catalogue> {
        let servers = self.personal_servers.load_full();
        if servers.is_empty() {
            return Arc::clone(&self.current.borrow());
        }
        self.personal.catalogue(self, &servers, principal).await
    }

    /// What is known of one principal's own lists without asking anybody: the catalogue of its last list, or the common one.
    #[must_use]
    pub fn known_to(&self, principal: &Principal) -> Arc<Catalogue> {
        let own = if self.personal_servers.load().is_empty() { None } else { self.personal.known(principal) };
        own.unwrap_or_else(|| Arc::clone(&self.current.borrow()))
    }

    /// Why a server's lists are not there for a principal whose person has to agree first, as far as is known.
    #[must_use]
    pub fn unagreed(&self, principal: &Principal, server: &str) -> Option<Fault> {
        // Of most servers nobody has lists of their own, and then there is nothing to look up.
        let personal = self.personal_servers.load().iter().any(|each| *each.name == *server);
        personal.then(|| self.personal.unagreed(principal, server)).flatten()
    }

    /// Takes over a configuration: the catalogue is composed of what is remembered at once, servers that are new or have changed
    /// are asked in the background.
    pub async fn configure(self: &Arc<Self>, blueprint: Arc<Blueprint>) {
        let servers = blueprint.servers.clone();
        self.personal_servers.store(Arc::new(servers.iter().filter(|server| is_personal(server)).cloned().collect()));
        {
            let mut making = self.making.lock().await;
            making.configure(blueprint);
            self.publish(&mut making).await;
        }
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.retain(|name, old| servers.iter().any(|new| new.name == *name && **new == *old.server));
        let started = following.is_empty();
        for server in servers.into_iter().filter(|server| !is_personal(server)) {
            following.entry(Arc::clone(&server.name)).or_insert_with(|| self.follow(server));
        }
        drop(following);
        if started {
            let this = Arc::downgrade(self);
            self.means.control.spawn(async move {
                tokio::time::sleep(SETTLED).await;
                if let Some(this) = this.upgrade() {
                    let mut making = this.making.lock().await;
                    making.settle();
                    this.publish(&mut making).await;
                }
            });
        }
        self.personal.forget();
    }

    /// Asks a server again now; `false` if it is not one that is asked for everybody.
    pub fn ask_again(&self, server: &str) -> bool {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.get(server).map(|each| each.nudge.notify_one()).is_some()
    }

    /// Forgets what one principal's own lists were: its access has changed.
    pub fn forget(&self, principal: &Principal) {
        self.personal.forget_one(principal);
    }

    /// Writes down what somebody decided of a version and composes anew; `false` if there is no such version.
    ///
    /// # Errors
    /// When the database fails; then nothing has changed.
    pub async fn decide(
        &self,
        (server, kind, name): (&str, Kind, &str),
        hash: Hash,
        state: PinState,
        by: &str,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut making = self.making.lock().await;
        let item = gatehouse_store::PinnedItem { server, kind: kind.as_str(), name };
        let known = self.means.store.mcp_pin_decided(item, &hash.to_string(), state.as_str(), by, now_unix_ms).await?;
        if known {
            making.pins.insert(server.into(), kind, name.into(), hash, state, true);
            self.publish(&mut making).await;
            // A version that only some see changes nothing for all.
            self.personal.compose_anew(&mut making).await;
        }
        Ok(known)
    }

    fn follow(self: &Arc<Self>, server: Arc<Server>) -> Following {
        let nudge = Arc::new(Notify::new());
        let task = {
            let (this, server, nudge) = (Arc::downgrade(self), Arc::clone(&server), Arc::clone(&nudge));
            self.means.control.spawn(async move {
                let (mut news, mut failures) = (News::default(), 0);
                // Weak: the tasks end with whom they work for.
                while let Some(this) = this.upgrade() {
                    // First the ear and then the eye, so that nothing changes unheard in between.
                    this.listen(&server, &mut news).await;
                    let outcome = this.look(&server).await;
                    if outcome.is_ok() && runs_for_each(&server) {
                        news = News::default();
                        this.means.links.part(&server.name, &this.own);
                    }
                    drop(this);
                    failures = if outcome.is_ok() { 0 } else { failures + 1 };
                    let pause = outcome.map_or_else(|_| back_off(failures), |lists| period(&server, &lists, &news));
                    wait(&mut news, spread(pause), &nudge).await;
                }
            })
        };
        Following { server, task, nudge }
    }

    /// Fetches once and takes what came into the catalogue.
    async fn look(&self, server: &Arc<Server>) -> Result<Arc<Fetched>, Fault> {
        let outcome = self.fetch(server, &self.own).await.map(Arc::new);
        let mut sheet = None;
        if let Ok(fetched) = &outcome
            && self.making.lock().await.takes(fetched)
        {
            // Reading, hashing and scanning takes a while for a long list.
            let read = Arc::clone(fetched);
            sheet = tokio::task::spawn_blocking(move || Sheet::read(read)).await.ok().map(Arc::new);
        }
        let mut making = self.making.lock().await;
        match &outcome {
            Ok(fetched) => {
                if let Some(sheet) = sheet {
                    making.fetched(server, sheet);
                    making.remember_lists(&self.means.store, server, fetched).await;
                }
                making.stands(server, State::Up, None);
            }
            Err(fault) => {
                tracing::warn!(server = &*server.name, error = &*fault.message, "MCP server's lists not fetched");
                making.stands(server, State::Down, Some(&fault.message));
            }
        }
        self.publish(&mut making).await;
        outcome
    }

    /// Opens the ear for a server that tells of changes.
    async fn listen(&self, server: &Arc<Server>, news: &mut News) {
        let client = self.client();
        if let Ok(link) = self.link(server, &self.own, &client) {
            news.open(&link, &self.means.pool, &client).await;
        }
    }

    async fn fetch(&self, server: &Arc<Server>, principal: &Arc<Principal>) -> Result<Fetched, Fault> {
        let client = self.client();
        let link = self.link(server, principal, &client)?;
        fetch::fetch(&*link, &self.means.pool, server, &client).await
    }

    fn link(&self, server: &Server, principal: &Arc<Principal>, client: &Client) -> Result<Arc<dyn Link>, Failure> {
        self.means.links.of(&server.name, principal, None, client)
    }

    /// The gateway as a client of its own: it can list, and nothing else.
    fn client(&self) -> Client {
        Client { capabilities: Raw::empty(), info: Some(self.means.info.clone()), log_level: None, traceparent: None }
    }

    /// Composes, remembers, and lets everybody see it. Those who wait are woken only if something that is offered has changed.
    async fn publish(&self, making: &mut Making) {
        let before = Arc::clone(&self.current.borrow());
        let (catalogue, changed) = making.compose(&before);
        if changed {
            // Those with lists of their own see the change no later than everybody else.
            self.personal.compose_anew(making).await;
        }
        self.current.send_if_modified(|current| {
            *current = Arc::new(catalogue);
            changed
        });
        making.remember(&self.means.store, &self.means.waits).await;
    }
}

/// Waits until it is time to look again.
async fn wait(news: &mut News, pause: Duration, nudge: &Notify) {
    tokio::select! {
        () = news.changed() => {}
        () = tokio::time::sleep(pause) => {}
        () = nudge.notified() => {}
    }
    tokio::time::sleep(DEBOUNCE).await;
}

/// How long a server's lists are left alone.
fn period(server: &Server, fetched: &Fetched, news: &News) -> Duration {
    if fetched.modern && fetched.ttl_ms > 0 {
        return Duration::from_millis(fetched.ttl_ms).clamp(SHORT_PERIOD, LONG_PERIOD);
    }
    let program = !matches!(server.transport, Transport::Http { .. });
    if news.is_open() || program { LONG_PERIOD } else { PERIOD }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF_MAX)
}

/// A fifth more or less, so that servers are not all asked at once.
fn spread(time: Duration) -> Duration {
    time.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// Is it a program that runs for each caller by itself? One that was asked for lists would run for nobody: it ends when it has
/// said them, and that they change is heard from those that run for callers.
fn runs_for_each(server: &Server) -> bool {
    matches!(server.transport, Transport::Stdio { .. }) && !server.shared
}

/// Has each user lists of their own there?
fn is_personal(server: &Server) -> bool {
    matches!(server.auth, Auth::PerUser(_) | Auth::Exchange(_))
}
