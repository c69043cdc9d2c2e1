//! Guardrails on what tools are called with and what they answer. Row 13: what a server may not learn reaches no server, and what a
//! client may not read reaches no client.

use gatehouse_tests::House;
use gatehouse_tests::mcp::{Mcp, McpServer, Turn};
use serde_json::{Value, json};

use super::tools;

const CANARY: &str = "canary 7f3a9c sings";
const LABEL: &str = "[REDACTED:regex]";

fn catches(action: &str, on: &str, tools: Value) -> Value {
    json!([{"name": "canaries", "on": [on], "detect": "regex", "action": action, "tools": tools,
        "patterns": [{"name": "canary", "regex": "canary [0-9a-f]{6} sings"}]}])
}

fn guarded(server: &McpServer, guardrails: Value) -> House {
    House::new().set("/mcp_servers/s", json!({"url": server.url(), "pins": "allow_new"})).set("/guardrails", guardrails)
}

#[test]
fn a_canary_in_arguments_is_blocked_before_the_server_is_asked() {
    let server = McpServer::modern();
    let gate = guarded(&server, catches("block", "tool_args", json!([]))).start();
    let refused = tools(&gate.client()).call("echo", json!({"text": CANARY}));
    assert!(refused.is_refused() && refused.complaint().contains("`canaries`"), "{}", refused.text);
    assert!(!refused.text.contains(CANARY));
    assert!(server.seen_of("tools/call").is_empty());
    assert!(!tools(&gate.client()).call("echo", json!({"text": "quiet"})).is_refused());
}

#[test]
fn a_canary_in_arguments_is_redacted_and_nothing_else_moves() {
    let server = McpServer::modern();
    let gate = guarded(&server, catches("redact", "tool_args", json!([]))).start();
    let answer = tools(&gate.client()).call("echo", json!({"text": format!("say {CANARY}"), "n": 1.5}));
    assert!(!answer.is_refused(), "{}", answer.text);
    let arrived = server.wait_for("tools/call", 1);
    assert_eq!(arrived.body["params"]["arguments"], json!({"text": format!("say {LABEL}"), "n": 1.5}));
}

/// A result whose text repeats its structure.
fn structured() -> Value {
    let value = json!({"note": format!("the {CANARY}")});
    json!({"resultType": "complete", "structuredContent": value,
        "content": [{"type": "text", "text": value.to_string()}, {"type": "text", "text": CANARY}]})
}

#[test]
fn a_canary_in_a_result_is_redacted_in_text_and_structure_alike() {
    let server = McpServer::modern();
    server.on("tools/call", Turn::result(structured()));
    let gate = guarded(&server, catches("redact", "tool_result", json!([]))).start();
    let result = tools(&gate.client()).call("echo", json!({"text": "x"})).result();
    assert_eq!(result["structuredContent"]["note"], format!("the {LABEL}"));
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    assert_eq!(result["content"][1]["text"], LABEL);
}

#[test]
fn a_canary_in_the_result_of_a_task_is_redacted_there() {
    let server = McpServer::modern();
    let extension = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    server.change(|offer| offer.capabilities["extensions"] = extension["extensions"].clone());
    server.script(|seen| match seen.method() {
        "tools/call" => Some(Turn::result(json!({"resultType": "task", "taskId": "t1", "status": "working"}))),
        "tasks/get" => Some(Turn::result(json!({"taskId": "t1", "status": "completed", "result": structured()}))),
        _ => None,
    });
    let gate = guarded(&server, catches("redact", "tool_result", json!([]))).start();
    let mut client = Mcp::modern_with(&gate.client(), "/mcp", extension);
    let task = client.call("echo", json!({})).result()["taskId"].clone();
    let ended = client.request("tasks/get", json!({"taskId": task})).result();
    assert_eq!(ended["result"]["content"][1]["text"], LABEL, "{ended}");
}

#[test]
fn a_canary_in_a_result_is_blocked_and_said_to_be() {
    let server = McpServer::modern();
    server.on("tools/call", Turn::result(structured()));
    let gate = guarded(&server, catches("block", "tool_result", json!([]))).start();
    let refused = tools(&gate.client()).call("echo", json!({"text": "x"}));
    assert!(refused.is_refused() && refused.complaint().contains("`canaries`"), "{}", refused.text);
    assert!(!refused.text.contains(CANARY));
}

#[test]
fn a_guardrail_of_some_tools_leaves_the_others_alone() {
    let server = McpServer::modern();
    let gate = guarded(&server, catches("block", "tool_args", json!(["s.other*"]))).start();
    assert!(!tools(&gate.client()).call("echo", json!({"text": CANARY})).is_refused());
    let gate = guarded(&server, catches("block", "tool_args", json!(["s.ec*"]))).start();
    assert!(tools(&gate.client()).call("echo", json!({"text": CANARY})).is_refused());
}

#[test]
fn what_looked_stands_in_the_request_log() {
    let server = McpServer::modern();
    let gate = guarded(&server, catches("redact", "tool_args", json!([]))).start();
    assert!(!tools(&gate.client()).call("echo", json!({"text": CANARY})).is_refused());
    let line = gate.wait_for_log("the guarded call", |line| line["dialect"] == "mcp" && !line["guardrails"].is_null());
    let run = &line["guardrails"][0];
    assert_eq!((&run["point"], &run["action"]), (&json!("tool_args"), &json!("redact")), "{line}");
}
