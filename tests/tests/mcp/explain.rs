//! Why a tool is not there for somebody: the first thing that stands in the way, over the API and over the command line.

use gatehouse_tests::KEY_OF_ADMIN;
use gatehouse_tests::mcp::McpServer;
use gatehouse_tests::{Gate, House};
use serde_json::{Value, json};

use super::{OTHER_KEY, house};

/// A server with a toolset that has its tool and one that has not; the second key has the first toolset alone.
fn two_toolsets(server: &McpServer) -> House {
    server.change(|offer| offer.tools.push(gatehouse_tests::mcp::echo_tool("more")));
    House::new()
        .key(json!({"name": "other", "secret": OTHER_KEY, "toolsets": ["echoes"]}))
        .set("/mcp/pins", json!("allow_new"))
        .set("/mcp_servers/s", json!({"url": server.url()}))
        .set("/toolsets/echoes", json!({"tools": ["s.echo"]}))
        .set("/toolsets/others", json!({"tools": ["s.more"]}))
}

/// The id of the key of this name.
fn key(gate: &Gate, name: &str) -> String {
    let keys = gate.admin().get("/api/v1/keys").json();
    let found = keys["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
    found.and_then(|row| row["id"].as_str()).unwrap_or_else(|| panic!("{name} in {keys}")).to_owned()
}

/// The answer of the API.
fn explained(gate: &Gate, key: &str, tool: &str, endpoint: &str) -> Value {
    let answer = gate.admin().get(&format!("/api/v1/mcp/explain?key={key}&tool={tool}&endpoint={endpoint}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn why(gate: &Gate, key: &str, tool: &str, endpoint: &str) -> String {
    explained(gate, key, tool, endpoint)["why"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_key_with_a_toolset_sees_its_tool_there_and_among_all() {
    let server = McpServer::modern();
    let gate = two_toolsets(&server).start();
    let bot = key(&gate, "other");
    for endpoint in ["/mcp", "/mcp/toolsets/echoes"] {
        assert_eq!(why(&gate, &bot, "s.echo", endpoint), "visible", "{endpoint}");
        let mut client = gatehouse_tests::mcp::Mcp::modern(&super::other(&gate), endpoint);
        assert_eq!(client.names("tools"), ["echo"], "and so it is");
        assert_eq!(client.call("echo", json!({"text": "mine"})).said(), "mine", "{endpoint}");
    }
    assert_eq!(why(&gate, &bot, "s.more", "/mcp"), "key");
    assert_eq!(why(&gate, &key(&gate, "test"), "s.more", "/mcp"), "visible");
}

#[test]
fn a_key_that_may_not_enter_an_endpoint_is_told_so() {
    let server = McpServer::modern();
    let gate = two_toolsets(&server).start();
    let bot = key(&gate, "other");
    for (tool, endpoint, wanted) in
        [("s.more", "/mcp/toolsets/others", "`toolsets`"), ("s.echo", "/mcp/servers/s", "`mcp_servers`")]
    {
        let told = explained(&gate, &bot, tool, endpoint);
        assert_eq!((&told["why"], &told["visible"]), (&json!("key"), &json!(false)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(wanted), "{told}");
        assert_eq!(gatehouse_tests::mcp::Mcp::modern(&super::other(&gate), endpoint).hello().status, 404, "{endpoint}");
    }
}

#[test]
fn every_other_reason_has_its_word() {
    let (server, held) = (McpServer::modern(), McpServer::modern());
    let gate = two_toolsets(&server)
        .set("/mcp_servers/held", json!({"url": held.url(), "pins": "hold_new"}))
        .set("/mcp_servers/dead", json!({"url": "http://127.0.0.1:1/mcp"}))
        .set(
            "/policies",
            json!([
                "permit (principal, action, resource is Tool);",
                r#"@id("not-this") forbid (principal, action, resource == Tool::"s.more");"#,
            ]),
        )
        .start();
    let me = key(&gate, "test");
    for (tool, endpoint, expected) in [
        ("s.echo", "/mcp", "visible"),
        ("s.more", "/mcp", "policy"),
        ("held.echo", "/mcp", "held"),
        ("s.none", "/mcp", "no_such_tool"),
        ("dead.echo", "/mcp", "server_never_seen"),
        ("nobody.echo", "/mcp", "no_such_server"),
        ("s.more", "/mcp/toolsets/echoes", "not_in_toolset"),
        ("s.echo", "/mcp/toolsets/nowhere", "no_such_endpoint"),
    ] {
        assert_eq!(why(&gate, &me, tool, endpoint), expected, "{tool} at {endpoint}");
    }
    assert!(explained(&gate, &me, "s.more", "/mcp")["message"].as_str().unwrap().contains("not-this"));
}

#[test]
fn the_command_line_says_what_the_api_says() {
    let server = McpServer::modern();
    let gate = two_toolsets(&server).start();
    let (url, bot) = (format!("http://{}", gate.address()), key(&gate, "other"));
    let output = gatehouse_tests::run_cli(&[
        "mcp",
        "explain",
        "--key",
        &bot,
        "--tool",
        "s.more",
        "--endpoint",
        "/mcp/toolsets/others",
        "--url",
        &url,
        "--admin-key",
        KEY_OF_ADMIN,
        "--output",
        "json",
    ]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = explained(&gate, &bot, "s.more", "/mcp/toolsets/others");
    assert_eq!((&printed["rows"][0]["why"], &printed["rows"][0]["message"]), (&told["why"], &told["message"]));
}

#[test]
fn a_key_nobody_has_is_not_told_from_one_that_may_nothing_by_accident() {
    let server = McpServer::modern();
    let gate = house(&[("s", &server)]).start();
    let answer = gate.admin().get("/api/v1/mcp/explain?key=nobody&tool=s.echo");
    assert!(answer.status == 400 && answer.text().contains("no key"), "{}", answer.text());
}
