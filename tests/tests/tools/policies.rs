//! Policies in Cedar about tools, prompts and resources.

use gatehouse_tests::House;
use gatehouse_tests::mcp::{McpServer, echo_tool};
use serde_json::{Value, json};

use super::{BOT, bot, house, tools};

fn governed(policies: &[&str]) -> House {
    house().key(json!({"name": "bot", "secret": BOT, "team": "support"})).set("/policies", json!(policies))
}

const ALL: &str = "permit (principal, action, resource is Tool);";

#[test]
fn a_forbidden_tool_is_in_no_list_and_to_call_it_is_refused() {
    let forbid = r#"@id("no-adding") forbid (principal in Team::"support", action, resource == Tool::"demo.add");"#;
    let gate = governed(&[ALL, forbid]).start();
    assert_eq!(tools(&bot(&gate)).names("tools"), ["clock", "echo"]);
    assert!(tools(&bot(&gate)).call("add", json!({"a": 1, "b": 1})).is_refused());
    assert_eq!(tools(&gate.client()).names("tools"), ["add", "clock", "echo"]);
}

#[test]
fn once_policies_name_tools_what_none_permits_is_refused_and_models_are_not() {
    let gate = governed(&[r#"permit (principal, action, resource == Tool::"demo.echo");"#])
        .set("/providers/demo", json!({"kind": "demo"}))
        .model("fast", &["demo/demo"])
        .start();
    assert_eq!(tools(&bot(&gate)).names("tools"), ["echo"]);
    assert!(tools(&bot(&gate)).call("clock", json!({})).is_refused());
    assert_eq!(bot(&gate).ask(gatehouse_tests::Dialect::OpenAiChat, "fast", "Hello?").status, 200);
}

#[test]
fn a_policy_speaks_of_servers_and_toolsets() {
    let gate = governed(&[r#"permit (principal, action, resource in Toolset::"clocks");"#])
        .set("/toolsets/clocks", json!({"tools": ["demo.clock"]}))
        .start();
    assert_eq!(tools(&bot(&gate)).names("tools"), ["clock"]);
    let gate = governed(&[r#"permit (principal, action, resource in McpServer::"demo");"#]).start();
    assert_eq!(tools(&bot(&gate)).names("tools").len(), 3);
}

#[test]
fn a_policy_sees_the_arguments_of_each_call_anew() {
    let only_small = r#"@id("small") forbid (principal, action == Action::"call_tool", resource == Tool::"demo.add")
        when { context has arguments && context.arguments.hasTag("a") && context.arguments.getTag("a") == "666" };"#;
    let gate = governed(&[ALL, only_small]).start();
    let mut client = tools(&bot(&gate));
    for _ in 0..2 {
        assert!(!client.call("add", json!({"a": 1, "b": 1})).is_refused());
        let refused = client.call("add", json!({"a": 666, "b": 1}));
        assert!(refused.is_refused() && refused.complaint().contains("`small`"), "{}", refused.text);
    }
}

/// A tool that calls itself harmless.
fn harmless() -> Value {
    let mut tool = echo_tool("echo");
    tool["annotations"] = json!({"readOnlyHint": true});
    tool
}

#[test]
fn what_a_server_says_of_its_tools_counts_only_if_it_is_trusted() {
    let server = McpServer::modern();
    server.change_tools(vec![harmless()]);
    let policy = "permit (principal, action, resource is Tool) when { resource has read_only && resource.read_only };";
    for (trusted, allowed) in [(true, true), (false, false)] {
        let settings = json!({"url": server.url(), "trusted": trusted, "pins": "allow_new"});
        let gate = House::new().set("/mcp_servers/s", settings).set("/policies", json!([policy])).start();
        assert_eq!(!tools(&gate.client()).call("echo", json!({"text": "hi"})).is_refused(), allowed);
    }
}

#[test]
fn prompts_and_resources_are_governed_by_kinds_of_their_own() {
    let gate = governed(&[
        r#"permit (principal, action, resource is Prompt);"#,
        r#"forbid (principal, action == Action::"read_resource", resource in McpServer::"demo");"#,
    ])
    .start();
    let mut client = tools(&bot(&gate));
    assert_eq!(client.names("prompts"), ["greet"]);
    assert!(client.names("resources").is_empty());
    assert!(client.request("resources/read", json!({"uri": "demo://greeting"})).is_refused());
    assert_eq!(client.names("tools").len(), 3, "of tools no policy speaks");
}

#[test]
fn explain_answers_for_tools() {
    let gate = governed(&[ALL]).start();
    let question = json!({"key": "bot", "action": "call_tool", "resource": "demo.add"});
    let answer = gate.admin().post("/api/v1/policy/explain", &question).json();
    assert_eq!((&answer["allow"], &answer["key_permits"]), (&json!(true), &json!(true)), "{answer}");
}
