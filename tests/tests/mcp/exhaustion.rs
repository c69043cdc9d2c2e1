//! Servers without end: each is cut off at its limit, and no other server's caller waits for it.

use std::time::Instant;

use gatehouse_tests::mcp::{Drip, McpServer, StdioScript, Turn, echo_tool};
use gatehouse_tests::{Gate, House};
use serde_json::json;

use super::{house, modern, modern_one};

/// A gateway that has little patience with `s`, and another server beside it.
fn beside(server: &McpServer, honest: &McpServer) -> Gate {
    house(&[("s", server), ("honest", honest)])
        .set("/mcp_servers/s/timeouts", json!({"connect": 0.5, "idle": 0.5, "total": 2.0}))
        .set("/mcp_servers/s/sizes", json!({"message_bytes": 65_536}))
        .start()
}

/// The other server's caller is answered at once.
fn assert_the_other_answers(gate: &Gate) {
    let mut client = gatehouse_tests::mcp::Mcp::modern(&gate.client(), "/mcp/servers/honest");
    assert_eq!(client.call("echo", json!({"text": "I am fine"})).said(), "I am fine");
}

/// Row 25.
#[test]
fn a_server_that_pages_without_end_is_cut_off_and_the_others_are_listed() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.script(|seen| {
        let page = json!({"tools": [echo_tool("echo")], "nextCursor": "more", "ttlMs": 0, "cacheScope": "private"});
        (seen.method() == "tools/list").then(|| Turn::result(page))
    });
    let gate = beside(&server, &honest);
    assert!(modern(&gate.client()).names("tools").iter().any(|name| name.contains("honest")));
    assert!(server.seen_of("tools/list").len() < 2000, "{} pages", server.seen_of("tools/list").len());
    assert_the_other_answers(&gate);
}

/// Row 25.
#[test]
fn a_call_that_only_ever_makes_progress_ends_at_its_time() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.on_call("echo", Turn::endless_progress());
    let gate = beside(&server, &honest);
    let begun = Instant::now();
    let params = json!({"name": "echo", "arguments": {}, "_meta": {"progressToken": "p"}});
    let mut call = modern_one(&gate).open("tools/call", params);
    assert_the_other_answers(&gate);
    let response = call.response();
    assert!(response["error"].is_object() || response["result"]["isError"] == true, "{response}");
    assert!(server.wait_for_cancel() > begun);
}

/// Row 25: what keeps a connection alive is no message, and does not keep a call alive.
#[test]
fn a_stream_that_only_says_that_it_is_there_is_given_up() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.on_call("echo", Turn::endless_comments());
    let gate = beside(&server, &honest);
    let begun = Instant::now();
    assert!(modern_one(&gate).call("echo", json!({})).is_refused());
    assert!(server.wait_for_cancel() > begun);
    assert_the_other_answers(&gate);
}

/// Row 25.
#[test]
fn a_line_without_end_is_cut_off() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.on_call("echo", Turn::endless_line());
    let gate = beside(&server, &honest);
    let begun = Instant::now();
    assert!(modern_one(&gate).call("echo", json!({})).is_refused());
    assert!(server.wait_for_cancel() > begun);
    assert_the_other_answers(&gate);
}

/// Row 25.
#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.on_call("echo", Turn::silence());
    let gate = beside(&server, &honest);
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert_the_other_answers(&gate);
}

#[test]
fn a_server_that_is_dead_breaks_no_list() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    let house = house(&[("s", &server), ("honest", &honest)]);
    drop(server);
    let gate = house.start();
    assert_eq!(modern(&gate.client()).names("tools").len(), 1);
    assert_the_other_answers(&gate);
}

#[test]
fn bytes_that_are_no_message_are_an_error_that_names_the_server() {
    let server = McpServer::modern();
    server.on_call("echo", Turn::garbage(b"<html>Welcome</html>"));
    let gate = super::before(&server);
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused() && answer.complaint().contains('s'), "{}", answer.text);
    assert_eq!(modern_one(&gate).names("tools"), ["echo"]);
}

#[test]
fn a_stream_that_is_cut_is_an_error_and_not_silence() {
    let server = McpServer::modern();
    server.on_call("echo", Turn::cut());
    let gate = super::before(&server);
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
}

/// Row 25, from a child.
#[test]
fn a_child_that_never_ends_its_line_is_cut_off() {
    let child = StdioScript::new("modern").with("endless_line", json!("tools/call"));
    let gate = House::new()
        .set("/mcp_servers/s", json!({"command": child.command(), "pins": "allow_new"}))
        .set("/mcp_servers/s/sizes", json!({"message_bytes": 65_536}))
        .start();
    assert!(modern_one(&gate).call("echo", json!({})).is_refused());
    assert_eq!(gate.client().get("/healthz").status, 200);
}

/// Row 25: bytes keep no call alive, wherever in an answer they drip.
#[test]
fn an_answer_that_drips_byte_by_byte_is_given_up_and_its_server_told() {
    for part in [Drip::Head, Drip::Body, Drip::Event] {
        let (server, honest) = (McpServer::modern(), McpServer::modern());
        server.on_call("echo", Turn::dripping(part));
        let gate = beside(&server, &honest);
        let begun = Instant::now();
        let answer = modern_one(&gate).call("echo", json!({}));
        assert_eq!(answer.messages[0]["error"]["data"]["code"], "upstream_timeout", "{part:?}: {}", answer.text);
        assert!(server.wait_for_cancel() > begun, "{part:?}");
        assert_eq!(gate.ledger_of(1)[0].status, "timed_out", "{part:?}");
    }
}

/// Row 25: no list waits for one that drips, from either era.
#[test]
fn a_list_that_drips_is_left_out_and_the_others_are_there() {
    for server in [McpServer::modern(), McpServer::legacy()] {
        let honest = McpServer::modern();
        server.script(|seen| (seen.method() == "tools/list").then(|| Turn::dripping(Drip::Body)));
        let gate = beside(&server, &honest);
        assert_eq!(modern(&gate.client()).names("tools").len(), 1);
        assert_the_other_answers(&gate);
    }
}

/// Row 25: a server that cannot even introduce itself in time.
#[test]
fn a_greeting_that_drips_is_given_up() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.script(|_| Some(Turn::dripping(Drip::Head)));
    let gate = beside(&server, &honest);
    assert!(modern_one(&gate).call("echo", json!({})).is_refused());
    assert_the_other_answers(&gate);
}

/// Row 25, from a child.
#[test]
fn a_child_whose_line_drips_is_given_up() {
    let child = StdioScript::new("modern").with("drip", json!("tools/call"));
    let gate = House::new()
        .set("/mcp_servers/s", json!({"command": child.command(), "pins": "allow_new"}))
        .set("/mcp_servers/s/timeouts", json!({"idle": 0.5, "total": 2.0}))
        .start();
    assert!(modern_one(&gate).call("echo", json!({})).is_refused());
}

/// Row 25: a hundred calls that drip take nothing from anybody else's.
#[test]
fn many_answers_that_drip_slow_nobody_down() {
    let (server, honest) = (McpServer::modern(), McpServer::modern());
    server.on_call("echo", Turn::dripping(Drip::Event));
    let gate = house(&[("s", &server), ("honest", &honest)])
        .set("/mcp_servers/s/timeouts", json!({"idle": 30, "total": 60}))
        .start();
    let (headers, body) = modern_one(&gate).message(Some(1), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    let calls: Vec<_> = (0..100).map(|_| caller.send("POST", super::ONE, body.to_string().as_bytes())).collect();
    drop(server.wait_for("tools/call", 100));
    for _ in 0..20 {
        assert_the_other_answers(&gate);
    }
    assert_eq!(server.cancels(), 0, "and they are still there");
    drop(calls);
}

/// Row 25, from the other side: a caller whose request drips.
#[test]
fn a_request_that_drips_byte_by_byte_is_given_up_before_any_server_hears_of_it() {
    let server = McpServer::modern();
    let gate = house(&[("s", &server)])
        .set("/server", json!({"header_timeout_secs": 0.5, "body_timeout_secs": 0.5, "idle_timeout_secs": 5.0}))
        .start();
    let (headers, body) = modern_one(&gate).message(Some(1), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    let body = body.to_string();
    let head = caller.head("POST", super::ONE, &[("content-length", &body.len().to_string())]);
    for (whole, bytes, status) in [("", head.as_bytes(), None), (&*head, body.as_bytes(), Some(408))] {
        let raw = gate.stranger().send_raw(whole.as_bytes());
        assert_eq!(raw.drip(bytes).map(|answer| answer.status), status);
    }
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 25: a tool that is known to be quick is given up sooner than its server's others, and one that is slow is waited for.
#[test]
fn each_tool_has_the_time_that_it_is_given() {
    let server = McpServer::modern();
    server.change(|offer| offer.tools.push(echo_tool("slow_echo")));
    server.script(|seen| (seen.method() == "tools/call").then(Turn::silence));
    let gate = house(&[("s", &server)])
        .set("/mcp_servers/s/timeouts", json!({"idle": 30, "total": 30}))
        .set("/mcp_servers/s/tool_timeouts", json!({"slow_*": 0.4}))
        .start();
    let begun = Instant::now();
    let given_up = modern_one(&gate).call("slow_echo", json!({}));
    assert_eq!(given_up.messages[0]["error"]["data"]["code"], "upstream_timeout", "{}", given_up.text);
    assert!(server.wait_for_cancel() > begun, "and the server is told");
    let (headers, body) = modern_one(&gate).message(Some(1), "tools/call", json!({"name": "echo", "arguments": {}}));
    let caller = headers.iter().fold(gate.client(), |caller, (name, value)| caller.header(name, value));
    let other = caller.send("POST", super::ONE, body.to_string().as_bytes());
    drop(server.wait_for("tools/call", 2));
    assert_eq!(server.cancels(), 1, "its neighbour is still waited for");
    drop(other);
    let row = gate.ledger_of(1).into_iter().find(|row| row.model == "s.slow_echo").unwrap();
    assert_eq!(row.status, "timed_out");
}

/// Row 25: who reads resources makes up their URIs, and no table grows by each of them.
#[test]
fn records_have_no_more_names_than_servers_list_things() {
    let server = McpServer::modern();
    let gate = super::before(&server);
    let mut client = modern_one(&gate);
    for uri in ["test://note", "test://notes/1", "test://notes/2", "made-up:1", "made-up:2"] {
        drop(client.request("resources/read", json!({"uri": uri})).result());
    }
    let mut names: Vec<String> = gate.ledger_of(5).into_iter().map(|row| row.model).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["s.other", "s.test://note", "s.test://notes/{id}"]);
}
