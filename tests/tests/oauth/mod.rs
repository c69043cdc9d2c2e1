//! The gateway as an authorization server, and its MCP paths as the resources it issues tokens for: what clients get and how, what
//! people are asked, and everything that must not work.

mod administration;
mod clients;
mod doors;
mod grants;
mod others;
mod people;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use gatehouse_tests::browser::{Browser, form, hidden, post_form, query_of};
use gatehouse_tests::{Gate, House, KEY, Response};
use serde_json::{Value, json};

/// Where clients find the gateway of these tests: its issuer.
const URL: &str = "https://gw.example.com";
/// Where a program on the person's own device waits.
const LOCAL: &str = "http://127.0.0.1:4567/cb";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-anybody-to-accept";

fn house() -> House {
    House::new().set("/public_url", json!(URL))
}

/// Registers a client with these redirect addresses and gives its id.
fn registered(gate: &Gate, redirect_uris: &[&str]) -> String {
    let metadata = json!({
        "client_name": "Editor", "redirect_uris": redirect_uris, "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let answer = gate.stranger().post("/oauth/register", &metadata);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

/// Where the browser is sent for authorization; `changes` take the place of what is usual.
fn authorize(client: &str, redirect_uri: &str, changes: &[(&str, &str)]) -> String {
    let challenge = B64.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("state", "the-state"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    fields.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    fields.extend(changes);
    format!("/oauth/authorize?{}", form(&fields))
}

/// Logs a person in with a key and has them allow what is asked for; gives the address the browser is sent to.
fn allow(browser: &mut Browser, request: &str, key: &str) -> String {
    let login = browser.open(request);
    let ticket = hidden(&login, "ticket");
    let welcomed = browser.submit("/oauth/login", &[("ticket", &ticket), ("key", key)]);
    assert_eq!(welcomed.status, 303, "{}", welcomed.text());
    agree(browser, &welcomed)
}

/// Goes on to the consent page and agrees.
fn agree(browser: &mut Browser, welcomed: &Response) -> String {
    let page = browser.open(welcomed.header("location").unwrap());
    let ticket = hidden(&page, "ticket");
    let sent = browser.submit("/oauth/consent", &[("ticket", &ticket), ("answer", "allow")]);
    assert_eq!(sent.status, 303, "{}", sent.text());
    sent.header("location").unwrap().to_owned()
}

fn token(gate: &Gate, fields: &[(&str, &str)]) -> Response {
    post_form(&gate.stranger(), "/oauth/token", fields)
}

/// Exchanges a code.
fn redeem(gate: &Gate, client: &str, code: &str) -> Response {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", LOCAL),
    ];
    token(gate, &fields)
}

fn refresh(gate: &Gate, client: &str, refresh_token: &str) -> Response {
    token(gate, &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", refresh_token)])
}

/// The tokens a fresh client gets of a person with this key, for these changes to the request.
fn tokens(gate: &Gate, key: &str, changes: &[(&str, &str)]) -> (String, Value) {
    let client = registered(gate, &[LOCAL]);
    let address = allow(&mut Browser::new(gate), &authorize(&client, LOCAL, changes), key);
    let answer = redeem(gate, &client, &query_of(&address, "code").unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    (client, answer.json())
}

/// An access token of the house's key for a resource.
fn access_token(gate: &Gate, resource: &str, scope: &str) -> String {
    let resource = format!("{URL}{resource}");
    text(&tokens(gate, KEY, &[("resource", &resource), ("scope", scope)]).1["access_token"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

fn error(answer: &Response) -> String {
    text(&answer.json()["error"])
}
