//! Calls of tools that become tasks, where client and server do not mean the same by one. In 2025-11-25 the client asks for a
//! task, and of some tools it must; in the tasks extension of 2026-07-28 the server begins one, for a client that declares the
//! extension. Where both mean the same, tasks pass like anything else, and nothing of this is touched.
//!
//! | client | server | a call |
//! |---|---|---|
//! | declares the extension | of 2025-11-25, of a tool that can be a task | becomes one: [`crossing`], its questions: [`overseen`] |
//! | knows no tasks | of 2025-11-25, of a tool that must be a task | is waited for: [`awaited`] |
//! | with a session | modern, wants the extension | is waited for: [`awaited`] |

mod awaited;
mod crossing;
mod overseen;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::{Code, KeyId};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::bridge::tasks;
use gatehouse_mcp_gateway::catalogue::{Entry, TaskSupport};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::seal::Crossing;
use gatehouse_mcp_gateway::{Message, Raw, Request, RpcError};

pub(super) use self::awaited::Pledge;
pub(super) use self::crossing::{asked, crossing};
pub(super) use self::overseen::Overseen;
use super::desk::Desk;
use super::errand::Cargo;
use super::reach::Way;
use super::result;
use super::talk::Context;
use super::voice::{Outcome, Voice};
use crate::link::{Failure, Outgoing};

/// What a message has to do with a task.
#[derive(Default)]
pub(super) enum Manner {
    /// Nothing; or client and server mean the same by it.
    #[default]
    Plain,
    /// The call is made as a task of 2025-11-25, which its client gets as one of the extension.
    Task,
    /// The call is made as a task that the gateway waits for, as its client knows none; with the task, once there is one.
    Awaited(Option<Box<Pledge>>),
    /// It is about such a task.
    Of(Box<Crossing>),
}

impl Manner {
    /// How this is called by this client. All that is asked of most tools is whether they can be a task.
    pub(super) fn of(context: &Context, entry: Option<&Entry>) -> Self {
        let Some(support) = entry.and_then(|entry| entry.tool.as_ref()?.task_support) else { return Self::Plain };
        let speaker = &context.speaker;
        if context.is_modern() && tasks::has_extension(&speaker.capabilities) {
            return Self::Task;
        }
        match support {
            TaskSupport::Required if !speaker.revision.has_core_tasks() => Self::Awaited(None),
            TaskSupport::Required | TaskSupport::Optional => Self::Plain,
        }
    }

    /// The `params` of the call, with the request for a task. One that is waited for here need not be kept for longer than that.
    pub(super) fn asking(&self, params: Raw, server: &Server, tool: &str) -> Raw {
        match self {
            Self::Plain | Self::Of(_) => params,
            Self::Task => tasks::asking(&params, None),
            Self::Awaited(_) => tasks::asking(&params, u64::try_from(server.time_for(tool).as_millis()).ok()),
        }
    }

    /// Does it go on when its call has been answered?
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::Task | Self::Of(_))
    }

    /// What the server was told of the client when the task was made.
    pub(super) fn told(&self) -> Option<Raw> {
        match self {
            Self::Of(crossing) => crossing.client.clone(),
            _ => None,
        }
    }

    /// Takes the task out that is waited for, as somebody else has to see to its end.
    pub(super) fn pledge(&mut self) -> Option<Box<Pledge>> {
        match self {
            Self::Awaited(pledge) => pledge.take(),
            _ => None,
        }
    }

    /// Goes on waiting for a task.
    pub(super) fn resume(&mut self, pledge: Option<Box<Pledge>>) {
        if pledge.is_some() {
            *self = Self::Awaited(pledge);
        }
    }

    /// Is there a task that is waited for?
    pub(super) fn has_begun(&self) -> bool {
        matches!(self, Self::Awaited(Some(_)))
    }
}

/// Is this a modern client's question about a task of a server of the older era?
pub(super) fn crosses(context: &Context, cargo: &Cargo, way: &Way) -> bool {
    matches!(cargo.method, Method::TasksGet | Method::TasksUpdate | Method::TasksCancel)
        && context.is_modern()
        && !way.hello.modern
}

/// What a call has come to that was made as a task.
pub(super) async fn concluded(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
    outcome: Result<Raw, RpcError>,
) -> Outcome {
    match &cargo.manner {
        Manner::Task if !way.hello.modern => crossing::made(context, cargo, way, voice, outcome).await,
        Manner::Awaited(_) => awaited::concluded(context, cargo, way, voice, outcome).await,
        _ => result::finish(context, cargo, way, voice, outcome).await,
    }
}

/// Does a modern server refuse a client with a session for want of the extension alone? Then the call is made again with it,
/// and waited for.
pub(super) fn is_wanted(context: &Context, cargo: &mut Cargo, way: &mut Way, outcome: &Result<Raw, RpcError>) -> bool {
    let Err(error) = outcome else { return false };
    let can_wait = !context.is_modern() && way.hello.modern && cargo.method == Method::ToolsCall;
    if !can_wait || matches!(cargo.manner, Manner::Awaited(_)) || !tasks::is_all_that_lacks(error) {
        return false;
    }
    way.client.capabilities = tasks::with_extension(&way.client.capabilities);
    cargo.manner = Manner::Awaited(None);
    true
}

/// Takes a question that came with a call and is of another one's task, which is seen to elsewhere.
pub(super) async fn overheard(context: &Context, cargo: &Cargo, way: &Way, request: &Request) -> bool {
    let desk = &context.inner.desk;
    let task = desk.overseen.asking(&context.caller.principal.key, &cargo.server.name, request);
    let Some(task) = task else { return false };
    task.put(&way.pool, (&way.link, &way.client), request).await;
    true
}

/// Asks a server something about a task, beside the attempts of the call: nothing of it is on record.
async fn put(desk: &Desk, way: &Way, method: Method, params: Raw) -> Result<Result<Raw, RpcError>, Failure> {
    let request = Request::new(desk.next_id(), method.as_str(), Some(params));
    let outgoing =
        Outgoing { request, client: way.client.clone(), param_headers: Vec::new(), repeatable: false, visit: None };
    let mut exchange = way.link.ask(&way.pool, outgoing).await?;
    loop {
        match exchange.next().await {
            Some(Ok(Message::Response(response))) => return Ok(response.outcome),
            Some(Ok(_)) => {}
            Some(Err(failure)) => return Err(failure),
            None => return Err(Failure::new(Code::UpstreamBroken, "the MCP server ended without an answer")),
        }
    }
}

/// `params` that name a task.
fn naming(task: &str) -> Raw {
    Raw::object([("taskId", Raw::text(task))])
}

/// How long a server wants to be left alone between two questions about a task, within bounds.
fn pause(task: &Raw) -> Duration {
    const LEAST: Duration = Duration::from_millis(50);
    const MOST: Duration = Duration::from_secs(10);
    const UNSAID: Duration = Duration::from_secs(1);
    let said = task.get(&["pollIntervalMs"]).and_then(|pause| u64::try_from(pause.as_whole()?).ok());
    said.map_or(UNSAID, Duration::from_millis).clamp(LEAST, MOST)
}

/// Whose a task is: the principal, the server, the server's id of it.
type Whose = (KeyId, Arc<str>, Arc<str>);
