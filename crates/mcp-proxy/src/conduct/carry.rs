//! One request to one server, and everything the server says because of it. This is where the four cells of the bridge meet: a
//! server of either era, a client of either era, and questions that cross between them in the middle of a call.
//!
//! What most calls never do is in boxes: a call's future is made for each call, and is as large as the largest thing it may await.

use std::sync::Arc;
use std::time::Instant;

use gatehouse_domain::{AttemptStatus, Code, Fault, Need};
use gatehouse_mcp_gateway::bridge::questions::InputRequired;
use gatehouse_mcp_gateway::era::{LogLevel, Method, headers, meta};
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::{Id, Message, Raw, Request, Response, RpcError};
use gatehouse_pipeline::talk::Closing;
use gatehouse_upstream::Verdict;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::across::{Aside, ask, collect, relayed};
use super::consent;
use super::errand::{Cargo, boxed, invalid, mirrors};
use super::park::Waiting;
use super::pass_on::pass_on;
use super::reach::{Way, reach};
use super::talk::Context;
use super::tasks::{self, Manner};
use super::voice::{KEEP_ALIVE, Outcome, Voice};
use super::window::{Handed, Place, Window};
use super::{park, result, sampling};
use crate::link::{Exchange, Failure, Outgoing, Remedy};

/// How often a server may ask for more before it is an error.
const ROUNDS_MAX: u32 = 10;

/// A request to be carried.
pub(super) struct Call<'a> {
    pub(super) context: &'a Context,
    pub(super) cargo: Box<Cargo>,
    pub(super) need: Need,
}

/// What a server came to say at last.
pub(super) enum Said {
    /// Its response.
    Outcome(Result<Raw, RpcError>),
    /// A modern client has been asked something, and the call waits for its answer.
    Parked(Raw),
}

/// The member of a result's `_meta` that says that the server had forgotten the session, and whatever it kept there.
const SESSION_LOST: &str = "gatehouse/session_lost";

impl Said {
    /// The same of a server that had forgotten the session: who keeps state there must know.
    fn after_loss(self) -> Self {
        match self {
            Self::Outcome(Ok(result)) => {
                Self::Outcome(Ok(result.with(&["_meta", SESSION_LOST], &Raw::of(&true.into()))))
            }
            said => said,
        }
    }
}

/// Carries a call that its client may stop; `None` if it did.
pub(super) async fn stoppable(call: Call<'_>, voice: &mut Voice, id: &Id) -> Option<Outcome> {
    let Some(memory) = call.context.memory.clone() else {
        return Some(carry(call, voice).await);
    };
    let running = memory.begin(id);
    // A client of the older era that is cut off has not given up: it comes back for the rest, or stops the call.
    voice.floor.outlives_client(true);
    let outcome = tokio::select! {
        outcome = carry(call, voice) => Some(outcome),
        () = running.stopped() => None,
    };
    voice.floor.outlives_client(false);
    outcome
}

/// Carries a call. Where its person has to agree first, the client is asked to see to that.
async fn carry(call: Call<'_>, voice: &mut Voice) -> Outcome {
    let Call { context, mut cargo, need } = call;
    match carried(context, &mut cargo, &need, voice).await {
        Err(refusal) => consent::asked(context, cargo.method, refusal, Some(&cargo.server.name)),
        outcome => outcome,
    }
}

/// As many rounds as the server needs answers for.
async fn carried(context: &Context, cargo: &mut Cargo, need: &Need, voice: &mut Voice) -> Outcome {
    let mut way = reach(context, cargo, voice).await.map_err(|failure| refused(context, failure))?;
    if let Some(parked) = cargo.parked.take() {
        return Box::pin(park::resume(context, cargo, &way, voice, &parked)).await;
    }
    if tasks::crosses(context, cargo, &way) {
        return Box::pin(tasks::asked(context, cargo, &way, voice)).await;
    }
    for round in 0..=ROUNDS_MAX {
        if round > 0 {
            voice.floor.again(need, cargo.price).map_err(boxed)?;
        }
        let said = attempt(context, cargo, &way, voice).await?;
        let outcome = match said {
            Said::Parked(result) => return Ok(result),
            Said::Outcome(outcome) => outcome,
        };
        if tasks::is_wanted(context, cargo, &mut way, &outcome) {
            continue;
        }
        let asked = match &outcome {
            Ok(result) if way.hello.modern => {
                InputRequired::read(cargo.method, result).map_err(|bad| broken(cargo, &bad.to_string()))?
            }
            _ => None,
        };
        let sampled = match &asked {
            Some(asked) => {
                let answers = Box::pin(sampling::answers(&way, voice, asked)).await;
                answers.map_err(|error| Box::new(Refusal::rpc(200, error)))?
            }
            None => None,
        };
        if let Some(answers) = sampled {
            cargo.answers = answers;
            continue;
        }
        match asked {
            None if matches!(cargo.manner, Manner::Plain) => {
                return result::finish(context, cargo, &way, voice, outcome).await;
            }
            None => return Box::pin(tasks::concluded(context, cargo, &way, voice, outcome)).await,
            Some(asked) if context.is_modern() => return relayed(context, cargo, asked),
            Some(asked) => cargo.answers = Box::pin(collect(context, voice, asked)).await?,
        }
    }
    Err(broken(cargo, "asked for input again and again"))
}

/// One attempt: an intent, a request, a settled record.
pub(super) async fn attempt(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
) -> Result<Said, Box<Refusal>> {
    let desk = &context.inner.desk;
    voice.floor.open(&cargo.opening(desk)).map_err(boxed)?;
    if let Some(level) = level_to_tell(context, cargo, way) {
        Box::pin(tell_level(context, way, level)).await;
    }
    let began = Instant::now();
    // Open before the server has the request: it may ask before it begins to answer.
    let mut window = window(context, cargo, voice);
    let asked = {
        let mut asking = way.link.ask(&way.pool, outgoing(context, cargo, way, voice));
        loop {
            let handed = tokio::select! {
                asked = &mut asking => break asked,
                handed = handed(window.as_mut()) => handed,
            };
            Box::pin(ask(context, way, voice, handed.request.clone())).await?;
            handed.settle();
        }
    };
    voice.floor.waited_since(began);
    let exchange = match asked {
        Ok(exchange) => exchange,
        Err(failure) => {
            voice.floor.close(closing(&failure.fault));
            return Err(refused(context, failure));
        }
    };
    let after_loss = exchange.is_after_loss();
    let said = follow(context, cargo, way, voice, exchange, window).await?;
    Ok(if after_loss { said.after_loss() } else { said })
}

/// The request as the server gets it.
fn outgoing(context: &Context, cargo: &Cargo, way: &Way, voice: &Voice) -> Outgoing {
    let desk = &context.inner.desk;
    let params = cargo.answers.on(Some(&cargo.params));
    // Tokens of several clients meet on one connection, so each gets one of ours.
    let params = match meta::progress_token(Some(&params)) {
        Some(_) => meta::with_progress_token(Some(&params), Some(&desk.next_id())),
        None => Some(params),
    };
    let param_headers = match &cargo.entry {
        Some(entry) if way.hello.modern && cargo.method == Method::ToolsCall => {
            headers::params(mirrors(entry), params.as_ref().and_then(|params| params.get(&["arguments"])).as_ref())
        }
        _ => Vec::new(),
    };
    let tool = cargo.entry.as_ref().and_then(|entry| entry.tool.as_ref());
    let safe =
        tool.is_some_and(|tool| tool.annotations.read_only == Some(true) || tool.annotations.idempotent == Some(true));
    Outgoing {
        request: Request::new(desk.next_id(), cargo.method.as_str(), params),
        client: way.client.clone(),
        param_headers,
        repeatable: cargo.server.trusted && safe,
        visit: cargo.server.own().map(|_| voice.floor.visit()),
    }
}

/// How much a server of the older era is to log, if its client wants that and the server was not told yet.
fn level_to_tell(context: &Context, cargo: &Cargo, way: &Way) -> Option<LogLevel> {
    let level = way.client.log_level.as_ref()?.parse::<LogLevel>().ok()?;
    if way.hello.modern || !way.hello.capabilities.has(&["logging"]) {
        return None;
    }
    let told = context
        .memory
        .as_ref()
        .is_some_and(|memory| !memory.must_tell(&cargo.server.name, way.hello.incarnation, level));
    (!told && !cargo.server.shared).then_some(level)
}

async fn tell_level(context: &Context, way: &Way, level: LogLevel) {
    let params = Raw::object([("level", Raw::text(level.as_str()))]);
    let request = Request::new(context.inner.desk.next_id(), Method::SetLevel.as_str(), Some(params));
    let outgoing =
        Outgoing { request, client: way.client.clone(), param_headers: Vec::new(), repeatable: true, visit: None };
    // A call is not worth less for want of its log.
    if let Ok(mut exchange) = way.link.ask(&way.pool, outgoing).await {
        while let Some(Ok(message)) = exchange.next().await {
            if matches!(message, Message::Response(_)) {
                break;
            }
        }
    }
}

/// Listens until the response has come, passing on what belongs to the call.
pub(super) async fn follow(
    context: &Context,
    cargo: &mut Cargo,
    way: &Way,
    voice: &mut Voice,
    mut exchange: Box<dyn Exchange>,
    mut window: Option<Window>,
) -> Result<Said, Box<Refusal>> {
    let token = || meta::progress_token(Some(&cargo.params));
    let mut first = true;
    loop {
        // Most often the answer is there already, and no timer need be set.
        let heard = match exchange.at_hand() {
            Some(message) => Heard::Said(Some(Ok(message))),
            None => Box::pin(hear(exchange.as_mut(), window.as_mut(), voice)).await,
        };
        let message = match heard {
            Heard::Said(message) => message,
            Heard::Beside(handed) => {
                Box::pin(ask(context, way, voice, handed.request.clone())).await?;
                handed.settle();
                continue;
            }
        };
        if std::mem::take(&mut first) {
            voice.floor.heard();
        }
        match message {
            Some(Ok(Message::Response(response))) => {
                voice.floor.close(settled(cargo, &response));
                return Ok(Said::Outcome(response.outcome));
            }
            Some(Ok(Message::Notification(note))) => {
                Box::pin(pass_on(context, cargo, way, voice, note, token().as_ref())).await;
            }
            Some(Ok(Message::Request(request))) if Box::pin(tasks::overheard(context, cargo, way, &request)).await => {}
            Some(Ok(Message::Request(request)))
                if context.is_modern() && cargo.server.park && !sampling::takes(way, &request) =>
            {
                let mut aside = Aside { context, cargo, way, questions: Vec::new() };
                Box::pin(aside.question(voice, request)).await?;
                let rest = Box::pin(aside.gather(voice, exchange.as_mut(), token().as_ref())).await?;
                if let Some(response) = rest {
                    voice.floor.close(settled(cargo, &response));
                    return Ok(Said::Outcome(response.outcome));
                }
                if !aside.questions.is_empty() {
                    voice.floor.close(parked_for_now());
                    let (questions, link) = (aside.questions, Arc::clone(&way.link));
                    let waiting = Waiting { questions, exchange, link, pledge: cargo.manner.pledge() };
                    return park::park(context, cargo, waiting).map(Said::Parked);
                }
            }
            Some(Ok(Message::Request(request))) => Box::pin(ask(context, way, voice, request)).await?,
            Some(Err(failure)) => {
                voice.floor.close(closing(&failure.fault));
                return Err(refused(context, failure));
            }
            None => {
                let fault = Fault::new(
                    Code::UpstreamBroken,
                    format!("the MCP server `{}` ended without an answer", cargo.server.name),
                );
                voice.floor.close(closing(&fault));
                return Err(boxed(fault));
            }
        }
    }
}

/// Waits for what the server says next, telling the client now and then that somebody still does.
async fn hear(exchange: &mut dyn Exchange, mut window: Option<&mut Window>, voice: &mut Voice) -> Heard {
    let began = Instant::now();
    let mut quiet = ticks();
    let mut next = exchange.next();
    let heard = loop {
        tokio::select! {
            biased;
            message = &mut next => break Heard::Said(message),
            handed = handed(window.as_deref_mut()) => break Heard::Beside(handed),
            _ = quiet.tick() => voice.keep_alive().await,
        }
    };
    voice.floor.waited_since(began);
    heard
}

/// What comes while a call is under way.
enum Heard {
    /// The server's next message of the call.
    Said(Option<Result<Message, Failure>>),
    /// What it asks beside it.
    Beside(Handed),
}

/// Where the session can be asked, while this call is under way, what its server asks beside it.
fn window(context: &Context, cargo: &Cargo, voice: &Voice) -> Option<Window> {
    let memory = context.memory.as_ref().filter(|_| voice.can_speak() && !context.is_modern())?;
    Some(memory.mail.windows.open(Place::Call(Arc::clone(&cargo.server.name))))
}

pub(super) async fn handed(window: Option<&mut Window>) -> Handed {
    match window {
        Some(window) => window.next().await,
        None => std::future::pending().await,
    }
}

pub(super) fn ticks() -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What is told of a failure that stands between the gateway and a server.
pub(super) fn refused(context: &Context, failure: Failure) -> Box<Refusal> {
    match failure.remedy {
        // The state the session stands for is gone: a client that starts anew is right again.
        Remedy::StartAnew if context.session.is_some() => {
            if let Some(memory) = &context.memory {
                memory.end();
            }
            let message =
                "The session with the server behind this endpoint was lost. Send `initialize` to begin a new one.";
            boxed(Fault::new(Code::NotFound, message))
        }
        _ => boxed(failure.fault),
    }
}

pub(super) fn broken(cargo: &Cargo, what: &str) -> Box<Refusal> {
    boxed(Fault::new(Code::UpstreamBroken, format!("the MCP server `{}` {what}", cargo.server.name)))
}

fn settled(cargo: &Cargo, response: &Response) -> Closing {
    match &response.outcome {
        Ok(_) => Closing { status: AttemptStatus::Ok, verdict: Verdict::Silent, cost: cargo.price },
        Err(_) => Closing { status: AttemptStatus::Rejected, verdict: Verdict::Silent, cost: None },
    }
}

pub(super) fn closing(fault: &Fault) -> Closing {
    let status = match fault.code {
        Code::UpstreamTimeout => AttemptStatus::TimedOut,
        Code::UpstreamLimited => AttemptStatus::Limited,
        Code::UpstreamRejected => AttemptStatus::Rejected,
        _ => AttemptStatus::Failed,
    };
    Closing { status, verdict: Verdict::Silent, cost: None }
}

/// What was done so far is done; the rest will be an attempt of its own.
fn parked_for_now() -> Closing {
    Closing { status: AttemptStatus::Ok, verdict: Verdict::Silent, cost: None }
}

/// Questions that were answered without having been asked.
pub(super) fn unexpected() -> Box<Refusal> {
    invalid("This call is not waiting for an answer any more. Call again without `requestState`.")
}
