//! What ties a login to one browser: two cookies that no script sees, and tickets of ten minutes that mean nothing without them.
//!
//! `browser` is a random name for the browser; a ticket made for one is good in no other, so that nobody can be walked into
//! somebody else's login. `session` is who logged in. Both are `__Host-` cookies where the gateway is reached by https; over plain
//! http, where browsers keep no secure cookies, they go without the prefix and the mark.

use std::sync::Arc;

use axum::response::Response;
use gatehouse_domain::Principal;
use gatehouse_oauth::server::authorize::Ask;
use gatehouse_oauth::server::{Oops, Subject, Wrong};
use gatehouse_store::Taken;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{Server, now_ms, secret, stored};
use crate::control::oauth::Settings;

/// How long somebody may take to log in and answer.
const TICKET_MS: u64 = 10 * 60_000;
const SESSION: &str = "session";
const TICKET: &str = "ticket";

/// What goes on once somebody has logged in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Next {
    /// A client waits for their answer.
    Consent(Box<Ask>),
    /// They were on their way to a page of ours.
    Visit(String),
}

/// A ticket as stored.
#[derive(Serialize, Deserialize)]
struct Pending {
    browser: String,
    next: Next,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) subject: Subject,
    /// Who that is by what is declared now.
    pub(super) who: Arc<Principal>,
}

impl Session {
    /// What people are shown of themselves.
    pub(super) fn shown(&self) -> &str {
        self.who.user.as_deref().unwrap_or(&self.who.name)
    }
}

impl Server {
    /// Who is logged in, if somebody is and still counts.
    pub(super) async fn session(&self, settings: &Settings, headers: &HeaderMap) -> Result<Option<Session>, Oops> {
        let Some(cookie) = cookie(headers, &name(settings, SESSION)) else { return Ok(None) };
        let found = self.control.store.ticket(&self.hash(SESSION, cookie), SESSION, now_ms()).await.map_err(stored)?;
        let Some(subject) = found.and_then(|body| serde_json::from_str::<Subject>(&body).ok()) else { return Ok(None) };
        // A key that is gone takes the login along.
        Ok(self.control.oauth.who(&subject).ok().map(|who| Session { subject, who }))
    }

    /// Logs somebody in: a session that nobody had before, in a cookie.
    pub(super) async fn log_in(&self, settings: &Settings, subject: &Subject) -> Result<HeaderValue, Oops> {
        let session = secret()?;
        let lasts = settings.oauth.session.as_secs();
        let body =
            serde_json::to_string(subject).map_err(|_| Oops::new(Wrong::Server, "the login cannot be stored"))?;
        let until = now_ms() + lasts * 1_000;
        let hash = self.hash(SESSION, &session);
        self.control.store.put_ticket(&hash, SESSION, &body, until).await.map_err(stored)?;
        Ok(set(settings, SESSION, &session, Some(lasts)))
    }

    /// Ends a login.
    pub(super) async fn log_out(&self, settings: &Settings, headers: &HeaderMap) -> Result<HeaderValue, Oops> {
        if let Some(session) = cookie(headers, &name(settings, SESSION)) {
            self.control.store.drop_ticket(&self.hash(SESSION, session)).await.map_err(stored)?;
        }
        Ok(set(settings, SESSION, "", Some(0)))
    }

    /// A ticket for this browser, and the cookie it is to keep if it has none.
    pub(super) async fn ticket(
        &self,
        settings: &Settings,
        headers: &HeaderMap,
        next: Next,
    ) -> Result<(String, Option<HeaderValue>), Oops> {
        let (browser, fresh) = match cookie(headers, &name(settings, "browser")) {
            Some(known) => (known.to_owned(), None),
            None => {
                let made = secret()?;
                let cookie = set(settings, "browser", &made, None);
                (made, Some(cookie))
            }
        };
        let ticket = secret()?;
        let pending = Pending { browser: self.browser_mark(&browser), next };
        let body =
            serde_json::to_string(&pending).map_err(|_| Oops::new(Wrong::Server, "the request cannot be stored"))?;
        let (hash, until) = (self.hash(TICKET, &ticket), now_ms() + TICKET_MS);
        self.control.store.put_ticket(&hash, TICKET, &body, until).await.map_err(stored)?;
        Ok((ticket, fresh))
    }

    /// What a ticket is for, if it is good in this browser. It stays good.
    pub(super) async fn pending(&self, settings: &Settings, headers: &HeaderMap, ticket: &str) -> Result<Next, Oops> {
        let found = self.control.store.ticket(&self.hash(TICKET, ticket), TICKET, now_ms()).await.map_err(stored)?;
        self.next(settings, headers, found)
    }

    /// The same, and from now on it is good for nothing.
    pub(super) async fn take(&self, settings: &Settings, headers: &HeaderMap, ticket: &str) -> Result<Next, Oops> {
        // Looked at first: who has the wrong cookie must not be able to use it up.
        self.pending(settings, headers, ticket).await?;
        let taken =
            self.control.store.take_ticket(&self.hash(TICKET, ticket), TICKET, now_ms()).await.map_err(stored)?;
        let body = match taken {
            Some(Taken::Now(body)) => Some(body),
            Some(Taken::Before(_)) | None => None,
        };
        self.next(settings, headers, body)
    }

    fn next(&self, settings: &Settings, headers: &HeaderMap, found: Option<String>) -> Result<Next, Oops> {
        let stale =
            || Oops::new(Wrong::Request, "this page is too old, was answered already, or belongs to another browser");
        let pending: Pending = found.and_then(|body| serde_json::from_str(&body).ok()).ok_or_else(stale)?;
        let browser = cookie(headers, &name(settings, "browser")).ok_or_else(stale)?;
        if self.browser_mark(browser) != pending.browser {
            return Err(stale());
        }
        Ok(pending.next)
    }

    /// What tickets know of a browser: a hash, so that nobody who reads the table can be it.
    pub(super) fn browser_mark(&self, browser: &str) -> String {
        self.hash("browser", browser).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same of the browser that sent these headers.
    pub(super) fn this_browser(&self, settings: &Settings, headers: &HeaderMap) -> Option<String> {
        cookie(headers, &name(settings, "browser")).map(|browser| self.browser_mark(browser))
    }
}

/// A form of ours comes from a page of ours: browsers say where from.
pub(super) fn from_our_page(settings: &Settings, headers: &HeaderMap) -> Result<(), Oops> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let own = gatehouse_domain::split_origin(&settings.issuer).0;
    // With no-referrer, browsers say `null` of a form that is sent from our own page, too.
    if origin == own || origin == "null" {
        return Ok(());
    }
    Err(Oops::new(Wrong::AccessDenied, "the form was sent from another site"))
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn is_secure(settings: &Settings) -> bool {
    settings.issuer.starts_with("https://")
}

fn name(settings: &Settings, what: &str) -> String {
    if is_secure(settings) { format!("__Host-gatehouse-{what}") } else { format!("gatehouse-{what}") }
}

fn set(settings: &Settings, what: &str, value: &str, lasts_secs: Option<u64>) -> HeaderValue {
    let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", name(settings, what));
    if is_secure(settings) {
        text.push_str("; Secure");
    }
    if let Some(lasts) = lasts_secs {
        text.push_str(&format!("; Max-Age={lasts}"));
    }
    // Names and values are letters and digits.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}
