//! What keys, and those they belong to, permit.

use gatehouse_tests::House;
use gatehouse_tests::mcp::{Mcp, McpServer};
use serde_json::{Value, json};

use super::{BOT, bot, house, tools};

/// Two servers, a toolset over one tool of the second, and the second key with these fields.
fn two_servers(key: &Value) -> House {
    let mut bot = json!({"name": "bot", "secret": BOT});
    bot.as_object_mut().unwrap().extend(key.as_object().unwrap().clone());
    house()
        .set("/mcp_servers/other", json!({"builtin": "demo"}))
        .set("/toolsets/clocks", json!({"tools": ["other.clock"]}))
        .key(bot)
}

#[test]
fn a_key_without_lists_uses_every_server() {
    let gate = two_servers(&json!({})).start();
    assert_eq!(tools(&bot(&gate)).names("tools").len(), 6);
}

#[test]
fn a_key_with_servers_sees_and_calls_their_tools_alone() {
    let gate = two_servers(&json!({"mcp_servers": ["demo"]})).start();
    assert_eq!(tools(&bot(&gate)).names("tools").len(), 3);
    assert_eq!(Mcp::modern(&bot(&gate), "/mcp/servers/demo").call("echo", json!({"text": "hi"})).said(), "hi");
    assert!(Mcp::modern(&bot(&gate), "/mcp/servers/other").call("echo", json!({"text": "hi"})).is_refused());
}

#[test]
fn a_toolset_permits_its_tools_wherever_they_are_called() {
    let gate = two_servers(&json!({"mcp_servers": ["demo"], "toolsets": ["clocks"]})).start();
    let mut toolset = Mcp::modern(&bot(&gate), "/mcp/toolsets/clocks");
    let names = toolset.names("tools");
    assert!(names.len() == 1 && !toolset.call(&names[0], json!({})).is_refused(), "{names:?}");
    assert_eq!(tools(&bot(&gate)).names("tools").len(), 4);
}

#[test]
fn a_toolset_of_others_is_not_found_and_neither_is_one_that_is_not_there() {
    let gate =
        two_servers(&json!({"toolsets": ["clocks"]})).set("/toolsets/adds", json!({"tools": ["demo.add"]})).start();
    for path in ["/mcp/toolsets/adds", "/mcp/toolsets/nothing"] {
        assert_eq!(Mcp::modern(&bot(&gate), path).hello().status, 404, "{path}");
    }
}

#[test]
fn what_a_team_may_not_use_none_of_its_keys_may() {
    let gate = two_servers(&json!({"team": "support", "mcp_servers": ["demo", "other"]}))
        .set("/teams", json!({"support": {"mcp_servers": ["other"]}}))
        .start();
    assert!(Mcp::modern(&bot(&gate), "/mcp/servers/demo").call("clock", json!({})).is_refused());
    assert!(!Mcp::modern(&bot(&gate), "/mcp/servers/other").call("clock", json!({})).is_refused());
}

#[test]
fn a_caller_without_a_key_is_told_to_send_one() {
    let server = McpServer::modern();
    let gate = House::new().set("/mcp_servers/s", json!({"url": server.url()})).start();
    assert_eq!(tools(&gate.stranger()).call("echo", json!({})).status, 401);
    assert!(server.seen_of("tools/call").is_empty());
}
