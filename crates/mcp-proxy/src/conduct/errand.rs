//! What a message wants, found in the catalogue of its endpoint: which server, what the server calls it, what policies call it. A
//! name is looked up here once; whatever passes the stages afterwards is what will be sent.

use std::sync::Arc;

use gatehouse_domain::{Action, Fault, Money, Need};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::bridge::listen::Filter;
use gatehouse_mcp_gateway::bridge::questions::{Answers, bare, bare_of_modern};
use gatehouse_mcp_gateway::bridge::tasks;
use gatehouse_mcp_gateway::catalogue::{Entry, Found, Kind, Offer, held_fault};
use gatehouse_mcp_gateway::era::headers::{self, Mirror};
use gatehouse_mcp_gateway::era::{Era, LogLevel, Method};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::seal;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Notification, Raw, Request, Response, RpcError, search};
use gatehouse_pipeline::talk::Opening;
use http::HeaderMap;

use super::consent;
use super::desk::Desk;
use super::spill;
use super::talk::Context;
use super::tasks::Manner;

/// What is to be done.
pub(super) enum Errand {
    /// Say who we are and begin a session.
    Initialize,
    /// Say that we are there.
    Ping,
    /// Say who we are.
    Discover,
    /// List what the caller may use, from behind this item.
    List(Kind, Option<Arc<str>>),
    /// Log this much from now on.
    SetLevel(LogLevel),
    /// Ask a server.
    Carry(Box<Cargo>),
    /// Give back a result that was too large to send.
    Spilled(Arc<str>),
    /// Find tools.
    Find(Option<Raw>),
    /// Tell of changes of a resource from now on, or no longer.
    Subscribe(Box<Cargo>),
    /// See [`Self::Subscribe`].
    Unsubscribe(Arc<str>),
    /// Tell of these changes for as long as the client listens.
    Listen(Filter),
    /// Tell of everything that concerns the session, from behind this event.
    Stream(Option<String>),
    /// End the session.
    End,
    /// Take note of something.
    Note(Notification),
    /// Bring an answer to who asked.
    Answer(Response),
    /// Look again when it is known what the servers have for this caller whose lists are each user's own.
    Later(Method, Request),
    /// Each of these, by itself.
    Batch(Vec<gatehouse_mcp_gateway::gateway::What>),
}

/// One request to one server, in the words of that server.
pub(super) struct Cargo {
    /// The server.
    pub(super) server: Arc<Server>,
    /// What is asked of it.
    pub(super) method: Method,
    /// What of it, by the name it knows.
    pub(super) name: Arc<str>,
    /// The same as policies know it.
    pub(super) canonical: Arc<str>,
    /// The same as the client knows it.
    pub(super) exposed: Arc<str>,
    /// The same as records know it.
    pub(super) filed: Filed,
    /// The catalogue's entry, of what has one.
    pub(super) entry: Option<Arc<Entry>>,
    /// The `params`, without answers and state.
    pub(super) params: Raw,
    /// Answers to questions of an earlier round, and the server's own state.
    pub(super) answers: Answers,
    /// The call that waits for those answers, where the server is of the older era.
    pub(super) parked: Option<Arc<str>>,
    /// The same as its client sent them, whatever guardrails have made of them since: what a state of the call is bound to.
    asked: Raw,
    /// What it costs.
    pub(super) price: Option<Money>,
    /// What it has to do with a task, where client and server do not mean the same by one.
    pub(super) manner: Manner,
}

/// What records call that which is asked of a server. There are as many such names as servers list things: a record's names are
/// kept for good, and who calls must not be able to make new ones without end.
#[derive(Clone)]
pub(super) struct Filed {
    /// Where an LLM call has its provider's model.
    pub(super) name: Arc<str>,
    /// Where an LLM call has the model its client named.
    pub(super) canonical: Arc<str>,
}

impl Cargo {
    /// Does its result hold a secret, so that nobody but the caller sees it?
    pub(super) fn answers_secret(&self) -> bool {
        self.method == Method::ToolsCall && self.server.answers_secret(&self.name)
    }

    /// A resource that somebody wants to hear of.
    pub(super) fn of_resource(server: Arc<Server>, uri: Arc<str>, canonical: Arc<str>, exposed: Arc<str>) -> Self {
        // Nothing of it is on record: it makes no attempt.
        let server_name = Arc::clone(&server.name);
        let params = Raw::object([("uri", Raw::text(&uri))]);
        Self {
            server,
            method: Method::Subscribe,
            asked: params.clone(),
            params,
            filed: Filed { name: Arc::clone(&server_name), canonical: server_name },
            name: uri,
            canonical,
            exposed,
            entry: None,
            answers: Answers::default(),
            parked: None,
            price: None,
            manner: Manner::Plain,
        }
    }

    /// Tells this call from others at the same endpoint. Made where a state of it is made or comes back, which is seldom.
    pub(super) fn digest(&self, path: &str) -> Arc<str> {
        // Whoever waits for a task asks for its result meanwhile, and the call is what it was.
        let method = if self.method == Method::TasksResult { Method::ToolsCall } else { self.method };
        seal::call_digest(path, method.as_str(), Some(&self.asked))
    }

    /// An attempt at it: a row of the ledger.
    pub(super) fn opening<'a>(&'a self, desk: &'a Desk) -> Opening<'a> {
        Opening {
            server: &self.server.name,
            name: &self.filed.name,
            canonical: &self.filed.canonical,
            health: &desk.breaker,
            ceiling: self.price,
        }
    }
}

/// An errand and what it needs.
pub(super) struct Quest {
    pub(super) errand: Errand,
    pub(super) need: Need,
}

/// Looks for things on behalf of one message.
pub(super) struct Finder<'a> {
    pub(super) context: &'a Context,
    pub(super) offer: &'a Offer,
    /// Headers of the message; of none, where it came with others.
    pub(super) headers: Option<&'a HeaderMap>,
    pub(super) now: u64,
}

type Finding<T> = Result<T, Box<Refusal>>;

impl Finder<'_> {
    /// What a request wants.
    ///
    /// # Errors
    /// When there is no such thing here, or its parameters do not say what.
    pub(super) fn find(&self, method: Method, request: &Request) -> Finding<Quest> {
        let params = request.params.clone().unwrap_or_else(Raw::empty);
        let errand = match method {
            Method::Initialize => Errand::Initialize,
            Method::Ping => Errand::Ping,
            Method::Discover => Errand::Discover,
            Method::ToolsList => self.list(Kind::Tool, &params)?,
            Method::PromptsList => self.list(Kind::Prompt, &params)?,
            Method::ResourcesList => self.list(Kind::Resource, &params)?,
            Method::TemplatesList => self.list(Kind::Template, &params)?,
            Method::SetLevel => {
                let level = params.text_at(&["level"]).unwrap_or_default();
                Errand::SetLevel(level.parse().map_err(|unknown| invalid(format!("{unknown}")))?)
            }
            Method::Listen => {
                let filter = Filter::read(request.params.as_ref())
                    .map_err(|refusal| Refusal::of_era(&refusal, self.context.speaker.revision.era()))?;
                if !filter.tasks.is_empty() {
                    self.declares_tasks()?;
                }
                Errand::Listen(filter)
            }
            Method::Unsubscribe => Errand::Unsubscribe(text(&params, "uri")?),
            Method::Subscribe => return self.resource(method, params),
            Method::ToolsCall => return self.tool(params),
            Method::PromptsGet => return self.prompt(params),
            Method::ResourcesRead => return self.resource(method, params),
            Method::Complete => return self.completion(params),
            Method::TasksGet | Method::TasksResult | Method::TasksCancel | Method::TasksUpdate => {
                return self.task(method, params);
            }
            Method::TasksList => return self.tasks(params),
        };
        Ok(free(errand))
    }

    fn list(&self, kind: Kind, params: &Raw) -> Finding<Errand> {
        let Some(cursor) = params.get(&["cursor"]) else { return Ok(Errand::List(kind, None)) };
        let unknown = || invalid("This cursor is not of this list. Ask for the list from its beginning.");
        let cursor = cursor.as_text().ok_or_else(unknown)?;
        let place: Place = self.context.inner.desk.sealer.open(&cursor, self.now).map_err(|_| unknown())?;
        let good = *place.principal == *self.context.caller.principal.key
            && *place.route == *self.context.path
            && *place.list == *kind.as_str();
        if good { Ok(Errand::List(kind, Some(place.after))) } else { Err(unknown()) }
    }

    fn tool(&self, params: Raw) -> Finding<Quest> {
        let name = text(&params, "name")?;
        let (name, params) = match self.offer.search() {
            Some(_) if *name == *search::FIND => {
                return Ok(free(Errand::Find(params.get(&["arguments"]))));
            }
            Some(_) if *name == *search::CALL => {
                let arguments = params.get(&["arguments"]);
                let (inner, arguments) = search::call_arguments(arguments.as_ref()).map_err(boxed)?;
                (Arc::from(&*inner), params.with(&["name"], &Raw::text(&inner)).with(&["arguments"], &arguments))
            }
            _ => (name, params),
        };
        let entry = self.entry(Kind::Tool, &name, || format!("Unknown tool: {}", shown(&name)))?;
        if params.has(&["arguments"]) && !params.has_object(&["arguments"]) {
            return Err(invalid("`arguments` must be an object"));
        }
        self.mirrored(&entry, &params)?;
        let price = self.server(&entry.server)?.price(&entry.real);
        let params = renamed(params, "name", &name, &entry.real);
        self.cargo(Method::ToolsCall, entry, params, price)
    }

    fn prompt(&self, params: Raw) -> Finding<Quest> {
        let name = text(&params, "name")?;
        let entry = self.entry(Kind::Prompt, &name, || format!("Unknown prompt: {}", shown(&name)))?;
        let params = renamed(params, "name", &name, &entry.real);
        self.cargo(Method::PromptsGet, entry, params, None)
    }

    fn cargo(&self, method: Method, entry: Arc<Entry>, params: Raw, price: Option<Money>) -> Finding<Quest> {
        let server = Arc::clone(self.server(&entry.server)?);
        let (name, canonical, exposed) =
            (Arc::clone(&entry.real), Arc::clone(&entry.canonical), Arc::clone(&entry.exposed));
        let filed = Filed { name: Arc::clone(&name), canonical: Arc::clone(&canonical) };
        self.load(Parcel { server, method, name, canonical, exposed, filed, entry: Some(entry), price }, params)
    }

    fn resource(&self, method: Method, params: Raw) -> Finding<Quest> {
        let uri = text(&params, "uri")?;
        if method == Method::ResourcesRead && uri.starts_with(spill::URIS) {
            return Ok(free(Errand::Spilled(uri)));
        }
        let unknown = || self.no_resource(&uri);
        let place = self.offer.resource(&uri).ok_or_else(unknown)?;
        let server = Arc::clone(self.server(&place.server)?);
        if !self.context.inner.may_read(&place.server, &self.context.caller) {
            return Err(unknown());
        }
        let canonical = format!("{}.{}", place.server, place.uri).into();
        let params = renamed(params, "uri", &uri, &place.uri);
        let name = self.offer.filed(&uri, &place);
        let filed = Filed { canonical: format!("{}.{name}", place.server).into(), name };
        let parcel =
            Parcel { server, method, name: place.uri, canonical, exposed: uri, filed, entry: None, price: None };
        let mut found = self.load(parcel, params)?;
        if method == Method::Subscribe
            && let Errand::Carry(cargo) = found.errand
        {
            found.errand = Errand::Subscribe(cargo);
        }
        Ok(found)
    }

    /// Each era has its own number for it (2026-07-28, resources, error handling).
    fn no_resource(&self, uri: &str) -> Box<Refusal> {
        let number = if self.context.is_modern() { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND };
        let error = RpcError::new(number, "Resource not found").with_data(Raw::object([("uri", Raw::text(uri))]));
        Box::new(Refusal::rpc(200, error))
    }

    fn completion(&self, params: Raw) -> Finding<Quest> {
        let kind = params.text_at(&["ref", "type"]).unwrap_or_default();
        let (member, found) = match &*kind {
            "ref/prompt" => {
                let name = params.text_at(&["ref", "name"]).unwrap_or_default();
                ("name", self.entry(Kind::Prompt, &name, || format!("Unknown prompt: {}", shown(&name)))?)
            }
            "ref/resource" => {
                let uri = params.text_at(&["ref", "uri"]).unwrap_or_default();
                let unknown = || format!("Unknown resource template: {}", shown(&uri));
                let template = self.entry(Kind::Template, &uri, unknown);
                ("uri", template.or_else(|_| self.entry(Kind::Resource, &uri, unknown))?)
            }
            _ => return Err(invalid("`ref.type` must be `ref/prompt` or `ref/resource`")),
        };
        let params = params.with(&["ref", member], &Raw::text(&found.real));
        self.cargo(Method::Complete, found, params, None)
    }

    fn task(&self, method: Method, params: Raw) -> Finding<Quest> {
        self.declares_tasks()?;
        let id = text(&params, "taskId")?;
        let unknown = || invalid("Unknown task");
        let task: seal::Task = self.context.inner.desk.sealer.open(&id, self.now).map_err(|_| unknown())?;
        let offered = self.offer.servers().any(|server| *server == task.server);
        if *task.principal != *self.context.caller.principal.key || !offered {
            return Err(unknown());
        }
        let params = params.with(&["taskId"], &Raw::text(&task.id));
        let mut found = self.tasks_of(Arc::clone(self.server(&task.server)?), method, task.id, id, params)?;
        if let (Some(crossing), Errand::Carry(cargo)) = (task.crossing, &mut found.errand) {
            cargo.manner = Manner::Of(Box::new(crossing));
        }
        Ok(found)
    }

    /// A modern client that says nothing of the extension is told nothing of tasks.
    fn declares_tasks(&self) -> Finding<()> {
        let capabilities = &self.context.speaker.capabilities;
        if !self.context.is_modern() || tasks::has_extension(capabilities) {
            return Ok(());
        }
        let required = tasks::with_extension(&Raw::empty());
        let refusal = gatehouse_mcp_gateway::era::Refusal::MissingCapability { required };
        Err(Box::new(Refusal::of_era(&refusal, Era::Modern)))
    }

    /// The list of an endpoint of one server is that server's; of several there is none that could be put in order.
    fn tasks(&self, params: Raw) -> Finding<Quest> {
        let mut servers = self.offer.servers();
        match (servers.next(), servers.next()) {
            (Some(only), None) => {
                let server = Arc::clone(self.server(only)?);
                self.tasks_of(server, Method::TasksList, "tasks".into(), "tasks".into(), params)
            }
            _ => {
                Err(Box::new(Refusal::rpc(200, RpcError::new(code::METHOD_NOT_FOUND, "Method not found: tasks/list"))))
            }
        }
    }

    fn tasks_of(
        &self,
        server: Arc<Server>,
        method: Method,
        name: Arc<str>,
        exposed: Arc<str>,
        params: Raw,
    ) -> Finding<Quest> {
        let canonical: Arc<str> = format!("{}.{}", server.name, method.as_str()).into();
        let filed = Filed { name: method.as_str().into(), canonical: Arc::clone(&canonical) };
        let parcel = Parcel { server, method, name, canonical, exposed, filed, entry: None, price: None };
        let mut found = self.load(parcel, params)?;
        // Who may call a tool was asked when the task was made.
        found.need.action = Action::ReadStored;
        Ok(found)
    }

    /// Makes a request out of a parcel: takes answers and state off, opens the state.
    fn load(&self, parcel: Parcel, params: Raw) -> Finding<Quest> {
        let Parcel { server, method, name, canonical, exposed, filed, entry, price } = parcel;
        let mut answers = Answers::read(Some(&params)).map_err(|error| Box::new(Refusal::rpc(200, error)))?;
        consent::take_off(&mut answers);
        let manner = Manner::of(self.context, entry.as_deref());
        let params = if self.context.is_modern() { bare_of_modern(&params) } else { bare(&params) };
        let params = manner.asking(params, &server, &name);
        let action = match method {
            Method::ToolsCall => Action::CallTool,
            Method::ResourcesRead | Method::Subscribe => Action::ReadResource,
            Method::PromptsGet => Action::GetPrompt,
            _ => match entry.as_ref().map(|entry| entry.kind) {
                Some(Kind::Resource | Kind::Template) => Action::ReadResource,
                _ => Action::GetPrompt,
            },
        };
        let need = Need { resource: Arc::clone(&canonical), action, ..nothing() };
        let (asked, parked) = (params.clone(), None);
        let mut cargo = Cargo {
            server,
            method,
            name,
            canonical,
            exposed,
            filed,
            entry,
            params,
            asked,
            answers,
            parked,
            price,
            manner,
        };
        if let Some(token) = cargo.answers.state.take() {
            let state = self.state(&token, &cargo)?;
            (cargo.answers.state, cargo.parked) = (state.state, state.parked);
        }
        Ok(Quest { errand: Errand::Carry(Box::new(cargo)), need })
    }

    /// A state that is not this caller's, or of another call, is as good as none that ever was.
    fn state(&self, token: &str, cargo: &Cargo) -> Finding<seal::RequestState> {
        let unknown =
            || invalid("This `requestState` is not of this call, or its time is over. Call again without it.");
        let state: seal::RequestState = self.context.inner.desk.sealer.open(token, self.now).map_err(|_| unknown())?;
        let digest = cargo.digest(&self.context.path);
        let good = state.is_for(&self.context.caller.principal.key, &cargo.server.name, &digest);
        if good { Ok(state) } else { Err(unknown()) }
    }

    fn entry(&self, kind: Kind, name: &str, unknown: impl Fn() -> String) -> Finding<Arc<Entry>> {
        let found = match self.offer.find(kind, name) {
            Found::Offered(entry) => Some((entry, false)),
            Found::Held(entry) => Some((entry, true)),
            Found::Unknown => None,
        };
        match found {
            Some((entry, _)) if !self.context.inner.may_see(entry, &self.context.caller) => Err(invalid(unknown())),
            Some((entry, false)) => Ok(Arc::clone(entry)),
            Some((entry, true)) => Err(boxed(held_fault(entry))),
            None => Err(consent::wanted_first(self.context, Some(name))
                .unwrap_or_else(|| invalid(consent::in_words(self.context, self.offer, unknown())))),
        }
    }

    fn server(&self, name: &str) -> Finding<&Arc<Server>> {
        self.context.inner.servers.get(name).ok_or_else(|| {
            let message = format!("the MCP server `{name}` is being configured; try again");
            boxed(Fault::new(gatehouse_domain::Code::Overloaded, message).retry_after(1))
        })
    }

    /// Headers that repeat arguments must say the same as those.
    fn mirrored(&self, entry: &Entry, params: &Raw) -> Finding<()> {
        let Some(headers) = self.headers.filter(|_| self.context.is_modern()) else { return Ok(()) };
        if mirrors(entry).is_empty() {
            return Ok(());
        }
        let arguments = params.get(&["arguments"]);
        headers::check_params(headers, mirrors(entry), arguments.as_ref())
            .map_err(|refusal| Box::new(Refusal::of_era(&refusal, self.context.speaker.revision.era())))
    }
}

/// What is known of a request before its answers are.
struct Parcel {
    server: Arc<Server>,
    method: Method,
    name: Arc<str>,
    canonical: Arc<str>,
    exposed: Arc<str>,
    filed: Filed,
    entry: Option<Arc<Entry>>,
    price: Option<Money>,
}

/// The arguments of a tool that are repeated in headers.
pub(super) fn mirrors(entry: &Entry) -> &[Mirror] {
    entry.tool.as_ref().map_or(&[], |tool| &tool.param_headers)
}

/// A place in a list: behind this item.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Place {
    pub(super) principal: Arc<str>,
    pub(super) route: Arc<str>,
    pub(super) list: Arc<str>,
    pub(super) after: Arc<str>,
}

impl seal::Token for Place {
    const PURPOSE: &'static str = "place";
    fn expires(&self) -> Option<u64> {
        None
    }
}

/// What needs nothing.
pub(super) fn free(errand: Errand) -> Quest {
    Quest { errand, need: nothing() }
}

fn nothing() -> Need {
    Need {
        action: Action::ListTools,
        resource: "".into(),
        known: true,
        stream: false,
        input_tokens: 0,
        output_cap: None,
    }
}

fn text(params: &Raw, member: &'static str) -> Finding<Arc<str>> {
    let text = params.said(&[member]).map(|text| Arc::from(&*text));
    text.ok_or_else(|| invalid(format!("`{member}` must be a string")))
}

/// Parameters with the name that the server knows in the place of the client's; as they are, where it is the same.
fn renamed(params: Raw, member: &str, exposed: &str, real: &str) -> Raw {
    if exposed == real { params } else { params.with(&[member], &Raw::text(real)) }
}

pub(super) fn invalid(message: impl Into<String>) -> Box<Refusal> {
    Box::new(Refusal::rpc(200, RpcError::new(code::INVALID_PARAMS, message)))
}

pub(super) fn boxed(fault: Fault) -> Box<Refusal> {
    Box::new(fault.into())
}

/// A foreign name in a message: short, and on one line.
fn shown(name: &str) -> String {
    name.chars().take(128).map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}
