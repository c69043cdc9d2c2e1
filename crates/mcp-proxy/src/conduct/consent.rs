//! A server that acts in the name of a person who has not agreed yet. The fault names a page; here it is put so that the client
//! opens it for its user: as a question of the newest protocol, as the error of the one before, else in words.

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::bridge::answers;
use gatehouse_mcp_gateway::bridge::questions::{Answers, Ask, InputRequired, Question};
use gatehouse_mcp_gateway::catalogue::Route;
use gatehouse_mcp_gateway::era::{Method, Revision};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Raw, RpcError};

use super::errand::boxed;
use super::local::dress;
use super::talk::Context;
use super::voice::Outcome;

/// The name of our own question. Its answer says only that the client has shown the page, and goes to no server.
const KEY: &str = "gatehouse_consent";

/// At the endpoint of a server whose lists are not there for want of consent, whatever is asked for is answered with that.
pub(super) fn wanted_first(context: &Context) -> Option<Box<Refusal>> {
    let Route::Server(name) = &context.route else { return None };
    context.inner.desk.refresher.unagreed(&context.caller.principal, name).map(boxed)
}

/// Takes the answer to our own question off a repeated call.
pub(super) fn take_off(answers: &mut Answers) {
    answers.answers.retain(|(key, _)| **key != *KEY);
}

/// What a client gets of a refusal: where it is for want of consent, in the form in which it can show a page to its user.
pub(super) fn asked(context: &Context, method: Method, refusal: Box<Refusal>) -> Outcome {
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
    if context.is_modern() && shows_pages && method.may_ask() {
        let asking = InputRequired { questions: vec![question], state: None };
        return Ok(answers::dressed(context.speaker.revision, method, &asking.write(), &dress(context)));
    }
    // The bridge knows how a server of 2025-11-25 says it, and what the others are told instead.
    let id = url.rsplit('/').next().unwrap_or_default();
    let elicitation = params.with(&["elicitationId"], &Raw::text(&id.chars().take(32).collect::<String>()));
    let data = Raw::object([("elicitations", Raw::array(&[elicitation]))]);
    let error = RpcError::new(code::URL_ELICITATION_REQUIRED, refusal.fault.message.to_string()).with_data(data);
    let spoken = context.speaker.revision;
    let told = if shows_pages || context.is_modern() { spoken } else { spoken.min(Revision::V2025_06_18) };
    let outcome = answers::outcome(Revision::LATEST_LEGACY, told, method, Err(error), &dress(context));
    let fault = refusal.fault;
    outcome.map_err(|error| Box::new(Refusal { status: 200, error, fault }))
}
