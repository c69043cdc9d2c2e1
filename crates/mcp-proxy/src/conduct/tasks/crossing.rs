//! Tasks of a server of 2025-11-25 for a modern client that declares the extension. The server knows the task, and is asked each
//! time; what only the gateway knows is what the task asks its client, for as long as that is open ([`super::overseen`]).

use std::sync::Arc;

use gatehouse_mcp_gateway::bridge::tasks::{self, Inlined, Status};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::seal::Crossing;
use gatehouse_mcp_gateway::{Raw, RpcError};

use super::overseen::Overseen;
use super::{Manner, Whose};
use crate::conduct::carry::{Said, attempt, broken};
use crate::conduct::errand::Cargo;
use crate::conduct::reach::Way;
use crate::conduct::result;
use crate::conduct::talk::Context;
use crate::conduct::voice::{Outcome, Voice};

/// The longest capabilities that are part of a task's id, which is a header, in bytes.
const CLIENT_MAX: usize = 2 << 10;

/// What the id of a task has to say that this call becomes.
pub(in crate::conduct) fn crossing(cargo: &Cargo, way: &Way) -> Option<Crossing> {
    if !matches!(cargo.manner, Manner::Task) || way.hello.modern {
        return None;
    }
    let client = Some(way.client.capabilities.clone()).filter(|told| told.bytes().len() <= CLIENT_MAX);
    Some(Crossing { tool: Arc::clone(&cargo.name), client })
}

/// A call has become a task, or has been answered at once.
pub(super) async fn made(
    context: &Context,
    cargo: &Cargo,
    way: &Way,
    voice: &mut Voice,
    outcome: Result<Raw, RpcError>,
) -> Outcome {
    let task = outcome.as_ref().ok().and_then(tasks::made);
    let result = result::finish(context, cargo, way, voice, outcome).await?;
    let Some(task) = task else { return Ok(result) };
    // From now on it may ask; a server that was told of a client that cannot be asked will not.
    if ["elicitation", "sampling", "roots"].iter().any(|ask| way.client.capabilities.has(&[ask])) {
        drop(Overseen::begin(&context.inner.desk, whose(context, cargo, &task), way));
    }
    Ok(tasks::created(&result))
}

/// A modern client asks about a task.
pub(in crate::conduct) async fn asked(context: &Context, cargo: &mut Cargo, way: &Way, voice: &mut Voice) -> Outcome {
    match cargo.method {
        Method::TasksUpdate => updated(context, cargo, way, voice).await,
        Method::TasksCancel => cancelled(context, cargo, way, voice).await,
        _ => shown(context, cargo, way, voice).await,
    }
}

/// `tasks/get`: how it stands, and what it asks or has come to.
async fn shown(context: &Context, cargo: &mut Cargo, way: &Way, voice: &mut Voice) -> Outcome {
    let id = Arc::clone(&cargo.exposed);
    let task = match heard(context, cargo, way, voice).await? {
        Ok(task) => task,
        Err(error) => return result::finish(context, cargo, way, voice, Err(error)).await,
    };
    let inlined = match Status::of(&task) {
        Some(Status::Working | Status::Cancelled) => Inlined::Nothing,
        Some(Status::InputRequired) => {
            let whose = whose(context, cargo, &cargo.name);
            Inlined::Questions(Overseen::begin(&context.inner.desk, whose, way)?.questions().await)
        }
        Some(Status::Completed | Status::Failed) => Inlined::End(end(context, cargo, way, voice).await?),
        None => return Err(broken(cargo, "does not say how its task stands")),
    };
    Ok(result::dressed(context, cargo, &tasks::detailed(&task, &id, inlined)))
}

/// What the call has come to, looked at as the result of the tool that it is.
async fn end(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
) -> Result<Result<Raw, RpcError>, Box<Refusal>> {
    cargo.method = Method::TasksResult;
    let outcome = heard(context, cargo, way, voice).await?;
    if let Manner::Of(crossing) = &cargo.manner {
        cargo.canonical = format!("{}.{}", cargo.server.name, crossing.tool).into();
        cargo.exposed = Arc::clone(&crossing.tool);
        cargo.name = Arc::clone(&crossing.tool);
    }
    cargo.method = Method::ToolsCall;
    let came = outcome.is_ok();
    result::finish(context, cargo, way, voice, outcome).await.map_or_else(
        |refusal| {
            if came {
                voice.floor.failed(&refusal.fault);
            }
            Ok(Err(refusal.error))
        },
        |result| Ok(Ok(result)),
    )
}

/// `tasks/update`: brings answers to whom they are for. What was not asked, or not here, is not an answer.
async fn updated(context: &Context, cargo: &mut Cargo, way: &Way, voice: &mut Voice) -> Outcome {
    let answers = std::mem::take(&mut cargo.answers);
    let whose = whose(context, cargo, &cargo.name);
    if let Some(task) = context.inner.desk.overseen.find(&whose) {
        task.answer(context, way, &answers).await?;
        return Ok(nothing(context, cargo));
    }
    cargo.method = Method::TasksGet;
    match heard(context, cargo, way, voice).await? {
        Ok(_) => Ok(nothing(context, cargo)),
        Err(error) => result::finish(context, cargo, way, voice, Err(error)).await,
    }
}

/// `tasks/cancel`: the older era refuses it for a task that has ended, and some servers for all; the newer one takes it of every
/// task there is, and promises nothing.
async fn cancelled(context: &Context, cargo: &mut Cargo, way: &Way, voice: &mut Voice) -> Outcome {
    let whose = whose(context, cargo, &cargo.name);
    let taken = way.hello.capabilities.has(&["tasks", "cancel"]) && heard(context, cargo, way, voice).await?.is_ok();
    if !taken {
        cargo.method = Method::TasksGet;
        if let Err(unknown) = heard(context, cargo, way, voice).await? {
            return result::finish(context, cargo, way, voice, Err(unknown)).await;
        }
    }
    context.inner.desk.overseen.forget(&whose);
    Ok(nothing(context, cargo))
}

/// What the server says to the request as it is.
async fn heard(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
) -> Result<Result<Raw, RpcError>, Box<Refusal>> {
    match attempt(context, cargo, way, voice).await? {
        Said::Outcome(outcome) => Ok(outcome),
        Said::Parked(_) => Err(broken(cargo, "asked something where only a task may")),
    }
}

fn whose(context: &Context, cargo: &Cargo, task: &str) -> Whose {
    (Arc::clone(&context.caller.principal.key), Arc::clone(&cargo.server.name), task.into())
}

/// The empty answer.
fn nothing(context: &Context, cargo: &Cargo) -> Raw {
    result::dressed(context, cargo, &Raw::empty())
}
