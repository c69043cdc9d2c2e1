//! The authorization endpoint: a client sends somebody's browser here. What is wrong with client or redirect address is shown
//! here and sent nowhere; everything else goes to the client.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use gatehouse_oauth::server::authorize::{self, Ask, Prompt};
use gatehouse_oauth::server::client::Client;
use gatehouse_oauth::server::{Form, Oops, Wrong, redirect};
use http::HeaderMap;

use super::browser::{Next, with_cookie};
use super::{Server, login, replies};
use crate::admin::address;
use crate::control::oauth::Settings;

/// `GET`.
pub(super) async fn authorize(State(server): State<Server>, RawQuery(query): RawQuery, request: Request) -> Response {
    let address = address(request.extensions());
    let form = Form::read(&query.unwrap_or_default());
    answer(&server, form, request.headers(), address).await
}

/// `POST`, which OpenID Connect has besides (Core §3.1.2.1).
pub(super) async fn authorize_by_form(State(server): State<Server>, request: Request) -> Response {
    let address = address(request.extensions());
    let (parts, body) = request.into_parts();
    let read = axum::body::to_bytes(body, super::BODY_BYTES_MAX).await;
    let read = read.map_err(|_| Oops::new(Wrong::Request, "the body cannot be read"));
    let form = read.and_then(|body| replies::form(&parts.headers, &body));
    answer(&server, form, &parts.headers, address).await
}

async fn answer(server: &Server, form: Result<Form, Oops>, headers: &HeaderMap, address: IpAddr) -> Response {
    let (settings, client, redirect_uri, form) = match known(server, form, address).await {
        Ok(known) => known,
        Err(oops) => return replies::problem(&oops),
    };
    let told = |oops: &Oops| {
        let state = form.get("state").filter(|state| state.len() <= 4_096);
        replies::go(&redirect::refusal(&redirect_uri, &settings.issuer, state, oops))
    };
    let ask = match authorize::read(&form, &client, &redirect_uri, &settings.issuer) {
        Ok(ask) => ask,
        Err(oops) => return told(&oops),
    };
    ask_person(server, &settings, &client, ask, headers).await.unwrap_or_else(|oops| told(&oops))
}

/// Settings, client and redirect address, if all of them are good.
async fn known(
    server: &Server,
    form: Result<Form, Oops>,
    address: IpAddr,
) -> Result<(Settings, Client, String, Form), Oops> {
    let (settings, form) = (server.settings()?, form?);
    server.requests.step(address, Instant::now())?;
    let client = server.client(&settings, form.need("client_id")?).await?;
    let redirect_uri = client.redirect(form.get("redirect_uri"))?.to_owned();
    Ok((settings, client, redirect_uri, form))
}

/// Has the person log in, or agree, as far as they have not.
async fn ask_person(
    server: &Server,
    settings: &Settings,
    client: &Client,
    ask: Ask,
    headers: &HeaderMap,
) -> Result<Response, Oops> {
    let session = server.session(settings, headers).await?;
    let prompt = ask.prompt;
    let silent = Oops::new(Wrong::Interaction, "somebody has to log in or agree, and the request wants nobody asked");
    match session.filter(|_| prompt != Prompt::Login) {
        Some(session) if !server.must_agree(client, &ask, &session).await? => {
            server.send_code(settings, client, &ask, &session).await.map(|address| replies::go(&address))
        }
        _ if prompt == Prompt::Never => Err(silent),
        Some(session) => {
            let (ticket, cookie) = server.ticket(settings, headers, Next::Consent(Box::new(ask.clone()))).await?;
            Ok(with_cookie(super::consent::shown(client, &ask, &session, &ticket), cookie))
        }
        None => {
            let redirect_uri = ask.redirect_uri.clone();
            let (ticket, cookie) = server.ticket(settings, headers, Next::Consent(Box::new(ask))).await?;
            let page = login::page(settings, &ticket, Some((client, &redirect_uri)), None);
            Ok(with_cookie(page, cookie))
        }
    }
}
