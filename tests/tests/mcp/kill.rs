//! `kill -9` under a load of tool calls: sessions go on, no process is left behind, and the ledger has each call exactly once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatehouse_tests::mcp::{Mcp, McpServer, StdioScript};
use gatehouse_tests::{Client, Gate, House};
use serde_json::json;

/// How often the gateway is killed.
const KILLS: usize = 3;

/// Calls until told to stop, or until the gateway is gone; counts whole answers.
fn call_until(client: &Client, session: &Mcp, stop: &AtomicBool, answered: &AtomicUsize) {
    let (headers, body) = session.message(Some(1), "tools/call", json!({"name": "echo", "arguments": {"text": "x"}}));
    let caller = headers.iter().fold(client.clone(), |caller, (name, value)| caller.header(name, value));
    while !stop.load(Ordering::Relaxed) {
        let call = caller.try_send("POST", "/mcp/servers/s", body.to_string().as_bytes());
        match call.and_then(gatehouse_tests::Raw::try_response) {
            Some(answer) if answer.status == 200 && answer.whole => answered.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

fn kill_under_load(gate: &mut Gate, server: &McpServer, sessions: &[Mcp], answered: &AtomicUsize) {
    let stop = AtomicBool::new(false);
    let client = gate.client();
    std::thread::scope(|scope| {
        for session in sessions {
            let (client, stop) = (&client, &stop);
            scope.spawn(move || call_until(client, session, stop, answered));
        }
        drop(server.wait_for("tools/call", server.seen_of("tools/call").len() + 20));
        gate.kill9();
        stop.store(true, Ordering::Relaxed);
    });
    gate.restart();
}

#[test]
fn a_kill_under_load_loses_no_session_no_row_and_leaves_no_process() {
    let (server, child) = (McpServer::legacy(), StdioScript::new("legacy").with("deaf", json!(true)));
    let mut gate = House::new()
        .set("/mcp_servers/s", json!({"url": server.url(), "pins": "allow_new"}))
        .set("/mcp_servers/child", json!({"command": child.command(), "pins": "allow_new"}))
        .start();
    let sessions = [
        Mcp::legacy(&gate.client(), "/mcp/servers/s"),
        Mcp::modern(&gate.client(), "/mcp/servers/s"),
        Mcp::legacy(&gate.client(), "/mcp/servers/s"),
    ];
    let mut with_child = Mcp::modern(&gate.client(), "/mcp/servers/child");
    assert_eq!(with_child.call("echo", json!({"text": "here"})).said(), "here");
    let before = child.living();
    let answered = AtomicUsize::new(0);
    for _ in 0..KILLS {
        kill_under_load(&mut gate, &server, &sessions, &answered);
    }
    for session in sessions {
        assert_eq!(session.calling_as(&gate.client()).call("echo", json!({"text": "on"})).said(), "on");
    }
    child.wait_until_gone(&before);
    one_row_each(&gate, &server, answered.into_inner());
}

/// Each call the server took has exactly one row; a row more is an attempt that was killed before it left.
fn one_row_each(gate: &Gate, server: &McpServer, answered: usize) {
    let calls = server.seen_of("tools/call").len();
    // One more is the child's.
    let rows: Vec<_> = gate.ledger_of(calls + 1).into_iter().filter(|row| row.provider == "s").collect();
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rows.len(), "an attempt with two rows");
    let unsent = rows.iter().filter(|row| row.status == "interrupted").count();
    assert!(
        rows.len() >= calls && rows.len() - calls <= unsent,
        "{calls} calls, {} rows, {unsent} interrupted",
        rows.len()
    );
    assert!(rows.iter().filter(|row| row.status == "ok").count() >= answered);
}
