//! What a configuration may say of MCP servers and toolsets.

use std::time::Duration;

use gatehouse_domain::{Money, On, Payer, PayerKind};
use serde_json::json;

use super::objects::with;
use super::{bad, good, refused, warnings};
use crate::mcp::{McpAuth, McpTransport, OwnServer, Pins};

/// A server `x` with these fields.
fn server(fields: &str) -> String {
    format!("mcp_servers: {{x: {{{fields}}}}}\n")
}

#[test]
fn the_example_of_the_contract_is_understood() {
    let mcp = good(
        "mcp_servers:\n  time:   {command: [uvx, mcp-server-time]}\n  github: {url: \"https://example.com/mcp\", auth: \
         {bearer: \"${OPENAI_API_KEY}\"}}\n  petstore: {openapi: ./petstore.yaml, base_url: \
         \"http://127.0.0.1:9000\"}\ntoolsets:\n  support: {tools: [\"time.*\", \"github.search_*\"], search: false}\nkeys:\n  - \
         {name: ci, secret: 0123456789abcdef, mcp_servers: [time], toolsets: [support]}\n",
    )
    .mcp;
    assert!(
        matches!(&mcp.servers["time"].transport, McpTransport::Stdio { command, .. } if command[1] == "mcp-server-time")
    );
    assert!(
        matches!(&mcp.servers["github"].auth, McpAuth::Bearer(token) if token.reveal() == "sk-from-the-environment")
    );
    let McpTransport::OpenApi { document, base_url, .. } = &mcp.servers["petstore"].transport else { panic!("no API") };
    assert_eq!((document["openapi"].as_str(), base_url.origin.port), (Some("3.1.0"), 9000));
    assert_eq!(mcp.toolsets["support"].tools.len(), 2);
}

#[test]
fn a_server_that_says_no_more_than_its_url_has_the_defaults_of_the_section() {
    let mcp =
        good("mcp: {pins: hold_new, timeouts: {total: 30}}\nmcp_servers: {x: {url: \"https://example.com/mcp\"}}\n")
            .mcp;
    let x = &mcp.servers["x"];
    assert_eq!((x.pins, x.total, x.idle), (Pins::HoldNew, Duration::from_secs(30), Duration::from_secs(30)));
    assert_eq!((x.connect, x.message_bytes, x.concurrent), (Duration::from_secs(10), 16 << 20, 256));
    assert!(!x.trusted && !x.shared && !x.park);
}

#[test]
fn exactly_one_way_leads_to_a_server() {
    assert!(bad(server("trusted: true")).contains("mcp_servers.x: nothing leads to this server"));
    let two = bad(server("url: \"https://example.com/mcp\", command: [a]"));
    assert!(two.contains("mcp_servers.x.command: `url` leads to the server already (keep one of them)"), "{two}");
}

#[test]
fn settings_of_another_transport_are_refused_where_they_stand() {
    refused(
        "mcp_servers:\n  x:\n    url: \"https://example.com/mcp\"\n    env: {A: b}\n",
        &["gatehouse.yaml:4:5: mcp_servers.x.env: belongs to `command` (remove it)"],
    );
    let headers = bad(server("command: [a], headers: {a: b}"));
    assert!(headers.contains("mcp_servers.x.headers: belongs to `url` and `openapi`"), "{headers}");
    assert!(
        bad(server("url: \"https://example.com\", base_url: \"https://example.com\"")).contains("belongs to `openapi`")
    );
}

#[test]
fn an_unknown_key_or_word_is_met_with_a_near_one() {
    refused(
        "mcp_servers:\n  x: {url: \"https://example.com/mcp\", pins: hold_change}\n",
        &["gatehouse.yaml:2:45: mcp_servers.x.pins: `hold_change` is not a known value (did you mean `hold_changed`?)"],
    );
    assert!(bad(server("uri: \"https://example.com/mcp\"")).contains("unknown key (did you mean `url`?)"));
}

#[test]
fn a_command_is_a_list_and_no_line_for_a_shell() {
    assert!(bad(server("command: \"uvx mcp-server-time\"")).contains("expected a list, found text"));
    assert!(bad(server("command: []")).contains("mcp_servers.x.command: empty"));
    let warned = warnings(&server("command: [\"uvx mcp-server-time\"]"));
    assert!(warned[0].contains("no shell reads it: write [uvx, mcp-server-time]"), "{warned:?}");
}

#[test]
fn a_server_is_shown_one_kind_of_credentials() {
    let url = "url: \"https://example.com/mcp\"";
    assert!(bad(server(&format!("{url}, auth: {{}}"))).contains("exactly one kind is needed"));
    let two = server(&format!("{url}, auth: {{bearer: abc, per_user: {{}}}}"));
    assert!(bad(two).contains("mcp_servers.x.auth: exactly one kind is needed"));
    let per_user = good(&server(&format!("{url}, auth: {{per_user: {{scopes: [read]}}}}"))).mcp;
    assert!(matches!(&per_user.servers["x"].auth, McpAuth::PerUser(client) if client.scopes == ["read"]));
}

#[test]
fn callers_with_tokens_of_their_own_never_share_a_session() {
    let both = bad(server("url: \"https://example.com/mcp\", shared: true, auth: {per_user: {}}"));
    assert!(
        both.contains("mcp_servers.x.shared: callers with credentials of their own cannot share a session"),
        "{both}"
    );
}

#[test]
fn a_name_has_no_point_because_it_is_cut_from_its_tools_there() {
    let dotted = bad("mcp_servers: {a.b: {builtin: demo}}\n");
    assert!(dotted.contains("mcp_servers.a.b: not a name of 1 to 64 letters"), "{dotted}");
}

#[test]
fn the_gateways_own_server_has_its_name_for_itself() {
    let taken = "mcp_servers:\n  gatehouse: {builtin: demo}\n";
    refused(
        taken,
        &[
            "gatehouse.yaml:2:3: mcp_servers.gatehouse: `gatehouse` is the gateway's own MCP server (choose another name; \
           `mcp.gatehouse` says where the gateway's own is offered)",
        ],
    );
    assert!(bad(format!("mcp: {{gatehouse: off}}\n{taken}")).contains("is the gateway's own"));
}

#[test]
fn a_key_or_a_toolset_may_name_the_gateways_own_server_where_it_is_offered() {
    let named = "toolsets: {ops: {tools: [\"gatehouse.usage\"]}}\nkeys:\n- {name: k, secret: 0123456789abcdef, \
                 mcp_servers: [gatehouse]}\n";
    assert_eq!(good(named).mcp.own_server, OwnServer::Apart);
    assert_eq!(good(&format!("mcp: {{gatehouse: everywhere}}\n{named}")).mcp.own_server, OwnServer::Everywhere);
    assert!(bad(format!("mcp: {{gatehouse: off}}\n{named}")).contains("there is no MCP server `gatehouse`"));
}

#[test]
fn an_api_is_described_by_openapi_3() {
    let old = bad(server("openapi: swagger.json, base_url: \"https://example.com\""));
    assert!(old.contains("mcp_servers.x.openapi: not an OpenAPI 3 document"), "{old}");
    let away = bad(server("openapi: \"https://example.com/api.json\", base_url: \"https://example.com\""));
    assert!(away.contains("a URL is not read here"), "{away}");
    assert!(bad(server("openapi: nowhere.json, base_url: \"https://example.com\"")).contains("cannot read"));
    assert!(bad(server("openapi: petstore.yaml")).contains("`base_url` is missing"));
}

#[test]
fn the_most_exact_price_comes_first() {
    let prices =
        &good(&server("builtin: demo, prices: {\"*\": 0, search_*: 0.001, search_code: 0.002}")).mcp.servers["x"]
            .prices;
    let shown: Vec<_> = prices.iter().map(|(name, price)| (&**name, price.nano_usd)).collect();
    let usd = |usd| Money::from_usd(usd).nano_usd;
    assert_eq!(shown, [("search_code", usd(0.002)), ("search_*", usd(0.001)), ("*", 0)]);
    assert!(bad(server("builtin: demo, prices: {a: -1}")).contains("-1 is not a price"));
}

#[test]
fn a_toolset_names_tools_of_servers_there_are() {
    let demo = "mcp_servers: {demo: {builtin: demo}}\n";
    refused(
        &format!("{demo}toolsets:\n  t: {{tools: [\"demoo.*\"]}}\n"),
        &["gatehouse.yaml:3:15: toolsets.t.tools[0]: there is no MCP server `demoo` (did you mean `demo`?)"],
    );
    assert!(bad(format!("{demo}toolsets: {{t: {{tools: []}}}}\n")).contains("it would offer nothing"));
    assert!(bad(format!("{demo}toolsets: {{t: {{tools: [demo]}}}}\n")).contains("`demo` names no tool of a server"));
    assert!(bad(format!("{demo}toolsets: {{t: {{tools: [\"demo.a*b\"]}}}}\n")).contains("only stand at the end"));
    assert_eq!(good(&format!("{demo}toolsets: {{t: {{tools: [\"*\"]}}}}\n")).mcp.toolsets.len(), 1);
}

#[test]
fn two_tools_of_a_toolset_cannot_have_one_name() {
    let overrides = "overrides: {demo.add: {name: sum}, demo.echo: {name: sum}}";
    let twice = bad(format!(
        "mcp_servers: {{demo: {{builtin: demo}}}}\ntoolsets: {{t: {{tools: [\"demo.*\"], {overrides}}}}}\n"
    ));
    assert!(twice.contains("toolsets.t.overrides.demo.echo.name: `demo.add` has this name already"), "{twice}");
}

#[test]
fn whoever_may_use_servers_names_some_that_are_there() {
    let file = "mcp_servers: {demo: {builtin: demo}}\nteams: {a: {mcp_servers: [dem]}}\nkeys:\n- {name: k, secret: \
                0123456789abcdef, toolsets: [none]}\n";
    let problems = bad(file);
    assert!(
        problems.contains("teams.a.mcp_servers[0]: there is no MCP server `dem` (did you mean `demo`?)"),
        "{problems}"
    );
    assert!(problems.contains("keys[0].toolsets[0]: there is no toolset `none`"), "{problems}");
}

#[test]
fn tools_have_limits_and_budgets_of_their_own() {
    let config = good(
        "mcp_servers: {demo: {builtin: demo, limits: [{requests: 5, per: minute}]}}\nlimits:\n- {on: {tool: \"demo.*\"}, \
         budgets: [{usd: 1, per: day}]}\n- {on: {mcp_server: \"*\"}, limits: [{concurrent: 3}]}\n",
    );
    assert_eq!(config.mcp.servers["demo"].terms.rules.len(), 1);
    assert_eq!(config.limits[0].0, On::One(Payer::new(PayerKind::Tool, "demo.*")));
    assert_eq!(config.limits[1].0, On::Each(PayerKind::McpServer));
    let tokens = bad("mcp_servers: {demo: {builtin: demo, limits: [{tokens: 5, per: minute}]}}\n");
    assert!(tokens.contains("calls of tools have no tokens"), "{tokens}");
}

#[test]
fn what_starts_programs_or_reads_files_comes_from_the_file_alone() {
    for (body, pointer) in [
        (json!({"command": ["touch", "/tmp/canary"]}), "/command"),
        (json!({"url": "https://example.com/mcp", "env": {"A": "b"}}), "/env"),
        (json!({"openapi": "/etc/passwd", "base_url": "https://example.com"}), "/openapi"),
    ] {
        let problems = with("", &[("mcp_servers", "x", body)]).unwrap_err();
        let first = problems.0.iter().find(|problem| problem.message == "only the configuration file may have this");
        assert_eq!(first.unwrap().belongs.as_ref().unwrap().pointer, pointer, "{problems}");
    }
}

#[test]
fn a_server_of_the_database_shows_no_secret() {
    let body =
        json!({"url": "https://example.com/mcp", "auth": {"bearer": "0123456789abcdef"}, "headers": {"x-key": "a"}});
    let loaded = with("", &[("mcp_servers", "x", body)]).unwrap();
    assert_eq!(loaded.objects[0].body["auth"]["bearer"], json!({"secret": true, "last4": "cdef"}));
    assert_eq!(loaded.objects[0].body["headers"]["x-key"], json!({"secret": true, "last4": ""}));
}

#[test]
fn an_exchange_may_go_by_way_of_an_identity_provider() {
    let mcp = good(&server(
        "url: \"https://example.com/mcp\", auth: {exchange: {client_id: a, identity_provider: {token_url: \
         \"https://idp.example/token\", client_id: b}}}",
    ))
    .mcp;
    let McpAuth::Exchange(client) = &mcp.servers["x"].auth else { panic!("no exchange") };
    assert_eq!(client.identity_provider.as_ref().unwrap().client_id, "b");
    let elsewhere = bad(server("url: \"https://example.com/mcp\", auth: {per_user: {grant: jwt_bearer}}"));
    assert!(elsewhere.contains("mcp_servers.x.auth.per_user.grant: belongs to `exchange` (remove it)"), "{elsewhere}");
}

#[test]
fn a_proof_belongs_to_a_client_and_one_is_enough() {
    let client = |fields: &str| {
        bad(server(&format!("url: \"https://example.com/mcp\", auth: {{client_credentials: {{{fields}}}}}")))
    };
    assert!(client("private_key: k").contains("private_key: of no client (add `client_id: …`)"));
    assert!(client("client_id: a, client_secret: s, private_key: k").contains("private_key: `client_secret` shows"));
}

#[test]
fn the_document_about_the_gateway_is_https() {
    assert!(bad("mcp: {client_document: \"http://example.com/x\"}\n").contains("mcp.client_document: not https"));
}
