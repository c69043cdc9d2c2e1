//! Rounds as a story: what is asked for, what is answered, what is called next.

use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{Door, Now, RequestId, Rounds as _};
use http::StatusCode;
use serde_json::json;

use super::*;

fn asked(dialect: DialectName, body: &Value) -> Result<Option<Rounds>, Fault> {
    let door = Door { dialect: dialect.as_str(), operation: "chat", code: 0, subject: None };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("gateway.test"));
    let request = Request {
        id: RequestId::default(),
        now: Now(SystemTime::UNIX_EPOCH),
        method: Method::POST,
        door,
        query: None,
        headers,
        body: body.to_string().into(),
    };
    read(dialect, &request, &Home::new(&Arc::from("https://gw.example.com")))
}

fn reply(body: &Value) -> Vec<Reply> {
    vec![Reply { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_string().into() }]
}

fn made(round: Result<Round, Fault>) -> Vec<(String, Value)> {
    match round.unwrap() {
        Round::Make(calls) => {
            calls.iter().map(|call| (call.path.to_string(), serde_json::from_slice(&call.body).unwrap())).collect()
        }
        Round::Done(reply) => panic!("done: {}", String::from_utf8_lossy(&reply.body)),
    }
}

fn done(round: Result<Round, Fault>) -> Value {
    match round.unwrap() {
        Round::Done(reply) => serde_json::from_slice(&reply.body).unwrap(),
        Round::Make(calls) => panic!("not done: {calls:?}"),
    }
}

fn tool(url: &str) -> Value {
    json!({ "type": "mcp", "server_label": "desk", "server_url": url, "require_approval": "never" })
}

fn response(tools: Value) -> Value {
    json!({ "model": "m", "input": "Add.", "tools": tools })
}

fn offer() -> Vec<Reply> {
    reply(
        &json!({ "result": { "tools": [{ "name": "add", "description": "Adds.", "inputSchema": { "type": "object" } }] } }),
    )
}

fn sum() -> Vec<Reply> {
    reply(&json!({ "result": { "content": [{ "type": "text", "text": "5" }] } }))
}

fn calls(id: &str) -> Value {
    json!({ "output": [{ "type": "function_call", "call_id": id, "name": "add", "arguments": "{\"a\":2}" }], "usage": { "input_tokens": 7 } })
}

#[test]
fn only_tools_of_this_gateway_are_taken_over() {
    let own = |url: &str| asked(DialectName::OpenAiResponses, &response(json!([tool(url)]))).unwrap().is_some();
    for url in ["/mcp", "/mcp/servers/a", "https://gw.example.com/mcp/toolsets/b", "http://gateway.test/mcp/"] {
        assert!(own(url), "{url}");
    }
    for url in [
        "https://elsewhere.example.com/mcp",
        "/mcp/servers/a/b",
        "/mcp/servers/..%2f",
        "https://gw.example.com.evil.test/mcp",
        "http://gateway.test:81/mcp",
        "/v1/responses",
    ] {
        assert!(!own(url), "{url}");
    }
}

#[test]
fn what_nobody_can_approve_is_refused_with_a_way_out() {
    let mut of = tool("/mcp");
    of["require_approval"] = "always".into();
    let fault = asked(DialectName::OpenAiResponses, &response(json!([of]))).err().unwrap();
    assert!(fault.message.contains("require_approval: \"never\""), "{}", fault.message);
}

#[test]
fn a_model_that_calls_a_tool_is_told_its_result_and_the_caller_is_told_both() {
    let mut rounds =
        asked(DialectName::OpenAiResponses, &response(json!([tool("/mcp/servers/desk")]))).unwrap().unwrap();
    assert_eq!(made(rounds.next(Vec::new()))[0].0, "/mcp/servers/desk");
    let (path, body) = made(rounds.next(offer())).remove(0);
    assert_eq!((&*path, &body["tools"][0]["name"]), ("/v1/responses", &json!("add")));
    let (_, call) = made(rounds.next(reply(&calls("c1")))).remove(0);
    assert_eq!(call["params"], json!({ "name": "add", "arguments": { "a": 2 } }));
    let (_, body) = made(rounds.next(sum())).remove(0);
    assert_eq!(body["input"][2], json!({ "type": "function_call_output", "call_id": "c1", "output": "5" }));
    let said = json!({ "output": [{ "type": "message" }], "usage": { "input_tokens": 9 }, "status": "completed" });
    let whole = done(rounds.next(reply(&said)));
    let kinds: Vec<_> = whole["output"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["mcp_list_tools", "mcp_call", "message"]);
    assert_eq!((&whole["usage"]["input_tokens"], &whole["tools"][0]["type"]), (&json!(16), &json!("mcp")));
}

#[test]
fn a_model_that_never_stops_is_stopped() {
    let mut rounds = asked(DialectName::OpenAiResponses, &response(json!([tool("/mcp")]))).unwrap().unwrap();
    drop((made(rounds.next(Vec::new())), made(rounds.next(offer()))));
    for _ in 1..ROUNDS_MAX {
        drop((made(rounds.next(reply(&calls("c")))), made(rounds.next(sum()))));
    }
    drop(made(rounds.next(reply(&calls("c")))));
    let whole = done(rounds.next(sum()));
    assert_eq!(whole["incomplete_details"]["reason"], "max_tool_calls");
}

#[test]
fn what_was_said_before_is_shown_to_the_model_as_it_saw_it() {
    let body = json!({
        "model": "m", "max_tokens": 9, "mcp_servers": [{ "type": "url", "url": "/mcp", "name": "desk" }],
        "messages": [
            { "role": "user", "content": "Add." },
            { "role": "assistant", "content": [
                { "type": "mcp_tool_use", "id": "mcptoolu_1", "name": "add", "server_name": "desk", "input": {} },
                { "type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": false, "content": [] },
                { "type": "text", "text": "Five." },
            ] },
        ],
    });
    let mut rounds = asked(DialectName::Anthropic, &body).unwrap().unwrap();
    drop(made(rounds.next(Vec::new())));
    let (_, body) = made(rounds.next(offer())).remove(0);
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(body["messages"][1]["content"][0]["type"], "tool_use");
    assert!(body.get("mcp_servers").is_none(), "{body}");
}

#[test]
fn tools_of_the_callers_own_keep_their_names_and_end_the_rounds() {
    let own = json!({ "type": "function", "name": "add", "parameters": {} });
    let mut rounds = asked(DialectName::OpenAiResponses, &response(json!([own, tool("/mcp")]))).unwrap().unwrap();
    drop(made(rounds.next(Vec::new())));
    let (_, body) = made(rounds.next(offer())).remove(0);
    assert_eq!((&body["tools"][0]["name"], &body["tools"][1]["name"]), (&json!("add"), &json!("desk_add")));
    let both = json!({ "output": [
        { "type": "function_call", "call_id": "1", "name": "desk_add", "arguments": "{}" },
        { "type": "function_call", "call_id": "2", "name": "add", "arguments": "{}" },
    ] });
    drop(made(rounds.next(reply(&both))));
    let whole = done(rounds.next(sum()));
    assert_eq!(
        (&whole["output"][1]["type"], &whole["output"][2]["type"]),
        (&json!("mcp_call"), &json!("function_call"))
    );
}
