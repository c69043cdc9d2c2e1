//! Logging in: by an identity provider (`federate`), or by pasting a key. A login with a key is as good as the key: what the key
//! may use is what access tokens open, and when the key goes, so do they.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use gatehouse_oauth::server::client::Client;
use gatehouse_oauth::server::form::encode;
use gatehouse_oauth::server::pages::{self, Login};
use gatehouse_oauth::server::{Form, Oops, Subject, Wrong};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::audit::By;
use super::browser::{Next, from_our_page, with_cookie};
use super::{Server, replies};
use crate::admin::{address, admin_key};
use crate::control::From;
use crate::control::oauth::Settings;

/// The name under which the holder of an admin key logs in.
const ADMIN: &str = "admin";

/// The page. `client`: for whom, and where its answer will go.
pub(super) fn page(
    settings: &Settings,
    ticket: &str,
    client: Option<(&Client, &str)>,
    problem: Option<&str>,
) -> Response {
    let providers = settings.oauth.login.iter().enumerate().map(|(number, login)| (number, login.name.as_str()));
    let login = Login {
        ticket,
        providers: providers.collect(),
        keys: settings.oauth.key_login,
        problem,
        client: client.map(|(client, _)| client),
    };
    let status = if problem.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    replies::page(status, login.html(), client.map(|(_, redirect)| redirect))
}

/// The form with the key.
pub(super) async fn by_key(State(server): State<Server>, request: Request) -> Response {
    let (parts, form) = match read(request).await {
        Ok(read) => read,
        Err(oops) => return replies::problem(&oops),
    };
    log_in(&server, &parts, &form).await.unwrap_or_else(|oops| replies::problem(&oops))
}

/// Ends the login of this browser.
pub(super) async fn logout(State(server): State<Server>, headers: HeaderMap) -> Response {
    let ended = async {
        let settings = server.settings()?;
        from_our_page(&settings, &headers)?;
        let cookie = server.log_out(&settings, &headers).await?;
        let page = replies::page(StatusCode::OK, pages::done("Logged out", "This browser is logged out."), None);
        Ok(with_cookie(page, Some(cookie)))
    };
    ended.await.unwrap_or_else(|oops: Oops| replies::problem(&oops))
}

async fn log_in(server: &Server, parts: &Parts, form: &Form) -> Result<Response, Oops> {
    let settings = server.settings()?;
    from_our_page(&settings, &parts.headers)?;
    let (ticket, from) = (form.need("ticket")?, address(&parts.extensions));
    let next = server.pending(&settings, &parts.headers, ticket).await?;
    if !settings.oauth.key_login {
        return Err(Oops::new(Wrong::AccessDenied, "nobody logs in with a key here; use the identity provider"));
    }
    match subject(server, form.get("key").unwrap_or_default(), from, &parts.headers).await {
        Ok(subject) => welcome(server, &settings, ticket, &subject, from).await,
        Err(problem) => {
            let client = match &next {
                Next::Consent(ask) => Some((server.client(&settings, &ask.client_id).await?, ask.redirect_uri.clone())),
                Next::Visit(_) => None,
            };
            let by = By { who: None, client: None, address: from };
            server.note(by, "oauth.login", ("login", "key"), Some("unknown_key")).await?;
            Ok(page(&settings, ticket, client.as_ref().map(|(client, uri)| (client, uri.as_str())), Some(&problem)))
        }
    }
}

/// Logs somebody in and sends the browser on.
pub(super) async fn welcome(
    server: &Server,
    settings: &Settings,
    ticket: &str,
    subject: &Subject,
    address: IpAddr,
) -> Result<Response, Oops> {
    let who = server.control.oauth.who(subject).map_err(|fault| Oops::new(Wrong::AccessDenied, fault.message))?;
    let by = By { who: Some(&who), client: None, address };
    let how = if subject.key.is_some() { "key" } else { "identity" };
    server.note(by, "oauth.login", ("login", how), None).await?;
    let cookie = server.log_in(settings, subject).await?;
    let on = replies::go(&format!("/oauth/consent?ticket={}", encode(ticket)));
    Ok(with_cookie(on, Some(cookie)))
}

/// Whose key it is. Wrong ones are counted, together with those shown to the admin API.
async fn subject(server: &Server, key: &str, address: IpAddr, headers: &HeaderMap) -> Result<Subject, String> {
    let now = Instant::now();
    if let Some(wait) = server.guesses.wait(address, now) {
        return Err(format!("Too many wrong keys came from this address. Wait {} seconds.", wait.as_secs() + 1));
    }
    let is_admin =
        admin_key(&server.control, key).await.map_err(|()| "The database cannot be read. Try again.".to_owned())?;
    let from = From { peer: address, headers };
    let found = match server.control.operations.caller_from(key, &from) {
        _ if is_admin => Ok(Subject::own(ADMIN)),
        Ok(principal) if principal.key.contains('#') => Err("This is a token of an issuer, not a key.".to_owned()),
        Ok(principal) => Ok(Subject::of_key(&principal.key)),
        Err(fault) => Err(format!("This key opens nothing: {}.", fault.message)),
    };
    match &found {
        Ok(_) => server.guesses.right(address, now),
        Err(_) => server.guesses.wrong(address, now),
    }
    found
}

/// The head of a request and the form in its body.
pub(super) async fn read(request: Request) -> Result<(Parts, Form), Oops> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, super::BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Oops::new(Wrong::Request, "the body cannot be read, or is longer than 64 KiB"))?;
    let form = replies::form(&parts.headers, &body)?;
    Ok((parts, form))
}
