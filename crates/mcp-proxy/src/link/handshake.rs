//! The first messages of a link in either era, and what the server's answers say of it.

use std::sync::Arc;

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::era::{Era, Revision, meta, stamp};
use gatehouse_mcp_gateway::{Id, Notification, Raw, Request, RpcError};

use super::{Client, Failure, Hello};

/// The most of a server's instructions that is kept.
const INSTRUCTIONS_BYTES_MAX: usize = 64 << 10;

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
    let params = Raw::object([
        ("protocolVersion", Raw::text(Revision::LATEST_LEGACY.as_str())),
        ("capabilities", client.capabilities.clone()),
        ("clientInfo", client.info.clone().unwrap_or_else(ours)),
    ]);
    Request::new(Id::Text("gatehouse-initialize".into()), "initialize", Some(params))
}

/// What follows once the server has answered that.
pub(super) fn initialized() -> Notification {
    Notification::new("notifications/initialized", None)
}

/// Tells a server of the older era, or a child of either, that nobody waits for a request any more.
pub(super) fn cancelled(id: &Id) -> Notification {
    let params = Raw::object([("requestId", id.raw()), ("reason", Raw::text("the caller has gone"))]);
    Notification::new("notifications/cancelled", Some(params))
}

/// What a modern server said of itself.
pub(super) fn of_discover(revision: Revision, result: &Raw, incarnation: u64) -> Hello {
    Hello {
        revision: revision.as_str().into(),
        modern: true,
        capabilities: object(result, "capabilities"),
        server_info: result.get(&["_meta", meta::key::SERVER_INFO]).or_else(|| result.get(&["serverInfo"])),
        instructions: instructions(result),
        incarnation,
    }
}

/// What a server of the older era said of itself.
///
/// # Errors
/// When it speaks no revision that is spoken here.
pub(super) fn of_initialize(server: &str, result: &Raw, incarnation: u64) -> Result<(Revision, Hello), Failure> {
    let said = result.text_at(&["protocolVersion"]).unwrap_or_default();
    let revision = Revision::of(&said).filter(|revision| revision.era() == Era::Legacy).ok_or_else(|| {
        let said: String = said.chars().take(40).filter(|char| char.is_ascii_graphic()).collect();
        Failure::new(
            Code::UpstreamBroken,
            format!("the MCP server `{server}` wants to speak revision `{said}`, which is not spoken here"),
        )
    })?;
    let hello = Hello {
        revision: revision.as_str().into(),
        modern: false,
        capabilities: object(result, "capabilities"),
        server_info: result.get(&["serverInfo"]),
        instructions: instructions(result),
        incarnation,
    };
    Ok((revision, hello))
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

fn object(result: &Raw, name: &str) -> Raw {
    result.get(&[name]).filter(Raw::is_object).unwrap_or_else(Raw::empty)
}

fn instructions(result: &Raw) -> Option<Arc<str>> {
    let text = result.text_at(&["instructions"]).filter(|text| !text.is_empty())?;
    Some(text[..text.floor_char_boundary(INSTRUCTIONS_BYTES_MAX)].into())
}
