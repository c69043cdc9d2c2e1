//! Tokens for what others vouch for: an identity assertion of an enterprise's provider (ID-JAG by RFC 7523), and a token for a
//! token (RFC 8693). Both take a client that proves to be itself and an issuer the configuration names.

use gatehouse_oauth::server::token::{self, Issued};
use gatehouse_oauth::server::{Oops, Subject, Wrong, assertion, authorize, jwt, resource};

use super::token::{Asked, declared_account, narrowed};
use super::{Server, now_ms};
use crate::control::oauth::{Keys, Shown, Signed};

impl Server {
    pub(super) async fn by_assertion(&self, asked: &Asked<'_>, text: &str) -> Result<Issued, Oops> {
        asked.is_trusted_with(token::JWT_BEARER)?;
        let issuer = issuer_of(text)?;
        is_believed(asked, &issuer)?;
        let signed =
            Signed { token: text, issuer: &issuer, kind: assertion::ID_JAG, keys: Keys::OfIssuer, claims: None };
        let vouched = self.control.oauth.verify(&signed).map_err(|fault| Oops::new(Wrong::Grant, fault.message))?;
        let now = now_ms() / 1_000;
        let grant = assertion::id_jag(&vouched.claims, &asked.settings.issuer, &asked.client.id, now)?;
        let resource = resource::named(&asked.settings.issuer, Some(&grant.resource))?;
        let named = asked.form.get("resource").map(|_| asked.resource()).transpose()?;
        if named.is_some_and(|named| named != resource) {
            return Err(Oops::new(Wrong::Target, "the assertion is for another resource"));
        }
        let most = authorize::scopes(grant.scope.as_deref().unwrap_or_default()).to_string();
        let scopes = narrowed(&most, asked.form.get("scope"))?;
        if !self.first_time(&issuer, &grant.id, grant.until).await? {
            return Err(Oops::new(Wrong::Grant, "this assertion was used before"));
        }
        self.grant_once(&asked.settled(&vouched.subject, &resource, &scopes), token::JWT_BEARER, false).await
    }

    pub(super) async fn by_exchange(
        &self,
        asked: &Asked<'_>,
        subject: &str,
        actor: Option<&str>,
    ) -> Result<Issued, Oops> {
        asked.is_trusted_with(token::TOKEN_EXCHANGE)?;
        let shown = self.shown(asked, subject)?;
        let resource = asked.resource()?;
        let most = authorize::scopes("").to_string();
        let scopes = match &shown.access {
            // A token of our own gives no more than it has: its resource, or one of those that all of them are behind.
            Some(access) if *access.resource == *resource || is_whole(asked, &access.resource) => {
                narrowed(&access.scopes.to_string(), asked.form.get("scope"))?
            }
            Some(_) => return Err(Oops::new(Wrong::Target, "the subject token is for another resource")),
            None => narrowed(&most, asked.form.get("scope"))?,
        };
        // The chain says who acts: whoever the actor token is of, else the client itself.
        let acts = match actor {
            Some(actor) => self.shown(asked, actor)?.subject.name,
            None => declared_account(asked).map_or_else(|| asked.client.id.clone(), |account| account.to_string()),
        };
        let subject: Subject = shown.subject.through(&acts);
        self.grant_once(&asked.settled(&subject, &resource, &scopes), token::TOKEN_EXCHANGE, true).await
    }

    /// Whose token it is, if its issuer is believed here.
    fn shown(&self, asked: &Asked<'_>, text: &str) -> Result<Shown, Oops> {
        // A request that is not even one is the request's fault (RFC 8693 §2.2.2).
        let refused = |what: String| Oops::new(Wrong::Request, what);
        let shown = self.control.oauth.token_of(text).map_err(|fault| refused(fault.message.into_owned()))?;
        if *shown.issuer != *asked.settings.issuer {
            is_believed(asked, &shown.issuer).map_err(|oops| refused(oops.description.into_owned()))?;
        }
        Ok(shown)
    }
}

fn is_whole(asked: &Asked<'_>, resource: &str) -> bool {
    resource.strip_prefix(&*asked.settings.issuer) == Some(resource::ROOT)
}

/// Is the issuer one of those that may vouch for people at this endpoint?
fn is_believed(asked: &Asked<'_>, issuer: &str) -> Result<(), Oops> {
    if asked.settings.oauth.assertion_issuers.iter().any(|known| known == issuer) {
        return Ok(());
    }
    Err(Oops::new(Wrong::Grant, "the issuer is none of oauth.assertion_issuers"))
}

fn issuer_of(text: &str) -> Result<String, Oops> {
    let claims = jwt::peek(text).map(|(_, claims)| claims);
    let issuer = claims.and_then(|claims| Some(claims.get("iss")?.as_str()?.to_owned()));
    issuer.ok_or_else(|| Oops::new(Wrong::Grant, "the assertion cannot be read"))
}
