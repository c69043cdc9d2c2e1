//! Whose word and whose token goes where: a server never gets what a caller showed the gateway, and nothing a server says leads
//! the gateway, or a token, to another place.

use gatehouse_tests::mcp::{Era, McpServer, Offer, Turn};
use gatehouse_tests::{Carrier, House, KEY, TlsFront};
use serde_json::{Value, json};

use super::{ONE, house, modern_one};
use gatehouse_tests::mcp::Mcp;

/// Row 14.
#[test]
fn no_server_is_shown_what_the_caller_showed_the_gateway() {
    for server in [McpServer::modern(), McpServer::legacy()] {
        let gate = house(&[("s", &server)]).start();
        for carrier in Carrier::ALL {
            let mut client = modern_one(&gate).calling_as(&gate.client().carrying(carrier).header("cookie", "a=b"));
            drop(client.call("echo", json!({"text": "x"})));
        }
        assert!(!server.seen_of("tools/call").is_empty());
        for seen in server.seen() {
            let whole = format!("{:?} {} {}", seen.http.headers, seen.http.query, seen.body);
            assert!(!whole.contains(KEY) && !whole.contains("a=b"), "{whole}");
            assert_eq!(seen.header("authorization"), None);
        }
    }
}

/// Rows 14 and 24.
#[test]
fn a_token_for_a_server_goes_nowhere_else_even_when_the_server_sends_it_there() {
    let (server, elsewhere) = (McpServer::modern(), McpServer::modern());
    let there = elsewhere.url();
    server.script(move |seen| (seen.method() == "tools/call").then(|| Turn::redirect(&there)));
    let auth = json!({"bearer": "token-of-s"});
    let gate = house(&[("s", &server)]).set("/mcp_servers/s/auth", auth).start();
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert_eq!(server.wait_for("tools/call", 1).header("authorization"), Some("Bearer token-of-s"));
    assert!(elsewhere.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

/// Row 24.
#[test]
fn an_event_stream_that_names_another_origin_is_not_followed() {
    let elsewhere = McpServer::sse();
    let mut offer = Offer::new(Era::Sse);
    offer.endpoint = Some(format!("{}?session=1", elsewhere.url()));
    let server = McpServer::start(offer);
    let gate = house(&[("s", &server)]).start();
    let answer = modern_one(&gate).call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert!(elsewhere.seen().is_empty());
}

/// A gateway whose server wants a token of each user and says that this is where to get one.
fn wants_token(server: &McpServer, metadata: &str) -> House {
    let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
    server.script(move |_| Some(Turn::status(401, "").header("www-authenticate", &challenge)));
    house(&[("s", server)]).set("/mcp_servers/s/auth", json!({"per_user": {}}))
}

/// Rows 3 and 17.
#[test]
fn metadata_at_a_place_no_server_may_name_is_not_fetched_and_shown_to_nobody() {
    let hostile = [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "--upload-file",
        "$(touch /tmp/canary)",
        "data:application/json,{}",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://[fec0::1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://2852039166/",
        "https://user:pass@example.com/",
    ];
    for metadata in hostile {
        let server = McpServer::modern();
        let gate = wants_token(&server, metadata).start();
        let mut client = Mcp::modern_with(&gate.client(), ONE, json!({"elicitation": {"url": {}}}));
        let answer = client.call("echo", json!({}));
        let asks = answer.text.contains("input_required");
        assert!(answer.is_refused() && !asks, "{metadata}: {}", answer.text);
    }
}

/// Row 3: an authorization server that names a place no browser may be sent to.
#[test]
fn an_authorization_server_with_a_hostile_address_is_not_believed() {
    for hostile in ["javascript:alert(1)", "file:///etc/passwd", "http://evil.example/authorize", "--x"] {
        let server = McpServer::modern();
        let own = server.url().replace("/mcp", "");
        let challenge = format!("Bearer resource_metadata=\"{own}/.well-known/oauth-protected-resource/mcp\"");
        server.script(move |_| Some(Turn::status(401, "").header("www-authenticate", &challenge)));
        server.serve_documents(metadata(&own, &server.url(), hostile));
        let gate = house(&[("s", &server)]).set("/mcp_servers/s/auth", json!({"per_user": {}})).start();
        let mut client = Mcp::modern_with(&gate.client(), ONE, json!({"elicitation": {"url": {}}}));
        let answer = client.call("echo", json!({}));
        assert!(!answer.text.contains(hostile), "{hostile}: {}", answer.text);
    }
}

/// Row 16: an authorization server that says it is another one.
#[test]
fn metadata_of_another_issuer_is_not_believed() {
    let server = McpServer::modern();
    let own = server.url().replace("/mcp", "");
    let challenge = format!("Bearer resource_metadata=\"{own}/.well-known/oauth-protected-resource/mcp\"");
    server.script(move |_| Some(Turn::status(401, "").header("www-authenticate", &challenge)));
    let mut documents = metadata(&own, &server.url(), &format!("{own}/authorize"));
    for (path, document) in &mut documents {
        if path.contains("authorization-server") || path.contains("openid") {
            document["issuer"] = json!("https://honest.example");
        }
    }
    server.serve_documents(documents);
    let gate = house(&[("s", &server)]).set("/mcp_servers/s/auth", json!({"per_user": {}})).start();
    let mut client = Mcp::modern_with(&gate.client(), ONE, json!({"elicitation": {"url": {}}}));
    let answer = client.call("echo", json!({}));
    assert!(answer.is_refused(), "{}", answer.text);
    assert!(server.seen().iter().all(|seen| !seen.http.path.contains("register")), "nothing was asked of it");
}

/// The documents of a server that is its own authorization server.
fn metadata(own: &str, resource: &str, authorize: &str) -> Vec<(String, Value)> {
    let of_resource = json!({"resource": resource, "authorization_servers": [own]});
    let of_issuer = json!({
        "issuer": own, "authorization_endpoint": authorize, "token_endpoint": format!("{own}/token"),
        "registration_endpoint": format!("{own}/register"), "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "client_id_metadata_document_supported": true,
    });
    vec![
        ("/.well-known/oauth-protected-resource/mcp".to_owned(), of_resource.clone()),
        ("/.well-known/oauth-protected-resource".to_owned(), of_resource),
        ("/.well-known/oauth-authorization-server".to_owned(), of_issuer.clone()),
        ("/.well-known/openid-configuration".to_owned(), of_issuer),
    ]
}

/// Row 17: who may use the API need not own the network the gateway is in. However an address of it is written, nothing is sent
/// there, neither to the server nor to what its documents name.
#[test]
fn a_server_of_the_api_is_not_called_at_a_private_address() {
    let server = McpServer::modern();
    let gate = House::new().start();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let hosts =
        ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]"];
    for (n, host) in hosts.into_iter().enumerate() {
        let declared = json!({"url": format!("http://{host}:{port}"), "pins": "allow_new", "timeouts": {"connect": 1}});
        let path = format!("/api/v1/mcp_servers/s{n}");
        let made = gate.admin().send("PUT", &path, declared.to_string().as_bytes()).response();
        assert!([201, 400].contains(&made.status), "{host}: {}", made.text());
        let answer = Mcp::modern(&gate.client(), &format!("/mcp/servers/s{n}")).call("echo", json!({}));
        assert!(answer.is_refused(), "{host}: {}", answer.text);
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

/// What stands between the gateway and a server is believed by its certificate: one of a public authority, or of one that the
/// configuration names.
#[test]
fn a_server_over_tls_is_believed_by_a_certificate_that_the_configuration_names() {
    for server in [McpServer::modern(), McpServer::legacy()] {
        let (front, folder) = (TlsFront::before(&server.url()), tempfile::tempdir().unwrap());
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, front.certificate()).unwrap();
        let house =
            House::new().set("/mcp_servers/s", json!({"url": format!("{}/mcp", front.url()), "pins": "allow_new"}));
        let distrustful = house.start();
        let refused = modern_one(&distrustful).call("echo", json!({"text": "x"}));
        assert!(refused.is_refused(), "{}", refused.text);
        assert!(server.seen().is_empty());
        let gate = house.set("/server/ca_file", json!(file)).start();
        assert_eq!(modern_one(&gate).call("echo", json!({"text": "over TLS"})).said(), "over TLS");
    }
}
