//! What is fresh, what is remembered, and what is nobody else's. The servers are ones of the gateway's own: real links, and lists
//! that a test can change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_domain::{Now, Principal, PrincipalKind, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Blueprint, Caps, OAuthClient, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::catalogue::{Catalogue, Found, Kind, Page, Route, State};
use gatehouse_mcp_gateway::pins::PinState;
use gatehouse_mcp_gateway::{Raw, Request, RpcError};
use gatehouse_pipeline::Visit;
use gatehouse_store::{DataDir, PinRow, Store};
use gatehouse_upstream::{Egress, Pool, PoolLimits, tls_config};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{Means, Refresher};
use crate::builtin::{Answers, Builtin};
use crate::link::{Challenge, Doing, Failure, Hello, Link, TokenSource};
use crate::links::{self, Links};

/// What servers list: by server, or by server and principal.
type Lists = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// A server that answers with one of the lists, and not at all if there is none.
struct Scripted {
    list: String,
    lists: Lists,
    endless: bool,
}

impl Answers for Scripted {
    fn hello(&self) -> Hello {
        Hello {
            revision: "2026-07-28".into(),
            modern: true,
            capabilities: Raw::of(&json!({"tools": {}})),
            server_info: None,
            instructions: None,
            incarnation: 1,
        }
    }
    fn answer<'a>(&'a self, request: &'a Request, _: Option<&'a Visit>, _: Now) -> Doing<'a, Result<Raw, RpcError>> {
        Box::pin(std::future::ready(self.said(request)))
    }
}

impl Scripted {
    fn said(&self, request: &Request) -> Result<Raw, RpcError> {
        let lists = self.lists.lock().unwrap();
        let Some(tools) = lists.get(&self.list) else { return Err(RpcError::new(-32603, "out of order")) };
        if self.endless {
            let page = request.params.as_ref().and_then(|params| params.text_at(&["cursor"])).unwrap_or_default();
            let tool = tool(&format!("t{}", page.len()), "x");
            return Ok(Raw::of(&json!({"tools": [tool], "nextCursor": format!("{page}x")})));
        }
        Ok(Raw::of(&json!({"tools": tools, "ttlMs": 1_000, "cacheScope": "public"})))
    }
}

struct NoTokens;

impl TokenSource for NoTokens {
    fn token<'a>(
        &'a self,
        _: &'a Arc<Server>,
        _: &'a Principal,
        _: Option<&'a Challenge>,
    ) -> Doing<'a, Result<Option<Secret>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

fn tool(name: &str, description: &str) -> Value {
    json!({"name": name, "description": description, "inputSchema": {"type": "object"}})
}

fn server(name: &str) -> Server {
    Server {
        name: name.into(),
        transport: Transport::Builtin,
        auth: Auth::None,
        trusted: false,
        pins: PinPolicy::HoldChanged,
        park: false,
        sampling_model: None,
        shared: false,
        caps: Caps::default(),
        prices: Vec::new(),
        tool_timeouts: Vec::new(),
    }
}

fn personal(name: &str) -> Server {
    Server { auth: Auth::PerUser(OAuthClient::default()), ..server(name) }
}

fn principal(name: &str) -> Arc<Principal> {
    Arc::new(Principal::bare(PrincipalKind::User, name, name))
}

/// A data folder, lists, and what keeps a catalogue of them.
struct House {
    folder: tempfile::TempDir,
    lists: Lists,
    refresher: Arc<Refresher>,
}

impl House {
    async fn new(servers: Vec<Server>, lists: &[(&str, Vec<Value>)]) -> Self {
        let lists = lists.iter().map(|(name, tools)| ((*name).to_owned(), tools.clone())).collect();
        Self::start(tempfile::tempdir().unwrap(), servers, Arc::new(Mutex::new(lists))).await
    }

    /// The process ends and another begins.
    async fn restarted(self, servers: Vec<Server>, lists: &[(&str, Vec<Value>)]) -> Self {
        drop(self.refresher);
        let lists = lists.iter().map(|(name, tools)| ((*name).to_owned(), tools.clone())).collect();
        Self::start(self.folder, servers, Arc::new(Mutex::new(lists))).await
    }

    async fn start(folder: tempfile::TempDir, servers: Vec<Server>, lists: Lists) -> Self {
        let store = Store::open(&DataDir::create(folder.path().join("data")).unwrap()).await.unwrap();
        let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
        let scripts = Arc::clone(&lists);
        let links = Links::new(links::Means {
            control: Handle::current(),
            pool: pool.clone(),
            supervisor: None,
            tokens: Arc::new(NoTokens),
            instance: "test".into(),
            elsewhere: Arc::new(move |server, principal| {
                let own = matches!(server.auth, Auth::PerUser(_));
                let list = if own { format!("{} {}", server.name, principal.name) } else { server.name.to_string() };
                let script = Scripted { endless: list == "endless", list, lists: Arc::clone(&scripts) };
                Some(Arc::new(Builtin::new(Arc::new(script))) as Arc<dyn Link>)
            }),
        });
        let servers: Vec<Arc<Server>> = servers.into_iter().map(Arc::new).collect();
        links.load(servers.iter().map(|server| (Arc::clone(server), Egress::Trusted)));
        let means =
            Means { store, links, control: Handle::current(), pool, info: Raw::empty(), waits: Box::new(|_, _| {}) };
        let refresher = Refresher::start(means).await.unwrap();
        refresher.configure(Arc::new(Blueprint { servers, ..Blueprint::default() })).await;
        Self { folder, lists, refresher }
    }

    /// A server lists something else from now on, and is asked.
    fn lists(&self, server: &str, tools: Vec<Value>) {
        self.lists.lock().unwrap().insert(server.to_owned(), tools);
        self.refresher.ask_again(server);
    }

    /// Waits until the catalogue is as it should be.
    async fn until(&self, holds: impl Fn(&Catalogue) -> bool) -> Arc<Catalogue> {
        let mut catalogue = self.refresher.catalogue();
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let now = Arc::clone(&catalogue.borrow_and_update());
                if holds(&now) {
                    return now;
                }
                // States change without waking anybody.
                drop(tokio::time::timeout(Duration::from_millis(50), catalogue.changed()).await);
            }
        });
        waited.await.expect("the catalogue never became what it should")
    }

    /// Waits until a version that waits for approval is stored: the catalogue is published first.
    async fn pending(&self) -> PinRow {
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let pins = self.refresher.means.store.mcp_pins().await.unwrap();
                if let Some(pending) = pins.into_iter().find(|pin| pin.state == "pending") {
                    return pending;
                }
                tokio::task::yield_now().await;
            }
        });
        waited.await.expect("nothing is pending")
    }

    /// Waits until this is what is offered to all.
    async fn offers(&self, names: &[&str]) -> Arc<Catalogue> {
        self.until(|catalogue| tools(catalogue) == names).await
    }
}

fn tools(catalogue: &Catalogue) -> Vec<String> {
    let Some(offer) = catalogue.offer(&Route::All) else { return Vec::new() };
    let listing = offer.list(Kind::Tool, &|_| true, &Page::default()).unwrap();
    let items: Vec<Value> = serde_json::from_slice(listing.items()).unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn state(catalogue: &Catalogue, server: &str) -> State {
    catalogue.server(server).unwrap().standing.state
}

#[tokio::test]
async fn what_servers_list_is_offered_and_a_dead_one_disturbs_nobody() {
    let house = House::new(vec![server("git"), server("dead")], &[("git", vec![tool("log", "x")])]).await;
    let catalogue = house.until(|now| tools(now) == ["log"] && state(now, "dead") == State::Down).await;
    let dead = catalogue.server("dead").unwrap();
    assert!(dead.standing.last_error.as_ref().unwrap().contains("out of order"));
    assert_eq!(state(&catalogue, "git"), State::Up);
}

#[tokio::test]
async fn a_new_tool_is_seen_when_the_server_is_asked_again() {
    let house = House::new(vec![server("git")], &[("git", vec![tool("log", "x")])]).await;
    house.offers(&["log"]).await;
    house.lists("git", vec![tool("log", "x"), tool("push", "x")]);
    house.offers(&["log", "push"]).await;
}

#[tokio::test]
async fn nobody_is_woken_when_nothing_that_is_offered_changes() {
    let house = House::new(vec![server("git")], &[("git", vec![tool("log", "x")])]).await;
    let before = house.offers(&["log"]).await.generation();
    let catalogue = house.refresher.catalogue();
    house.lists.lock().unwrap().clear();
    house.refresher.ask_again("git");
    let down = house.until(|now| state(now, "git") == State::Down).await;
    assert!(!catalogue.has_changed().unwrap() && down.generation() == before);
}

#[tokio::test]
async fn after_a_restart_lists_and_names_are_there_before_the_servers_are() {
    let both = || vec![server("git"), server("web")];
    let house = House::new(both(), &[("git", vec![tool("find", "x")]), ("web", vec![tool("find", "y")])]).await;
    house.offers(&["git__find", "web__find"]).await;
    house.until(|now| state(now, "git") == State::Up && state(now, "web") == State::Up).await;
    let house = house.restarted(both(), &[]).await;
    house.offers(&["git__find", "web__find"]).await;
    house.until(|now| state(now, "git") == State::Down).await;
    assert_eq!(tools(&house.refresher.catalogue().borrow()), ["git__find", "web__find"]);
}

#[tokio::test]
async fn a_changed_tool_is_held_over_restarts_until_somebody_approves() {
    let house = House::new(vec![server("git")], &[("git", vec![tool("log", "old")])]).await;
    house.offers(&["log"]).await;
    let house = house.restarted(vec![server("git")], &[("git", vec![tool("log", "new")])]).await;
    let is_held = |now: &Catalogue| {
        matches!(now.offer(&Route::All).map(|offer| offer.find(Kind::Tool, "log")), Some(Found::Held(_)))
    };
    let held = house.until(is_held).await;
    assert!(tools(&held).is_empty());
    let pending = house.pending().await;
    let hash = pending.hash.parse().unwrap();
    assert!(house.refresher.decide(("git", Kind::Tool, "log"), hash, PinState::Approved, "ada", 1).await.unwrap());
    house.offers(&["log"]).await;
    assert!(house.refresher.decide(("git", Kind::Tool, "log"), hash, PinState::Held, "ada", 2).await.unwrap());
    house.offers(&[]).await;
}

#[tokio::test]
async fn endless_pages_come_to_an_end() {
    let house =
        House::new(vec![server("endless"), server("git")], &[("endless", Vec::new()), ("git", vec![tool("log", "x")])])
            .await;
    let catalogue = house.until(|now| state(now, "endless") == State::Up && state(now, "git") == State::Up).await;
    assert_eq!(catalogue.server("endless").unwrap().count(Kind::Tool), 200);
}

#[tokio::test]
async fn a_users_own_list_is_shown_to_no_other() {
    let house = House::new(
        vec![personal("mail"), server("git")],
        &[
            ("git", vec![tool("log", "x")]),
            ("mail ada", vec![tool("adas", "x")]),
            ("mail bob", vec![tool("bobs", "x")]),
        ],
    )
    .await;
    house.offers(&["log"]).await;
    let of = async |name| tools(&*house.refresher.catalogue_of(&principal(name)).await);
    assert_eq!(of("ada").await, ["log", "adas"]);
    assert_eq!(of("bob").await, ["log", "bobs"]);
    assert_eq!(of("eve").await, ["log"]);
    assert_eq!(tools(&house.refresher.known_to(&principal("ada"))), ["log", "adas"]);
    assert_eq!(tools(&house.refresher.catalogue().borrow()), ["log"]);
}

#[tokio::test]
async fn what_is_taken_back_is_taken_from_those_with_lists_of_their_own_too() {
    let lists = [("git", vec![tool("log", "x")]), ("mail ada", vec![tool("adas", "x")])];
    let house = House::new(vec![personal("mail"), server("git")], &lists).await;
    house.offers(&["log"]).await;
    let ada = principal("ada");
    house.refresher.catalogue_of(&ada).await;
    let hold = async |server: &str, name: &str| {
        let pins = house.refresher.means.store.mcp_pins().await.unwrap();
        let hash = pins.iter().find(|pin| pin.name == name).unwrap().hash.parse().unwrap();
        house.refresher.decide((server, Kind::Tool, name), hash, PinState::Held, "bob", 1).await.unwrap()
    };
    assert!(hold("git", "log").await);
    assert_eq!(tools(&house.refresher.known_to(&ada)), ["adas"]);
    assert!(hold("mail", "adas").await);
    assert_eq!(tools(&house.refresher.known_to(&ada)), Vec::<String>::new());
}
