//! What of MCP lives as long as the process: the links to servers, the catalogue that keeps itself fresh, and the desk that
//! conversations share. A configuration puts its gate in front of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_catalog::Loaded;
use gatehouse_domain::Principal;
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::blueprint::{Blueprint, Server, Transport};
use gatehouse_mcp_gateway::catalogue::{Catalogue, Kind as Listed, Route, State};
use gatehouse_mcp_gateway::seal::Sealer;
use gatehouse_mcp_proxy::auth::{Scene, Tokens, Tools};
use gatehouse_mcp_proxy::builtin::Builtin;
use gatehouse_mcp_proxy::conduct::{Desk, DeskParts, Gate};
use gatehouse_mcp_proxy::link::Link;
use gatehouse_mcp_proxy::links::Elsewhere;
use gatehouse_mcp_proxy::{Links, Refresher, links, refresh};
use gatehouse_pipeline::Talks;
use gatehouse_policy::permissions::{Fact, Kind, Named, Thing};
use gatehouse_store::{DataDir, Store, TokenKey, keys};
use gatehouse_upstream::child::Supervisor;
use gatehouse_upstream::{Egress, Pool, Tls};
use http::HeaderValue;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, interval};

use super::Demo;
use super::itself::{Address, Itself};
use crate::failure::Failure as Stopped;
use crate::house::House;
use crate::house::alerts::{Bell, Event};

/// How long a start or a change waits for servers that were never asked before it goes on without their lists.
const FIRST_LISTS: Duration = Duration::from_secs(2);
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// The links, the catalogue and the desk.
pub(crate) struct Room {
    links: Arc<Links>,
    pub(super) refresher: Arc<Refresher>,
    desk: Arc<Desk>,
    tokens: Tokens,
    hop: HeaderValue,
    /// Where the gateway's own server finds the house, which is built after this room.
    house: Address,
}

impl Room {
    /// Opens it; no server is asked before [`Room::furnish`].
    pub(crate) async fn open(
        dir: &DataDir,
        store: &Store,
        pool: &Pool,
        tls: &Tls,
        bell: &Arc<Bell>,
    ) -> Result<Self, Stopped> {
        let unusable = |error: &dyn std::fmt::Display| Stopped::problem(error, "check the data folder");
        let key = TokenKey::load(dir).map_err(|error| unusable(&error))?;
        let sealer = Sealer::new(key.bytes(), &[]).map_err(|error| unusable(&error))?;
        // Random: what comes in with it was sent by this process.
        let instance: Arc<str> = keys::new_id().map_err(|error| unusable(&error))?.into();
        let hop = HeaderValue::try_from(&*instance).map_err(|error| unusable(&error))?;
        let vault = store.vault().map_err(|error| unusable(&error))?;
        let tools = Tools { store: store.clone(), vault, sealer: sealer.clone(), tls: Arc::clone(tls) };
        let tokens = Tokens::new(tools, Scene::default());
        let house = Address::default();
        let links = Links::new(links::Means {
            control: Handle::current(),
            pool: pool.clone(),
            supervisor: Supervisor::this_binary(["supervise-child".into()]).ok(),
            tokens: Arc::new(tokens.clone()),
            instance,
            elsewhere: of_the_gateway(Arc::clone(&house)),
        });
        let info = Raw::of(&json!({ "name": "gatehouse", "title": "Gatehouse", "version": env!("CARGO_PKG_VERSION") }));
        let bell = Arc::clone(bell);
        let refresher = Refresher::start(refresh::Means {
            store: store.clone(),
            links: Arc::clone(&links),
            control: Handle::current(),
            pool: pool.clone(),
            info: info.clone(),
            waits: Box::new(move |server, items| bell.ring(Event::drift(server, items))),
        });
        let refresher = refresher.await.map_err(|error| unusable(&error))?;
        let desk = Desk::new(DeskParts {
            sealer,
            links: Arc::clone(&links),
            refresher: Arc::clone(&refresher),
            control: Handle::current(),
            pool: pool.clone(),
            server_info: info,
        });
        Ok(Self { links, refresher, desk, tokens, hop, house })
    }

    /// It is a room of this house.
    pub(crate) fn belong_to(&self, house: &Arc<House>) {
        // It is told once, by whoever builds the house.
        _ = self.house.set(Arc::downgrade(house));
    }

    /// What is known to be offered to one caller, without asking any server.
    pub(super) fn known_to(&self, principal: &Principal) -> Arc<Catalogue> {
        self.refresher.known_to(principal)
    }

    /// Takes over the servers and toolsets of a configuration. Connections to servers that have not changed stay.
    pub(crate) async fn furnish(&self, loaded: &Loaded, blueprint: Arc<Blueprint>) {
        let servers = blueprint.servers.iter().map(|server| (Arc::clone(server), egress(loaded, &server.name)));
        let servers: Vec<_> = servers.collect();
        self.tokens.set_scene(Scene {
            public_url: Arc::clone(&blueprint.public_url),
            document_url: loaded.config.mcp.client_document.as_deref().map(Arc::from),
            servers: servers.clone(),
        });
        self.links.load(servers);
        self.refresher.configure(blueprint).await;
    }

    /// The gate of a configuration.
    pub(crate) fn gate(&self, loaded: &Loaded, blueprint: &Blueprint) -> Arc<dyn Talks> {
        Arc::new(Gate::new(Arc::clone(&self.desk), blueprint, self.hop.clone(), policy_epoch(loaded), &self.tokens))
    }

    /// Another snapshot is in force: those who listen look again at what they may see.
    pub(crate) fn stir(&self) {
        self.desk.stir();
    }

    /// How many streams only listen.
    pub(crate) fn listening(&self) -> usize {
        self.desk.listening()
    }

    /// Tells when what is offered has changed.
    pub(crate) fn catalogue(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.refresher.catalogue()
    }

    /// Waits a moment for the lists of servers that were never asked. A server that does not answer breaks nothing: its tools come
    /// when it does.
    pub(crate) async fn first_lists(&self) {
        let deadline = Instant::now() + FIRST_LISTS;
        let mut look = interval(LOOKS_EVERY);
        let catalogue = self.refresher.catalogue();
        let waiting = || catalogue.borrow().servers().any(|server| server.standing.state == State::Unasked);
        while waiting() && Instant::now() < deadline {
            look.tick().await;
        }
    }

    /// What trusted servers say of their tools, as policies know it.
    pub(crate) fn tool_facts(&self, blueprint: &Blueprint) -> BTreeMap<Named, Thing> {
        let catalogue = self.refresher.catalogue();
        let catalogue = catalogue.borrow();
        let trusted = blueprint.servers.iter().filter(|server| server.trusted);
        let offers = trusted.filter_map(|server| catalogue.offer(&Route::Server(Arc::clone(&server.name))));
        let tools = offers.flat_map(|offer| offer.entries(Listed::Tool));
        tools
            .filter_map(|entry| {
                let said = &entry.tool.as_ref()?.annotations;
                let flags = [
                    ("read_only", said.read_only),
                    ("destructive", said.destructive),
                    ("idempotent", said.idempotent),
                    ("open_world", said.open_world),
                ];
                let facts = flags.into_iter().filter_map(|(name, flag)| Some((name, Fact::Flag(flag?)))).collect();
                Some((Named::new(Kind::Tool, Arc::clone(&entry.canonical)), Thing { facts, ..Thing::default() }))
            })
            .collect()
    }

    /// The names of every tool that is offered, for metrics.
    pub(crate) fn tool_names(&self) -> Vec<[Arc<str>; 2]> {
        let catalogue = self.refresher.catalogue();
        let catalogue = catalogue.borrow();
        // By server: not every one is on `/mcp`.
        let offers =
            catalogue.servers().filter_map(|view| catalogue.offer(&Route::Server(Arc::clone(&view.standing.server))));
        let entries = offers.flat_map(|offer| offer.entries(Listed::Tool));
        entries.map(|entry| [Arc::clone(&entry.canonical), Arc::clone(&entry.real)]).collect()
    }

    /// Tokens for servers, and who agreed to them.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Looks for idle links, for tokens that end soon and for people who have agreed, for as long as it is polled.
    pub(crate) async fn keep(&self) {
        tokio::join!(self.links.keep(), self.tokens.keep_fresh(), self.hear());
    }

    /// Tells conversations of people who have agreed.
    async fn hear(&self) {
        let mut news = self.tokens.news();
        loop {
            match news.recv().await {
                Ok(connected) => self.desk.agreed(&connected).await,
                // Who was missed calls again, as they were told to.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Ends every session and program.
    pub(crate) async fn close(&self) {
        self.links.close().await;
    }
}

/// Where a server's address may lead: who writes the file owns the machine, who uses the API need not.
fn egress(loaded: &Loaded, name: &str) -> Egress {
    let of_file = |object: &&gatehouse_catalog::Object| object.kind.name == "mcp_servers" && object.name == name;
    let declared = loaded.objects.iter().find(of_file);
    if declared.is_none_or(|object| object.of_file) { Egress::Trusted } else { Egress::Public }
}

/// Sessions that were opened under other policies are not gone on with.
fn policy_epoch(loaded: &Loaded) -> u64 {
    let mut epoch = DefaultHasher::new();
    loaded.config.policies.iter().for_each(|policy| policy.text.hash(&mut epoch));
    epoch.finish()
}

/// Links to servers that are part of the gateway.
fn of_the_gateway(house: Address) -> Elsewhere {
    let control = Handle::current();
    Arc::new(move |server: &Arc<Server>, _: &Arc<Principal>| {
        let link: Arc<dyn Link> = match server.transport {
            Transport::Builtin => Arc::new(Builtin::new(Arc::new(Demo))),
            Transport::Gatehouse(_) => {
                Arc::new(Builtin::new(Arc::new(Itself::new(Arc::clone(&house), control.clone()))))
            }
            _ => return None,
        };
        Some(link)
    })
}
