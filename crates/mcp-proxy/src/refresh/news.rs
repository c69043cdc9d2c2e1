//! Hearing that a server's lists have changed: the subscription of the modern era, the stream that nobody asked for of the older
//! one. A stream that ends is no news, but whoever listened may have missed some, so it counts as news after a pause. Nobody is there to be
//! asked anything, and a server that does is told so.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_mcp_gateway::bridge::listen::Filter;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Message, Raw, Request, Response, RpcError};
use gatehouse_upstream::Pool;

use super::fetch::next_id;
use crate::link::{Client, Exchange, Failure, Link, Outgoing};

/// After a stream that ended, before the lists are looked at again.
const PAUSE: Duration = Duration::from_secs(30);

/// An ear at a server, if it tells anything.
#[derive(Default)]
pub(super) struct News {
    ear: Option<Ear>,
}

struct Ear {
    stream: Box<dyn Exchange>,
    link: Arc<dyn Link>,
    pool: Pool,
    client: Client,
}

impl News {
    /// Begins to listen, unless it does already. A server that tells nothing, or cannot be reached, is not listened to.
    pub(super) async fn open(&mut self, link: &Arc<dyn Link>, pool: &Pool, client: &Client) {
        if self.ear.is_none()
            && let Ok(Some(stream)) = open(&**link, pool, client).await
        {
            self.ear = Some(Ear { stream, link: Arc::clone(link), pool: pool.clone(), client: client.clone() });
        }
    }

    /// Does anybody listen?
    pub(super) fn is_open(&self) -> bool {
        self.ear.is_some()
    }

    /// Returns when the server said that a list has changed, or may have; never, if nobody listens.
    pub(super) async fn changed(&mut self) {
        let Some(ear) = &mut self.ear else { return std::future::pending().await };
        while let Some(Ok(message)) = ear.stream.next().await {
            match message {
                Message::Notification(note) if note.method.ends_with("/list_changed") => return,
                Message::Request(request) => ear.refuse(request).await,
                _ => {}
            }
        }
        self.ear = None;
        tokio::time::sleep(PAUSE).await;
    }
}

impl Ear {
    async fn refuse(&mut self, request: Request) {
        let error = RpcError::new(code::METHOD_NOT_FOUND, "The gateway itself cannot be asked this");
        let response = Response::error(Some(request.id), error);
        // A server that cannot be told finds out by itself.
        drop(self.link.answer(&self.pool, &self.client, response).await);
    }
}

async fn open(link: &dyn Link, pool: &Pool, client: &Client) -> Result<Option<Box<dyn Exchange>>, Failure> {
    let hello = link.hello(pool, client).await?;
    let filter = Filter::of_session().honoured_by(&hello.capabilities);
    if filter.is_empty() {
        return Ok(None);
    }
    if !hello.modern {
        return link.overhear(pool, client).await;
    }
    let params = Raw::object([("notifications", filter.write())]);
    let request = Request { id: next_id(), method: "subscriptions/listen".into(), params: Some(params) };
    let outgoing =
        Outgoing { request, client: client.clone(), param_headers: Vec::new(), repeatable: true, visit: None };
    link.ask(pool, outgoing).await.map(Some)
}
