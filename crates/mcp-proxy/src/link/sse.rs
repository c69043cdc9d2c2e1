//! HTTP with SSE of 2024-11-05: one stream that everything comes from, and the address it names that everything goes to. The stream
//! belongs to no call, so it is read on the control plane.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use gatehouse_domain::Code;
use gatehouse_mcp_gateway::era::{Revision, stamp};
use gatehouse_mcp_gateway::wire::read;
use gatehouse_mcp_gateway::{Id, Message};
use gatehouse_upstream::Pool;
use http::{Method, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::answer::{self, Events};
use super::endpoint::Endpoint;
use super::handshake::{self, facts};
use super::http::{Control, Missed};
use super::switchboard::{Switchboard, Ticket};
use super::{Client, Doing, Exchange, Failure, Hello, Outgoing};

/// An open stream and the address that goes with it.
pub(super) struct Sse {
    channel: Arc<Channel>,
    revision: Revision,
    pub(super) hello: Arc<Hello>,
}

/// What the stream and those who use it share.
struct Channel {
    /// Where messages go.
    endpoint: Endpoint,
    board: Switchboard,
    /// Ends the stream; so does dropping it.
    close: watch::Sender<bool>,
}

/// Opens a stream and makes the handshake.
///
/// # Errors
/// When the server has no such stream, or names an address of another origin.
pub(super) async fn open(
    endpoint: &Arc<Endpoint>,
    control: &Control,
    client: &Client,
    shared: bool,
    incarnation: u64,
) -> Result<Arc<Sse>, Failure> {
    // The connection has to live on the control plane, with the task that reads it.
    let connecting = connect(Arc::clone(endpoint), control.clone(), shared);
    let connecting = control.runtime.spawn(timeout(endpoint.server().caps.connect, connecting));
    let name = &endpoint.server().name;
    let channel = match connecting.await {
        Ok(Ok(channel)) => channel?,
        Ok(Err(_)) => {
            let message = format!("the MCP server `{name}` opened no stream in time");
            return Err(Failure::new(Code::UpstreamTimeout, message));
        }
        Err(_) => return Err(Failure::new(Code::Draining, "the gateway is shutting down")),
    };
    let request = handshake::initialize(client);
    let ticket = channel.board.expect(&request)?;
    let lost = |missed: Missed| missed.into_failure(&channel.endpoint);
    channel.post(&control.pool, &request.into()).await.map_err(lost)?;
    let response = ticket.response().await.ok_or_else(|| channel.endpoint.cut())??;
    let result = response.outcome.map_err(|error| handshake::not_opened(name, &error))?;
    let (revision, hello) = handshake::of_initialize(name, &result, incarnation)?;
    channel.post(&control.pool, &handshake::initialized().into()).await.map_err(lost)?;
    Ok(Arc::new(Sse { channel, revision, hello: Arc::new(hello) }))
}

async fn connect(endpoint: Arc<Endpoint>, control: Control, shared: bool) -> Result<Arc<Channel>, Failure> {
    let sent = endpoint.send(&control.pool, Method::GET, &answer::get_headers, Bytes::new()).await?;
    if !sent.head.status.is_success() || !answer::is_events(&sent.head.headers) {
        return Err(endpoint.refused(sent.head.status, &sent.head.headers));
    }
    let mut events = Events::new(sent.body, endpoint.server().caps.message_bytes);
    let location = loop {
        match events.next().await {
            Some(Ok(event)) if event.event.as_deref() == Some("endpoint") => break event.data,
            Some(Ok(_)) => {}
            _ => return Err(endpoint.broken("opened a stream and did not name the endpoint that goes with it")),
        }
    };
    let location = std::str::from_utf8(&location).unwrap_or_default().trim();
    let beside = endpoint.beside(location).ok_or_else(|| {
        endpoint.broken("names an endpoint of another origin, which is not used; ask whoever runs it")
    })?;
    let (close, closing) = watch::channel(false);
    let channel = Arc::new(Channel { endpoint: beside, board: Switchboard::new(shared), close });
    tokio::spawn(listen(Arc::downgrade(&channel), events, closing, control.pool));
    Ok(channel)
}

/// Reads the stream to its end.
async fn listen(channel: Weak<Channel>, mut events: Events, mut closing: watch::Receiver<bool>, pool: Pool) {
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // An error means that nobody has the channel any more.
            _ = closing.wait_for(|close| *close) => None,
        };
        let Some(channel) = channel.upgrade() else { return };
        let Some(Ok(event)) = event else {
            channel.board.end(&super::http_legacy::lost(&channel.endpoint));
            return;
        };
        if !answer::is_message(&event) {
            continue;
        }
        // What cannot be read is nobody's; who waits for it has a timer.
        let Ok(message) = read(event.data) else { continue };
        if let Some(answer) = channel.board.deliver(message) {
            let pool = pool.clone();
            tokio::spawn(async move { channel.post(&pool, &answer.into()).await });
        }
    }
}

impl Channel {
    async fn post(&self, pool: &Pool, message: &Message) -> Result<(), Missed> {
        let sent = self.endpoint.post(pool, &[], message.write()).await?;
        let (status, headers) = (sent.head.status, sent.head.headers);
        drop(self.endpoint.refusal(sent.body).await);
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Missed::SessionLost),
            status => Err(self.endpoint.refused(status, &headers).into()),
        }
    }
}

impl Sse {
    pub(super) fn has_ended(&self) -> bool {
        self.channel.board.has_ended()
    }

    pub(super) async fn ask(&self, pool: &Pool, outgoing: &Outgoing) -> Result<Box<dyn Exchange>, Missed> {
        let request = stamp::body(self.revision, outgoing.request.clone(), facts(&outgoing.client));
        let ticket = self.channel.board.expect(&request)?;
        let id = request.id.clone();
        let call = Call { channel: Arc::clone(&self.channel), pool: pool.clone(), id, ticket };
        self.channel.post(pool, &request.into()).await?;
        Ok(Box::new(call))
    }

    pub(super) async fn tell(&self, pool: &Pool, message: &Message) -> Result<(), Missed> {
        self.channel.post(pool, message).await
    }

    pub(super) fn listen(&self) -> mpsc::Receiver<Message> {
        self.channel.board.listen()
    }

    pub(super) fn end(&self) {
        self.channel.close.send_replace(true);
    }
}

/// A request whose answer comes from the stream.
struct Call {
    channel: Arc<Channel>,
    pool: Pool,
    id: Id,
    ticket: Ticket,
}

impl Exchange for Call {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        Box::pin(self.ticket.next())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.ticket.is_open()
            && self.channel.board.forget(&self.id)
            && let Ok(runtime) = Handle::try_current()
        {
            let (channel, pool) = (Arc::clone(&self.channel), self.pool.clone());
            let cancelled = handshake::cancelled(&self.id).into();
            runtime.spawn(async move { channel.post(&pool, &cancelled).await });
        }
    }
}
