//! The first messages of a link in either era, and what the server's answers say of it.

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::bridge::hello::{self, ServerHello};
use gatehouse_mcp_gateway::bridge::notices;
use gatehouse_mcp_gateway::era::{Era, Revision, stamp};
use gatehouse_mcp_gateway::{Id, Notification, Raw, Request, RpcError};

use super::{Client, Failure, Hello};

/// What goes on a modern request of this client.
pub(super) fn facts(client: &Client) -> stamp::Facts<'_> {
    stamp::Facts {
        capabilities: &client.capabilities,
        info: client.info.as_ref(),
        log_level: client.log_level.as_deref(),
        traceparent: client.traceparent.as_deref(),
    }
}

/// Nobody in particular: on whose behalf a connection is opened that principals share.
pub(super) fn nobody() -> Client {
    Client { capabilities: Raw::empty(), info: None, log_level: None, traceparent: None }
}

/// `server/discover`, the first thing a server is asked whose era is not known.
pub(super) fn discover(revision: Revision, client: &Client) -> Request {
    let request = Request::new(Id::Text("gatehouse-discover".into()), "server/discover", None);
    let quiet = Client { log_level: None, ..client.clone() };
    stamp::body(revision, request, facts(&quiet))
}

/// `initialize`, which opens a session of the older era.
pub(super) fn initialize(client: &Client) -> Request {
    let ours = || Raw::object([("name", Raw::text("gatehouse")), ("version", Raw::text(env!("CARGO_PKG_VERSION")))]);
    let info = client.info.clone().unwrap_or_else(ours);
    let params = hello::initialize_params(Revision::LATEST_LEGACY, &client.capabilities, &info);
    Request::new(Id::Text("gatehouse-initialize".into()), "initialize", Some(params))
}

/// What follows once the server has answered that.
pub(super) fn initialized() -> Notification {
    Notification::new("notifications/initialized", None)
}

/// Tells a server of the older era, or a child of either, that nobody waits for a request any more.
pub(super) fn cancelled(id: &Id) -> Notification {
    notices::cancelled(id, Some("the caller has gone"))
}

/// What a modern server said of itself.
pub(super) fn of_discover(revision: Revision, result: &Raw, incarnation: u64) -> Hello {
    said(ServerHello::of_discover(revision, result), incarnation)
}

/// What a server of the older era said of itself.
///
/// # Errors
/// When it speaks no revision that is spoken here.
pub(super) fn of_initialize(server: &str, result: &Raw, incarnation: u64) -> Result<(Revision, Hello), Failure> {
    let hello = ServerHello::of_initialize(result).map_err(|bad| {
        Failure::new(Code::UpstreamBroken, format!("the MCP server `{server}` cannot be used: {bad}"))
    })?;
    Ok((hello.revision, said(hello, incarnation)))
}

fn said(hello: ServerHello, incarnation: u64) -> Hello {
    Hello {
        revision: hello.revision.as_str().into(),
        modern: hello.revision.era() == Era::Modern,
        capabilities: hello.capabilities,
        server_info: hello.server_info,
        instructions: hello.instructions,
        incarnation,
    }
}

/// A server that does not open a session.
pub(super) fn not_opened(server: &str, error: &RpcError) -> Failure {
    let code = error.code;
    Failure::new(Code::UpstreamRejected, format!("the MCP server `{server}` does not open a session (error {code})"))
}

/// A modern server of which no revision is spoken here.
pub(super) fn stranger(server: &str) -> Failure {
    Failure::new(
        Code::UpstreamBroken,
        format!("the MCP server `{server}` speaks newer revisions of the protocol only; update this gateway"),
    )
}
