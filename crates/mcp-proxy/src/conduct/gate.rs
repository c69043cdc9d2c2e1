//! The gate of MCP as one configuration has it: which doors there are, who may knock, what is behind them.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::HashMap;
use gatehouse_domain::{Code, Door, Fault, Guests, Principal, Reply, Request, Secret};
use gatehouse_mcp_gateway::Blueprint;
use gatehouse_mcp_gateway::blueprint::{Auth, Listens, Server, Toolset};
use gatehouse_mcp_gateway::catalogue::{Entry, Kind, Route, matches};
use gatehouse_mcp_gateway::era::headers;
use gatehouse_mcp_gateway::gateway::doors::Lead;
use gatehouse_mcp_gateway::gateway::{Refusal, Session, asking, doors, refuse};
use gatehouse_pipeline::{KeyEntry, Refused, Talk, Talks};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::desk::Desk;
use super::talk::Conversation;
use crate::auth::Tokens;

/// The gate. Cheap to clone; built with every configuration.
#[derive(Clone)]
pub struct Gate(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) desk: Arc<Desk>,
    pub(super) servers: HashMap<Arc<str>, Arc<Server>>,
    /// The endpoints, by their doors.
    endpoints: Endpoints,
    /// The gateway's own among them.
    pub(super) own: Option<Arc<Server>>,
    pub(super) toolsets: Vec<Arc<Toolset>>,
    guests: Guests,
    /// How many may listen.
    pub(super) listens: Listens,
    /// What this gateway writes on requests that leave it: what comes in with it has gone round in a circle.
    hop: HeaderValue,
    /// Sessions of another state of the permissions are no longer good.
    pub(super) policy_epoch: u64,
    /// Takes callers' own tokens, where some server's settings exchange them.
    exchanges: Option<Tokens>,
}

impl Gate {
    /// The gate of this configuration. `hop` is what links write into their hop header; `policy_epoch` changes when sessions
    /// that were opened before must not go on.
    #[must_use]
    pub fn new(desk: Arc<Desk>, blueprint: &Blueprint, hop: HeaderValue, policy_epoch: u64, tokens: &Tokens) -> Self {
        let exchanged = |server: &Arc<Server>| matches!(server.auth, Auth::Exchange(_));
        let servers = blueprint.servers.iter().map(|server| (Arc::clone(&server.name), Arc::clone(server)));
        Self(Arc::new(Inner {
            desk,
            servers: servers.collect(),
            endpoints: Endpoints::of(blueprint),
            own: blueprint.servers.iter().find(|server| server.own().is_some()).cloned(),
            toolsets: blueprint.toolsets.clone(),
            guests: blueprint.guests.clone(),
            listens: blueprint.listens,
            hop,
            policy_epoch,
            exchanges: blueprint.servers.iter().any(exchanged).then(|| tokens.clone()),
        }))
    }
}

/// An endpoint, and its path as it stands in a URL.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) route: Route,
    pub(super) path: Arc<str>,
}

/// The endpoints of a configuration, so that a call need not put its own together.
struct Endpoints {
    all: Endpoint,
    servers: HashMap<Arc<str>, Endpoint>,
    toolsets: HashMap<Arc<str>, Endpoint>,
}

impl Endpoint {
    fn of(route: Route) -> Self {
        Self { path: doors::path(&route).into(), route }
    }
}

impl Endpoints {
    fn of(blueprint: &Blueprint) -> Self {
        let server = |server: &Arc<Server>| Endpoint::of(Route::Server(Arc::clone(&server.name)));
        let toolset = |toolset: &Arc<Toolset>| Endpoint::of(Route::Toolset(Arc::clone(&toolset.name)));
        Self {
            all: Endpoint::of(Route::All),
            servers: blueprint.servers.iter().map(|each| (Arc::clone(&each.name), server(each))).collect(),
            toolsets: blueprint.toolsets.iter().map(|each| (Arc::clone(&each.name), toolset(each))).collect(),
        }
    }

    /// The endpoint a door leads to, be it there or not.
    fn at(&self, door: &Door) -> Cow<'_, Endpoint> {
        let known = match doors::lead(door) {
            Lead::All => Some(&self.all),
            Lead::Server(name) => self.servers.get(name),
            Lead::Toolset(name) => self.toolsets.get(name),
        };
        known.map_or_else(|| Cow::Owned(Endpoint::of(doors::route(door))), Cow::Borrowed)
    }
}

impl Inner {
    /// Is there such an endpoint?
    fn has(&self, route: &Route) -> bool {
        match route {
            Route::All => true,
            Route::Server(name) => self.servers.contains_key(name),
            Route::Toolset(name) => self.toolsets.iter().any(|toolset| toolset.name == *name),
        }
    }

    /// Has the caller's key anything to do with this item, by its server or by a toolset? Policies are asked later.
    pub(super) fn may_see(&self, entry: &Entry, caller: &KeyEntry) -> bool {
        let offers = |toolset: &&Arc<Toolset>| match entry.kind {
            Kind::Tool => toolset.tools.iter().any(|pattern| matches(pattern, &entry.canonical)),
            _ => toolset.offers_resources_of(&entry.server),
        };
        let toolsets = self.toolsets.iter().filter(offers).map(|toolset| &*toolset.name);
        caller.permit.of_server(&entry.server, toolsets).is_ok()
    }

    /// Has it anything to do with this server at all?
    pub(super) fn may_reach(&self, server: &str, caller: &KeyEntry) -> bool {
        let reaches = |toolset: &&Arc<Toolset>| toolset.reaches(server);
        caller.permit.of_server(server, self.toolsets.iter().filter(reaches).map(|toolset| &*toolset.name)).is_ok()
    }

    /// The toolset of a route.
    pub(super) fn toolset(&self, route: &Route) -> Option<&Arc<Toolset>> {
        let Route::Toolset(name) = route else { return None };
        self.toolsets.iter().find(|toolset| toolset.name == *name)
    }

    /// The same of a server's resources, listed or not.
    pub(super) fn may_read(&self, server: &str, caller: &KeyEntry) -> bool {
        let offers = |toolset: &&Arc<Toolset>| toolset.offers_resources_of(server);
        caller.permit.of_server(server, self.toolsets.iter().filter(offers).map(|toolset| &*toolset.name)).is_ok()
    }

    /// May the caller enter there? Whether there is none or it is not for the caller, the answer is the same.
    fn enter(&self, route: &Route, caller: &KeyEntry) -> Result<(), Fault> {
        let allowed = match route {
            Route::All => true,
            Route::Server(name) => caller.permit.of_server(name, std::iter::empty()).is_ok(),
            Route::Toolset(name) => caller.permit.tools.permit_toolset(name),
        };
        if allowed && self.has(route) {
            return Ok(());
        }
        let message = "There is no such MCP endpoint, or this key may not use it. /mcp has everything that it may use.";
        Err(Fault::new(Code::NotFound, message))
    }

    fn session(&self, token: &str, caller: &KeyEntry, path: &str, now: u64) -> Option<Session> {
        let session = self.desk.opened.get(token, now, || self.desk.sealer.open(token, now).ok())?;
        let good = session.is_good(&caller.principal.key, path, self.policy_epoch);
        (good && !self.desk.sessions.of(&session.id).has_ended()).then_some(session)
    }
}

impl Talks for Gate {
    fn door(&self, _: &Method, path: &str) -> Option<Door> {
        doors::door(path)
    }

    fn greet(&self, _: &Door, head: &Parts) -> Result<Option<Reply>, Fault> {
        self.0.guests.admit(&head.uri, &head.headers)?;
        if head.headers.get_all(crate::link::HOP_HEADER).iter().any(|hop| *hop == self.0.hop) {
            let message = "This request was sent by this gateway itself: one of its MCP servers leads back to it.";
            return Err(Fault::new(Code::InvalidRequest, message).with_status(508));
        }
        Ok((head.method == Method::OPTIONS).then(preflight))
    }

    fn dress(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }

    fn came(&self, caller: &Principal, token: &str) {
        if let Some(tokens) = &self.0.exchanges {
            tokens.came_with(caller, Secret::new(token));
        }
    }

    fn read(&self, request: Request, caller: &Arc<KeyEntry>) -> Result<Box<dyn Talk>, Box<Refused>> {
        let endpoint = self.0.endpoints.at(&request.door);
        let refused =
            |id: Option<&_>, refusal: Refusal| Box::new(Refused { reply: refusal.reply(id), fault: refusal.fault });
        self.0.enter(&endpoint.route, caller).map_err(|fault| refused(None, fault.into()))?;
        let now = request.now.unix_secs();
        let open = |token: &str| self.0.session(token, caller, &endpoint.path, now);
        let asking = asking::read(&request.method, &request.headers, &request.body, &open)
            .map_err(|unasked| refused(unasked.id.as_ref(), *unasked.refusal))?;
        let talk = Conversation::read(&self.0, caller, &endpoint, asking, &request)
            .map_err(|(id, refusal)| refused(id.as_ref(), *refusal))?;
        Ok(Box::new(talk))
    }

    fn refuse(&self, _: &Door, fault: &Fault) -> Reply {
        Refusal::from(fault.clone()).reply(None)
    }
}

/// What a page may read of the head of an answer.
const EXPOSED: &str = "mcp-session-id, mcp-protocol-version, www-authenticate, x-gatehouse-request-id, retry-after";

fn preflight() -> Reply {
    let mut reply = refuse::accepted();
    reply.status = StatusCode::NO_CONTENT;
    let said = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, \
             traceparent, x-api-key",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in said {
        reply.headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// The header a session's id goes in.
pub(super) const SESSION_ID: &str = headers::SESSION_ID;
