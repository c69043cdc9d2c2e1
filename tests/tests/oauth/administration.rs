//! Access tokens at the gateway's own MCP server: a client a person lets in may ask what the person may use, and runs nothing.

use gatehouse_tests::mcp::Mcp;
use gatehouse_tests::{Client, Gate};
use serde_json::json;

use super::{URL, house, text, tokens};

const OWN: &str = "/mcp/servers/gatehouse";
const ADMIN: &str = "gk_test_admin_0b6f2c91e7d84a35";

/// A gateway, and a client that was let in by the person with the admin's key.
fn let_in(resource: &str, scope: &str) -> (Gate, Client) {
    let gate = house().key(json!({"name": "admin", "secret": ADMIN, "role": "admin"})).start();
    let resource = format!("{URL}{resource}");
    let (_, got) = tokens(&gate, ADMIN, &[("resource", &resource), ("scope", scope)]);
    let client = gate.stranger().key(&text(&got["access_token"]));
    (gate, client)
}

#[test]
fn a_client_that_an_administrator_let_in_asks_what_is_there_and_administers_nothing() {
    let (gate, client) = let_in(OWN, "mcp:tools");
    let mut itself = Mcp::modern(&client, OWN);
    assert_eq!(itself.names("tools"), ["list_limits", "list_models", "list_servers", "search_tools", "usage"]);
    assert_eq!(itself.call("list_servers", json!({})).result()["structuredContent"]["rows"][0]["name"], "gatehouse");
    let refused = itself.call("create_key", json!({"name": "robot"}));
    assert!(refused.complaint().contains("not_allowed"), "{}", refused.text);
    assert_eq!(gate.admin().get("/api/v1/keys").json()["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn a_client_that_may_only_read_sees_the_tools_and_calls_none() {
    let (_gate, client) = let_in(OWN, "mcp:read");
    let mut itself = Mcp::modern(&client, OWN);
    assert!(itself.names("tools").contains(&"usage".to_owned()));
    assert_eq!(itself.call("usage", json!({})).status, 403);
}
