//! What the gateway answers by itself: who it is, what there is, and that it is there.

use std::sync::Arc;
use std::time::Instant;

use gatehouse_domain::{Action, Code, Fault};
use gatehouse_mcp_gateway::bridge::answers::{Dress, dressed};
use gatehouse_mcp_gateway::bridge::hello::ServerHello;
use gatehouse_mcp_gateway::catalogue::{Entry, Kind, Page, Seen};
use gatehouse_mcp_gateway::era::{Method, Revision};
use gatehouse_mcp_gateway::gateway::Session;
use gatehouse_mcp_gateway::gateway::session::SESSION_SECS;
use gatehouse_mcp_gateway::{Id, Raw, search};
use gatehouse_pipeline::{Conducted, Floor};
use http::HeaderValue;

use super::consent;
use super::desk::random_name;
use super::errand::{Errand, Place, boxed};
use super::gate::SESSION_ID;
use super::talk::Context;
use super::voice::{Outcome, Voice};

/// Answers a request that needs nobody else.
pub(super) fn answer(context: &Context, voice: &Voice, errand: Errand) -> Outcome {
    let dress = dress(context);
    let revision = context.speaker.revision;
    let empty = |method| Ok(dressed(revision, method, &Raw::empty(), &dress));
    match errand {
        Errand::Ping => empty(Method::Ping),
        Errand::Discover => Ok(hello(context, Revision::LATEST).discover_result(&dress)),
        Errand::Find(arguments) => find(context, &voice.floor, arguments.as_ref()),
        Errand::Spilled(uri) => context.inner.desk.spilled.read(context, &uri),
        Errand::SetLevel(level) => {
            if let Some(memory) = &context.memory {
                memory.set_level(level);
            }
            empty(Method::SetLevel)
        }
        Errand::Unsubscribe(uri) => {
            if let Some(memory) = &context.memory {
                memory.unsubscribe(&uri);
            }
            empty(Method::Unsubscribe)
        }
        // The others are no requests, or not answered here.
        _ => Err(boxed(Fault::new(Code::Internal, "a message went astray in the gateway; report this"))),
    }
}

/// Opens a session: its id is all that there is of it.
pub(super) async fn initialize(context: &Context, voice: Voice, id: &Id) -> Conducted {
    let now = voice.floor.now().unix_secs();
    let session = random_name().and_then(|name| {
        let speaker = &context.speaker;
        context.inner.desk.seal(&Session {
            id: name,
            principal: Arc::clone(&context.caller.principal.key),
            route: Arc::clone(&context.path),
            revision: speaker.revision,
            capabilities: speaker.capabilities.clone(),
            info: speaker.info.clone(),
            policy_epoch: context.inner.policy_epoch,
            expires: now + SESSION_SECS,
        })
    });
    let token = match session {
        Ok(token) => token,
        Err(fault) => return voice.finish(id, Err(boxed(fault))).await,
    };
    let result = hello(context, context.speaker.revision).initialize_result();
    let mut conducted = voice.finish(id, Ok(result)).await;
    if let (Some(reply), Ok(token)) = (&mut conducted.reply, HeaderValue::try_from(token)) {
        reply.headers.insert(SESSION_ID, token);
    }
    conducted
}

/// Who answers here, in the words of a revision.
fn hello(context: &Context, revision: Revision) -> ServerHello {
    let catalogue = context.catalogue();
    let allowed = |server: &str| context.inner.may_reach(server, &context.caller);
    let everything = |_: &str| true;
    let allowed: &dyn Fn(&str) -> bool = match &context.route {
        gatehouse_mcp_gateway::catalogue::Route::Toolset(_) => &everything,
        _ => &allowed,
    };
    ServerHello {
        revision,
        capabilities: catalogue.capabilities(&context.route, context.is_modern(), allowed),
        server_info: Some(context.inner.desk.server_info.clone()),
        instructions: catalogue.instructions(&context.route, allowed),
    }
}

/// What results of our own are dressed in.
pub(super) fn dress(context: &Context) -> Dress {
    let client = Some(context.speaker.capabilities.clone());
    Dress { server_info: Some(context.inner.desk.server_info.clone()), ttl_ms: 0, public: false, client }
}

/// What an item of a list is there for.
pub(super) const fn used_by(kind: Kind) -> Action {
    match kind {
        Kind::Tool => Action::CallTool,
        Kind::Prompt => Action::GetPrompt,
        Kind::Resource | Kind::Template | Kind::Instructions => Action::ReadResource,
    }
}

/// One page of what the caller may use. Servers whose lists are each user's own are asked, where they were not lately.
pub(super) async fn list(context: &Context, voice: &mut Voice, kind: Kind, after: Option<&str>) -> Outcome {
    let began = Instant::now();
    let catalogue = context.inner.desk.refresher.catalogue_of(&context.caller.principal).await;
    voice.floor.waited_since(began);
    let floor = &voice.floor;
    if let Some(refusal) = consent::wanted_first(context, None) {
        return Err(refusal);
    }
    let Some(offer) = catalogue.offer(&context.route) else { return Ok(Raw::empty()) };
    let revision = context.speaker.revision;
    let allowed = |entry: &Entry| context.is_for_caller(entry) && floor.lists(used_by(kind), &entry.canonical);
    let searched = kind == Kind::Tool && offer.search().is_some();
    let seen = match searched || after.is_some() {
        true => None,
        false if context.sees_all(offer) && floor.lists_all(used_by(kind)) => Some(Seen::All),
        false => Some(offer.seen(kind, &allowed)),
    };
    if let Some(told) = seen.as_ref().and_then(|seen| offer.told(kind, revision, seen)) {
        return Ok(consent::told(context, offer, told));
    }
    let page = Page { after, to: Some(revision), ..Page::default() };
    let listing = match searched {
        true => search::definitions(),
        false => offer.list(kind, &allowed, &page).map_err(boxed)?,
    };
    let cursor = listing.next.as_ref().map(|after| {
        context.inner.desk.seal(&Place {
            principal: Arc::clone(&context.caller.principal.key),
            route: Arc::clone(&context.path),
            list: kind.as_str().into(),
            after: Arc::clone(after),
        })
    });
    let cursor = cursor.transpose().map_err(boxed)?;
    let server_info = context.is_modern().then_some(&context.inner.desk.server_info);
    let result = listing.result(server_info, cursor.as_deref());
    if let Some(seen) = seen.filter(|_| cursor.is_none()) {
        offer.keep(kind, revision, seen, &result);
    }
    Ok(consent::told(context, offer, result))
}

/// The tools that fit what a model says it wants.
fn find(context: &Context, floor: &Floor, arguments: Option<&Raw>) -> Outcome {
    let (query, limit) = search::find_arguments(arguments).map_err(boxed)?;
    let catalogue = context.catalogue();
    let index = catalogue.offer(&context.route).and_then(|offer| offer.search());
    let allowed = |entry: &Entry| context.is_for_caller(entry) && floor.lists(Action::CallTool, &entry.canonical);
    let hits = index.map(|index| index.find(&query, limit, &allowed)).unwrap_or_default();
    Ok(dressed(context.speaker.revision, Method::ToolsCall, &search::find_result(&hits), &dress(context)))
}
