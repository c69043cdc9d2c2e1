//! Servers that act in the name of each person: the whole way from the first call to the page where somebody agrees, and back to
//! a call that goes through; and what is told of such a server where it is offered among others.

use gatehouse_tests::mcp::{Mcp, McpServer, Person, Turn};
use gatehouse_tests::{Gate, House, KEY};
use serde_json::{Value, json};

use super::{ONE, at_home, house};

/// The token that the server's own authorization server issues.
const TOKEN: &str = "token-of-a-person";

/// Where the server itself is, without its endpoint.
fn own(server: &McpServer) -> String {
    server.url().replace("/mcp", "")
}

/// Makes a server want a token of each user, and be its own authorization server.
fn wants_consent(server: &McpServer) {
    let own = own(server);
    let challenge = format!("Bearer resource_metadata=\"{own}/.well-known/oauth-protected-resource/mcp\"");
    server.script(move |seen| {
        let shown = seen.header("authorization").unwrap_or_default();
        (shown != format!("Bearer {TOKEN}")).then(|| Turn::status(401, "").header("www-authenticate", &challenge))
    });
    let of_issuer = json!({
        "issuer": own, "authorization_endpoint": format!("{own}/authorize"), "token_endpoint": format!("{own}/token"),
        "revocation_endpoint": format!("{own}/revoke"), "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": true,
    });
    let issued =
        json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "the-next-one"});
    server.serve_documents([
        (
            "/.well-known/oauth-protected-resource/mcp".to_owned(),
            json!({"resource": server.url(), "authorization_servers": [own]}),
        ),
        ("/.well-known/oauth-authorization-server".to_owned(), of_issuer),
        ("/token".to_owned(), issued),
        ("/revoke".to_owned(), json!({})),
    ]);
}

/// A house in which this server is used in each person's name, beside the others.
fn in_their_name(server: &McpServer, others: &[(&str, &McpServer)]) -> House {
    wants_consent(server);
    let auth = json!({"per_user": {"client_id": "gatehouse", "client_secret": "known-beforehand"}});
    let all: Vec<_> = [("s", server)].into_iter().chain(others.iter().copied()).collect();
    at_home(house(&all).set("/mcp_servers/s/auth", auth))
}

/// Opens the page and logs in: what a person does in their browser until they are at the server's authorization page. The state
/// that they carry there.
#[track_caller]
fn go(gate: &Gate, url: &str) -> (Person, String) {
    let origin = format!("http://{}", gate.address());
    let mut person = Person::new(&gate.stranger(), &origin);
    let page = person.open(url.strip_prefix(&origin).expect("a page of ours"));
    let led = person.submit(&page, &[("key", KEY)]).leads_to.expect("the server's authorization page");
    let state = led.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    (person, state)
}

/// Goes there, agrees, and comes back.
#[track_caller]
fn agree(gate: &Gate, server: &McpServer, url: &str) {
    let (mut person, state) = go(gate, url);
    let back = person.open(&format!(
        "/oauth/callback?code=agreed&state={state}&iss={}",
        gatehouse_tests::mcp::encoded(&own(server))
    ));
    assert!(back.status == 200 && back.text.contains('s'), "{back:?}");
}

/// A client that shows pages to its user.
fn shows_pages() -> Value {
    json!({"elicitation": {"url": {}}})
}

#[test]
fn a_stateless_client_is_asked_to_show_a_page_and_then_its_call_goes_through() {
    let server = McpServer::modern();
    let gate = in_their_name(&server, &[]).start();
    let mut client = Mcp::modern_with(&gate.client(), ONE, shows_pages());
    let asked = client.call("echo", json!({"text": "mine"})).result();
    let question = &asked["inputRequests"]["gatehouse_consent"];
    assert_eq!(
        (&question["method"], &question["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url")),
        "{asked}"
    );
    agree(&gate, &server, question["params"]["url"].as_str().unwrap());
    let again = json!({"name": "echo", "arguments": {"text": "mine"}, "inputResponses": {"gatehouse_consent": {"action": "accept"}}});
    assert_eq!(client.request("tools/call", again).said(), "mine");
    assert_eq!(server.seen_of("tools/call").pop().unwrap().header("authorization"), Some("Bearer token-of-a-person"));
    let connections = gate.admin().get("/api/v1/mcp/connections").json();
    assert_eq!(
        (&connections["rows"][0]["server"], &connections["rows"][0]["state"]),
        (&json!("s"), &json!("connected"))
    );
}

#[test]
fn a_client_with_a_session_is_told_of_the_page_and_of_the_end_of_it() {
    let server = McpServer::modern();
    let gate = in_their_name(&server, &[]).start();
    let mut client = Mcp::legacy_with(&gate.client(), ONE, shows_pages());
    let mut overheard = client.overhear();
    let refused = client.call("echo", json!({"text": "mine"}));
    let elicitation = &refused.messages[0]["error"]["data"]["elicitations"][0];
    assert_eq!((refused.code(), &elicitation["mode"]), (-32042, &json!("url")), "{}", refused.text);
    agree(&gate, &server, elicitation["url"].as_str().unwrap());
    let complete = overheard.wait_for("notifications/elicitation/complete");
    assert_eq!(complete["params"]["elicitationId"], elicitation["elicitationId"]);
    assert_eq!(client.call("echo", json!({"text": "mine"})).said(), "mine");
}

#[test]
fn a_client_that_shows_nothing_is_told_in_words() {
    let server = McpServer::modern();
    let gate = in_their_name(&server, &[]).start();
    for mut client in [super::modern_one(&gate), super::legacy_one(&gate)] {
        let told = client.call("echo", json!({})).complaint();
        assert!(told.contains("/oauth/connect/"), "{told}");
    }
}

#[test]
fn among_others_the_list_says_who_is_missing_and_the_others_are_there() {
    let (server, open) = (McpServer::modern(), McpServer::modern());
    let gate = in_their_name(&server, &[("open", &open)])
        .set("/toolsets/desk", json!({"tools": ["s.echo", "open.*"]}))
        .start();
    for endpoint in ["/mcp", "/mcp/toolsets/desk"] {
        let listed = Mcp::modern(&gate.client(), endpoint).request("tools/list", json!({})).result();
        let missing = &listed["_meta"]["gatehouse/consent"];
        assert_eq!((&missing[0]["server"], listed["tools"].as_array().unwrap().len()), (&json!("s"), 1), "{listed}");
        agree_once(&gate, missing[0]["url"].as_str().unwrap());
    }
}

/// The page is there for who it was made for.
fn agree_once(gate: &Gate, url: &str) {
    let origin = format!("http://{}", gate.address());
    let mut person = Person::new(&gate.stranger(), &origin);
    let page = person.open(url.strip_prefix(&origin).expect("a page of ours"));
    assert!(page.asks_for("key"), "{page:?}");
}

#[test]
fn among_others_a_call_of_its_tool_leads_to_the_page_and_then_through() {
    let (server, open) = (McpServer::modern(), McpServer::modern());
    open.change(|offer| offer.tools = vec![gatehouse_tests::mcp::echo_tool("another")]);
    let gate = in_their_name(&server, &[("open", &open)]).set("/toolsets/desk", json!({"tools": ["s.echo"]})).start();
    let mut client = Mcp::modern_with(&gate.client(), "/mcp/toolsets/desk", shows_pages());
    let asked = client.call("echo", json!({"text": "mine"})).result();
    agree(&gate, &server, asked["inputRequests"]["gatehouse_consent"]["params"]["url"].as_str().unwrap());
    assert_eq!(client.call("echo", json!({"text": "mine"})).said(), "mine");
    let mut of_all = Mcp::modern(&gate.client(), "/mcp");
    assert_eq!(of_all.names("tools").len(), 2, "and it is in the lists from now on");
}

#[test]
fn a_name_nobody_has_is_unknown_and_says_whose_tools_are_not_known_yet() {
    let (server, open) = (McpServer::modern(), McpServer::modern());
    let gate = in_their_name(&server, &[("open", &open)]).start();
    let mut client = Mcp::modern_with(&gate.client(), "/mcp", shows_pages());
    let told = client.call("anything", json!({}));
    assert_eq!(told.code(), -32602, "{}", told.text);
    assert!(
        told.complaint().contains("Unknown tool: anything") && told.complaint().contains("/oauth/connect/"),
        "{}",
        told.text
    );
    let prefixed = client.call("s__anything", json!({})).result();
    assert_eq!(prefixed["resultType"], "input_required", "a name that can only be the server's: {prefixed}");
}

#[test]
fn who_may_not_use_the_server_hears_nothing_of_it() {
    let (server, open) = (McpServer::modern(), McpServer::modern());
    let narrow = "gk_test_narrow_0123456789abcdef";
    let gate = in_their_name(&server, &[("open", &open)])
        .key(json!({"name": "narrow", "secret": narrow, "mcp_servers": ["open"]}))
        .start();
    let mut client = Mcp::modern(&gate.stranger().key(narrow), "/mcp");
    assert_eq!(client.request("tools/list", json!({})).result()["_meta"]["gatehouse/consent"], Value::Null);
    assert!(!client.call("anything", json!({})).text.contains("/oauth/connect/"));
}

#[test]
fn a_client_that_listens_hears_when_the_tools_have_come() {
    let (server, open) = (McpServer::modern(), McpServer::modern());
    let gate = in_their_name(&server, &[("open", &open)]).start();
    let mut client = Mcp::modern_with(&gate.client(), "/mcp", shows_pages());
    let asked = client.call("s__echo", json!({})).result();
    let mut listening = client.open("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    drop(listening.wait_for("notifications/subscriptions/acknowledged"));
    agree(&gate, &server, asked["inputRequests"]["gatehouse_consent"]["params"]["url"].as_str().unwrap());
    drop(listening.wait_for("notifications/tools/list_changed"));
    assert_eq!(client.names("tools").len(), 2);
}

#[test]
fn a_connection_that_is_removed_is_given_back_and_asks_anew() {
    let server = McpServer::modern();
    let gate = in_their_name(&server, &[]).start();
    let mut client = Mcp::modern_with(&gate.client(), ONE, shows_pages());
    let asked = client.call("echo", json!({})).result();
    agree(&gate, &server, asked["inputRequests"]["gatehouse_consent"]["params"]["url"].as_str().unwrap());
    assert_eq!(client.call("echo", json!({"text": "mine"})).said(), "mine");
    let id = gate.admin().get("/api/v1/mcp/connections").json()["rows"][0]["id"].as_str().unwrap().to_owned();
    let removed = gate.admin().post(&format!("/api/v1/mcp/connections/{id}/revoke"), &json!({}));
    assert_eq!(removed.status, 200, "{}", removed.text());
    let given_back = server.wait_for_path("/revoke");
    let form = String::from_utf8_lossy(&given_back.http.body).into_owned();
    assert!(form.contains("token=the-next-one") && form.contains("token_type_hint=refresh_token"), "{form}");
    assert_eq!(client.call("echo", json!({})).result()["resultType"], "input_required");
}

/// Row 15: an answer that was not asked for, was used, or is somebody else's connects nothing.
#[test]
fn an_answer_of_the_authorization_server_counts_once_and_only_if_it_was_asked_for() {
    let server = McpServer::modern();
    let gate = in_their_name(&server, &[]).start();
    let mut client = Mcp::modern_with(&gate.client(), ONE, shows_pages());
    let asked = client.call("echo", json!({})).result();
    let (mut person, state) = go(&gate, asked["inputRequests"]["gatehouse_consent"]["params"]["url"].as_str().unwrap());
    let issuer = gatehouse_tests::mcp::encoded(&own(&server));
    let answer = |state: &str| format!("/oauth/callback?code=agreed&state={state}&iss={issuer}");
    for wrong in [answer("made-up"), answer(""), answer(&state).replace(&issuer, "https%3A%2F%2Fevil.example")] {
        assert!(person.open(&wrong).status >= 400, "{wrong}");
    }
    let connections = || gate.admin().get("/api/v1/mcp/connections").json()["rows"].as_array().unwrap().len();
    assert_eq!(connections(), 0);
    assert!(person.open(&answer(&state)).status >= 400, "an answer that was judged, rightly or not, is used up");
    assert_eq!(connections(), 0);
}
