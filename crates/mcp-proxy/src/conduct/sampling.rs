//! Questions to a client's model, answered by a model of the gateway: where the configuration names one for the server and the
//! client has none. The call is the caller's own: its permissions, its policies, its budget, its run.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gatehouse_domain::InnerCall;
use gatehouse_mcp_gateway::bridge::questions::{Answers, Ask, InputRequired, Question};
use gatehouse_mcp_gateway::bridge::sampling;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Id, Raw, Request, Response, RpcError};
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::carry::ticks;
use super::errand::Cargo;
use super::reach::Way;
use super::voice::Voice;

/// Questions that one call may have answered.
const SAMPLES_MAX: u32 = 10;

/// The model that answers for a client of these capabilities; `None` if the client is asked itself, or nobody is: a task that
/// goes on by itself asks at a time when no call is there that could pay for the answer.
pub(super) fn model(cargo: &Cargo, capabilities: &Raw) -> Option<Arc<str>> {
    let model = cargo.server.sampling_model.as_ref().filter(|_| !cargo.manner.goes_on());
    model.filter(|_| !capabilities.has(&["sampling"])).cloned()
}

/// What a server is told of a client whose questions are answered here.
pub(super) fn offered(model: Option<&Arc<str>>, capabilities: Raw) -> Raw {
    if model.is_none() { capabilities } else { capabilities.with(&["sampling"], &Raw::empty()) }
}

/// Is this request of a server of the older era for the model of this way?
pub(super) fn takes(way: &Way, request: &Request) -> bool {
    way.sampling.is_some() && &*request.method == Ask::Sampling.method()
}

/// Is it for the model of this way?
pub(super) fn is_for(way: &Way, question: &Question) -> bool {
    way.sampling.is_some() && question.ask == Ask::Sampling
}

/// Answers a question of a server of the older era.
pub(super) async fn respond(way: &Way, voice: &mut Voice, question: &Question, id: Id) -> Response {
    Response { id: Some(id), outcome: sample(way, voice, question).await }
}

/// Answers those questions of a modern server that are for the model. `None` if there is none: others are asked then. What it
/// asked besides, the server asks again.
///
/// # Errors
/// When the model may not be asked, or gives no answer.
pub(super) async fn answers(way: &Way, voice: &mut Voice, asked: &InputRequired) -> Result<Option<Answers>, RpcError> {
    let mut answers = Vec::new();
    for question in asked.questions.iter().filter(|question| is_for(way, question)) {
        answers.push((Arc::clone(&question.key), sample(way, voice, question).await?));
    }
    Ok((!answers.is_empty()).then(|| Answers { answers, state: asked.state.clone() }))
}

async fn sample(way: &Way, voice: &mut Voice, question: &Question) -> Result<Raw, RpcError> {
    let Some(model) = &way.sampling else {
        return Err(RpcError::new(code::METHOD_NOT_FOUND, "The client cannot be asked this"));
    };
    voice.samples += 1;
    if voice.samples > SAMPLES_MAX {
        let message = format!("One call may ask a model {SAMPLES_MAX} times and no more");
        return Err(RpcError::new(code::INVALID_REQUEST, message));
    }
    let body = sampling::ask(question.params.as_ref(), model)?;
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
    let body = Bytes::from(body.to_string());
    let call = InnerCall { method: Method::POST, path: PathAndQuery::from_static(sampling::PATH), headers, body };
    let began = Instant::now();
    let mut making = voice.floor.make(call);
    let mut quiet = ticks();
    let reply = loop {
        tokio::select! {
            reply = &mut making => break reply,
            _ = quiet.tick() => voice.keep_alive().await,
        }
    };
    voice.floor.waited_since(began);
    sampling::answer(reply.status.is_success(), &reply.body)
}
