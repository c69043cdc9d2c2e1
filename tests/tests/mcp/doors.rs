//! What is refused at the door: requests that two readers could read differently, and callers a browser was talked into being.

use gatehouse_tests::House;
use gatehouse_tests::mcp::McpServer;
use serde_json::{Value, json};

use super::{ONE, at_home, before, house, modern_one};

/// Row 4.
#[test]
fn a_foreign_host_or_origin_is_refused_on_every_method() {
    let server = McpServer::modern();
    let gate = before(&server);
    let address = gate.address();
    let evil = ["host: evil.example", "host: evil.example:80"];
    let origins =
        ["origin: http://evil.example", "origin: null", "origin: http://localhost\r\norigin: http://evil.example"];
    let hosts = evil.iter().map(|host| (*host).to_owned());
    let requests = hosts.chain(origins.iter().map(|origin| format!("host: {address}\r\n{origin}")));
    for headers in requests {
        for method in ["POST", "GET", "DELETE"] {
            let request = format!("{method} {ONE} HTTP/1.1\r\n{headers}\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(gate.stranger().send_raw(request.as_bytes()).response().status, 403, "{request}");
        }
    }
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 4: a page of the gateway itself, and a program that sends no Origin, are welcome.
#[test]
fn the_gateways_own_origin_is_welcome() {
    let server = McpServer::modern();
    let gate = before(&server);
    let own = format!("http://{}", gate.address());
    let mut client = modern_one(&gate).calling_as(&gate.client().header("origin", &own));
    assert_eq!(client.hello().status, 200);
}

/// What administers and what calls are two things: the refusal says which to use.
#[test]
fn an_admin_key_calls_nothing_and_is_told_what_does() {
    let server = McpServer::modern();
    let admin_key = "3f0c5a9e71b24d86a0e9c4f7d2b15836";
    let gate = house(&[("s", &server)]).set("/auth/admin_key", json!(admin_key)).start();
    let administrator = gate.stranger().key(admin_key);
    assert_eq!(administrator.get("/api/v1/keys").status, 200);
    let answer = modern_one(&gate).calling_as(&administrator).call("echo", json!({}));
    assert_eq!(answer.status, 401);
    for told in ["gatehouse keys create", "An admin key opens the admin API alone"] {
        assert!(answer.text.contains(told), "{}", answer.text);
    }
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 5.
#[test]
fn a_body_that_two_parsers_could_read_differently_is_refused() {
    let server = McpServer::modern();
    let gate = before(&server);
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let call =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params},{meta}}}}}"#);
    let bodies = [
        call(r#""name":"echo","name":"rm""#),
        call(r#""name":"echo","Name":"rm""#),
        call(r#""name":"echo","na\u006de":"rm""#),
        format!("[{}]", call(r#""name":"echo""#)),
        format!("{}{{}}", call(r#""name":"echo""#)),
        call(r#""name":"echo""#).replacen("{", r#"{"method":"tools/list","#, 1),
    ];
    for body in bodies {
        let answer = modern_one(&gate).post_bytes("tools/call", "echo", body.as_bytes());
        assert_eq!(answer.status, 400, "{body} got {}", answer.text());
    }
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 5: what is not refused arrives as it was sent.
#[test]
fn an_escaped_name_is_the_name_it_spells() {
    let server = McpServer::modern();
    let gate = before(&server);
    let mut client = modern_one(&gate);
    let (_, body) = client.message(Some(1), "tools/call", json!({"name": "echo", "arguments": {"text": "hi"}}));
    let body = body.to_string().replace("\"echo\"", "\"\\u0065cho\"");
    assert_eq!(client.post_bytes("tools/call", "echo", body.as_bytes()).status, 200);
    assert_eq!(server.wait_for("tools/call", 1).name(), "echo");
    assert_eq!(client.call("echo", json!({"text": "unknown members"})).said(), "unknown members");
}

/// Row 6.
#[test]
fn a_header_that_names_another_tool_than_the_body_is_refused() {
    let server = McpServer::modern();
    let gate = before(&server);
    let client = modern_one(&gate);
    let (_, body) = client.message(Some(1), "tools/call", json!({"name": "echo"}));
    let answer = client.post_bytes("tools/call", "cheap", body.to_string().as_bytes());
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(-32020)));
    let answer = client.post_bytes("tools/list", "echo", body.to_string().as_bytes());
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(-32020)));
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 26.
#[test]
fn a_uri_full_of_tricks_reaches_its_server_as_it_is() {
    let server = McpServer::modern();
    let gate = before(&server);
    for uri in ["file:///a/../../etc/passwd", "test://x/%2e%2e%2f%00", "test://\u{202e}txt.exe", "test://a?b#c d"] {
        let answer = modern_one(&gate).request("resources/read", json!({"uri": uri}));
        let arrived = server.seen_of("resources/read").iter().any(|seen| seen.name() == uri);
        assert!(arrived || answer.is_refused(), "{uri} became {}", answer.text);
    }
    assert_eq!(modern_one(&gate).request("resources/read", json!({"uri": "test://note"})).status, 200);
}

/// Row 26.
#[test]
fn a_name_with_line_breaks_writes_no_line_into_the_log() {
    let server = McpServer::modern();
    let gate = before(&server);
    let name = "echo\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\r\nx: y";
    let client = modern_one(&gate);
    let (_, body) = client.message(Some(1), "tools/call", json!({"name": name}));
    let answer = client.post_bytes("tools/call", "echo", body.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    let forged = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["msg"] == "forged");
    assert!(!gate.logs().lines().any(forged));
    assert!(server.seen_of("tools/call").is_empty());
}

/// Row 27.
#[test]
fn a_gateway_that_is_its_own_server_refuses_to_call_itself() {
    let house = at_home(House::new().set("/auth/anonymous", json!(true)));
    let myself = format!("{}{ONE}", house.public_url());
    let gate = house.set("/mcp_servers/s", json!({"url": myself})).start();
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert_eq!(gate.client().get("/healthz").status, 200);
}

/// Row 9: what only the gateway may write is not believed when a client writes it, and reaches no server.
#[test]
fn headers_of_the_house_are_not_believed_from_outside() {
    let server = McpServer::modern();
    let gate = house(&[("s", &server)]).start();
    let forged = [("x-gatehouse-principal", "admin"), ("x-gatehouse-hop", "0"), ("x-forwarded-user", "admin")];
    let stranger = forged.iter().fold(gate.stranger(), |client, (name, value)| client.header(name, value));
    assert_eq!(modern_one(&gate).calling_as(&stranger).call("echo", json!({})).status, 401);
    let caller = forged.iter().fold(gate.client(), |client, (name, value)| client.header(name, value));
    assert_eq!(modern_one(&gate).calling_as(&caller).call("echo", json!({"text": "x"})).said(), "x");
    let seen = server.wait_for("tools/call", 1);
    assert_eq!((seen.header("x-gatehouse-principal"), seen.header("x-forwarded-user")), (None, None));
}
