//! Web pages that talk a browser into asking the admin API: row 4 of the project's research on MCP, whose other half is `mcp::doors`.

use gatehouse_tests::{Gate, House};
use serde_json::json;

const KEY: &[u8] = br#"{"name": "robot"}"#;

/// The status of a request of an administrator whose `Host` (and `Origin`) these lines are.
fn knock(gate: &Gate, method: &str, path: &str, lines: &str) -> u16 {
    let head = gate.admin().head(method, path, &[("content-length", &KEY.len().to_string())]);
    let request = head.replace(&format!("host: {}\r\n", gate.address()), &format!("{lines}\r\n"));
    let request = [request.as_bytes(), KEY].concat();
    gate.stranger().send_raw(&request).response().status
}

#[test]
fn a_foreign_host_or_origin_is_refused_on_every_path_and_method() {
    let gate = House::new().start();
    let home = format!("host: {}", gate.address());
    let foreign = [
        "host: evil.example".to_owned(),
        "host: localhost.evil.example:8080".to_owned(),
        format!("{home}\r\norigin: http://evil.example"),
        format!("{home}\r\norigin: null"),
        format!("{home}\r\norigin: http://localhost\r\norigin: http://evil.example"),
        format!("{home}\r\nhost: evil.example"),
    ];
    let asked = [
        ("GET", "/api/v1/keys"),
        ("POST", "/api/v1/keys"),
        ("PUT", "/api/v1/teams/support"),
        ("DELETE", "/api/v1/keys/key_1"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/whoami"),
        ("POST", "/api/v1/claim"),
        ("GET", "/api/v1/nowhere"),
        ("GET", "/claim/token"),
        ("POST", "/claim/token"),
    ];
    for lines in &foreign {
        for (method, path) in asked {
            // What has two hosts is no HTTP.
            let status = knock(&gate, method, path, lines);
            assert!(status == 403 || (status == 400 && lines.matches("host:").count() == 2), "{method} {path} {lines}");
        }
    }
    assert_eq!(gate.admin().get("/api/v1/keys").json()["rows"].as_array().map(Vec::len), Some(1), "none was made");
    assert_eq!(gate.admin().get("/api/v1/teams/support").status, 404);
}

#[test]
fn the_refusal_says_which_header_and_which_setting() {
    let gate = House::new().start();
    let refused = gate.admin().header("origin", "https://evil.example").get("/api/v1/keys");
    let error = &refused.json()["error"];
    assert_eq!((refused.status, &error["code"]), (403, &json!("not_allowed")));
    let told = error["message"].as_str().expect("a message");
    assert!(told.contains("Origin") && told.contains("server.allowed_hosts"), "{told}");
}

#[test]
fn names_of_this_gateway_and_its_own_pages_are_welcome() {
    let gate = House::new().set("/server/allowed_hosts", json!(["gate.example.com"])).start();
    let home = format!("host: {}", gate.address());
    for lines in [
        home.clone(),
        "host: localhost".to_owned(),
        "host: gate.example.com:8443".to_owned(),
        "host: 10.1.2.3".to_owned(),
        format!("{home}\r\norigin: http://{}", gate.address()),
        "host: gate.example.com\r\norigin: https://gate.example.com".to_owned(),
    ] {
        assert_eq!(knock(&gate, "GET", "/api/v1/keys", &lines), 200, "{lines}");
    }
}

/// Machines ask these under whatever name they know, and learn numbers and states.
#[test]
fn probes_are_open_under_any_name() {
    let gate = House::new().start();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(knock(&gate, "GET", path, "host: gatehouse.monitoring.svc"), 200, "{path}");
    }
}
