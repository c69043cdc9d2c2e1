//! Links to servers that are part of the gateway: what such a server answers is made in this process, without a socket. To
//! everybody else they are MCP servers of the newest revision like any other.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::Now;
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request, Response, RpcError};
use gatehouse_pipeline::Visit;
use gatehouse_upstream::Pool;

use crate::link::{Client, Doing, Exchange, Failure, Hello, Link, Outgoing, State};

/// What a server of the gateway's own answers.
pub trait Answers: Send + Sync {
    /// What it says of itself.
    fn hello(&self) -> Hello;
    /// The result of a request; an error as the protocol has it: unknown methods, wrong parameters. `visit` is the call it is of,
    /// where it is of one. It is polled on the core of that call, so whatever takes long is to be done elsewhere and waited for.
    fn answer<'a>(
        &'a self,
        request: &'a Request,
        visit: Option<&'a Visit>,
        now: Now,
    ) -> Doing<'a, Result<Raw, RpcError>>;
}

/// The link to one of them.
pub struct Builtin {
    hello: Arc<Hello>,
    answers: Arc<dyn Answers>,
    since: SystemTime,
}

impl Builtin {
    /// A link to this server.
    #[must_use]
    pub fn new(answers: Arc<dyn Answers>) -> Self {
        Self { hello: Arc::new(answers.hello()), answers, since: SystemTime::now() }
    }
}

impl Link for Builtin {
    fn hello<'a>(&'a self, _: &'a Pool, _: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.hello))))
    }

    fn ask<'a>(&'a self, _: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>> {
        Box::pin(async move {
            let Outgoing { request, visit, .. } = outgoing;
            if &*request.method == "subscriptions/listen" {
                return Ok(Box::new(Listening(Some(acknowledged(&request)))) as Box<dyn Exchange>);
            }
            let outcome = self.answers.answer(&request, visit.as_ref(), Now(SystemTime::now())).await;
            let response = Message::Response(Response { id: Some(request.id), outcome });
            Ok(Box::new(Answered(Some(response))) as Box<dyn Exchange>)
        })
    }

    fn notify<'a>(&'a self, _: &'a Pool, _: &'a Client, _: Notification) -> Doing<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn answer<'a>(&'a self, _: &'a Pool, _: &'a Client, _: Response) -> Doing<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn overhear<'a>(&'a self, _: &'a Pool, _: &'a Client) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn state(&self) -> State {
        State { revision: Some(Arc::clone(&self.hello.revision)), since: Some(self.since), ..State::default() }
    }

    fn close(&self) -> Doing<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// An answer that is there already.
struct Answered(Option<Message>);

impl Exchange for Answered {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(std::future::ready(self.0.take().map(Ok)))
    }
}

/// A subscription to a server in which nothing ever changes: acknowledged, and then silent for as long as anybody listens.
struct Listening(Option<Message>);

impl Exchange for Listening {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        match self.0.take() {
            Some(message) => Box::pin(std::future::ready(Some(Ok(message)))),
            None => Box::pin(std::future::pending()),
        }
    }
}

/// `notifications/subscriptions/acknowledged`: of what was asked for, nothing will come, so nothing is promised.
fn acknowledged(request: &Request) -> Message {
    let id = request.id.raw();
    let params = Raw::empty()
        .with(&["_meta", "io.modelcontextprotocol/subscriptionId"], &id)
        .with(&["notifications"], &Raw::empty());
    let method = "notifications/subscriptions/acknowledged".into();
    Message::Notification(Notification { method, params: Some(params) })
}
