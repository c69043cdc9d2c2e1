//! Making tokens: every way to one ends here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::Principal;
use gatehouse_oauth::server::client::Client;
use gatehouse_oauth::server::jwt::AccessClaims;
use gatehouse_oauth::server::token::Issued;
use gatehouse_oauth::server::{Oops, Subject, Wrong};
use gatehouse_store::OAuthGrantRow;
use uuid::Uuid;

use super::audit::By;
use super::{Server, now_ms, stored};
use crate::control::oauth::Settings;

/// Everything that is settled when a token is made.
pub(super) struct Settled<'a> {
    pub(super) settings: &'a Settings,
    pub(super) client: &'a Client,
    pub(super) subject: &'a Subject,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a str,
    pub(super) address: IpAddr,
}

/// The id of a new grant.
pub(super) fn new_grant() -> String {
    Uuid::now_v7().simple().to_string()
}

impl Server {
    /// Who the subject is, if it still counts.
    pub(super) fn counts(&self, subject: &Subject) -> Result<Arc<Principal>, Oops> {
        self.control.oauth.who(subject).map_err(|fault| Oops::new(Wrong::Grant, fault.message))
    }

    /// Stores the grant of somebody's consent, with a first refresh token if there shall be one, and makes its first tokens.
    pub(super) async fn grant(
        &self,
        settled: &Settled<'_>,
        id: String,
        kind: &str,
        refresh: Option<String>,
    ) -> Result<Issued, Oops> {
        let who = self.counts(settled.subject)?;
        let lasts =
            if refresh.is_some() { settled.settings.oauth.refresh } else { settled.settings.oauth.access_token };
        let row = row(settled, id, kind, &who, lasts)?;
        let by = By { who: Some(&who), client: Some(&settled.client.id), address: settled.address };
        self.note(by, "oauth.grant", ("oauth_grant", &row.id), None).await?;
        let hash = refresh.as_ref().map(|token| self.hash("refresh token", token));
        self.control.store.create_grant(&row, hash.as_ref()).await.map_err(stored)?;
        self.issue(settled, &row.id, refresh, false).await
    }

    /// The same without a person's consent and without a refresh token: there is one such grant for client, subject and resource,
    /// however often a token is asked for.
    pub(super) async fn grant_once(&self, settled: &Settled<'_>, kind: &str, exchanged: bool) -> Result<Issued, Oops> {
        let who = self.counts(settled.subject)?;
        let fresh = row(settled, new_grant(), kind, &who, settled.settings.oauth.access_token)?;
        let id = self.control.store.renew_grant(&fresh).await.map_err(stored)?;
        if id == fresh.id {
            let by = By { who: Some(&who), client: Some(&settled.client.id), address: settled.address };
            self.note(by, "oauth.grant", ("oauth_grant", &id), None).await?;
        }
        self.issue(settled, &id, None, exchanged).await
    }

    /// Makes an access token of a grant that stands.
    pub(super) async fn issue(
        &self,
        settled: &Settled<'_>,
        grant: &str,
        refresh_token: Option<String>,
        exchanged: bool,
    ) -> Result<Issued, Oops> {
        let now = now_ms() / 1_000;
        let expires_in = settled.settings.oauth.access_token.as_secs();
        let claims = AccessClaims {
            issuer: &settled.settings.issuer,
            subject: settled.subject,
            client: &settled.client.id,
            grant,
            resource: settled.resource,
            scopes: settled.scopes,
            id: &Uuid::now_v7().simple().to_string(),
            now,
            until: now + expires_in,
        };
        let access_token = self.control.signing.sign(&claims);
        let access_token = access_token.ok_or_else(|| Oops::new(Wrong::Server, "there is no key to sign with"))?;
        self.used(settled.client).await?;
        Ok(Issued { access_token, expires_in, scopes: settled.scopes.to_owned(), refresh_token, exchanged })
    }
}

fn row(settled: &Settled<'_>, id: String, kind: &str, who: &Principal, lasts: Duration) -> Result<OAuthGrantRow, Oops> {
    let now = now_ms();
    let subject = serde_json::to_string(settled.subject);
    Ok(OAuthGrantRow {
        id,
        kind: kind.to_owned(),
        client_id: settled.client.id.clone(),
        client_name: settled.client.shown(),
        subject_id: settled.subject.id(),
        subject: subject.map_err(|_| Oops::new(Wrong::Server, "the grant cannot be stored"))?,
        organisation: who.organisation.to_string(),
        resource: settled.resource.to_owned(),
        scopes: settled.scopes.to_owned(),
        created_unix_ms: now,
        used_unix_ms: now,
        expires_unix_ms: now + u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX / 2),
        revoked_unix_ms: None,
        revoked_by: None,
    })
}
