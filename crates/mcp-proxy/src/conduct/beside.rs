//! What a server of the older era asks beside its calls: it is put to the session that the connection is of, on the stream of a
//! call that is under way or on the session's own, and answered in any case, as the server waits for that.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_mcp_gateway::bridge::questions::{Question, page_name};
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Id, Request, Response, RpcError};

use super::across::cannot;
use super::desk::Desk;
use super::feed::Feed;
use super::memory::Mailbox;
use super::window::Place;

/// A question that was said is given up after so long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// A server of the older era asks something beside its calls. It has its answer in any case, as it waits for one.
pub(super) async fn question(feed: &Feed, desk: &Desk, request: Request) {
    let (server, principal, _) = &feed.whose;
    if let Some(task) = desk.overseen.asking(principal, server, &request) {
        return task.put(&desk.pool, (&feed.link, &feed.client), &request).await;
    }
    let Some(mail) = &feed.session else { return reply(feed, desk, cannot(request.id)).await };
    if feed.speaker.is_some() && mail.windows.hand(&Place::Call(Arc::clone(server)), &request).await {
        // The call has put it to its client and the answer to the server.
        return;
    }
    let response = put(feed, desk, mail, &request).await.unwrap_or_else(|| cannot(request.id));
    reply(feed, desk, response).await;
}

/// Puts a question to the client on its `GET` stream and waits for the answer; `None` if it cannot be asked.
async fn put(feed: &Feed, desk: &Desk, mail: &Mailbox, request: &Request) -> Option<Response> {
    let ((_, _, Some(session)), Some(speaker)) = (&feed.whose, &feed.speaker) else { return None };
    let question = Question::of_request("input", request).ok()?;
    if !question.is_for(&speaker.capabilities) {
        return None;
    }
    let mut asked = desk.questions.expect(session).ok()?;
    let Id::Text(name) = asked.id() else { return None };
    let said = question.request(asked.id(), speaker.revision, &page_name(request).unwrap_or(name));
    if !mail.windows.hand(&Place::Stream, &said).await {
        return None;
    }
    let outcome = match tokio::time::timeout(ANSWERED_WITHIN, asked.answer()).await {
        Ok(Some(response)) => response.outcome,
        _ => Err(RpcError::new(code::INTERNAL, "The client did not answer")),
    };
    Some(Response { id: Some(request.id.clone()), outcome })
}

/// Brings the server an answer.
pub(super) async fn reply(feed: &Feed, desk: &Desk, response: Response) {
    if let Err(failure) = feed.link.answer(&desk.pool, &feed.client, response).await {
        tracing::debug!(fault = %failure.fault, "an answer did not reach the MCP server that had asked");
    }
}
