//! Who may ask: clients that register, clients known by a document, and those nobody knows.

use gatehouse_tests::browser::{Browser, query_of};
use gatehouse_tests::{KEY, Reply, Upstream};
use serde_json::{Value, json};

use super::{LOCAL, URL, allow, authorize, error, house, redeem, registered, token};

#[test]
fn a_client_finds_its_way_from_the_well_known_names() {
    let gate = house().start();
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let document = gate.stranger().get(&format!("/.well-known/{name}")).json();
        assert_eq!(document["issuer"], URL);
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["client_id_metadata_document_supported"], true);
    }
    for (name, resource) in [("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/servers/s", "/mcp/servers/s")] {
        let document = gate.stranger().get(&format!("/.well-known/oauth-protected-resource{name}")).json();
        assert_eq!(document["resource"], format!("{URL}{resource}"));
        assert_eq!(document["authorization_servers"], json!([URL]));
    }
    assert_eq!(gate.stranger().get("/.well-known/oauth-protected-resource/v1/models").status, 404);
}

#[test]
fn the_well_known_names_are_found_where_callers_are_even_if_the_admin_api_is_not() {
    let gate = house().set("/admin_listen", json!("127.0.0.2:0")).start();
    assert_eq!(gate.stranger().get("/.well-known/oauth-authorization-server").status, 200);
    assert_eq!(gate.admin().get("/api/v1/oauth/clients").status, 404);
}

#[test]
fn a_client_nobody_knows_is_sent_to_register_and_the_browser_nowhere() {
    let gate = house().start();
    let page = Browser::new(&gate).open(&authorize("nobody", LOCAL, &[]));
    assert_eq!((page.status, page.header("location")), (400, None));
    let answer = token(&gate, &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "nobody")]);
    assert_eq!((answer.status, error(&answer).as_str()), (401, "invalid_client"));
}

#[test]
fn an_address_that_was_not_registered_is_sent_nothing() {
    let gate = house().start();
    let client = registered(&gate, &["https://app.example.com/cb"]);
    for other in ["https://app.example.com/cb/", "https://evil.example/cb", "http://app.example.com/cb", "javascript:x"]
    {
        let page = Browser::new(&gate).open(&authorize(&client, other, &[]));
        assert_eq!((page.status, page.header("location")), (400, None), "{other}");
    }
}

#[test]
fn what_is_wrong_with_a_good_clients_request_goes_to_the_client_with_the_issuer() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    for (change, expected) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("resource", "https://other.example/mcp"), "invalid_target"),
    ] {
        let sent = Browser::new(&gate).open(&authorize(&client, LOCAL, &[change]));
        let address = sent.header("location").unwrap_or_else(|| panic!("{change:?}: {}", sent.text()));
        assert_eq!(query_of(address, "error").as_deref(), Some(expected), "{change:?}");
        assert_eq!(query_of(address, "iss").as_deref(), Some(URL));
        assert_eq!(query_of(address, "state").as_deref(), Some("the-state"));
    }
}

#[test]
fn a_client_with_a_secret_must_show_it() {
    let gate = house().start();
    let metadata = json!({"redirect_uris": [LOCAL], "token_endpoint_auth_method": "client_secret_post"});
    let answer = gate.stranger().post("/oauth/register", &metadata).json();
    let (id, secret) = (answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    let address = allow(&mut Browser::new(&gate), &authorize(id, LOCAL, &[]), KEY);
    let code = query_of(&address, "code").unwrap();
    assert_eq!(error(&redeem(&gate, id, &code)), "invalid_client");
    let fields = |secret: &'static str| [("client_secret", secret)];
    let wrong =
        [("grant_type", "authorization_code"), ("client_id", id), ("code", &code), ("code_verifier", super::VERIFIER)];
    let with = |more: &[(&'static str, &str)]| {
        let mut all: Vec<(&str, &str)> = wrong.to_vec();
        all.extend(more);
        all.push(("redirect_uri", LOCAL));
        token(&gate, &all)
    };
    assert_eq!(error(&with(&fields("not-the-secret"))), "invalid_client");
    assert_eq!(with(&[("client_secret", secret)]).status, 200);
}

#[test]
fn registrations_can_be_switched_off_and_are_limited() {
    let gate = house().set("/oauth/registration", json!(false)).start();
    assert_eq!(gate.stranger().post("/oauth/register", &json!({"redirect_uris": [LOCAL]})).status, 403);
    let document = gate.stranger().get("/.well-known/oauth-authorization-server").json();
    assert!(document.get("registration_endpoint").is_none());
    let gate = house().start();
    let statuses: Vec<u16> =
        (0..61).map(|_| gate.stranger().post("/oauth/register", &json!({"redirect_uris": [LOCAL]})).status).collect();
    assert!(statuses[..60].iter().all(|status| *status == 201) && statuses[60] == 429, "{statuses:?}");
}

/// A client's document at an address of this machine.
fn document(change: fn(&str, &mut Value)) -> Upstream {
    Upstream::start_with(0, move |asked| {
        let id = format!("http://{}{}", asked.header("host").unwrap(), asked.path);
        let mut document = json!({"client_id": id, "client_name": "Documented", "redirect_uris": [LOCAL]});
        change(&id, &mut document);
        Reply::raw("application/json", document.to_string())
    })
}

fn local_house() -> gatehouse_tests::House {
    house().set("/oauth/local_client_documents", json!(true))
}

#[test]
fn a_client_is_known_by_the_document_its_id_leads_to() {
    let gate = local_house().start();
    let server = document(|_, _| {});
    let id = format!("{}/client.json", server.url());
    let address = allow(&mut Browser::new(&gate), &authorize(&id, LOCAL, &[]), KEY);
    assert_eq!(redeem(&gate, &id, &query_of(&address, "code").unwrap()).status, 200);
    assert_eq!(server.served(), 1, "the document is remembered");
    let rows = gate.admin().get("/api/v1/oauth/clients").json();
    assert_eq!((&rows["rows"][0]["id"], &rows["rows"][0]["kind"]), (&json!(id), &json!("document")));
}

/// Rows 16 and 17.
#[test]
fn a_document_about_somebody_else_or_from_within_makes_no_client() {
    let gate = local_house().start();
    for change in [
        (|id: &str, document: &mut Value| document["client_id"] = json!(format!("{id}/"))) as fn(&str, &mut Value),
        |_, document| document["redirect_uris"] = json!(["https://other.example/cb"]),
        |_, document| document["client_secret"] = json!("x"),
        |_, document| document["padding"] = json!("x".repeat(20_000)),
    ] {
        let server = document(change);
        let page = Browser::new(&gate).open(&authorize(&format!("{}/client.json", server.url()), LOCAL, &[]));
        assert_eq!((page.status, page.header("location")), (400, None));
    }
    // Without the switch, nothing on this machine or near it is even asked.
    let (gate, server) = (house().start(), document(|_, _| {}));
    for id in [format!("{}/c.json", server.url()), format!("{}/c.json", server.url().replace("http:", "https:"))] {
        assert_eq!(Browser::new(&gate).open(&authorize(&id, LOCAL, &[])).status, 400, "{id}");
    }
    assert_eq!(Browser::new(&gate).open(&authorize("https://169.254.169.254/c.json", LOCAL, &[])).status, 400);
    assert_eq!(server.served(), 0);
}
