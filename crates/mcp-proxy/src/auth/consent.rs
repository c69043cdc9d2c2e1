//! How a person agrees: a link of ours that proves nothing, a login that proves who they are (the server crate's), the page of the
//! authorization server, and back. Whose link it is, and whose answer, is held against who has logged in, both times. What
//! belongs to one visit is kept in the vault under the hash of its `state` and taken out once.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, DEFAULT_ORGANISATION, Fault, Now, Principal, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, OAuthClient, Server};
use gatehouse_mcp_gateway::seal::{NONCE_LEN, Token};
use gatehouse_oauth::client as oauth;
use gatehouse_oauth::client::{
    Callback, Client, Expected, Grant, Issued, Place, Scopes, Visit, authorization_url, read_issued, scopes_to_ask,
    token_request,
};
use gatehouse_store::McpConnectionKey;
use serde::{Deserialize, Serialize};

use super::discover::{disbelief, trouble, unfetched};
use super::keep::About;
use super::owner::owner;
use super::per_user::Use;
use super::slots::SlotKey;
use super::{Connected, Shared, fingerprint, random, random_text, unix_ms, unstored};
use crate::link::Failure;

/// The kind of visits in the vault.
const KIND: &str = "mcp_consent";
/// How long a link can be opened.
const LINK_SECS: u64 = 3_600;
/// How long a visit may take.
const VISIT_MS: u64 = 600_000;

/// What a link of ours says: for whom, and what the server wanted. It authenticates nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ConnectLink {
    server: Arc<str>,
    organisation: Arc<str>,
    owner: String,
    metadata: Option<String>,
    scope: String,
    before: String,
    expires: u64,
}

impl Token for ConnectLink {
    const PURPOSE: &'static str = "connect";
    fn expires(&self) -> Option<u64> {
        Some(self.expires)
    }
}

/// One visit, as it is kept.
#[derive(Serialize, Deserialize)]
struct Pending {
    server: Arc<str>,
    organisation: Arc<str>,
    owner: String,
    issuer: String,
    names_itself: bool,
    resource: String,
    scopes: String,
    redirect_uri: Arc<str>,
    verifier: String,
    until_unix_ms: u64,
}

impl Shared {
    /// The address of the page at which the owner agrees.
    pub(super) fn connect_url(
        &self,
        used: &Use<'_>,
        wanted: Option<&oauth::Challenge>,
        before: &Scopes,
    ) -> Result<Arc<str>, Failure> {
        let link = ConnectLink {
            server: Arc::clone(&used.key.server),
            organisation: Arc::clone(&used.key.organisation),
            owner: used.key.owner.clone(),
            metadata: wanted.and_then(|wanted| wanted.resource_metadata.clone()),
            scope: wanted.and_then(|wanted| wanted.scope.as_ref()).map(Scopes::to_string).unwrap_or_default(),
            before: before.to_string(),
            expires: unix_ms() / 1000 + LINK_SECS,
        };
        let nonce = random::<NONCE_LEN>().map_err(|error| unstored(used.server, &error))?;
        let sealed = self.sealer.close(&link, nonce);
        let sealed = sealed.map_err(|_| trouble(used.server, Code::Internal, "the link to the page cannot be made"))?;
        Ok(format!("{}/oauth/connect/{sealed}", self.world().public_url).into())
    }

    /// What a link says, if it is one of ours and not too old.
    fn open_link(&self, link: &str) -> Result<ConnectLink, Fault> {
        self.sealer
            .open(link, unix_ms() / 1000)
            .map_err(|_| Fault::new(Code::NotFound, "This link is no longer good. Call the tool again for a new one."))
    }

    /// Where somebody who has logged in goes on to, if the link is theirs.
    pub(super) async fn begin(&self, link: &str, who: &Principal) -> Result<String, Fault> {
        let link = self.open_link(link)?;
        if owner(who) != link.owner || who.organisation != link.organisation {
            let message = "This link is somebody else's. Nothing was done; do not open links you did not ask for.";
            return Err(Fault::new(Code::NotAllowed, message));
        }
        let (server, config) = self.per_user_server(&link.server)?;
        let wanted = oauth::Challenge {
            resource_metadata: link.metadata.clone(),
            scope: Some(Scopes::read(&link.scope)).filter(|scopes| !scopes.is_empty()),
            error: None,
        };
        let found = self.finder.find(&server, &config, Some(&wanted), true).await?;
        found.issuer.authorization_endpoint().map_err(|why| disbelief(&server, &why))?;
        let face = self.world().face.clone();
        let client = self.clients.at(&server, &config, &found.issuer, &face, true).await?;
        let configured = Scopes::of(config.scopes.iter().map(|scope| &**scope));
        let before = Scopes::read(&link.before);
        let scopes =
            scopes_to_ask(wanted.scope.as_ref(), found.listed.as_ref(), &configured, &before, &found.issuer.scopes);
        let fresh = || random_text().map_err(|error| unstored(&server, &error));
        let (state, verifier) = (fresh()?, Secret::new(fresh()?));
        let visit = Visit {
            client: &client,
            redirect_uri: &face.redirect_uri,
            resource: &found.resource,
            scopes: scopes.as_ref(),
            state: &state,
            verifier: &verifier,
        };
        let url = authorization_url(&found.issuer, &visit).map_err(|why| disbelief(&server, &why))?;
        let pending = Pending {
            server: Arc::clone(&link.server),
            organisation: Arc::clone(&link.organisation),
            owner: link.owner.clone(),
            issuer: found.issuer.issuer.to_string(),
            names_itself: found.issuer.names_itself,
            resource: found.resource.to_string(),
            scopes: scopes.map(|scopes| scopes.to_string()).unwrap_or_default(),
            redirect_uri: Arc::clone(&face.redirect_uri),
            verifier: verifier.reveal().to_owned(),
            until_unix_ms: unix_ms() + VISIT_MS,
        };
        self.remember(&server, &state, &pending).await?;
        Ok(url)
    }

    async fn remember(&self, server: &Server, state: &str, pending: &Pending) -> Result<(), Failure> {
        let text = Secret::new(serde_json::to_string(pending).unwrap_or_default());
        let (vault, now) = (&self.keeper.vault, unix_ms());
        let pruned = vault.prune(KIND, now.saturating_sub(2 * VISIT_MS)).await;
        pruned.map_err(|error| unstored(server, &error))?;
        let kept = vault.put(DEFAULT_ORGANISATION, KIND, &fingerprint(state), &text, now).await;
        kept.map(drop).map_err(|error| unstored(server, &error))
    }

    /// Takes what the browser of somebody who has logged in brought back from the authorization server.
    pub(super) async fn finish(&self, query: &str, who: &Principal) -> Result<Connected, Fault> {
        let callback = Callback::read(query).map_err(|why| refused(&why.to_string()))?;
        let name = fingerprint(&callback.state);
        let vault = &self.keeper.vault;
        let kept = vault.get(DEFAULT_ORGANISATION, KIND, &name).await.map_err(|_| unkept())?;
        let pending = kept.and_then(|kept| serde_json::from_str::<Pending>(kept.reveal()).ok()).ok_or_else(unknown)?;
        // Not taken out for a stranger: whose it is may still come.
        if owner(who) != pending.owner || who.organisation != pending.organisation {
            return Err(Fault::new(Code::NotAllowed, "Nothing was connected: this answer belongs to somebody else."));
        }
        let mine = vault.delete(DEFAULT_ORGANISATION, KIND, &name).await.map_err(|_| unkept())?;
        if !mine || pending.until_unix_ms < unix_ms() {
            return Err(unknown());
        }
        let expected = Expected { issuer: &pending.issuer, names_itself: pending.names_itself };
        let code = callback.judge(&expected).map_err(|why| refused(&why.to_string()))?;
        let (server, config) = self.per_user_server(&pending.server)?;
        let issued = self.redeem(&server, &config, &pending, &code).await?;
        let key =
            McpConnectionKey { organisation: &pending.organisation, server: &pending.server, owner: &pending.owner };
        let asked = Scopes::read(&pending.scopes);
        let about = About { issuer: &pending.issuer, resource: &pending.resource, asked: &asked };
        self.keeper.connect(key, &issued, &about).await.map_err(|error| unstored(&server, &error))?;
        let slot = SlotKey {
            server: Arc::clone(&pending.server),
            organisation: Arc::clone(&pending.organisation),
            owner: pending.owner.clone(),
        };
        self.slots.of(&slot).doubt();
        Ok(Connected { server: pending.server, organisation: pending.organisation, owner: pending.owner.into() })
    }

    async fn redeem(
        &self,
        server: &Server,
        config: &OAuthClient,
        pending: &Pending,
        code: &Secret,
    ) -> Result<Issued, Failure> {
        let issuer = self.finder.issuer(server, config, &pending.issuer).await?;
        let face = self.world().face.clone();
        let client: Client = self.clients.at(server, config, &issuer, &face, false).await?;
        let verifier = Secret::new(pending.verifier.as_str());
        let grant = Grant::Code { code, verifier: &verifier, redirect_uri: &pending.redirect_uri };
        let now = Now(std::time::SystemTime::now());
        let nonce = random_text().map_err(|error| unstored(server, &error))?;
        let request = token_request(&grant, &client, &pending.resource, None, &nonce, now)
            .map_err(|why| trouble(server, Code::UpstreamCredentials, &why.to_string()))?;
        let place: &Place = &issuer.token_endpoint;
        let body = Bytes::from(request.body.reveal().to_owned());
        let answer = self
            .fetcher
            .post_form(self.fetcher.egress(server, config, place), place, request.authorization, body)
            .await;
        let answer = answer.map_err(|why| unfetched(server, place, why))?;
        match read_issued(answer.status, &answer.body, false) {
            Ok(issued) => Ok(issued),
            Err(why) => {
                if why.is_unknown_client() {
                    self.clients.forget(&pending.issuer, &face).await;
                }
                Err(trouble(server, Code::UpstreamCredentials, &why.to_string()))
            }
        }
    }

    /// A server that people agree to, as the configuration has it now.
    fn per_user_server(&self, name: &str) -> Result<(Arc<Server>, OAuthClient), Fault> {
        let world = self.world();
        let found = world.servers.iter().find(|server| *server.name == *name);
        match found.map(|server| (server, &server.auth)) {
            Some((server, Auth::PerUser(config))) => Ok((Arc::clone(server), config.clone())),
            _ => Err(Fault::new(
                Code::NotFound,
                format!("There is no MCP server `{name}` any more that asks for consent."),
            )),
        }
    }
}

fn refused(why: &str) -> Fault {
    Fault::new(Code::InvalidRequest, format!("Nothing was connected: {why}. Call the tool again for a new link."))
}

fn unknown() -> Fault {
    refused("this answer was not asked for, was used before, or came too late")
}

fn unkept() -> Fault {
    Fault::new(Code::Internal, "Nothing was connected: the gateway's store cannot be read. Try again in a moment.")
}
