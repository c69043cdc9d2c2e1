//! Servers that ask a client's model, and a model of the gateway that answers for clients that have none.

use gatehouse_tests::mcp::{Mcp, McpServer, Turn};
use gatehouse_tests::{Dialect, Gate, House, Upstream};
use serde_json::{Value, json};

fn question() -> Value {
    json!({"messages": [{"role": "user", "content": {"type": "text", "text": "Which colour?"}}], "maxTokens": 20})
}

fn before(server: &McpServer, upstream: &Upstream) -> House {
    House::with_one(Dialect::OpenAiChat, upstream)
        .set("/mcp/pins", json!("allow_new"))
        .set("/mcp_servers/asker", json!({"url": server.url(), "sampling_model": "fast"}))
}

fn legacy(gate: &Gate, capabilities: Value) -> Mcp {
    Mcp::legacy_with(&gate.client(), "/mcp/servers/asker", capabilities)
}

/// A server that asks in the middle of a call.
fn asker() -> McpServer {
    let server = McpServer::legacy();
    server.on_call("echo", Turn::text("thanks").after_asking("sampling/createMessage", question()));
    server
}

#[test]
fn a_server_of_the_older_era_is_answered_by_the_model_of_the_configuration() {
    let (server, upstream) = (asker(), Upstream::start());
    let gate = before(&server, &upstream).start();
    assert_eq!(legacy(&gate, json!({})).call("echo", json!({})).said(), "thanks");
    assert_eq!(Mcp::modern(&gate.client(), "/mcp/servers/asker").call("echo", json!({})).said(), "thanks");
    assert!(upstream.wait_for_request(2).json().to_string().contains("Which colour?"));
    assert_eq!(gate.ledger_of(4).len(), 4, "each call has a row of its tool and one of the model");
}

#[test]
fn a_modern_server_is_answered_too() {
    let (server, upstream) = (McpServer::modern(), Upstream::start());
    server.script(|seen| {
        let answered = &seen.body["params"]["inputResponses"]["colour"];
        (seen.method() == "tools/call").then(|| match answered["content"]["text"].as_str() {
            Some(text) => Turn::text(text),
            None => Turn::result(json!({"resultType": "input_required", "requestState": "s",
                "inputRequests": {"colour": {"method": "sampling/createMessage", "params": question()}}})),
        })
    });
    let gate = before(&server, &upstream).start();
    assert_eq!(legacy(&gate, json!({})).call("echo", json!({})).said(), "Hello from the provider.");
    let mut modern = Mcp::modern(&gate.client(), "/mcp/servers/asker");
    assert_eq!(modern.call("echo", json!({})).said(), "Hello from the provider.");
}

#[test]
fn a_client_with_a_model_of_its_own_is_asked_itself() {
    let (server, upstream) = (asker(), Upstream::start());
    let gate = before(&server, &upstream).start();
    let mut client = legacy(&gate, json!({"sampling": {}}));
    let mut call = client.open("tools/call", json!({"name": "echo", "arguments": {}}));
    let question = call.wait_for("sampling/createMessage");
    let answer = json!({"role": "assistant", "content": {"type": "text", "text": "Blue."}, "model": "mine"});
    assert_eq!(client.answer(&question, &answer).status, 202);
    assert_eq!(call.response()["result"]["content"][0]["text"], "thanks");
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_model_that_the_caller_may_not_use_answers_nothing() {
    let (server, upstream) = (asker(), Upstream::start());
    let forbid = r#"forbid (principal, action, resource == Model::"fast");"#;
    let policies = json!(["permit (principal, action, resource);", forbid]);
    let gate = before(&server, &upstream).set("/policies", policies).start();
    drop(legacy(&gate, json!({})).call("echo", json!({})));
    assert_eq!(upstream.served(), 0);
}
