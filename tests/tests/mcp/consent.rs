//! Somebody else's consent is worth nothing: neither what they agreed to for another client, nor a link that was made for
//! another.

use gatehouse_tests::mcp::{Mcp, McpServer, Page, Person, Turn, encoded};
use gatehouse_tests::{Gate, KEY};
use serde_json::json;

use super::{ONE, OTHER_KEY, at_home, house};

/// Where the answer of the clients of these tests goes.
const REDIRECT: &str = "http://127.0.0.1:9/callback";

fn person(gate: &Gate) -> Person {
    Person::new(&gate.stranger(), &format!("http://{}", gate.address()))
}

/// A client that registers itself under this name; its id.
fn register(gate: &Gate, name: &str) -> String {
    let wanted = json!({"client_name": name, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
    let registered = gate.stranger().post("/oauth/register", &wanted);
    assert_eq!(registered.status, 201, "{}", registered.text());
    registered.json()["client_id"].as_str().unwrap().to_owned()
}

/// Where a client sends its user. Its challenge is the one of RFC 7636, appendix B.
fn authorize(gate: &Gate, client: &str) -> String {
    let resource = encoded(&format!("http://{}{ONE}", gate.address()));
    format!(
        "/oauth/authorize?response_type=code&client_id={}&redirect_uri={}&state=its-state&resource={resource}\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        encoded(client),
        encoded(REDIRECT)
    )
}

/// A page after its login, if it asks for one.
fn logged_in(person: &mut Person, page: Page, key: &str) -> Page {
    if page.asks_for("key") { person.submit(&page, &[("key", key)]) } else { page }
}

/// Row 15.
#[test]
fn who_agreed_to_one_client_is_asked_again_for_another() {
    let server = McpServer::modern();
    let gate = at_home(house(&[("s", &server)])).start();
    let (honest, evil) = (register(&gate, "Honest"), register(&gate, "Evil"));
    let mut person = person(&gate);
    let first = person.open(&authorize(&gate, &honest));
    let asked = logged_in(&mut person, first, KEY);
    assert!(asked.text.contains("Honest"), "{asked:?}");
    let answer = person.submit(&asked, &[("answer", "allow")]);
    let back = answer.leads_to.expect("back at the client");
    assert!(back.starts_with(REDIRECT) && back.contains("code=") && back.contains("iss="), "{back}");
    let again = person.open(&authorize(&gate, &evil));
    assert!(again.leads_to.is_none() && again.text.contains("Evil"), "{again:?}");
}

/// Row 15: what one browser was asked, no other answers, and nobody answers twice.
#[test]
fn an_answer_counts_once_and_only_from_the_browser_that_was_asked() {
    let server = McpServer::modern();
    let gate = at_home(house(&[("s", &server)])).start();
    let client = register(&gate, "Honest");
    let mut victim = person(&gate);
    let first = victim.open(&authorize(&gate, &client));
    let asked = logged_in(&mut victim, first, KEY);
    let mut attacker = person(&gate);
    assert!(attacker.submit(&asked, &[("answer", "allow")]).leads_to.is_none());
    assert!(victim.submit(&asked, &[("answer", "allow")]).leads_to.is_some());
    assert!(victim.submit(&asked, &[("answer", "allow")]).leads_to.is_none());
}

/// A server that wants a token of each user, and is its own authorization server.
fn wants_consent(server: &McpServer) -> Gate {
    let own = server.url().replace("/mcp", "");
    let challenge = format!("Bearer resource_metadata=\"{own}/.well-known/oauth-protected-resource/mcp\"");
    server.script(move |_| Some(Turn::status(401, "").header("www-authenticate", &challenge)));
    let of_issuer = json!({
        "issuer": own, "authorization_endpoint": format!("{own}/authorize"), "token_endpoint": format!("{own}/token"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": true, "authorization_response_iss_parameter_supported": true,
    });
    server.serve_documents([
        (
            "/.well-known/oauth-protected-resource/mcp".to_owned(),
            json!({"resource": server.url(), "authorization_servers": [own]}),
        ),
        ("/.well-known/oauth-authorization-server".to_owned(), of_issuer),
    ]);
    let auth = json!({"per_user": {"client_id": "gatehouse", "client_secret": "known-beforehand"}});
    at_home(house(&[("s", server)]).set("/mcp_servers/s/auth", auth)).start()
}

/// The link that a client is shown who wants to know what tools there are.
fn link(gate: &Gate) -> String {
    let mut client = Mcp::modern_with(&gate.client(), ONE, json!({"elicitation": {"url": {}}}));
    let text = client.request("tools/list", json!({})).text;
    let start = text.find("/oauth/connect/").unwrap_or_else(|| panic!("a link in {text}"));
    text[start..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || "/-_.~=".contains(*letter)).collect()
}

#[test]
fn a_call_that_is_the_first_message_leads_to_consent_as_a_list_does() {
    for capabilities in [json!({"elicitation": {"url": {}}}), json!({})] {
        let server = McpServer::modern();
        let gate = wants_consent(&server);
        let text = Mcp::modern_with(&gate.client(), ONE, capabilities).call("echo", json!({})).text;
        assert!(text.contains("/oauth/connect/"), "{text}");
    }
}

/// Row 23.
#[test]
fn a_link_that_was_made_for_one_caller_is_refused_to_another() {
    let server = McpServer::modern();
    let gate = wants_consent(&server);
    let link = link(&gate);
    let mut thief = person(&gate);
    let page = thief.open(&link);
    let refused = logged_in(&mut thief, page, OTHER_KEY);
    assert!(refused.leads_to.is_none() && refused.status >= 400, "{refused:?}");
    let mut owner = person(&gate);
    let page = owner.open(&link);
    let led = logged_in(&mut owner, page, KEY).leads_to.expect("the server's authorization page");
    assert!(led.starts_with(&server.url().replace("/mcp", "/authorize")), "{led}");
    assert!(led.contains("code_challenge=") && led.contains("resource="), "{led}");
}

/// Row 23: the link itself opens nothing.
#[test]
fn a_link_proves_nothing_by_itself() {
    let server = McpServer::modern();
    let gate = wants_consent(&server);
    let page = person(&gate).open(&link(&gate));
    assert!(page.leads_to.is_none() && page.asks_for("key"), "{page:?}");
}
