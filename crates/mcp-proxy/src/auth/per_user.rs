//! Tokens of each person. The usual call finds one in its slot. What is new to this process is read from the tables, what is over
//! is refreshed, what a server refuses is looked into: somebody else may have a better one already, or it has to be refreshed,
//! or the person has to agree again.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault, Principal, Secret};
use gatehouse_mcp_gateway::blueprint::{OAuthClient, Server};
use gatehouse_oauth::client as oauth;
use gatehouse_oauth::client::Scopes;
use gatehouse_store::{McpConnection, McpConnectionKey, McpConnectionState};

use super::discover::trouble;
use super::keep::Pair;
use super::owner::{ANONYMOUS, owner};
use super::slots::{Held, Known, Slot, SlotKey};
use super::{Shared, unix_ms, unstored};
use crate::link::{Challenge, Consent, Failure, Remedy};

/// A person's use of a server.
pub(super) struct Use<'a> {
    pub(super) server: &'a Arc<Server>,
    pub(super) config: &'a OAuthClient,
    pub(super) key: SlotKey,
    pub(super) slot: Arc<Slot>,
}

impl Use<'_> {
    pub(super) fn row_key(&self) -> McpConnectionKey<'_> {
        McpConnectionKey { organisation: &self.key.organisation, server: &self.key.server, owner: &self.key.owner }
    }

    /// Takes a pair into the slot.
    pub(super) fn take(&self, row: &McpConnection, pair: &Pair, after_refusal: bool) -> Secret {
        self.slot.hold(Held {
            token: pair.access.clone(),
            generation: row.generation,
            since_unix_ms: row.changed_unix_ms,
            until_unix_ms: row.expires_unix_ms,
            refreshable: row.refreshable,
            after_refusal,
            dice: fastrand::f64(),
        });
        pair.access.clone()
    }
}

impl Shared {
    pub(super) fn usage<'a>(&self, server: &'a Arc<Server>, config: &'a OAuthClient, principal: &Principal) -> Use<'a> {
        let key = SlotKey {
            server: Arc::clone(&server.name),
            organisation: Arc::clone(&principal.organisation),
            owner: owner(principal),
        };
        self.usage_of(server, config, key)
    }

    pub(super) fn usage_of<'a>(&self, server: &'a Arc<Server>, config: &'a OAuthClient, key: SlotKey) -> Use<'a> {
        let slot = self.slots.of(&key);
        Use { server, config, key, slot }
    }

    /// A person's token. Without one nothing is shown: the server's refusal says what it wants.
    pub(super) async fn person(
        &self,
        used: &Use<'_>,
        challenge: Option<&Challenge>,
    ) -> Result<Option<Secret>, Failure> {
        if let Some(challenge) = challenge {
            return self.person_refused(used, challenge).await;
        }
        match used.slot.known() {
            Known::Token(token) => return Ok(Some(token)),
            Known::Nothing => return Ok(None),
            Known::Unknown => {}
        }
        let _turn = used.slot.turn.lock().await;
        if let Known::Token(token) = used.slot.known() {
            return Ok(Some(token));
        }
        let Some((row, Some(pair))) = self.current(used).await? else {
            used.slot.empty();
            return Ok(None);
        };
        if row.state == McpConnectionState::NeedsConsent {
            used.slot.empty();
            return Ok(None);
        }
        let token = used.take(&row, &pair, false);
        match used.slot.known() {
            Known::Token(token) => Ok(Some(token)),
            // Without a refresh token, only the server can say whether it is over.
            _ if pair.refresh.is_none() => Ok(Some(token)),
            _ => self.refresh(used, row, false).await,
        }
    }

    /// What to do about a refusal.
    async fn person_refused(&self, used: &Use<'_>, challenge: &Challenge) -> Result<Option<Secret>, Failure> {
        let wanted = oauth::Challenge::find([&*challenge.www_authenticate]);
        let _turn = used.slot.turn.lock().await;
        let current = self.current(used).await?;
        let connected = current.filter(|(row, _)| row.state == McpConnectionState::Connected);
        let Some((row, Some(pair))) = connected else {
            used.slot.empty();
            return Err(self.consent(used, challenge, wanted.as_ref(), &Scopes::default()).await);
        };
        if challenge.shown.as_ref() != Some(&pair.access) {
            return Ok(Some(used.take(&row, &pair, false)));
        }
        let granted = Scopes::read(&row.scopes);
        if challenge.status == 403 {
            return Err(self.person_lacks(used, challenge, wanted.as_ref(), &granted).await);
        }
        let found = self.finder.find(used.server, used.config, wanted.as_ref(), true).await?;
        if found.issuer.issuer.as_ref() != row.issuer {
            self.end(used, &row, "the MCP server has another authorization server now").await?;
            return Err(self.consent(used, challenge, wanted.as_ref(), &Scopes::default()).await);
        }
        let refreshed_for_nothing = used.slot.held().is_some_and(|held| held.after_refusal);
        if pair.refresh.is_some() && !refreshed_for_nothing {
            return match self.refresh(used, row, true).await? {
                Some(token) => Ok(Some(token)),
                None => Err(self.consent(used, challenge, wanted.as_ref(), &granted).await),
            };
        }
        self.end(used, &row, "the MCP server does not take the token any more").await?;
        Err(self.consent(used, challenge, wanted.as_ref(), &granted).await)
    }

    /// A token that is good and does not reach far enough: more may be asked for, once.
    async fn person_lacks(
        &self,
        used: &Use<'_>,
        challenge: &Challenge,
        wanted: Option<&oauth::Challenge>,
        granted: &Scopes,
    ) -> Failure {
        let more = wanted.and_then(|wanted| wanted.scope.as_ref()).filter(|scopes| !granted.cover(scopes));
        match more {
            Some(_) => self.consent(used, challenge, wanted, granted).await,
            None => {
                let what = "the MCP server refuses this even with the scopes that were granted for it";
                trouble(used.server, Code::UpstreamCredentials, what)
            }
        }
    }

    /// The failure that sends a person to the page where they agree; or why there can be none.
    async fn consent(
        &self,
        used: &Use<'_>,
        challenge: &Challenge,
        wanted: Option<&oauth::Challenge>,
        before: &Scopes,
    ) -> Failure {
        // What cannot work is told now, and not on a page that somebody opens for nothing.
        match self.finder.find(used.server, used.config, wanted, false).await {
            Ok(found) => {
                if let Err(why) = found.issuer.authorization_endpoint() {
                    return super::discover::disbelief(used.server, &why);
                }
            }
            Err(failure) => return failure,
        }
        if used.key.owner == ANONYMOUS {
            let what = "it acts in the name of a person, and this caller came without a key: come with one";
            return trouble(used.server, Code::UpstreamCredentials, what);
        }
        let url = match self.connect_url(used, wanted, before) {
            Ok(url) => url,
            Err(failure) => return failure,
        };
        let name = &used.server.name;
        let message = format!(
            "the MCP server `{name}` acts in the name of a person, who must agree first: open {url} and call again"
        );
        let consent = Consent {
            server: Arc::clone(name),
            challenge: Some(Challenge { shown: None, ..challenge.clone() }),
            url: Some(Arc::clone(&url)),
        };
        Failure::from(Fault::new(Code::ConsentNeeded, message).visit(url)).with(Remedy::Consent(Box::new(consent)))
    }

    /// A connection's tokens are good for nothing any more.
    pub(super) async fn end(&self, used: &Use<'_>, row: &McpConnection, why: &str) -> Result<(), Failure> {
        let ended = self.keeper.store.mcp_needs_consent(&row.id, row.generation, why, unix_ms()).await;
        ended.map_err(|error| unstored(used.server, &error))?;
        used.slot.empty();
        Ok(())
    }

    pub(super) async fn current(&self, used: &Use<'_>) -> Result<Option<(McpConnection, Option<Pair>)>, Failure> {
        self.keeper.current(used.row_key()).await.map_err(|error| unstored(used.server, &error))
    }
}
