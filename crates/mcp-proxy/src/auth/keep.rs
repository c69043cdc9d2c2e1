//! Pairs of tokens at rest: in the vault, under names that the rows of connections point to. A new pair is in the vault before
//! its row says so; the old one goes when nothing points to it any more.

use gatehouse_domain::Secret;
use gatehouse_oauth::client::{Issued, Scopes};
use gatehouse_store::vault::Vault;
use gatehouse_store::{McpConnection, McpConnectionKey, McpTokens, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{random_text, unix_ms};

/// The kind of these secrets in the vault.
const KIND: &str = "mcp_token";

/// An access token, and what gets the next one.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    access: String,
    refresh: Option<String>,
}

/// The tables and the vault.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) vault: Vault,
}

/// What a new pair is good for.
pub(super) struct About<'a> {
    pub(super) issuer: &'a str,
    pub(super) resource: &'a str,
    pub(super) asked: &'a Scopes,
}

impl Keeper {
    /// A connection and its pair, as they stand now.
    pub(super) async fn current(
        &self,
        key: McpConnectionKey<'_>,
    ) -> Result<Option<(McpConnection, Option<Pair>)>, StoreError> {
        for _ in 0..4 {
            let Some(row) = self.store.mcp_connection(key).await? else { return Ok(None) };
            let pair = self.pair(&row).await?;
            // A pair that is gone was replaced in between: the row says by which one.
            if pair.is_some() || row.tokens.is_empty() {
                return Ok(Some((row, pair)));
            }
        }
        Ok(self.store.mcp_connection(key).await?.map(|row| (row, None)))
    }

    /// The pair a row points to.
    async fn pair(&self, row: &McpConnection) -> Result<Option<Pair>, StoreError> {
        let text = self.vault.get(&row.organisation, KIND, &row.tokens).await?;
        let written = text.and_then(|text| serde_json::from_str::<Written>(text.reveal()).ok());
        Ok(written.map(|pair| Pair { access: Secret::new(pair.access), refresh: pair.refresh.map(Secret::new) }))
    }

    /// Puts a pair in force after generation `row.generation`; `None` if that is over. A refresh that brings no new refresh token
    /// leaves the old one good (RFC 6749 §6).
    pub(super) async fn advance(
        &self,
        row: &McpConnection,
        issued: &Issued,
        before: Option<&Secret>,
        about: &About<'_>,
    ) -> Result<Option<Pair>, StoreError> {
        let now = unix_ms();
        let pair = Pair { access: issued.token.clone(), refresh: issued.refresh.clone().or_else(|| before.cloned()) };
        let written = Written {
            access: pair.access.reveal().to_owned(),
            refresh: pair.refresh.as_ref().map(|refresh| refresh.reveal().to_owned()),
        };
        let text = Secret::new(serde_json::to_string(&written).unwrap_or_default());
        let name = format!("{}/{}", row.id, random_text()?);
        self.vault.put(&row.organisation, KIND, &name, &text, now).await?;
        // What was asked for counts as well as what was granted: it is asked for again at a step up, and not asked twice.
        let scopes = about.asked.clone().union(issued.scopes.as_ref().unwrap_or(&Scopes::default())).to_string();
        let tokens = McpTokens {
            name: &name,
            issuer: about.issuer,
            resource: about.resource,
            scopes: &scopes,
            expires_unix_ms: issued.expires_in_secs.map(|secs| now.saturating_add(secs.saturating_mul(1000))),
            refreshable: pair.refresh.is_some(),
        };
        let first = self.store.advance_mcp_connection(&row.id, row.generation, &tokens, now).await?;
        let stale = if first { &row.tokens } else { &name };
        self.vault.delete(&row.organisation, KIND, stale).await?;
        Ok(first.then_some(pair))
    }

    /// Puts a pair in force whatever was before: somebody has just agreed.
    pub(super) async fn connect(
        &self,
        key: McpConnectionKey<'_>,
        issued: &Issued,
        about: &About<'_>,
    ) -> Result<McpConnection, StoreError> {
        for _ in 0..8 {
            let row = self.store.open_mcp_connection(key, unix_ms()).await?;
            if self.advance(&row, issued, None, about).await?.is_some() {
                break;
            }
        }
        self.store.open_mcp_connection(key, unix_ms()).await
    }

    /// Forgets a connection and its tokens, and says which they were.
    pub(super) async fn forget(&self, id: &str) -> Result<Option<(McpConnection, Option<Pair>)>, StoreError> {
        let Some(row) = self.store.forget_mcp_connection(id).await? else { return Ok(None) };
        let pair = self.pair(&row).await?;
        self.vault.delete(&row.organisation, KIND, &row.tokens).await?;
        Ok(Some((row, pair)))
    }
}
