//! Few tools in context: a toolset that searches offers two tools in place of all, and gives nobody more than a list would.

use gatehouse_tests::mcp::{Mcp, McpServer, echo_tool};
use gatehouse_tests::{Gate, House};
use serde_json::{Value, json};

use super::{OTHER_KEY, other};

/// The endpoint of these tests.
const DESK: &str = "/mcp/toolsets/desk";

fn tool(name: &str, description: &str) -> Value {
    let mut tool = echo_tool(name);
    tool["description"] = json!(description);
    tool
}

/// A mail server and a calendar behind one searching toolset; the second key may use the calendar alone.
fn desk(mail: &McpServer, calendar: &McpServer) -> House {
    mail.change(|offer| {
        offer.tools = vec![tool("send", "Sends an e-mail to somebody"), tool("read", "Reads the newest e-mail")];
    });
    calendar.change(|offer| offer.tools = vec![tool("book", "Books a meeting in the calendar")]);
    House::new()
        .key(json!({"name": "other", "secret": OTHER_KEY, "mcp_servers": ["calendar"]}))
        .set("/mcp/pins", json!("allow_new"))
        .set("/mcp_servers/mail", json!({"url": mail.url()}))
        .set("/mcp_servers/calendar", json!({"url": calendar.url()}))
        .set("/toolsets/desk", json!({"tools": ["mail.*", "calendar.*"], "search": true}))
}

/// The names that a search gives.
fn found(client: &mut Mcp, query: &str) -> Vec<String> {
    let result = client.call("find_tools", json!({"query": query, "limit": 20})).result();
    let tools = result["structuredContent"]["tools"].as_array().unwrap_or_else(|| panic!("tools in {result}")).clone();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn at_desk(gate: &Gate) -> Mcp {
    Mcp::modern(&gate.client(), DESK)
}

#[test]
fn a_searching_toolset_lists_two_tools_and_finds_the_others() {
    let (mail, calendar) = (McpServer::modern(), McpServer::modern());
    let gate = desk(&mail, &calendar).start();
    assert_eq!(at_desk(&gate).names("tools"), ["find_tools", "call_tool"]);
    assert_eq!(found(&mut at_desk(&gate), "send an e-mail")[0], "send");
    assert_eq!(found(&mut at_desk(&gate), "book a meeting"), ["book"]);
    let result = at_desk(&gate).call("find_tools", json!({"query": "send an e-mail"})).result();
    let first = &result["structuredContent"]["tools"][0];
    assert_eq!(first["inputSchema"], echo_tool("send")["inputSchema"], "what a model needs to call it");
}

#[test]
fn a_tool_that_was_found_is_called_under_its_own_name_and_on_record() {
    let (mail, calendar) = (McpServer::modern(), McpServer::legacy());
    let gate = desk(&mail, &calendar).start();
    let called = json!({"name": "book", "arguments": {"text": "at nine"}});
    for mut client in [at_desk(&gate), Mcp::legacy(&gate.client(), DESK)] {
        assert_eq!(client.call("call_tool", called.clone()).said(), "at nine");
    }
    assert_eq!(calendar.wait_for("tools/call", 2).name(), "book");
    let rows = gate.ledger_of(2);
    assert!(rows.iter().all(|row| row.provider == "calendar" && row.model == "calendar.book"), "{rows:?}");
}

#[test]
fn nobody_finds_or_calls_what_its_key_may_not_use() {
    let (mail, calendar) = (McpServer::modern(), McpServer::modern());
    let gate = desk(&mail, &calendar).start();
    let mut client = Mcp::modern(&other(&gate), DESK);
    assert!(found(&mut client, "send an e-mail").is_empty());
    assert_eq!(found(&mut client, "book a meeting"), ["book"]);
    let unknown = client.call("call_tool", json!({"name": "no_such_tool", "arguments": {}})).complaint();
    let hidden = client.call("call_tool", json!({"name": "send", "arguments": {}})).complaint();
    assert_eq!(hidden, unknown.replace("no_such_tool", "send"), "what is not for a caller is like what is not there");
    assert!(mail.seen_of("tools/call").is_empty());
}

#[test]
fn nobody_finds_or_calls_what_a_policy_forbids() {
    let (mail, calendar) = (McpServer::modern(), McpServer::modern());
    let policies = json!([
        "permit (principal, action, resource is Tool);",
        r#"forbid (principal, action, resource == Tool::"mail.send");"#,
    ]);
    let gate = desk(&mail, &calendar).set("/policies", policies).start();
    assert_eq!(found(&mut at_desk(&gate), "send an e-mail"), ["read"]);
    assert!(at_desk(&gate).call("call_tool", json!({"name": "send", "arguments": {}})).is_refused());
    assert!(mail.seen_of("tools/call").is_empty());
}

#[test]
fn a_question_without_words_and_a_call_without_a_name_say_what_is_missing() {
    let (mail, calendar) = (McpServer::modern(), McpServer::modern());
    let gate = desk(&mail, &calendar).start();
    assert!(at_desk(&gate).call("find_tools", json!({})).complaint().contains("query"));
    assert!(at_desk(&gate).call("call_tool", json!({"arguments": {}})).complaint().contains("name"));
    let listed = json!({"name": "book", "arguments": ["a"]});
    assert!(at_desk(&gate).call("call_tool", listed).is_refused());
}

#[test]
fn what_a_servers_tools_weigh_in_a_context_is_shown() {
    let (mail, calendar) = (McpServer::modern(), McpServer::modern());
    let gate = desk(&mail, &calendar).start();
    let servers = gate.admin().get("/api/v1/mcp/servers").json();
    let weight = |name: &str| {
        let rows = servers["rows"].as_array().unwrap().iter();
        rows.filter(|row| row["name"] == name).find_map(|row| row["tool_tokens"].as_u64()).unwrap()
    };
    assert!(weight("calendar") > 10 && weight("mail") > weight("calendar"), "{servers}");
}
