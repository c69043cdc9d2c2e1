//! Connections to MCP servers: every change happens to the generation it was decided on, or not at all.

use super::{Home, START};
use crate::{McpConnection, McpConnectionKey, McpConnectionState, McpTokens};

const KEY: McpConnectionKey<'static> = McpConnectionKey { organisation: "acme", server: "github", owner: "user/alice" };

fn tokens(name: &str) -> McpTokens<'_> {
    McpTokens {
        name,
        issuer: "https://as.example",
        resource: "https://mcp.example",
        scopes: "a b",
        expires_unix_ms: Some(START + 60_000),
        refreshable: true,
    }
}

async fn connected(home: &Home) -> McpConnection {
    let opened = home.store.open_mcp_connection(KEY, START).await.unwrap();
    assert!(home.store.advance_mcp_connection(&opened.id, 0, &tokens("one"), START).await.unwrap());
    home.store.mcp_connection(KEY).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_connection_is_opened_once_and_connected_by_tokens() {
    let home = Home::new().await;
    let (first, second) = (
        home.store.open_mcp_connection(KEY, START).await.unwrap(),
        home.store.open_mcp_connection(KEY, START).await.unwrap(),
    );
    assert_eq!((first.id, second.state), (second.id, McpConnectionState::NeedsConsent));
    let connected = connected(&home).await;
    assert_eq!((connected.generation, &*connected.tokens), (1, "one"));
    assert_eq!(connected.state, McpConnectionState::Connected);
}

#[tokio::test]
async fn a_change_to_a_generation_that_is_over_does_not_happen() {
    let home = Home::new().await;
    let id = connected(&home).await.id;
    assert!(home.store.advance_mcp_connection(&id, 1, &tokens("two"), START).await.unwrap());
    assert!(!home.store.advance_mcp_connection(&id, 1, &tokens("late"), START).await.unwrap());
    assert!(!home.store.mcp_needs_consent(&id, 1, "late", START).await.unwrap());
    assert_eq!(home.store.mcp_connection(KEY).await.unwrap().unwrap().tokens, "two");
}

#[tokio::test]
async fn one_refresher_at_a_time_until_its_time_is_over() {
    let home = Home::new().await;
    let id = connected(&home).await.id;
    let claim = |who: &'static str, now: u64| home.store.claim_mcp_refresh(&id, 1, who, now + 30_000, now);
    assert!(claim("a", START).await.unwrap());
    assert!(!claim("b", START + 1).await.unwrap());
    assert!(claim("b", START + 30_000).await.unwrap());
    home.store.release_mcp_refresh(&id, "a").await.unwrap();
    assert!(!claim("a", START + 30_001).await.unwrap());
    home.store.release_mcp_refresh(&id, "b").await.unwrap();
    assert!(claim("a", START + 30_002).await.unwrap());
}

#[tokio::test]
async fn what_needs_consent_keeps_its_tokens_and_is_not_refreshed() {
    let home = Home::new().await;
    let id = connected(&home).await.id;
    assert!(home.store.mcp_needs_consent(&id, 1, "invalid_grant", START).await.unwrap());
    let row = home.store.mcp_connection(KEY).await.unwrap().unwrap();
    assert_eq!((&*row.tokens, &*row.reason), ("one", "invalid_grant"));
    assert!(!home.store.claim_mcp_refresh(&id, 1, "a", START + 9, START).await.unwrap());
}

#[tokio::test]
async fn a_forgotten_connection_is_gone() {
    let home = Home::new().await;
    let id = connected(&home).await.id;
    assert_eq!(home.store.forget_mcp_connection(&id).await.unwrap().unwrap().tokens, "one");
    assert!(home.store.mcp_connections(0).await.unwrap().is_empty());
}
