//! Consent: what a person is shown before a client gets anything in their name, and what follows from the answer.
//!
//! A client that answers to this device, or by a scheme of an app, could be any program there; it is asked about every time. One
//! whose answers go to an https address is asked about once, for as long as what was granted stands.

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use gatehouse_domain::Scopes;
use gatehouse_oauth::server::authorize::{Ask, Prompt};
use gatehouse_oauth::server::client::Client;
use gatehouse_oauth::server::pages::Consent;
use gatehouse_oauth::server::{Form, Oops, Subject, Wrong, redirect};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::audit::By;
use super::browser::{Next, Session, from_our_page};
use super::{Server, login, now_ms, replies, secret, stored};
use crate::admin::address;
use crate::control::oauth::Settings;

/// How long a code is good.
const CODE_MS: u64 = 60_000;

/// A code as stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) ask: Ask,
    pub(super) subject: Subject,
    /// The grant it will be: known now, so that a code that comes a second time ends what the first one gave.
    pub(super) grant: String,
}

/// The page, after a login.
pub(super) async fn page(State(server): State<Server>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let paged = async {
        let settings = server.settings()?;
        let form = Form::read(&query.unwrap_or_default())?;
        let ticket = form.need("ticket")?;
        let next = server.pending(&settings, &headers, ticket).await?;
        let session = server.session(&settings, &headers).await?;
        match (next, session) {
            (Next::Visit(path), Some(_)) => {
                server.take(&settings, &headers, ticket).await?;
                Ok(replies::go(&path))
            }
            (Next::Visit(_), None) => Ok(login::page(&settings, ticket, None, None)),
            (Next::Consent(ask), None) => {
                let client = server.client(&settings, &ask.client_id).await?;
                Ok(login::page(&settings, ticket, Some((&client, &ask.redirect_uri)), None))
            }
            (Next::Consent(ask), Some(session)) => {
                let client = server.client(&settings, &ask.client_id).await?;
                if server.must_agree(&client, &ask, &session).await? {
                    return Ok(shown(&client, &ask, &session, ticket));
                }
                server.take(&settings, &headers, ticket).await?;
                server.send_code(&settings, &client, &ask, &session).await.map(|address| replies::go(&address))
            }
        }
    };
    paged.await.unwrap_or_else(|oops: Oops| replies::problem(&oops))
}

/// The answer.
pub(super) async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, form) = match login::read(request).await {
        Ok(read) => read,
        Err(oops) => return replies::problem(&oops),
    };
    server.answered(&parts, &form).await.map_or_else(|oops| replies::problem(&oops), |address| replies::go(&address))
}

/// The page.
pub(super) fn shown(client: &Client, ask: &Ask, session: &Session, ticket: &str) -> Response {
    let page = Consent { client, ask, who: session.shown(), ticket };
    replies::page(StatusCode::OK, page.html(), Some(&ask.redirect_uri))
}

impl Server {
    /// Must the person be asked?
    pub(super) async fn must_agree(&self, client: &Client, ask: &Ask, session: &Session) -> Result<bool, Oops> {
        if ask.prompt == Prompt::Consent || redirect::is_local(&ask.redirect_uri) {
            return Ok(true);
        }
        let subject = session.subject.id();
        let standing = self.control.store.standing_grants(&subject, &client.id, &ask.resource, now_ms()).await;
        let asked = Scopes::read(&ask.scopes);
        let covers = |granted: &str| Scopes::read(granted).within(&asked) == asked;
        Ok(!standing.map_err(stored)?.iter().any(|grant| covers(&grant.scopes)))
    }

    /// Makes a code and says where the browser takes it.
    pub(super) async fn send_code(
        &self,
        settings: &Settings,
        client: &Client,
        ask: &Ask,
        session: &Session,
    ) -> Result<String, Oops> {
        let code = secret()?;
        let kept = Code { ask: ask.clone(), subject: session.subject.clone(), grant: super::access::new_grant() };
        let body = serde_json::to_string(&kept).map_err(|_| Oops::new(Wrong::Server, "the code cannot be stored"))?;
        self.control
            .store
            .put_ticket(&self.hash("code", &code), "code", &body, now_ms() + CODE_MS)
            .await
            .map_err(stored)?;
        tracing::debug!(client = client.id, "a code was issued");
        Ok(redirect::answer(&ask.redirect_uri, &settings.issuer, ask.state.as_deref(), &[("code", &code)]))
    }

    async fn answered(&self, parts: &Parts, form: &Form) -> Result<String, Oops> {
        let (settings, headers) = (self.settings()?, &parts.headers);
        from_our_page(&settings, headers)?;
        let session = self.session(&settings, headers).await?;
        let session = session.ok_or_else(|| Oops::new(Wrong::AccessDenied, "nobody is logged in here any more"))?;
        let Next::Consent(ask) = self.take(&settings, headers, form.need("ticket")?).await? else {
            return Err(Oops::new(Wrong::Request, "there is nothing to agree to"));
        };
        let client = self.client(&settings, &ask.client_id).await?;
        let allowed = form.need("answer")? == "allow";
        let by = By { who: Some(&session.who), client: None, address: address(&parts.extensions) };
        let refused = if allowed { None } else { Some("access_denied") };
        self.note(by, "oauth.consent", ("oauth_client", &client.id), refused).await?;
        if allowed {
            return self.send_code(&settings, &client, &ask, &session).await;
        }
        let oops = Oops::new(Wrong::AccessDenied, "the person said no");
        Ok(redirect::refusal(&ask.redirect_uri, &settings.issuer, ask.state.as_deref(), &oops))
    }
}
