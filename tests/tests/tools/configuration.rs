//! What may be declared where, and what becomes of a change. Rows 1 and 2: nobody starts a program over the network.

use std::time::Instant;

use gatehouse_tests::mcp::{Mcp, McpServer};
use gatehouse_tests::{Gate, House, PATIENCE, run_cli};
use serde_json::{Value, json};

use super::{BOT, bot, house, tools};

/// Row 1.
#[test]
fn a_command_over_the_api_is_refused_to_everybody_and_starts_nothing() {
    let gate = house().key(json!({"name": "bot", "secret": BOT, "role": "developer"})).start();
    let canary = gate.folder().join("canary");
    let server = json!({"command": ["touch", canary.to_str().unwrap()]});
    assert_eq!(put(&bot(&gate), &server).0, 403);
    let (status, told) = put(&gate.admin(), &server);
    assert!(status == 400 && told.contains("only the configuration file may have this"), "{status} {told}");
    assert!(!canary.exists());
}

fn put(client: &gatehouse_tests::Client, server: &Value) -> (u16, String) {
    let answer = client.send("PUT", "/api/v1/mcp_servers/x", server.to_string().as_bytes()).response();
    (answer.status, answer.text())
}

/// Row 1: neither by way of what a program would be given, nor by a file of the machine.
#[test]
fn nothing_of_this_machine_is_reached_through_the_api() {
    let gate = house().start();
    for server in [
        json!({"url": "https://example.com/mcp", "env": {"LD_PRELOAD": "/tmp/x.so"}}),
        json!({"openapi": "/etc/passwd", "base_url": "https://example.com"}),
        json!({"url": "https://example.com/mcp", "headers": {"x": "${HOME}"}}),
    ] {
        assert_eq!(put(&gate.admin(), &server).0, 400, "{server}");
    }
}

/// Row 2.
#[test]
fn a_bad_command_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    let line = format!("touch {}", canary.display());
    for command in [json!(line), json!([]), json!([""]), json!(["touch", "a\u{0}b"])] {
        let file = folder.path().join("gatehouse.yaml");
        std::fs::write(&file, json!({"mcp_servers": {"x": {"command": command}}}).to_string()).unwrap();
        let checked = run_cli(&["check", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.code() == Some(1) && said.contains("mcp_servers.x.command"), "{command}: {said}");
    }
    assert!(!canary.exists());
}

#[test]
fn a_server_made_over_the_api_is_in_force_when_the_answer_is_there() {
    let gate = House::new().start();
    assert_eq!(put(&gate.admin(), &json!({"builtin": "demo"})).0, 201);
    wait_for(&gate, "/mcp/servers/x", 3);
    let gone = gate.admin().send("DELETE", "/api/v1/mcp_servers/x", b"").response();
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(Mcp::modern(&gate.client(), "/mcp/servers/x").hello().status, 404);
}

/// Waits until an endpoint lists so many tools: lists are fetched beside the calls.
#[track_caller]
fn wait_for(gate: &Gate, path: &str, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut client = Mcp::modern(&gate.client(), path);
    while client.hello().status != 200 || client.names("tools").len() != count {
        assert!(Instant::now() < deadline, "never {count} tools at {path}:\n{}", gate.logs());
    }
}

#[test]
fn a_changed_file_changes_what_is_offered_and_leaves_other_servers_connections_alone() {
    let server = McpServer::legacy();
    let house = House::new().set("/mcp_servers/s", json!({"url": server.url(), "pins": "allow_new"}));
    let gate = house.start();
    let mut client = Mcp::legacy(&gate.client(), "/mcp/servers/s");
    assert_eq!(client.call("echo", json!({"text": "before"})).said(), "before");
    gate.rewrite_config(&house.set("/mcp_servers/demo", json!({"builtin": "demo"})).file());
    wait_for(&gate, "/mcp/servers/demo", 3);
    assert_eq!(client.call("echo", json!({"text": "after"})).said(), "after");
    let calls = server.seen_of("tools/call");
    assert_eq!(calls[0].header("mcp-session-id"), calls[1].header("mcp-session-id"), "one session with the server");
}

#[test]
fn a_dead_server_breaks_no_list() {
    let house = house().set("/mcp_servers/dead", json!({"url": "http://127.0.0.1:1/mcp"}));
    let gate = house.start();
    assert_eq!(tools(&gate.client()).names("tools"), ["add", "clock", "echo"]);
    assert_eq!(Mcp::modern(&gate.client(), "/mcp/servers/dead").names("tools"), Vec::<String>::new());
}

#[test]
fn doctor_says_which_server_cannot_be_reached() {
    let gate = house()
        .set("/mcp_servers/dead", json!({"url": "http://127.0.0.1:1/mcp"}))
        .set("/mcp_servers/missing", json!({"command": ["no-such-program-anywhere"]}))
        .start();
    let output = gate.try_run(&["doctor", "--output", "json"], "");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = |check: &str| {
        let rows = told["rows"].as_array().unwrap();
        rows.iter().find(|row| row["check"] == check).map(|row| row["status"].clone()).unwrap_or_default()
    };
    assert_eq!(status("MCP server demo"), "ok", "{told}");
    assert_eq!((status("MCP server dead"), status("MCP server missing")), (json!("problem"), json!("problem")));
}
