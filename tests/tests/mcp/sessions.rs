//! What belongs to one caller, and is nobody else's: sessions, states of calls, tasks.

use gatehouse_tests::mcp::{Mcp, McpServer, Turn};
use serde_json::{Value, json};

use super::{before, house, legacy_one, modern_one, other};

/// Row 7.
#[test]
fn a_session_is_good_only_where_it_was_opened() {
    let (a, b) = (McpServer::legacy(), McpServer::legacy());
    let gate = house(&[("a", &a), ("b", &b)]).start();
    let client = Mcp::legacy(&gate.client(), "/mcp/servers/a");
    let mut elsewhere = client.clone().at("/mcp/servers/b");
    assert!([403, 404].contains(&elsewhere.call("echo", json!({})).status));
    assert!(b.seen_of("tools/call").is_empty());
    let mut at_home = client;
    assert_eq!(at_home.call("echo", json!({"text": "home"})).said(), "home");
}

/// Row 7.
#[test]
fn a_session_is_good_only_for_whom_it_was_opened() {
    let server = McpServer::legacy();
    let gate = before(&server);
    let mut thief = legacy_one(&gate).calling_as(&other(&gate));
    assert!([403, 404].contains(&thief.call("echo", json!({})).status));
    assert!([403, 404].contains(&thief.leave().status));
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 7: a session that was opened under other rules is not gone on with.
#[test]
fn a_session_ends_when_policies_change_or_its_key_may_less() {
    let server = McpServer::legacy();
    let open = house(&[("s", &server)]);
    let gate = open.start();
    let in_force = |change: gatehouse_tests::House| {
        gate.rewrite_config(&change.file());
        assert_eq!(gate.admin().post("/api/v1/config/reload", &json!({})).status, 200);
    };
    let mut client = legacy_one(&gate);
    assert_eq!(client.call("echo", json!({"text": "before"})).said(), "before");
    in_force(open.clone().set("/policies", json!(["permit (principal, action, resource);"])));
    assert_eq!(client.call("echo", json!({})).status, 404, "other policies");
    let mut client = legacy_one(&gate);
    in_force(
        open.set("/keys/0/mcp_servers", json!(["another"])).set("/mcp_servers/another", json!({"builtin": "demo"})),
    );
    assert!([403, 404].contains(&client.call("echo", json!({})).status), "the key lost the server");
    assert_eq!(server.seen_of("tools/call").len(), 1);
}

/// Rows 7 and 9: a session is made with a key that is made at the first start, not one that everybody knows.
#[test]
fn a_session_somebody_made_up_is_not_found() {
    let server = McpServer::legacy();
    let gate = before(&server);
    let session = legacy_one(&gate).session().unwrap().to_owned();
    assert!(session.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "visible ASCII: {session}");
    let mut turned: Vec<u8> = session.clone().into_bytes();
    turned.reverse();
    for forged in ["made-up", &session[..session.len() - 1], &String::from_utf8(turned).unwrap()] {
        assert_eq!(legacy_one(&gate).with_session(forged).call("echo", json!({})).status, 404, "{forged}");
    }
    let another = McpServer::legacy();
    let elsewhere = before(&another);
    assert_eq!(legacy_one(&elsewhere).with_session(&session).call("echo", json!({})).status, 404);
}

/// Row 8.
#[test]
fn two_callers_never_share_a_session_with_a_server() {
    let server = McpServer::legacy();
    let gate = before(&server);
    for client in [gate.client(), other(&gate)] {
        assert_eq!(Mcp::legacy(&client, super::ONE).call("echo", json!({"text": "me"})).said(), "me");
    }
    let calls = server.seen_of("tools/call");
    let sessions: Vec<_> = calls.iter().map(|seen| seen.header("mcp-session-id").unwrap()).collect();
    assert_eq!(sessions.len(), 2);
    assert_ne!(sessions[0], sessions[1]);
}

/// Row 8: stateless callers of a server with sessions do not share one either.
#[test]
fn two_stateless_callers_never_share_a_session_with_a_server() {
    let server = McpServer::legacy();
    let gate = before(&server);
    for client in [gate.client(), other(&gate)] {
        assert_eq!(modern_one(&gate).calling_as(&client).call("echo", json!({"text": "me"})).said(), "me");
    }
    let calls = server.seen_of("tools/call");
    assert_ne!(calls[0].header("mcp-session-id"), calls[1].header("mcp-session-id"));
}

#[test]
fn a_session_survives_a_restart_of_the_gateway() {
    let server = McpServer::legacy();
    let mut gate = before(&server);
    let client = legacy_one(&gate);
    gate.kill9();
    gate.restart();
    let mut client = client.calling_as(&gate.client());
    assert_eq!(client.call("echo", json!({"text": "still here"})).said(), "still here");
}

/// A server that answers 404 has not looked at the call (2025-11-25, session management), so it is made again in a new session.
#[test]
fn a_session_a_server_forgot_is_opened_anew_and_who_calls_is_told() {
    let server = McpServer::legacy();
    let gate = before(&server);
    for mut client in [legacy_one(&gate), modern_one(&gate)] {
        let first = client.call("echo", json!({"text": "one"}));
        assert_eq!((first.said(), &first.result()["_meta"]["gatehouse/session_lost"]), ("one".into(), &Value::Null));
        server.forget_sessions();
        let second = client.call("echo", json!({"text": "two"}));
        assert_eq!((second.said(), &second.result()["_meta"]["gatehouse/session_lost"]), ("two".into(), &json!(true)));
        let third = client.call("echo", json!({"text": "three"})).result();
        assert_eq!(third["_meta"]["gatehouse/session_lost"], Value::Null, "it is told once");
    }
    drop(gate.wait_for_log("the lost session", |line| {
        line["message"].as_str().is_some_and(|said| said.contains("forgotten"))
    }));
}

/// The keys that seal what clients keep are one file. Two gateways that have the same serve each other's sessions.
#[test]
fn a_session_is_good_on_every_replica_with_the_same_keys() {
    let server = McpServer::legacy();
    let one = before(&server);
    let mut two = before(&server);
    let client = legacy_one(&one);
    let on =
        |gate: &gatehouse_tests::Gate| client.clone().calling_as(&gate.client()).call("echo", json!({"text": "x"}));
    assert_eq!(on(&two).status, 404, "each gateway makes keys of its own");
    two.terminate();
    two.wait_for_exit();
    let keys = |gate: &gatehouse_tests::Gate| gate.folder().join("gatehouse-data/mcp-token-key");
    std::fs::copy(keys(&one), keys(&two)).unwrap();
    two.restart();
    assert_eq!(on(&two).said(), "x");
    assert_eq!(on(&one).said(), "x");
}

#[test]
fn a_session_that_was_ended_is_not_found() {
    let server = McpServer::legacy();
    let gate = before(&server);
    let mut client = legacy_one(&gate);
    assert!([200, 202, 204].contains(&client.leave().status));
    assert_eq!(client.call("echo", json!({})).status, 404);
}

/// A server that wants one answer, then is content.
fn curious() -> McpServer {
    let server = McpServer::modern();
    server.script(|seen| {
        let question = json!({"method": "elicitation/create", "params": {"mode": "form", "message": "Sure?",
            "requestedSchema": {"type": "object", "properties": {}}}});
        let pending =
            json!({"resultType": "input_required", "inputRequests": {"sure": question}, "requestState": "up-state"});
        match (seen.method(), seen.body["params"]["requestState"].as_str()) {
            ("tools/call", None) => Some(Turn::result(pending)),
            ("tools/call", Some("up-state")) => Some(Turn::text("done")),
            ("tools/call", Some(_)) => Some(Turn::error(-32602, "not my state")),
            _ => None,
        }
    });
    server.change(|offer| offer.tools.push(gatehouse_tests::mcp::echo_tool("other")));
    server
}

/// The second half of a call: the answer, and the state it was given.
fn retry(tool: &str, state: &Value) -> Value {
    json!({"name": tool, "arguments": {}, "inputResponses": {"sure": {"action": "accept", "content": {}}}, "requestState": state})
}

/// Row 19.
#[test]
fn a_state_comes_back_from_its_own_caller_for_its_own_call_or_not_at_all() {
    let server = curious();
    let gate = before(&server);
    let mut client = Mcp::modern_with(&gate.client(), super::ONE, json!({"elicitation": {"form": {}}}));
    let state = client.call("echo", json!({})).result()["requestState"].clone();
    assert_ne!(state, "up-state", "a state is sealed");
    let mut tampered = state.as_str().unwrap().to_owned();
    tampered.pop();
    let mut thief = client.clone().calling_as(&other(&gate));
    assert!(thief.request("tools/call", retry("echo", &state)).is_refused());
    assert!(client.request("tools/call", retry("other", &state)).is_refused());
    assert!(client.request("tools/call", retry("echo", &json!(tampered))).is_refused());
    assert_eq!(server.seen_of("tools/call").len(), 1, "the server hears of none of them");
    assert_eq!(client.request("tools/call", retry("echo", &state)).said(), "done");
}

/// Row 19: a state is good on every replica that has the same keys, and after a restart.
#[test]
fn a_state_outlives_the_gateway_that_gave_it() {
    let server = curious();
    let mut gate = before(&server);
    let mut client = Mcp::modern_with(&gate.client(), super::ONE, json!({"elicitation": {"form": {}}}));
    let state = client.call("echo", json!({})).result()["requestState"].clone();
    gate.kill9();
    gate.restart();
    let mut client = client.calling_as(&gate.client());
    assert_eq!(client.request("tools/call", retry("echo", &state)).said(), "done");
}

/// Row 22.
#[test]
fn a_task_is_its_owners() {
    let server = McpServer::modern();
    server.change(|offer| offer.capabilities["extensions"] = json!({"io.modelcontextprotocol/tasks": {}}));
    server.script(|seen| match seen.method() {
        "tools/call" => Some(Turn::result(json!({
            "resultType": "task", "taskId": "t1", "status": "working", "ttlMs": 60_000, "pollIntervalMs": 100,
            "createdAt": "2026-11-22T00:00:00Z", "lastUpdatedAt": "2026-11-22T00:00:00Z",
        }))),
        "tasks/get" => Some(Turn::result(json!({"taskId": seen.body["params"]["taskId"], "status": "working"}))),
        _ => None,
    });
    let gate = before(&server);
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let mut client = Mcp::modern_with(&gate.client(), super::ONE, tasks);
    let task = client.call("echo", json!({})).result()["taskId"].clone();
    let mut thief = client.clone().calling_as(&other(&gate));
    assert_eq!(thief.request("tasks/get", json!({"taskId": task})).code(), -32602);
    assert_eq!(thief.request("tasks/get", json!({"taskId": "t1"})).code(), -32602);
    assert!(server.seen_of("tasks/get").is_empty());
    assert_eq!(client.request("tasks/get", json!({"taskId": task})).result()["status"], "working");
    assert_eq!(server.wait_for("tasks/get", 1).body["params"]["taskId"], "t1");
}
