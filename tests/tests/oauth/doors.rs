//! The MCP paths as protected resources: which tokens open them, and what those are told that have none.

use gatehouse_tests::mcp::{Mcp, McpServer};
use gatehouse_tests::{Carrier, Gate};
use serde_json::{Value, json};

use super::{access_token, house, tokens};

fn gate(server: &McpServer) -> Gate {
    house().set("/mcp/pins", json!("allow_new")).set("/mcp_servers/s", json!({"url": server.url()})).start()
}

fn hello(gate: &Gate, token: &str, path: &str) -> u16 {
    Mcp::modern(&gate.stranger().key(token), path).hello().status
}

fn call(gate: &Gate, token: &str, path: &str) -> gatehouse_tests::Response {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}, "_meta": meta},
    });
    let client = gate.stranger().key(token).header("accept", "application/json, text/event-stream");
    let client = client.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
    client.header("mcp-name", "echo").post(path, &body)
}

#[test]
fn whoever_has_no_token_is_told_where_to_get_one() {
    let gate = gate(&McpServer::modern());
    for path in ["/mcp", "/mcp/servers/s"] {
        let answer = gate.stranger().post(path, &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert_eq!(answer.status, 401);
        let metadata =
            format!("resource_metadata=\"https://gw.example.com/.well-known/oauth-protected-resource{path}\"");
        assert!(challenge.starts_with("Bearer ") && challenge.contains(&metadata), "{challenge}");
        assert!(challenge.contains("scope=\"mcp:read mcp:tools\"") && !challenge.contains("error"), "{challenge}");
    }
}

#[test]
fn an_access_token_opens_its_resource_and_no_other() {
    let server = McpServer::modern();
    let gate = gate(&server);
    let token = access_token(&gate, "/mcp/servers/s", "mcp:tools");
    assert_eq!(hello(&gate, &token, "/mcp/servers/s"), 200);
    let answer = call(&gate, &token, "/mcp/servers/s");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let refused = call(&gate, &token, "/mcp");
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    for path in ["/v1/models", "/api/v1/whoami", "/api/v1/keys"] {
        assert_eq!(gate.stranger().key(&token).get(path).status, 401, "{path}");
    }
}

#[test]
fn an_access_token_is_shown_in_its_header_and_never_in_a_query() {
    let gate = gate(&McpServer::modern());
    let token = access_token(&gate, "/mcp", "mcp:tools");
    assert_eq!(hello(&gate, &token, "/mcp"), 200);
    let by_query = gate.stranger().key(&token).carrying(Carrier::Query);
    assert_eq!(Mcp::modern(&by_query, "/mcp").hello().status, 401);
}

#[test]
fn a_token_without_the_scope_is_told_all_it_takes() {
    let server = McpServer::modern();
    let gate = gate(&server);
    let token = access_token(&gate, "/mcp/servers/s", "mcp:read");
    assert_eq!(hello(&gate, &token, "/mcp/servers/s"), 200);
    let refused = call(&gate, &token, "/mcp/servers/s");
    assert_eq!(refused.status, 403, "{}", refused.text());
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"mcp:tools:s\"") && challenge.contains("resource_metadata="), "{challenge}");
    assert!(server.seen_of("tools/call").is_empty());
    let token = access_token(&gate, "/mcp/servers/s", "mcp:tools:s");
    assert_eq!(call(&gate, &token, "/mcp/servers/s").status, 200, "the scope that was named is enough");
}

#[test]
fn a_revoked_grant_opens_nothing_from_then_on() {
    let gate = gate(&McpServer::modern());
    let (client, made) = tokens(&gate, gatehouse_tests::KEY, &[]);
    let token = made["access_token"].as_str().unwrap();
    assert_eq!(hello(&gate, token, "/mcp"), 200);
    let fields = [("token", token), ("client_id", client.as_str())];
    assert_eq!(gatehouse_tests::browser::post_form(&gate.stranger(), "/oauth/revoke", &fields).status, 200);
    assert_eq!(hello(&gate, token, "/mcp"), 401);
}

#[test]
fn tokens_signed_with_the_key_before_stay_good_and_those_of_others_never_are() {
    let gate = gate(&McpServer::modern());
    let before = access_token(&gate, "/mcp", "mcp:tools");
    assert_eq!(gate.admin().post("/api/v1/oauth/keys/rotate", &Value::Null).status, 200);
    let after = access_token(&gate, "/mcp", "mcp:tools");
    assert_eq!([hello(&gate, &before, "/mcp"), hello(&gate, &after, "/mcp")], [200, 200]);
    let other = self::gate(&McpServer::modern());
    assert_eq!(hello(&other, &after, "/mcp"), 401, "another gateway of the same name has other keys");
    assert_eq!(gate.stranger().get("/oauth/jwks").json()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_restart_keeps_keys_grants_and_revocations() {
    let mut gate = gate(&McpServer::modern());
    let kept = access_token(&gate, "/mcp", "mcp:tools");
    let (client, made) = tokens(&gate, gatehouse_tests::KEY, &[]);
    let gone = made["access_token"].as_str().unwrap();
    let fields = [("token", gone), ("client_id", client.as_str())];
    drop(gatehouse_tests::browser::post_form(&gate.stranger(), "/oauth/revoke", &fields));
    gate.kill9();
    gate.restart();
    assert_eq!([hello(&gate, &kept, "/mcp"), hello(&gate, gone, "/mcp")], [200, 401]);
}
