//! The next pair of tokens for the last one. An issuer that rotates takes each refresh token once, and takes a second use for
//! theft; so one of all replicas refreshes a generation: the one that claimed its row. The others wait for what it brings.

use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::{Code, Now, Secret};
use gatehouse_oauth::client::{Grant, Issued, Scopes, TokenFault, read_issued, token_request};
use gatehouse_store::{McpConnection, McpConnectionState};

use super::discover::{trouble, unfetched};
use super::keep::{About, Pair};
use super::per_user::Use;
use super::{Shared, random_text, unix_ms, unstored};
use crate::link::Failure;

/// How long a claim holds: longer than an issuer may take to answer.
const CLAIM_MS: u64 = 30_000;
/// How long is waited for another's refresh, and how often is looked for it.
const WAIT: Duration = Duration::from_secs(35);
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LAST: Duration = Duration::from_millis(500);

impl Shared {
    /// The token of the generation after `row`; `None` if only a new consent helps. The caller holds the slot's turn.
    pub(super) async fn refresh(
        &self,
        used: &Use<'_>,
        row: McpConnection,
        after_refusal: bool,
    ) -> Result<Option<Secret>, Failure> {
        let (mut row, began) = (row, tokio::time::Instant::now());
        let mut pause = LOOK_FIRST;
        while began.elapsed() < WAIT {
            let (who, now) = (random_text().map_err(|error| unstored(used.server, &error))?, unix_ms());
            let store = &self.keeper.store;
            let claimed = store.claim_mcp_refresh(&row.id, row.generation, &who, now + CLAIM_MS, now).await;
            if claimed.map_err(|error| unstored(used.server, &error))? {
                return self.refresh_claimed(used, &row, &who, after_refusal).await;
            }
            match self.current(used).await? {
                Some((newer, Some(pair))) if newer.generation != row.generation => {
                    if newer.state == McpConnectionState::Connected {
                        return Ok(Some(used.take(&newer, &pair, after_refusal)));
                    }
                    used.slot.empty();
                    return Ok(None);
                }
                Some((same, Some(_))) if same.state == McpConnectionState::Connected => row = same,
                _ => {
                    used.slot.empty();
                    return Ok(None);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_LAST);
        }
        Err(trouble(
            used.server,
            Code::UpstreamTimeout,
            "another replica refreshes its token and does not come to an end",
        ))
    }

    async fn refresh_claimed(
        &self,
        used: &Use<'_>,
        row: &McpConnection,
        who: &str,
        after_refusal: bool,
    ) -> Result<Option<Secret>, Failure> {
        // Read under the claim: nobody but us changes it now.
        let pair = match self.current(used).await? {
            Some((same, Some(pair))) if same.generation == row.generation => pair,
            Some((newer, Some(pair))) => return Ok(Some(used.take(&newer, &pair, after_refusal))),
            _ => return Ok(None),
        };
        match self.ask_for_next(used, row, &pair).await {
            Ok(issued) => {
                let scopes = Scopes::read(&row.scopes);
                let about = About { issuer: &row.issuer, resource: &row.resource, asked: &scopes };
                let advanced = self.keeper.advance(row, &issued, pair.refresh.as_ref(), &about).await;
                if advanced.map_err(|error| unstored(used.server, &error))?.is_none() {
                    tracing::warn!(server = %used.server.name, "a refreshed token came too late for its claim");
                }
                match self.current(used).await? {
                    Some((newer, Some(pair))) => Ok(Some(used.take(&newer, &pair, after_refusal))),
                    _ => Ok(None),
                }
            }
            Err(NoNext::Consent(why)) => {
                self.end(used, row, &why).await?;
                Ok(None)
            }
            Err(NoNext::Later(failure)) => {
                let released = self.keeper.store.release_mcp_refresh(&row.id, who).await;
                released.map_err(|error| unstored(used.server, &error))?;
                // What is still good is good enough.
                match used
                    .slot
                    .held()
                    .filter(|held| !after_refusal && held.until_unix_ms.is_none_or(|end| end > unix_ms()))
                {
                    Some(held) => Ok(Some(held.token)),
                    None => Err(failure),
                }
            }
        }
    }

    async fn ask_for_next(&self, used: &Use<'_>, row: &McpConnection, pair: &Pair) -> Result<Issued, NoNext> {
        let Some(refresh) = &pair.refresh else { return Err(NoNext::Consent("there is no refresh token".to_owned())) };
        let (server, config) = (used.server, used.config);
        let issuer = self.finder.issuer(server, config, &row.issuer).await.map_err(NoNext::Later)?;
        let face = self.world().face.clone();
        let client = self.clients.at(server, config, &issuer, &face, false).await;
        let client = client.map_err(|failure| NoNext::Consent(failure.fault.message.into_owned()))?;
        let nonce = random_text().map_err(|error| NoNext::Later(unstored(server, &error)))?;
        let now = Now(std::time::SystemTime::now());
        let request = token_request(&Grant::Refresh(refresh), &client, &row.resource, None, &nonce, now)
            .map_err(|why| NoNext::Later(trouble(server, Code::UpstreamCredentials, &why.to_string())))?;
        let place = &issuer.token_endpoint;
        let body = Bytes::from(request.body.reveal().to_owned());
        let answer = self
            .fetcher
            .post_form(self.fetcher.egress(server, config, place), place, request.authorization, body)
            .await;
        let answer = answer.map_err(|why| NoNext::Later(unfetched(server, place, why)))?;
        match read_issued(answer.status, &answer.body, false) {
            Ok(issued) => Ok(issued),
            Err(why) if why.needs_consent() => {
                if why.is_unknown_client() {
                    self.clients.forget(&row.issuer, &face).await;
                }
                Err(NoNext::Consent(why.to_string()))
            }
            Err(why) => Err(NoNext::Later(untaken(used, &why))),
        }
    }
}

/// Why there is no next pair.
pub(super) enum NoNext {
    /// There will be none without the person.
    Consent(String),
    /// There may be one later.
    Later(Failure),
}

fn untaken(used: &Use<'_>, why: &TokenFault) -> Failure {
    let code = match why {
        TokenFault::Trouble(_) => Code::UpstreamOverloaded,
        TokenFault::Refused(_) => Code::UpstreamCredentials,
        TokenFault::Unusable(_) => Code::UpstreamBroken,
    };
    trouble(used.server, code, &why.to_string())
}
