//! Who has which link. A link is made when somebody first needs it, kept while it is used, and let go when it has been idle or
//! when the configuration of its server has changed; a reload that does not change a server does not touch its links.
//!
//! Principals never share one, unless the configuration says that the server has nothing of theirs: equal credentials are no
//! reason (a session may hold state). A link of the older era also belongs to one set of client capabilities, because that is
//! what its session was opened with, and to one session of the client's where the conductor wants state kept apart.

mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use foldhash::HashMap;
use gatehouse_domain::{Code, Principal, PrincipalKind};
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::blueprint::{Server, Transport};
use gatehouse_mcp_gateway::openapi::{Api, ApiFault};
use gatehouse_upstream::child::{Program, Supervisor};
use gatehouse_upstream::{BreakerState, Egress, HealthTable, Pool};
use http::HeaderValue;
use tokio::runtime::Handle;

use crate::link::endpoint::{Caller, Endpoint};
use crate::link::http::{Control, Http};
use crate::link::kin::Kin;
use crate::link::openapi::OpenApi;
use crate::link::process::Recipe;
use crate::link::stdio::Stdio;
use crate::link::{Client, Failure, Link, State, TokenSource};
use watch::{Room, Watched};

/// Links to one server at once; children at once.
const LINKS_MAX: usize = 4096;
const CHILDREN_MAX: usize = 64;
/// An idle link is let go after this long.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// How often idle links are looked for.
const LOOKS_EVERY: Duration = Duration::from_secs(60);

/// Makes links to servers that are reached in no way this module knows: those of the gateway itself.
pub type Elsewhere = Arc<dyn Fn(&Arc<Server>, &Arc<Principal>) -> Option<Arc<dyn Link>> + Send + Sync>;

/// What links are made with.
pub struct Means {
    /// The control plane's runtime: children and streams that belong to no call live there.
    pub control: Handle,
    /// The control plane's connections.
    pub pool: Pool,
    /// Who sees to the end of children. Without one, children of a killed gateway end only if they heed the end of their input.
    pub supervisor: Option<Supervisor>,
    /// Where tokens come from that are not in the configuration.
    pub tokens: Arc<dyn TokenSource>,
    /// What this gateway calls itself in the header that finds circles; random is best.
    pub instance: Arc<str>,
    /// Who makes the other links.
    pub elsewhere: Elsewhere,
}

/// Every link of the gateway.
pub struct Links {
    means: Means,
    hop: HeaderValue,
    health: HealthTable,
    servers: ArcSwap<BTreeMap<Arc<str>, Arc<Branch>>>,
}

/// The links to one server.
struct Branch {
    room: Arc<Room>,
    egress: Egress,
    kin: Arc<Kin>,
    /// The API of a document, read when the first link is made.
    api: OnceLock<Result<Arc<Api>, ApiFault>>,
    links: Mutex<HashMap<Whose, Arc<Watched>>>,
}

/// Whose a link is.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Whose {
    /// Kind and key of the principal; `None`: everybody's.
    principal: Option<(PrincipalKind, Arc<str>)>,
    /// The client's session, where its state is kept apart.
    session: Option<Arc<str>>,
    /// What the client can, where a session was opened with that.
    capabilities: Option<Raw>,
}

/// How one server stands, for people.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub server: Arc<str>,
    /// Does its breaker keep calls away, and for how long still?
    pub breaker: (BreakerState, Option<Duration>),
    /// Calls under way.
    pub under_way: usize,
    /// Each link: whose it is (`None`: everybody's), and how it stands.
    pub links: Vec<(Option<Arc<str>>, State)>,
}

impl Links {
    /// No links yet.
    #[must_use]
    pub fn new(means: Means) -> Arc<Self> {
        let hop = HeaderValue::try_from(&*means.instance).unwrap_or(HeaderValue::from_static("gatehouse"));
        Arc::new(Self { means, hop, health: HealthTable::default(), servers: ArcSwap::default() })
    }

    /// Takes over the servers of a configuration, each with where its address may lead. What has not changed stays as it is; links
    /// to what has are closed.
    pub fn load(&self, servers: impl IntoIterator<Item = (Arc<Server>, Egress)>) {
        let old = self.servers.load_full();
        let branches = servers.into_iter().map(|(server, egress)| {
            let kept = old.get(&server.name).filter(|branch| branch.egress == egress && *branch.room.server == *server);
            let name = Arc::clone(&server.name);
            (name, kept.map_or_else(|| Arc::new(self.branch(server, egress)), Arc::clone))
        });
        let new: BTreeMap<_, _> = branches.collect();
        for (name, branch) in old.iter() {
            if new.get(name).is_none_or(|kept| !Arc::ptr_eq(kept, branch)) {
                self.let_go(branch.links().drain().map(|(_, link)| link).collect());
            }
        }
        self.servers.store(Arc::new(new));
    }

    fn branch(&self, server: Arc<Server>, egress: Egress) -> Branch {
        let label: Arc<str> = format!("mcp/{}", server.name).into();
        let room = Arc::new(Room::new(server, self.health.of(&label)));
        Branch { room, egress, kin: Arc::default(), api: OnceLock::new(), links: Mutex::default() }
    }

    /// The link of `principal` to a server, on behalf of a client; made if there is none. `session`: of the client, where state of
    /// the server must not be shared with the principal's other sessions.
    ///
    /// # Errors
    /// When there is no such server, when it has too many links already, or when its settings cannot be used.
    pub fn of(
        &self,
        server: &str,
        principal: &Arc<Principal>,
        session: Option<&Arc<str>>,
        client: &Client,
    ) -> Result<Arc<dyn Link>, Failure> {
        let servers = self.servers.load();
        let branch = servers.get(server).ok_or_else(|| {
            Failure::new(Code::NotFound, format!("there is no MCP server `{server}` in the configuration"))
        })?;
        let whose = branch.whose(principal, session, client);
        let mut links = branch.links();
        if let Some(link) = links.get(&whose) {
            return Ok(Arc::clone(link) as Arc<dyn Link>);
        }
        if let Some(link) = branch.take_over(&whose, &mut links) {
            return Ok(link as Arc<dyn Link>);
        }
        if links.len() >= branch.most() {
            self.make_room(branch, &mut links)?;
        }
        let inner = self.make(branch, principal)?;
        let link = Arc::new(Watched::new(&branch.room, inner));
        links.insert(whose, Arc::clone(&link));
        Ok(link)
    }

    fn caller(&self, branch: &Branch, principal: &Arc<Principal>) -> Caller {
        Caller {
            server: Arc::clone(&branch.room.server),
            principal: Arc::clone(principal),
            tokens: Arc::clone(&self.means.tokens),
            egress: branch.egress,
            hop: self.hop.clone(),
        }
    }

    fn make(&self, branch: &Branch, principal: &Arc<Principal>) -> Result<Arc<dyn Link>, Failure> {
        let server = &branch.room.server;
        match &server.transport {
            Transport::Http { url, headers } => {
                let control = Control { runtime: self.means.control.clone(), pool: self.means.pool.clone() };
                let endpoint = Endpoint::new(self.caller(branch, principal), url, headers)?;
                Ok(Arc::new(Http::new(endpoint, control, server.shared, Arc::clone(&branch.kin))))
            }
            Transport::Stdio { command, env, cwd } => {
                let env = env.iter().map(|(name, value)| (Arc::clone(name), value.clone())).collect();
                let recipe = Recipe {
                    server: Arc::clone(&server.name),
                    program: Program { command: command.clone(), env, cwd: cwd.clone() },
                    supervisor: self.means.supervisor.clone(),
                    message_bytes: server.caps.message_bytes,
                    shared: server.shared,
                };
                Ok(Arc::new(Stdio::new(
                    recipe,
                    server.caps.connect,
                    self.means.control.clone(),
                    Arc::clone(&branch.kin),
                )))
            }
            Transport::OpenApi { document, base_url, headers } => {
                let endpoint = Endpoint::new(self.caller(branch, principal), base_url, headers)?;
                let api = branch.api.get_or_init(|| Api::read(document).map(Arc::new));
                Ok(Arc::new(OpenApi::new(endpoint, api.clone())?))
            }
            Transport::Builtin | Transport::Gatehouse(_) => {
                (self.means.elsewhere)(server, principal).ok_or_else(|| {
                    let name = &server.name;
                    Failure::new(Code::Internal, format!("nobody here knows how to reach the MCP server `{name}`"))
                })
            }
        }
    }

    /// Lets go of the link that has been idle for longest.
    fn make_room(&self, branch: &Branch, links: &mut HashMap<Whose, Arc<Watched>>) -> Result<(), Failure> {
        let idle = links.iter().filter_map(|(whose, link)| Some((link.idle_for()?, whose.clone())));
        let Some((_, whose)) = idle.max_by_key(|(idle, _)| *idle) else {
            let name = &branch.room.server.name;
            let message = format!("all connections to the MCP server `{name}` are in use; try again in a moment");
            return Err(Failure::new(Code::Overloaded, message));
        };
        self.let_go(links.remove(&whose).into_iter().collect());
        Ok(())
    }

    /// Closes links in the background, each when its calls have ended.
    fn let_go(&self, links: Vec<Arc<Watched>>) {
        for link in links {
            self.means.control.spawn(async move { link.retire().await });
        }
    }

    /// Looks for idle links now and then, for as long as it is polled.
    pub async fn keep(&self) {
        let mut look = tokio::time::interval(LOOKS_EVERY);
        loop {
            look.tick().await;
            self.let_go_of_idle(IDLE);
        }
    }

    fn let_go_of_idle(&self, idle: Duration) {
        for branch in self.servers.load().values() {
            let mut links = branch.links();
            let gone: Vec<_> = links
                .iter()
                .filter(|(_, link)| link.idle_for().is_some_and(|time| time >= idle))
                .map(|(whose, _)| whose.clone())
                .collect();
            let gone = gone.iter().filter_map(|whose| links.remove(whose)).collect();
            drop(links);
            self.let_go(gone);
        }
    }

    /// Closes what a principal has of one server.
    pub(crate) fn part(&self, server: &str, principal: &Principal) {
        let servers = self.servers.load();
        let Some(branch) = servers.get(server) else { return };
        let whose = Some((principal.kind, Arc::clone(&principal.key)));
        let gone = branch.links().extract_if(|of, _| of.principal == whose).map(|(_, link)| link).collect();
        self.let_go(gone);
    }

    /// Closes the session of a client with every server.
    pub fn end_session(&self, session: &str) {
        for branch in self.servers.load().values() {
            let mut links = branch.links();
            let of_it = links.keys().filter(|whose| whose.session.as_deref() == Some(session)).cloned();
            let of_it: Vec<_> = of_it.collect();
            let gone = of_it.iter().filter_map(|whose| links.remove(whose)).collect();
            drop(links);
            self.let_go(gone);
        }
    }

    /// How every server stands.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let now = Instant::now();
        let standing = |(name, branch): (&Arc<str>, &Arc<Branch>)| Standing {
            server: Arc::clone(name),
            breaker: branch.room.health.state(now),
            under_way: branch.room.under_way(),
            links: branch.links().iter().map(|(whose, link)| (whose.name(), link.state())).collect(),
        };
        self.servers.load().iter().map(standing).collect()
    }

    /// Forgets a server's failures: it is tried again at once.
    pub fn reset(&self, server: &str) {
        if let Some(branch) = self.servers.load().get(server) {
            branch.room.health.reset();
        }
    }

    /// Closes everything and waits until it is.
    pub async fn close(&self) {
        let servers = self.servers.swap(Arc::default());
        let links =
            servers.values().flat_map(|branch| branch.links().drain().map(|(_, link)| link).collect::<Vec<_>>());
        let closing: Vec<_> = links.map(|link| self.means.control.spawn(async move { link.close().await })).collect();
        for closed in closing {
            // A task that was aborted has closed nothing more than the end of the process will.
            drop(closed.await);
        }
    }
}

impl Branch {
    fn links(&self) -> MutexGuard<'_, HashMap<Whose, Arc<Watched>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn most(&self) -> usize {
        if matches!(self.room.server.transport, Transport::Stdio { .. }) { CHILDREN_MAX } else { LINKS_MAX }
    }

    /// The link a principal had before its server was known to need no session: made for one client, it does for all of them.
    fn take_over(&self, whose: &Whose, links: &mut HashMap<Whose, Arc<Watched>>) -> Option<Arc<Watched>> {
        let is_other = |other: &&Whose| other.principal == whose.principal && other.session.is_none();
        let before = links.keys().find(is_other).filter(|_| self.kin.is_modern())?.clone();
        let link = links.remove(&before)?;
        links.insert(whose.clone(), Arc::clone(&link));
        Some(link)
    }

    fn whose(&self, principal: &Principal, session: Option<&Arc<str>>, client: &Client) -> Whose {
        if self.room.server.shared {
            return Whose { principal: None, session: None, capabilities: None };
        }
        let principal = Some((principal.kind, Arc::clone(&principal.key)));
        if self.kin.is_modern() {
            return Whose { principal, session: None, capabilities: None };
        }
        Whose { principal, session: session.cloned(), capabilities: Some(client.capabilities.clone()) }
    }
}

impl Whose {
    fn name(&self) -> Option<Arc<str>> {
        self.principal.as_ref().map(|(_, key)| Arc::clone(key))
    }
}
