//! Questions that cross the bridge in the middle of a call: from a server that asks in messages to a client that is asked in
//! messages, or in results, and the other way round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::bridge::questions::{Answers, InputRequired, Question, page_name};
use gatehouse_mcp_gateway::era::{Era, Revision};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Id, Message, Request, Response, RpcError};

use super::carry::{closing, refused, ticks};
use super::errand::{Cargo, boxed};
use super::pass_on::pass_on;
use super::reach::Way;
use super::talk::Context;
use super::voice::{Outcome, Voice};
use super::{park, result, sampling};
use crate::link::Exchange;

/// What a server asks within this of one another, it asks together; and at most so much.
const TOGETHER: Duration = Duration::from_millis(40);
const QUESTIONS_MAX: usize = 16;

/// A server of the older era asks in the middle of a call.
pub(super) async fn ask(context: &Context, way: &Way, voice: &mut Voice, request: Request) -> Result<(), Box<Refusal>> {
    let id = request.id.clone();
    let question = Question::of_request("input", &request).ok();
    if let Some(question) = question.as_ref().filter(|question| sampling::is_for(way, question)) {
        let response = sampling::respond(way, voice, question, id).await;
        return way.link.answer(&way.pool, &way.client, response).await.map_err(|failure| refused(context, failure));
    }
    let question = question.filter(|question| question.is_for(&way.client.capabilities) && !context.is_modern());
    let response = match question {
        Some(question) => match put(context, voice, &question, page_name(&request)).await {
            Ok(response) => Response { id: Some(id), outcome: response.outcome },
            Err(fault) => Response::error(Some(id), Refusal::from(fault).error),
        },
        None => cannot(id),
    };
    way.link.answer(&way.pool, &way.client, response).await.map_err(|failure| refused(context, failure))
}

/// The answer to a server that asks what nobody can be asked.
pub(super) fn cannot(id: Id) -> Response {
    Response::error(Some(id), RpcError::new(code::METHOD_NOT_FOUND, "The client cannot be asked this"))
}

/// Questions of a server of the older era that a modern client will be asked together.
pub(super) struct Aside<'a> {
    pub(super) context: &'a Context,
    pub(super) cargo: &'a Cargo,
    pub(super) way: &'a Way,
    pub(super) questions: Vec<(Question, Id)>,
}

impl Aside<'_> {
    pub(super) async fn question(&mut self, voice: &mut Voice, request: Request) -> Result<(), Box<Refusal>> {
        let key = match self.questions.len() {
            0 => "input".to_owned(),
            more => format!("input-{}", more + 1),
        };
        let question = Question::of_request(key, &request).ok();
        if sampling::takes(self.way, &request) {
            return ask(self.context, self.way, voice, request).await;
        }
        match question.filter(|question| question.is_for(&self.way.client.capabilities)) {
            Some(question) => self.questions.push((question, request.id)),
            None => {
                let answered = self.way.link.answer(&self.way.pool, &self.way.client, cannot(request.id)).await;
                answered.map_err(|failure| refused(self.context, failure))?;
            }
        }
        Ok(())
    }

    /// What a server asks at once comes at once: a moment is waited for the rest of it. A response that comes instead is all
    /// that was waited for.
    pub(super) async fn gather(
        &mut self,
        voice: &mut Voice,
        exchange: &mut dyn Exchange,
        token: Option<&Id>,
    ) -> Result<Option<Response>, Box<Refusal>> {
        while self.questions.len() < QUESTIONS_MAX {
            let Ok(message) = tokio::time::timeout(TOGETHER, exchange.next()).await else { return Ok(None) };
            match message {
                Some(Ok(Message::Request(request))) => self.question(voice, request).await?,
                Some(Ok(Message::Notification(note))) => {
                    pass_on(self.context, self.cargo, self.way, voice, note, token).await;
                }
                Some(Ok(Message::Response(response))) => return Ok(Some(response)),
                Some(Err(failure)) => {
                    voice.floor.close(closing(&failure.fault));
                    return Err(refused(self.context, failure));
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// Puts a question to a client of the older era, on the stream of its call, and waits for the answer. `page`: what the server
/// calls the page it wants opened, if it will say so when that is done.
async fn put(
    context: &Context,
    voice: &mut Voice,
    question: &Question,
    page: Option<Arc<str>>,
) -> Result<Response, Fault> {
    let nobody =
        || Fault::new(Code::InvalidRequest, "The client cannot be asked: it takes no stream, or has no session");
    let session = context.session.as_ref().filter(|_| voice.can_speak()).ok_or_else(nobody)?;
    let mut asked = context.inner.desk.questions.expect(&session.id)?;
    let Id::Text(name) = asked.id() else { return Err(nobody()) };
    let request = question.request(asked.id(), context.speaker.revision, &page.unwrap_or(name));
    voice.say(&request.into()).await;
    let began = Instant::now();
    let mut quiet = ticks();
    let response = loop {
        tokio::select! {
            response = asked.answer() => break response,
            _ = quiet.tick() => voice.keep_alive().await,
        }
    };
    voice.floor.waited_since(began);
    response.ok_or_else(nobody)
}

/// Puts every question of a modern server to a client of the older era.
pub(super) async fn collect(
    context: &Context,
    voice: &mut Voice,
    asked: InputRequired,
) -> Result<Answers, Box<Refusal>> {
    let mut answers = Vec::with_capacity(asked.questions.len());
    for question in &asked.questions {
        if !question.is_for(&context.speaker.capabilities) {
            return Err(missing(question, context.speaker.revision));
        }
        let response = put(context, voice, question, None).await.map_err(boxed)?;
        let answer = question.answer(&response).map_err(|error| Box::new(Refusal::rpc(200, error)))?;
        answers.push((Arc::clone(&question.key), answer));
    }
    Ok(Answers { answers, state: asked.state })
}

/// The questions of a modern server for a modern client; the server's state goes along sealed.
pub(super) fn relayed(context: &Context, cargo: &Cargo, mut asked: InputRequired) -> Outcome {
    if let Some(question) = asked.questions.iter().find(|question| !question.is_for(&context.speaker.capabilities)) {
        return Err(missing(question, context.speaker.revision));
    }
    if let Some(state) = asked.state.take() {
        asked.state = Some(park::state(context, cargo, Some(state), None)?);
    }
    Ok(result::dressed(context, cargo, &asked.write()))
}

/// The client did not declare what the server's question needs. The older era has no number of its own for that.
fn missing(question: &Question, revision: Revision) -> Box<Refusal> {
    let refusal = gatehouse_mcp_gateway::era::Refusal::MissingCapability { required: question.needs() };
    Box::new(match revision.era() {
        Era::Modern => Refusal::of_era(&refusal, Era::Modern),
        Era::Legacy => Refusal::rpc(200, RpcError::new(code::INVALID_REQUEST, refusal.to_string())),
    })
}
