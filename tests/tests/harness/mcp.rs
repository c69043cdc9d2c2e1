//! The MCP half of the harness on itself: what the scripted server says, the client reads; what goes wrong, both see.

use gatehouse_tests::mcp::{McpServer, Turn};
use serde_json::json;

use crate::mcp::{legacy_with, modern};

#[test]
fn a_stateless_client_calls_a_stateless_server() {
    let server = McpServer::modern();
    let mut client = modern(&server.client());
    assert_eq!(client.names("tools"), ["echo"]);
    assert_eq!(client.call("echo", json!({"text": "hello"})).said(), "hello");
    assert_eq!(server.wait_for("tools/call", 1).header("mcp-name"), Some("echo"));
}

#[test]
fn a_server_of_one_era_refuses_a_client_of_the_other() {
    assert_eq!(modern(&McpServer::legacy().client()).hello().status, 400);
    let server = McpServer::modern();
    let answer =
        server.client().post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}));
    assert_eq!(answer.status, 400);
}

#[test]
fn a_session_asks_its_client_in_the_middle_of_a_call() {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("thanks").after_asking("elicitation/create", json!({"message": "name?"})));
    let mut client = legacy_with(&server.client(), json!({"elicitation": {}}));
    let mut call = client.open("tools/call", json!({"name": "echo"}));
    let question = call.wait_for("elicitation/create");
    assert_eq!(client.answer(&question, &json!({"action": "accept"})).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "thanks");
}

#[test]
fn who_listens_hears_of_changes() {
    let server = McpServer::modern();
    let mut listen =
        modern(&server.client()).open("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    assert_eq!(listen.next().unwrap()["method"], "notifications/subscriptions/acknowledged");
    server.change_tools(Vec::new());
    assert_eq!(listen.next().unwrap()["method"], "notifications/tools/list_changed");
}

#[test]
fn a_forgotten_session_is_not_found() {
    let server = McpServer::legacy();
    let mut client = legacy_with(&server.client(), json!({}));
    server.forget_sessions();
    assert_eq!(client.call("echo", json!({})).status, 404);
}

#[test]
fn a_client_that_leaves_a_call_is_noticed() {
    let server = McpServer::modern();
    server.on_call("echo", Turn::silence());
    let call = server.client().send(
        "POST",
        "/mcp",
        modern(&server.client()).message(Some(1), "tools/call", json!({"name": "echo"})).1.to_string().as_bytes(),
    );
    drop(server.wait_for("tools/call", 1));
    let left = call.leave();
    assert!(server.wait_for_cancel() >= left);
}
