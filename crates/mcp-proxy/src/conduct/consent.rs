//! A server that acts in the name of a person who has not agreed yet. The fault names a page; here it is put so that the client
//! opens it for its user: as a question of the newest protocol, as the error of the one before, else in words.
//!
//! Where several servers are offered together, such a server is missing from the lists and the others are there: the lists say
//! so in `_meta`, a call of a tool that can only be that server's leads to the page, and a call of any other unknown name is
//! told of it.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::bridge::answers;
use gatehouse_mcp_gateway::bridge::questions::{Answers, Ask, InputRequired, Question};
use gatehouse_mcp_gateway::catalogue::{Offer, Route};
use gatehouse_mcp_gateway::era::{Method, Revision};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Raw, RpcError};

use super::agree::Shown;
use super::errand::boxed;
use super::local::dress;
use super::talk::Context;
use super::voice::Outcome;

/// The name of our own question. Its answer says only that the client has shown the page, and goes to no server.
const KEY: &str = "gatehouse_consent";
/// Where a list says which servers wait for their person.
const IN_META: &str = "gatehouse/consent";
/// Servers that are named in words.
const NAMED_MAX: usize = 3;
/// Letters of a page's address that name it to a client.
const PAGE_NAME: usize = 32;

/// The fault of the server that this is asked of, where it must wait for its person: at its own endpoint whatever is asked,
/// elsewhere a name that can only be one of its tools.
pub(super) fn wanted_first(context: &Context, name: Option<&str>) -> Option<Box<Refusal>> {
    if let Route::Server(server) = &context.route {
        return unagreed(context, server).map(boxed);
    }
    let (name, catalogue) = (name?, context.catalogue());
    let toolset = context.inner.toolset(&context.route);
    let of_it = |(server, _): &(Arc<str>, Fault)| {
        let prefixed = name.strip_prefix(&**server).is_some_and(|rest| rest.starts_with("__"));
        prefixed || toolset.is_some_and(|toolset| toolset.names_a_tool_of(server, name))
    };
    waiting(context, catalogue.offer(&context.route)?).find(of_it).map(|(_, fault)| boxed(fault))
}

/// A list with the servers that are not in it for want of consent.
pub(super) fn told(context: &Context, offer: &Offer, list: Raw) -> Raw {
    let server = |(server, fault): (Arc<str>, Fault)| {
        let page = fault.visit.as_ref().map(|url| ("url", Raw::text(url)));
        let said = [("server", Raw::text(&server)), ("message", Raw::text(&fault.message))];
        Raw::object(said.into_iter().chain(page))
    };
    let waiting: Vec<Raw> = waiting(context, offer).map(server).collect();
    if waiting.is_empty() { list } else { list.with(&["_meta", IN_META], &Raw::array(&waiting)) }
}

/// The same in a message to whoever called a tool that is not there.
pub(super) fn in_words(context: &Context, offer: &Offer, mut message: String) -> String {
    for (_, fault) in waiting(context, offer).take(NAMED_MAX) {
        message.push_str(". Its tools are not known yet: ");
        message.push_str(&fault.message);
    }
    message
}

/// The servers of an endpoint that this caller may use and whose person must agree first.
fn waiting<'a>(context: &'a Context, offer: &'a Offer) -> impl Iterator<Item = (Arc<str>, Fault)> + 'a {
    let waiting = offer.servers().filter_map(|server| Some((Arc::clone(server), unagreed(context, server)?)));
    waiting.filter(|(server, _)| context.inner.may_reach(server, &context.caller))
}

fn unagreed(context: &Context, server: &str) -> Option<Fault> {
    context.inner.desk.refresher.unagreed(&context.caller.principal, server)
}

/// Takes the answer to our own question off a repeated call.
pub(super) fn take_off(answers: &mut Answers) {
    answers.answers.retain(|(key, _)| **key != *KEY);
}

/// What a client gets of a refusal: where it is for want of consent, in the form in which it can show a page to its user.
/// `server`: whose refusal it is, where that is known.
pub(super) fn asked(context: &Context, method: Method, refusal: Box<Refusal>, server: Option<&Arc<str>>) -> Outcome {
    let Some(url) = refusal.fault.visit.clone().filter(|_| refusal.fault.code == Code::ConsentNeeded) else {
        return Err(refusal);
    };
    let params = Raw::object([
        ("mode", Raw::text("url")),
        ("message", Raw::text(&refusal.fault.message)),
        ("url", Raw::text(&url)),
    ]);
    let question = Question { key: KEY.into(), ask: Ask::Elicitation, params: Some(params.clone()) };
    let shows_pages = question.is_for(&context.speaker.capabilities);
    let page: Arc<str> = url.rsplit('/').next().unwrap_or_default().chars().take(PAGE_NAME).collect::<String>().into();
    if let Some(server) = server.cloned().or_else(|| server_of(context, &url)) {
        shown(context, server, &page, shows_pages);
    }
    if context.is_modern() && shows_pages && method.may_ask() {
        let asking = InputRequired { questions: vec![question], state: None };
        return Ok(answers::dressed(context.speaker.revision, method, &asking.write(), &dress(context)));
    }
    // The bridge knows how a server of 2025-11-25 says it, and what the others are told instead.
    let elicitation = params.with(&["elicitationId"], &Raw::text(&page));
    let data = Raw::object([("elicitations", Raw::array(&[elicitation]))]);
    let error = RpcError::new(code::URL_ELICITATION_REQUIRED, refusal.fault.message.to_string()).with_data(data);
    let spoken = context.speaker.revision;
    let told = if shows_pages || context.is_modern() { spoken } else { spoken.min(Revision::V2025_06_18) };
    let outcome = answers::outcome(Revision::LATEST_LEGACY, told, method, Err(error), &dress(context));
    let fault = refusal.fault;
    outcome.map_err(|error| Box::new(Refusal { status: 200, error, fault }))
}

/// The server that waits for this page.
fn server_of(context: &Context, url: &str) -> Option<Arc<str>> {
    let catalogue = context.catalogue();
    let mut waiting = waiting(context, catalogue.offer(&context.route)?);
    waiting.find(|(_, fault)| fault.visit.as_deref() == Some(url)).map(|(server, _)| server)
}

/// Remembers that this caller was shown a page.
fn shown(context: &Context, server: Arc<str>, page: &Arc<str>, shows_pages: bool) {
    let hears = shows_pages && context.speaker.revision == Revision::V2025_11_25;
    let mail = context.memory.as_ref().filter(|_| hears).map(|memory| Arc::clone(&memory.mail));
    context.inner.desk.agreeing.show(Shown {
        server,
        principal: Arc::clone(&context.caller.principal),
        told: mail.map(|mail| (mail, Arc::clone(page))),
    });
}
