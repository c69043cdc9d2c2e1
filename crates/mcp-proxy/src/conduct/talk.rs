//! One conversation: a message, who sent it and where, and the errand it came to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use gatehouse_domain::{Action, Asked, Code, Fault, Look, Money, Need, Reply, Request};
use gatehouse_mcp_gateway::blueprint::Auth;
use gatehouse_mcp_gateway::catalogue::{Catalogue, Entry, Offer, Route};
use gatehouse_mcp_gateway::era::{Era, Method, Speaker, meta};
use gatehouse_mcp_gateway::gateway::{Asking, Refusal, Session, What, refuse};
use gatehouse_mcp_gateway::{Id, Raw, Request as MessageRequest, texts};
use gatehouse_pipeline::{Conducted, Conducting, Floor, KeyEntry, Talk};

use super::errand::{Errand, Finder, Quest, boxed, free};
use super::gate::{Endpoint, Inner};
use super::memory::Memory;
use super::voice::Voice;
use super::{carry, consent, listen, local, notes};

/// Who says something, where, and as what.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) inner: Arc<Inner>,
    pub(super) caller: Arc<KeyEntry>,
    pub(super) route: Route,
    /// The route as it stands in a URL.
    pub(super) path: Arc<str>,
    pub(super) speaker: Speaker,
    pub(super) session: Option<Session>,
    pub(super) memory: Option<Arc<Memory>>,
    /// Does the client take a stream for an answer?
    pub(super) streams: bool,
    /// Are the caller's own lists known as well as they can be?
    pub(super) settled: bool,
}

impl Context {
    /// Does the endpoint lead to servers whose lists are each user's own?
    fn has_personal_servers(&self) -> bool {
        let catalogue = self.catalogue();
        let servers = catalogue.offer(&self.route).into_iter().flat_map(|offer| offer.servers());
        let mut servers = servers.filter_map(|name| self.inner.servers.get(name));
        servers.any(|server| matches!(server.auth, Auth::PerUser(_) | Auth::Exchange(_)))
    }

    /// The catalogue as it is now for this caller.
    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        self.inner.desk.refresher.known_to(&self.caller.principal)
    }

    /// Is it for this caller, whatever key and policies say? Tools of the gateway's own are for some roles only.
    pub(super) fn is_for_caller(&self, entry: &Entry) -> bool {
        let own = self.inner.own.as_ref().filter(|own| own.name == entry.server);
        own.is_none_or(|own| own.shows(&entry.real, &self.caller.principal))
    }

    /// Is everything that an endpoint offers for this caller?
    pub(super) fn sees_all(&self, offer: &Offer) -> bool {
        self.inner.own.as_ref().is_none_or(|own| !offer.leads_to(&own.name))
    }

    pub(super) fn is_modern(&self) -> bool {
        self.speaker.revision.era() == Era::Modern
    }
}

/// A conversation, read.
pub(super) struct Conversation {
    context: Context,
    /// The id of the request, of what is one.
    id: Option<Id>,
    method: Option<Method>,
    traceparent: Option<Arc<str>>,
    errand: Errand,
    need: Need,
}

impl Conversation {
    /// What a client asks, found in the catalogue.
    ///
    /// # Errors
    /// When there is no such thing, with the id of who asked.
    pub(super) fn read(
        inner: &Arc<Inner>,
        caller: &Arc<KeyEntry>,
        endpoint: &Endpoint,
        asking: Asking,
        request: &Request,
    ) -> Result<Self, (Option<Id>, Box<Refusal>)> {
        let Asking { speaker, session, what, streams } = asking;
        let memory = session.as_ref().map(|session| inner.desk.sessions.of(&session.id));
        let Endpoint { route, path } = endpoint.clone();
        let (inner, caller) = (Arc::clone(inner), Arc::clone(caller));
        let context = Context { inner, caller, route, path, speaker, session, memory, streams, settled: false };
        Self::of(context, what, Some(&request.headers), request.now.unix_secs())
    }

    /// The same of a message that came with others.
    pub(super) fn part(context: &Context, what: What, now: u64) -> Result<Self, (Option<Id>, Box<Refusal>)> {
        Self::of(context.clone(), what, None, now)
    }

    /// Looks once more for what was not found, with the caller's own lists at hand.
    async fn again(context: Context, mut voice: Voice, method: Method, request: MessageRequest) -> Conducted {
        let began = Instant::now();
        drop(context.inner.desk.refresher.catalogue_of(&context.caller.principal).await);
        voice.floor.waited_since(began);
        let (id, now) = (request.id.clone(), voice.floor.now().unix_secs());
        let settled = Context { settled: true, ..context.clone() };
        let part = match Self::part(&settled, What::Request(method, request), now) {
            Ok(part) => part,
            Err((_, refusal)) => return voice.finish(&id, consent::asked(&context, method, refusal, None)).await,
        };
        let mut floor = voice.floor;
        match floor.admit(Box::new(part)).await {
            Ok(part) => part.conduct(floor).await,
            Err(refused) => {
                floor.failed(&refused.fault);
                Conducted::new(floor, Some(refused.reply))
            }
        }
    }

    fn of(
        context: Context,
        what: What,
        headers: Option<&http::HeaderMap>,
        now: u64,
    ) -> Result<Self, (Option<Id>, Box<Refusal>)> {
        let (mut id, mut method, mut traceparent): (_, _, Option<Arc<str>>) = (None, None, None);
        let quest = match what {
            What::Request(of, request) => {
                (id, method) = (Some(request.id.clone()), Some(of));
                traceparent = meta::traceparent(request.params.as_ref()).map(|trace| trace.to_string().into());
                let catalogue = context.catalogue();
                let not_yet = || {
                    let message = "this endpoint is being put together; try again in a moment";
                    boxed(Fault::new(Code::Overloaded, message).retry_after(1))
                };
                let found = match catalogue.offer(&context.route) {
                    Some(offer) => Finder { context: &context, offer, headers, now }.find(of, &request),
                    None => Err(not_yet()),
                };
                match found {
                    Err(_) if !context.settled && context.has_personal_servers() => free(Errand::Later(of, request)),
                    found => found.map_err(|refusal| (id.clone(), refusal))?,
                }
            }
            What::Notification(note) => free(Errand::Note(note)),
            What::Answer(response) => free(Errand::Answer(response)),
            What::Batch(all) => free(Errand::Batch(all)),
            What::Listening { after } => free(Errand::Stream(after)),
            What::Ending => free(Errand::End),
        };
        let Quest { errand, need } = quest;
        Ok(Self { context, id, method, traceparent, errand, need })
    }

    /// Carries it out. What is left to say is the answer to the request. What is seldom done is in boxes of its own.
    pub(super) async fn conduct(self, floor: Floor) -> Conducted {
        let Self { context, id, errand, need, .. } = self;
        let mut voice = Voice::new(floor, context.speaker.revision, context.streams, context.memory.clone());
        let Some(id) = id else { return Box::pin(notes::take(&context, voice, errand)).await };
        let outcome = match errand {
            Errand::Later(method, request) => return Box::pin(Self::again(context, voice, method, request)).await,
            Errand::Initialize => return Box::pin(local::initialize(&context, voice, &id)).await,
            Errand::Carry(cargo) => {
                let call = carry::Call { context: &context, cargo, need };
                match Box::pin(carry::stoppable(call, &mut voice, &id)).await {
                    Some(outcome) => outcome,
                    None => return voice.end(),
                }
            }
            Errand::Subscribe(cargo) => Box::pin(listen::subscribe(&context, &mut voice, *cargo)).await,
            Errand::List(kind, after) => Box::pin(local::list(&context, &mut voice, kind, after.as_deref())).await,
            other => local::answer(&context, &voice, other),
        };
        voice.finish(&id, outcome).await
    }
}

impl Asked for Conversation {
    fn need(&self) -> &Need {
        &self.need
    }

    fn ceiling(&self) -> Option<Money> {
        match &self.errand {
            Errand::Carry(cargo) => cargo.price,
            _ => None,
        }
    }

    fn review(&mut self, look: &mut Look<'_>) -> Result<(), Fault> {
        let Errand::Carry(cargo) = &mut self.errand else { return Ok(()) };
        let Some(arguments) = cargo.params.get(&["arguments"]) else { return Ok(()) };
        if let Some(instead) = texts::review_arguments(&arguments, &cargo.canonical, look)? {
            cargo.params = cargo.params.with(&["arguments"], &instead);
        }
        Ok(())
    }

    fn arguments(&self) -> Option<BTreeMap<String, String>> {
        let Errand::Carry(cargo) = &self.errand else { return None };
        Some(texts::arguments(&cargo.params.get(&["arguments"]).unwrap_or_else(Raw::empty)))
    }
}

impl Talk for Conversation {
    fn operation(&self) -> &'static str {
        match (&self.method, &self.errand) {
            (Some(method), _) => method.as_str(),
            (None, Errand::Stream(_)) => "stream",
            (None, Errand::End) => "end",
            (None, Errand::Batch(_)) => "batch",
            (None, Errand::Answer(_)) => "answer",
            (None, _) => "notification",
        }
    }

    fn asks_nothing(&self) -> bool {
        self.need.action == Action::ListTools
    }

    fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    fn refuse(&self, fault: &Fault) -> Reply {
        Refusal::from(fault.clone()).reply(self.id.as_ref())
    }

    fn conduct(self: Box<Self>, floor: Floor) -> Conducting {
        match *self {
            // Who only listens does so for hours, and holds no room that a call would need.
            Self { mut context, id: Some(id), errand: Errand::Listen(filter), .. } => Box::pin(async move {
                context.speaker = context.speaker.detached();
                let voice = Voice::new(floor, context.speaker.revision, context.streams, context.memory.clone());
                listen::modern(&context, voice, id, filter).await
            }),
            call => Box::pin(call.conduct(floor)),
        }
    }
}

/// Nothing to say.
pub(super) fn taken(floor: Floor) -> Conducted {
    Conducted::new(floor, Some(refuse::accepted()))
}
