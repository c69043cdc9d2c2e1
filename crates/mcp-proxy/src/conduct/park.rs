//! Calls that wait for a modern client. A server of the older era asks in the middle of a call and keeps the call open; a modern
//! client is asked in a result and comes back with a new request. In between the call lies here, for a few minutes, and the
//! client's state says which it is. Only where a server's settings allow it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::bridge::questions::{InputRequired, Question};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::seal::RequestState;
use gatehouse_mcp_gateway::{Id, Raw};

use super::carry::{Said, follow, refused, unexpected};
use super::desk::random_name;
use super::errand::{Cargo, boxed};
use super::reach::Way;
use super::result;
use super::talk::Context;
use super::tasks::{self, Pledge};
use super::voice::{Outcome, Voice};
use crate::link::{Exchange, Link};

/// How long a call waits for its client.
const PATIENCE: Duration = Duration::from_secs(300);
/// Calls that wait at once.
const PARKED_MAX: usize = 10_000;

/// Every call that waits.
#[derive(Default)]
pub(super) struct Parked(Mutex<HashMap<Arc<str>, (Instant, Waiting)>>);

/// One of them.
pub(super) struct Waiting {
    /// What was asked, each with the id of the server's request.
    pub(super) questions: Vec<(Question, Id)>,
    /// The call.
    pub(super) exchange: Box<dyn Exchange>,
    /// Where the answer goes.
    pub(super) link: Arc<dyn Link>,
    /// The task that is waited for, where the call has become one.
    pub(super) pledge: Option<Box<Pledge>>,
}

impl Parked {
    fn calls(&self) -> MutexGuard<'_, HashMap<Arc<str>, (Instant, Waiting)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, name: Arc<str>, waiting: Waiting) -> Result<(), Fault> {
        let mut calls = self.calls();
        if calls.len() >= PARKED_MAX {
            calls.retain(|_, (since, _)| since.elapsed() < PATIENCE);
        }
        if calls.len() >= PARKED_MAX {
            return Err(Fault::new(Code::Overloaded, "too many calls wait for answers; try again").retry_after(5));
        }
        calls.insert(name, (Instant::now(), waiting));
        Ok(())
    }

    fn take(&self, name: &str) -> Option<Waiting> {
        self.calls().remove(name).filter(|(since, _)| since.elapsed() < PATIENCE).map(|(_, waiting)| waiting)
    }
}

/// A state for the client to bring back: the server's own, or which call waits.
pub(super) fn state(
    context: &Context,
    cargo: &Cargo,
    state: Option<Arc<str>>,
    parked: Option<Arc<str>>,
) -> Result<Arc<str>, Box<Refusal>> {
    let now = gatehouse_domain::Now(std::time::SystemTime::now()).unix_secs();
    let sealed = context.inner.desk.seal(&RequestState {
        principal: Arc::clone(&context.caller.principal.key),
        server: Arc::clone(&cargo.server.name),
        state,
        parked,
        digest: cargo.digest(&context.path),
        expires: now + PATIENCE.as_secs(),
    });
    sealed.map(Arc::from).map_err(boxed)
}

/// Lays a call aside; the result asks its client.
pub(super) fn park(context: &Context, cargo: &Cargo, waiting: Waiting) -> Result<Raw, Box<Refusal>> {
    let desk = &context.inner.desk;
    let name = random_name().map_err(boxed)?;
    let state = state(context, cargo, None, Some(Arc::clone(&name)))?;
    let asked = InputRequired {
        questions: waiting.questions.iter().map(|(question, _)| question.clone()).collect(),
        state: Some(state),
    };
    desk.parked.put(Arc::clone(&name), waiting).map_err(boxed)?;
    let (later, forget) = (Arc::clone(desk), name);
    desk.control.spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        // Dropping the call cancels it.
        drop(later.parked.take(&forget));
    });
    Ok(result::dressed(context, cargo, &asked.write()))
}

/// Goes on with a call whose client has answered.
pub(super) async fn resume(context: &Context, cargo: &mut Cargo, way: &Way, voice: &mut Voice, name: &str) -> Outcome {
    let desk = &context.inner.desk;
    let Some(waiting) = desk.parked.take(name) else { return Err(unexpected()) };
    let Waiting { questions, exchange, link, pledge } = waiting;
    cargo.manner.resume(pledge);
    if cargo.manner.has_begun() {
        // It was paid for when the task was made.
        cargo.price = None;
    }
    voice.floor.open(&cargo.opening(desk)).map_err(boxed)?;
    for (question, request) in questions {
        let response = question.response(request, cargo.answers.to(&question.key));
        link.answer(&way.pool, &way.client, response).await.map_err(|failure| refused(context, failure))?;
    }
    match follow(context, cargo, way, voice, exchange, None).await? {
        Said::Parked(result) => Ok(result),
        Said::Outcome(outcome) => tasks::concluded(context, cargo, way, voice, outcome).await,
    }
}
