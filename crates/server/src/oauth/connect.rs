//! Connecting an MCP server in somebody's name: the link a refused call was told of, and the way back from the server's own
//! authorization server. Both are for the person alone whose call it was, so both begin with a login.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use gatehouse_domain::Fault;
use gatehouse_oauth::server::form::encode;
use gatehouse_oauth::server::{Oops, pages};
use http::{HeaderMap, StatusCode};

use super::browser::{Next, with_cookie};
use super::{Server, replies};

/// The link.
pub(super) async fn open(State(server): State<Server>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    let opened = async {
        let settings = server.settings()?;
        let Some(session) = server.session(&settings, &headers).await? else {
            let next = Next::Visit(format!("/oauth/connect/{}", encode(&token)));
            let (ticket, cookie) = server.ticket(&settings, &headers, next).await?;
            let page = super::login::page(&settings, &ticket, None, None);
            return Ok(with_cookie(page, cookie));
        };
        Ok(match server.control.oauth.connect(token, session.who).await {
            Ok(address) => replies::go(&address),
            Err(fault) => refused(&fault),
        })
    };
    opened.await.unwrap_or_else(|oops: Oops| replies::problem(&oops))
}

/// The way back.
pub(super) async fn back(State(server): State<Server>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let came = async {
        let settings = server.settings()?;
        let query = query.unwrap_or_default();
        let Some(session) = server.session(&settings, &headers).await? else {
            // The login ended meanwhile. What came back waits for the next one.
            let next = Next::Visit(format!("/oauth/callback?{query}"));
            let (ticket, cookie) = server.ticket(&settings, &headers, next).await?;
            return Ok(with_cookie(super::login::page(&settings, &ticket, None, None), cookie));
        };
        Ok(match server.control.oauth.connected(query, session.who).await {
            Ok(name) => {
                let text =
                    format!("{name} can now be used in your name. You can close this page and make your call again.");
                replies::page(StatusCode::OK, pages::done("Connected", &text), None)
            }
            Err(fault) => refused(&fault),
        })
    };
    came.await.unwrap_or_else(|oops: Oops| replies::problem(&oops))
}

fn refused(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
    replies::page(status, pages::problem(&fault.message), None)
}
