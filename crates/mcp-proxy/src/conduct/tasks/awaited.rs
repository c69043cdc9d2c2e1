//! Tasks that the gateway waits for. A server makes a task of a call and in no other way does what it asks; the client knows no
//! tasks, and gets what the call has come to as if it had only taken long. It takes no longer than calls of the tool may; and
//! when its client leaves, or cannot be asked what the task wants to know, the task is cancelled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_domain::{Code, Fault};
use gatehouse_mcp_gateway::bridge::answers::{ResultType, result_type};
use gatehouse_mcp_gateway::bridge::questions::InputRequired;
use gatehouse_mcp_gateway::bridge::tasks::{self, Status};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::{Raw, Request, RpcError};
use tokio::time::{sleep, timeout_at};

use super::{Manner, naming, pause, put};
use crate::conduct::across::collect;
use crate::conduct::carry::{Said, attempt, broken, closing, refused, ticks};
use crate::conduct::desk::Desk;
use crate::conduct::errand::{Cargo, boxed};
use crate::conduct::reach::Way;
use crate::conduct::talk::Context;
use crate::conduct::voice::{Outcome, Voice};
use crate::conduct::{result, sampling};
use crate::link::{Client, Link, Outgoing};

/// Between two requests for a result of which the first was not answered in time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A task that somebody waits for. Dropped before its end, it is cancelled.
pub(in crate::conduct) struct Pledge {
    desk: Arc<Desk>,
    link: Arc<dyn Link>,
    client: Client,
    task: Arc<str>,
    has_ended: bool,
}

impl Pledge {
    fn new(context: &Context, way: &Way, task: &str) -> Box<Self> {
        Box::new(Self {
            desk: Arc::clone(&context.inner.desk),
            link: Arc::clone(&way.link),
            client: way.client.clone(),
            task: task.into(),
            has_ended: false,
        })
    }

    /// There is nothing to be cancelled any more.
    fn ended(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let request = Request::new(self.desk.next_id(), Method::TasksCancel.as_str(), Some(naming(&self.task)));
        let client = self.client.clone();
        let outgoing = Outgoing { request, client, param_headers: Vec::new(), repeatable: false, visit: None };
        let (desk, link) = (Arc::clone(&self.desk), Arc::clone(&self.link));
        self.desk.control.spawn(async move {
            match link.ask(&desk.pool, outgoing).await {
                Ok(mut exchange) => drop(exchange.next().await),
                Err(failure) => tracing::debug!(fault = %failure.fault, "a task nobody waits for was not cancelled"),
            }
        });
    }
}

/// What a call has come to: its result; or a task, whose result is waited for.
pub(super) async fn concluded(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
    outcome: Result<Raw, RpcError>,
) -> Outcome {
    if let Some(pledge) = cargo.manner.pledge() {
        pledge.ended();
        cargo.method = Method::ToolsCall;
        return result::finish(context, cargo, way, voice, outcome).await;
    }
    let Some(task) = made(way, &outcome) else {
        return result::finish(context, cargo, way, voice, outcome).await;
    };
    if way.hello.modern {
        let outcome = polled(context, cargo, way, voice, task).await?;
        return result::finish(context, cargo, way, voice, outcome).await;
    }
    match heard(context, cargo, way, voice, &task).await? {
        Said::Parked(result) => Ok(result),
        Said::Outcome(outcome) => Box::pin(concluded(context, cargo, way, voice, outcome)).await,
    }
}

/// The task that a call has become, in the words of its server.
fn made(way: &Way, outcome: &Result<Raw, RpcError>) -> Option<Raw> {
    let result = outcome.as_ref().ok()?;
    let task = if way.hello.modern {
        Some(result.clone()).filter(|result| result_type(result) == ResultType::Task)
    } else {
        result.get(&["task"])
    };
    task.filter(|task| task.text_at(&["taskId"]).is_some())
}

/// Waits for the result of a task of 2025-11-25: the request for it is answered when there is one, and carries what the task
/// asks meanwhile. A server that was silent for long is asked again.
async fn heard(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
    task: &Raw,
) -> Result<Said, Box<Refusal>> {
    let id = task.text_at(&["taskId"]).unwrap_or_default();
    cargo.manner = Manner::Awaited(Some(Pledge::new(context, way, &id)));
    // What the call costs was booked when the task was made.
    (cargo.method, cargo.params, cargo.price) = (Method::TasksResult, naming(&id), None);
    let time = cargo.server.time_for(&cargo.name);
    let until = tokio::time::Instant::now() + time;
    loop {
        match timeout_at(until, Box::pin(attempt(context, cargo, way, voice))).await {
            Ok(Err(refusal)) if refusal.fault.code == Code::UpstreamTimeout => rest(voice, AGAIN_AFTER).await,
            Ok(said) => return said,
            Err(_) => {
                let fault = too_slow(cargo, time);
                voice.floor.close(closing(&fault));
                return Err(boxed(fault));
            }
        }
    }
}

/// Waits for the end of a task of the extension, asking now and then how it stands, and bringing it the answers it wants.
async fn polled(
    context: &Context,
    cargo: &Cargo,
    way: &Way,
    voice: &mut Voice,
    mut task: Raw,
) -> Result<Result<Raw, RpcError>, Box<Refusal>> {
    let desk = &context.inner.desk;
    let id = task.text_at(&["taskId"]).unwrap_or_default();
    let pledge = Pledge::new(context, way, &id);
    let time = cargo.server.time_for(&cargo.name);
    let mut until = Instant::now() + time;
    let mut answered: Vec<Arc<str>> = Vec::new();
    loop {
        if let Some(end) = tasks::end(&task) {
            pledge.ended();
            return Ok(end);
        }
        if Status::of(&task) == Some(Status::InputRequired) {
            let began = Instant::now();
            let params = answers(context, cargo, way, voice, &task, &mut answered).await?;
            until += began.elapsed();
            if let Some(params) = params {
                let told = put(desk, way, Method::TasksUpdate, params).await;
                if let Err(error) = told.map_err(|failure| refused(context, failure))? {
                    return Ok(Err(error));
                }
            }
        }
        rest(voice, pause(&task)).await;
        if Instant::now() >= until {
            return Err(boxed(too_slow(cargo, time)));
        }
        let asked = put(desk, way, Method::TasksGet, naming(&id)).await;
        match asked.map_err(|failure| refused(context, failure))? {
            Ok(now) => task = now,
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// The `params` of `tasks/update` with answers to what a task asks and was not told yet; `None`: it was told everything.
async fn answers(
    context: &Context,
    cargo: &Cargo,
    way: &Way,
    voice: &mut Voice,
    task: &Raw,
    answered: &mut Vec<Arc<str>>,
) -> Result<Option<Raw>, Box<Refusal>> {
    let asking = task.with(&["resultType"], &Raw::text("input_required"));
    let asked = InputRequired::read(Method::ToolsCall, &asking).map_err(|bad| broken(cargo, &bad.to_string()))?;
    let mut asked = asked.unwrap_or_default();
    asked.questions.retain(|question| !answered.contains(&question.key));
    if asked.questions.is_empty() {
        return Ok(None);
    }
    let sampled = sampling::answers(way, voice, &asked).await;
    let answers = match sampled.map_err(|error| Box::new(Refusal::rpc(200, error)))? {
        Some(answers) => answers,
        None => collect(context, voice, asked).await?,
    };
    answered.extend(answers.answers.iter().map(|(key, _)| Arc::clone(key)));
    let id = task.text_at(&["taskId"]).unwrap_or_default();
    Ok(Some(answers.on(Some(&naming(&id))).without(&["requestState"])))
}

/// Lets some time pass, telling the client now and then that somebody still waits.
async fn rest(voice: &mut Voice, time: Duration) {
    let began = Instant::now();
    let mut quiet = ticks();
    let mut over = std::pin::pin!(sleep(time));
    loop {
        tokio::select! {
            () = &mut over => break,
            _ = quiet.tick() => voice.keep_alive().await,
        }
    }
    voice.floor.waited_since(began);
}

fn too_slow(cargo: &Cargo, time: Duration) -> Fault {
    let (server, seconds) = (&cargo.server.name, time.as_secs());
    let message = format!(
        "the MCP server `{server}` made a task of this call, which did not end within {seconds} s and was cancelled; a client \
         that declares the tasks extension need not wait for it"
    );
    Fault::new(Code::UpstreamTimeout, message)
}
