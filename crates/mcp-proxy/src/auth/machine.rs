//! Tokens without a person at a page: the gateway's own (client credentials), and those that a token the caller came with is
//! exchanged for. They are kept in memory only: whoever lacks one asks for another.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Now, Secret};
use gatehouse_mcp_gateway::blueprint::{Exchange, IdentityProvider, OAuthClient, Server};
use gatehouse_oauth::client as oauth;
use gatehouse_oauth::client::{
    Client, ClientAuth, Grant, Issued, Place, Scopes, read_issued, scopes_to_ask, token_request,
};

use super::discover::{Found, trouble, unfetched};
use super::per_user::Use;
use super::slots::{Held, Known};
use super::{Shared, random_text, unix_ms, unstored};
use crate::link::{Challenge, Failure};

/// What the gateway comes with.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// Nothing but itself.
    Own,
    /// Somebody's token.
    Subject(&'a Secret),
}

impl Shared {
    /// A token that nobody has to be asked for.
    pub(super) async fn machine(
        &self,
        used: &Use<'_>,
        credential: Credential<'_>,
        challenge: Option<&Challenge>,
    ) -> Result<Option<Secret>, Failure> {
        if challenge.is_none()
            && let Known::Token(token) = used.slot.known()
        {
            return Ok(Some(token));
        }
        let _turn = used.slot.turn.lock().await;
        let held = used.slot.held();
        if let (Known::Token(token), Some(challenge)) = (used.slot.known(), challenge)
            && challenge.shown.as_ref() != Some(&token)
        {
            return Ok(Some(token));
        }
        if challenge.is_none()
            && let Known::Token(token) = used.slot.known()
        {
            return Ok(Some(token));
        }
        // What was fetched for a refusal and is refused again will not be better a third time.
        if challenge.is_some() && held.is_some_and(|held| held.after_refusal) {
            used.slot.doubt();
            let what = "the MCP server does not take the tokens its authorization server issues for it";
            return Err(trouble(used.server, Code::UpstreamCredentials, what));
        }
        let issued = self.machine_asks(used.server, used.config, credential, challenge).await?;
        let now = unix_ms();
        used.slot.hold(Held {
            token: issued.token.clone(),
            generation: 0,
            since_unix_ms: now,
            until_unix_ms: issued.expires_in_secs.map(|secs| now.saturating_add(secs.saturating_mul(1000))),
            refreshable: false,
            after_refusal: challenge.is_some_and(|challenge| challenge.shown.is_some()),
            dice: 0.0,
        });
        Ok(Some(issued.token))
    }

    async fn machine_asks(
        &self,
        server: &Arc<Server>,
        config: &OAuthClient,
        credential: Credential<'_>,
        challenge: Option<&Challenge>,
    ) -> Result<Issued, Failure> {
        let wanted = challenge.and_then(|challenge| oauth::Challenge::find([&*challenge.www_authenticate]));
        let found = self.finder.find(server, config, wanted.as_ref(), challenge.is_some()).await?;
        let face = self.world().face.clone();
        let client = self.clients.at(server, config, &found.issuer, &face, false).await?;
        let configured = Scopes::of(config.scopes.iter().map(|scope| &**scope));
        let challenged = wanted.as_ref().and_then(|wanted| wanted.scope.as_ref());
        let none = Scopes::default();
        let scopes = scopes_to_ask(challenged, found.listed.as_ref(), &configured, &none, &none);
        let asking = Asking { server, config, found: &found, scopes: scopes.as_ref() };
        match (credential, &config.exchange) {
            (Credential::Own, _) => {
                self.token_from(&asking, &found.issuer.token_endpoint, &client, &Grant::ClientCredentials).await
            }
            (Credential::Subject(subject), Exchange::Token) => {
                self.token_from(&asking, &found.issuer.token_endpoint, &client, &Grant::Exchange(subject)).await
            }
            (Credential::Subject(subject), Exchange::Assertion) => {
                self.token_from(&asking, &found.issuer.token_endpoint, &client, &Grant::Assertion(subject)).await
            }
            (Credential::Subject(subject), Exchange::Identity(provider)) => {
                let assertion = self.assertion_from(&asking, provider, subject).await?;
                self.token_from(&asking, &found.issuer.token_endpoint, &client, &Grant::Assertion(&assertion)).await
            }
        }
    }

    /// Asks the identity provider for an assertion to the server's issuer.
    async fn assertion_from(
        &self,
        asking: &Asking<'_>,
        provider: &IdentityProvider,
        subject: &Secret,
    ) -> Result<Secret, Failure> {
        let place = Place::read(&provider.token_url).map_err(|why| {
            trouble(asking.server, Code::UpstreamCredentials, &format!("of the identity provider's address: {why}"))
        })?;
        let auth = provider.client_secret.clone().map_or(ClientAuth::None, ClientAuth::Post);
        let client = Client { issuer: provider.token_url.clone(), id: Arc::clone(&provider.client_id), auth };
        let audience = &*asking.found.issuer.issuer;
        let grant = Grant::IdentityAssertion { subject, audience };
        Ok(self.token_from(asking, &place, &client, &grant).await?.token)
    }

    async fn token_from(
        &self,
        asking: &Asking<'_>,
        place: &Place,
        client: &Client,
        grant: &Grant<'_>,
    ) -> Result<Issued, Failure> {
        let server = asking.server;
        let now = Now(std::time::SystemTime::now());
        let nonce = random_text().map_err(|error| unstored(server, &error))?;
        let request = token_request(grant, client, &asking.found.resource, asking.scopes, &nonce, now)
            .map_err(|why| trouble(server, Code::UpstreamCredentials, &why.to_string()))?;
        let identity = matches!(grant, Grant::IdentityAssertion { .. });
        let egress = self.fetcher.egress(server, asking.config, place);
        let body = Bytes::from(request.body.reveal().to_owned());
        let answer = self.fetcher.post_form(egress, place, request.authorization, body).await;
        let answer = answer.map_err(|why| unfetched(server, place, why))?;
        read_issued(answer.status, &answer.body, identity)
            .map_err(|why| trouble(server, Code::UpstreamCredentials, &why.to_string()))
    }
}

/// What every question of one go has in common.
struct Asking<'a> {
    server: &'a Server,
    config: &'a OAuthClient,
    found: &'a Found,
    scopes: Option<&'a Scopes>,
}
