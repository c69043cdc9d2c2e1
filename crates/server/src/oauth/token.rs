//! The token endpoint. One function for each way to a token; the two by which others vouch for somebody are in `exchange`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gatehouse_domain::Scopes;
use gatehouse_oauth::server::client::{Client, Kind};
use gatehouse_oauth::server::refresh::{Standing, Verdict};
use gatehouse_oauth::server::token::{self, Issued, Wanted};
use gatehouse_oauth::server::{Form, Oops, Subject, Wrong, authorize, resource};
use gatehouse_store::{OAuthRefreshRow, Taken};
use http::StatusCode;
use http::header::AUTHORIZATION;

use super::access::Settled;
use super::audit::By;
use super::consent::Code;
use super::{Server, login, now_ms, replies, secret, stored};
use crate::admin::address;
use crate::control::oauth::Settings;

/// For so long a used refresh token gives its successor once more: answers get lost, and processes of one client race.
const GRACE_MS: u64 = 60_000;

/// A request whose client is known to be the one.
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Settings,
    pub(super) client: &'a Client,
    pub(super) form: &'a Form,
    pub(super) address: IpAddr,
}

/// The endpoint.
pub(super) async fn token(State(server): State<Server>, request: Request) -> Response {
    match answer(&server, request).await {
        Ok(issued) => replies::json(StatusCode::OK, &issued.body()),
        Err(oops) => replies::refusal(&oops),
    }
}

async fn answer(server: &Server, request: Request) -> Result<Issued, Oops> {
    let settings = server.settings()?;
    let (parts, form) = login::read(request).await?;
    let address = address(&parts.extensions);
    let wanted = token::wanted(&form)?;
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let client = server.prove(&settings, &token::presented(&form, header)?, address).await?;
    let asked = Asked { settings: &settings, client: &client, form: &form, address };
    match wanted {
        Wanted::Code { code, verifier, redirect_uri } => server.by_code(&asked, code, verifier, redirect_uri).await,
        Wanted::Refresh { token } => server.by_refresh(&asked, token).await,
        Wanted::Credentials => server.by_credentials(&asked).await,
        Wanted::Assertion { assertion } => server.by_assertion(&asked, assertion).await,
        Wanted::Exchange { subject, actor } => server.by_exchange(&asked, subject, actor).await,
    }
}

impl Asked<'_> {
    /// May the client take this way?
    pub(super) fn may(&self, grant_type: &str) -> Result<(), Oops> {
        if self.client.may(grant_type) {
            return Ok(());
        }
        Err(Oops::new(Wrong::UnauthorizedClient, "this client may not take this way to a token"))
    }

    /// Who takes a way that no person agrees to must be more than an id anybody can know.
    pub(super) fn is_trusted_with(&self, grant_type: &str) -> Result<(), Oops> {
        self.may(grant_type)?;
        if self.client.is_confidential() {
            return Ok(());
        }
        Err(Oops::new(Wrong::UnauthorizedClient, "this way to a token is for clients that prove to be themselves"))
    }

    /// The resource the request names.
    pub(super) fn resource(&self) -> Result<String, Oops> {
        resource::named(&self.settings.issuer, self.form.get("resource"))
    }

    /// If the request names a resource, it is the one the grant is for.
    fn same_resource(&self, granted: &str) -> Result<(), Oops> {
        match self.form.get("resource") {
            Some(asked) if resource::named(&self.settings.issuer, Some(asked))? != granted => {
                Err(Oops::new(Wrong::Target, "the grant is for another resource"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn settled<'a>(&'a self, subject: &'a Subject, resource: &'a str, scopes: &'a str) -> Settled<'a> {
        Settled { settings: self.settings, client: self.client, subject, resource, scopes, address: self.address }
    }
}

impl Server {
    async fn by_code(
        &self,
        asked: &Asked<'_>,
        code: &str,
        verifier: &str,
        redirect_uri: Option<&str>,
    ) -> Result<Issued, Oops> {
        let unknown = || Oops::new(Wrong::Grant, "the code is unknown, has ended, or was used; start again");
        let taken = self.control.store.take_ticket(&self.hash("code", code), "code", now_ms()).await.map_err(stored)?;
        let read = |body: &str| serde_json::from_str::<Code>(body).map_err(|_| unknown());
        let kept = match taken {
            Some(Taken::Now(body)) => read(&body)?,
            Some(Taken::Before(body)) => {
                // Two have the code, and one of them stole it: what it gave ends (RFC 6749 §4.1.2).
                self.revoke(&read(&body)?.grant, "code_used_twice", asked.address).await?;
                return Err(unknown());
            }
            None => return Err(unknown()),
        };
        token::redeem(&kept.ask, &asked.client.id, verifier, redirect_uri)?;
        asked.same_resource(&kept.ask.resource)?;
        let refresh = if kept.ask.refresh { Some(secret()?) } else { None };
        let settled = asked.settled(&kept.subject, &kept.ask.resource, &kept.ask.scopes);
        self.grant(&settled, kept.grant, token::AUTHORIZATION_CODE, refresh).await
    }

    async fn by_refresh(&self, asked: &Asked<'_>, presented: &str) -> Result<Issued, Oops> {
        let hash = self.hash("refresh token", presented);
        let found = self.control.store.refresh_token(&hash).await.map_err(stored)?;
        let found = found.filter(|found| found.grant.client_id == asked.client.id);
        let found =
            found.ok_or_else(|| Oops::new(Wrong::Grant, "the refresh token is unknown or of another client"))?;
        asked.same_resource(&found.grant.resource)?;
        let subject: Subject = serde_json::from_str(&found.grant.subject)
            .map_err(|_| Oops::new(Wrong::Server, "the grant cannot be read"))?;
        self.counts(&subject)?;
        let scopes = narrowed(&found.grant.scopes, asked.form.get("scope"))?;
        let next = self.rotated(asked, &hash, presented, &found).await?;
        let settled = asked.settled(&subject, &found.grant.resource, &scopes);
        self.issue(&settled, &found.grant.id, Some(next), false).await
    }

    /// Uses a refresh token up and gives its successor.
    async fn rotated(
        &self,
        asked: &Asked<'_>,
        hash: &[u8; 32],
        presented: &str,
        found: &OAuthRefreshRow,
    ) -> Result<String, Oops> {
        let standing = Standing {
            used_unix_ms: found.used_unix_ms,
            successor_used: found.successor_used,
            expires_unix_ms: found.grant.expires_unix_ms,
            revoked: found.grant.revoked_unix_ms.is_some(),
        };
        let (now, next) = (now_ms(), self.successor(presented));
        match standing.judge(now, GRACE_MS) {
            Verdict::Rotate => {
                let lasts = u64::try_from(asked.settings.oauth.refresh.as_millis()).unwrap_or(u64::MAX / 2);
                let after = self.hash("refresh token", &next);
                // Whoever was faster stored the same successor.
                let store = &self.control.store;
                store.rotate_refresh_token(&found.grant.id, hash, &after, now, now + lasts).await.map_err(stored)?;
                Ok(next)
            }
            Verdict::Repeat => Ok(next),
            Verdict::Revoke => {
                self.revoke(&found.grant.id, "refresh_token_copied", asked.address).await?;
                let what =
                    "the refresh token was used before, so somebody has a copy; the grant has ended, log in again";
                Err(Oops::new(Wrong::Grant, what))
            }
            Verdict::Refuse => Err(Oops::new(Wrong::Grant, "the grant has ended or was revoked; log in again")),
        }
    }

    /// The refresh token after this one: a function of it that nobody else can compute.
    fn successor(&self, token: &str) -> String {
        let hash = self.hash("refresh successor", token);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn by_credentials(&self, asked: &Asked<'_>) -> Result<Issued, Oops> {
        asked.is_trusted_with(token::CLIENT_CREDENTIALS)?;
        let account = declared_account(asked);
        let account = account.ok_or_else(|| Oops::new(Wrong::UnauthorizedClient, "this client is nobody by itself"))?;
        let subject = Subject::own(&account);
        let scopes = authorize::scopes(asked.form.get("scope").unwrap_or_default()).to_string();
        let resource = asked.resource()?;
        self.grant_once(&asked.settled(&subject, &resource, &scopes), token::CLIENT_CREDENTIALS, false).await
    }

    /// Ends a grant: its refresh tokens at once, its access tokens as soon as the data plane knows, which is at once here.
    pub(super) async fn revoke(&self, grant: &str, why: &'static str, address: IpAddr) -> Result<(), Oops> {
        let by = By { who: None, client: None, address };
        self.note(by, "oauth.revoke", ("oauth_grant", grant), None).await?;
        if self.control.store.revoke_grant(grant, why, now_ms()).await.map_err(stored)? {
            tracing::info!(grant, why, "a grant was revoked");
        }
        self.control.oauth.grant_revoked(grant);
        Ok(())
    }
}

/// The account the configuration says a client is.
pub(super) fn declared_account(asked: &Asked<'_>) -> Option<Arc<str>> {
    let clients = &asked.settings.oauth.clients;
    let declared = clients.iter().find(|known| known.id == asked.client.id && asked.client.kind == Kind::Declared);
    declared.and_then(|known| known.account.clone())
}

/// The scopes of a refreshed token: those of the grant, or of them what is asked for (RFC 6749 §6).
pub(super) fn narrowed(granted: &str, asked: Option<&str>) -> Result<String, Oops> {
    let Some(asked) = asked.map(Scopes::read).filter(|asked| !asked.is_empty()) else { return Ok(granted.to_owned()) };
    let within = Scopes::read(granted).within(&asked);
    if within == asked {
        Ok(within.to_string())
    } else {
        Err(Oops::new(Wrong::Scope, "the grant has not all of these scopes"))
    }
}
