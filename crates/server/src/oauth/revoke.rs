//! Taking tokens back (RFC 7009): any token of a grant ends the grant. What is unknown, or of another client, is answered alike.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use gatehouse_oauth::server::token::presented;
use gatehouse_oauth::server::{Form, Oops};
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL};

use super::{Server, login, replies, stored};
use crate::admin::address;

/// The endpoint.
pub(super) async fn revoke(State(server): State<Server>, request: Request) -> Response {
    match answer(&server, request).await {
        Ok(()) => {
            let mut response = StatusCode::OK.into_response();
            response.headers_mut().insert(CACHE_CONTROL, replies::NEVER_STORED);
            response
        }
        Err(oops) => replies::refusal(&oops),
    }
}

async fn answer(server: &Server, request: Request) -> Result<(), Oops> {
    let settings = server.settings()?;
    let (parts, form) = login::read(request).await?;
    let address = address(&parts.extensions);
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let client = server.prove(&settings, &presented(&form, header)?, address).await?;
    match grant_of(server, &form, &client.id).await? {
        Some(grant) => server.revoke(&grant, "client", address).await,
        None => Ok(()),
    }
}

/// The grant a token is of, if it is one of this client's.
async fn grant_of(server: &Server, form: &Form, client: &str) -> Result<Option<String>, Oops> {
    let token = form.need("token")?;
    let found = server.control.store.refresh_token(&server.hash("refresh token", token)).await.map_err(stored)?;
    if let Some(found) = found {
        return Ok((found.grant.client_id == client).then_some(found.grant.id));
    }
    let access = server.control.oauth.token_of(token).ok().and_then(|shown| shown.access);
    Ok(access.filter(|access| *access.client == *client).map(|access| access.grant.to_string()))
}
