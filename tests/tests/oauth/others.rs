//! Tokens nobody is asked for: of clients for themselves, and for what other issuers vouch for.

use gatehouse_tests::browser::post_form;
use gatehouse_tests::{Gate, ISSUER, Login, Response};
use serde_json::{Value, json};

use super::{URL, access_token, error, house, token};

const SECRET: &str = "batch-secret-4f0c9e1d7a";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A gateway with a client of its own account, and an issuer that may vouch for people.
fn gate(login: &Login) -> Gate {
    let client = json!({
        "id": "batch", "secret": SECRET, "service_account": "nightly",
        "grant_types": ["client_credentials", JWT_BEARER, EXCHANGE],
    });
    let gate = house()
        .set("/service_accounts", json!({"nightly": {}}))
        .set("/auth/jwt", json!([login.entry()]))
        .set("/oauth/clients", json!([client]))
        .set("/oauth/assertion_issuers", json!([ISSUER]))
        .start();
    login.wait_until_asked(1);
    gate
}

fn by(gate: &Gate, grant_type: &str, more: &[(&str, &str)]) -> Response {
    let mut fields = vec![("grant_type", grant_type), ("client_id", "batch"), ("client_secret", SECRET)];
    fields.extend(more);
    token(gate, &fields)
}

/// What the claims of an access token say. Nobody but the gateway needs to know; a test may look.
fn claims(answer: &Response) -> Value {
    use base64::Engine as _;
    let token = super::text(&answer.json()["access_token"]);
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_declared_client_gets_a_token_of_its_own_account() {
    let gate = gate(&Login::start());
    let answer = by(&gate, "client_credentials", &[("scope", "mcp:tools:s")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json().get("refresh_token").is_none());
    let claims = claims(&answer);
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!("nightly"), &json!("mcp:tools:s")));
    let wrong = [("grant_type", "client_credentials"), ("client_id", "batch"), ("client_secret", "wrong-secret")];
    assert_eq!(error(&token(&gate, &wrong)), "invalid_client");
    let nameless = [("grant_type", "client_credentials"), ("client_id", "batch")];
    assert_eq!(error(&token(&gate, &nameless)), "invalid_client");
}

/// An assertion for the client `batch`; `changes` take the place of what is usual.
fn assertion(login: &Login, changes: &Value) -> String {
    let mut claims = json!({
        "aud": URL, "client_id": "batch", "resource": format!("{URL}/mcp/servers/s"), "scope": "mcp:read",
        "jti": format!("{:?}", std::time::Instant::now()),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    login.token_of_type("oauth-id-jag+jwt", "ann", &claims)
}

#[test]
fn an_enterprise_vouches_for_a_person_without_asking_them() {
    let login = Login::start();
    let gate = gate(&login);
    let answer = by(&gate, JWT_BEARER, &[("assertion", &assertion(&login, &json!({})))]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let claims = claims(&answer);
    assert_eq!((&claims["sub"], &claims["vouched_by"]), (&json!("ann"), &json!(ISSUER)));
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!(format!("{URL}/mcp/servers/s")), &json!("mcp:read")));
}

#[test]
fn an_assertion_that_is_not_for_this_is_refused() {
    let login = Login::start();
    let gate = gate(&login);
    let used = assertion(&login, &json!({"jti": "once"}));
    assert_eq!(by(&gate, JWT_BEARER, &[("assertion", &used)]).status, 200);
    for (text, what) in [
        (used, "used before"),
        (assertion(&login, &json!({"aud": "https://other.example"})), "for another server"),
        (assertion(&login, &json!({"client_id": "other"})), "for another client"),
        (assertion(&login, &json!({"exp": 1})), "ended"),
        (login.token("ann", &json!({"aud": URL, "client_id": "batch", "jti": "x"})), "an ordinary token"),
        (assertion(&Login::start(), &json!({})), "signed by somebody else"),
        ("a.b.c".to_owned(), "none at all"),
    ] {
        let answer = by(&gate, JWT_BEARER, &[("assertion", &text)]);
        assert_eq!((answer.status, error(&answer).as_str()), (400, "invalid_grant"), "{what}");
    }
    let elsewhere = assertion(&login, &json!({"resource": "https://other.example/mcp"}));
    assert_eq!(error(&by(&gate, JWT_BEARER, &[("assertion", &elsewhere)])), "invalid_target");
}

fn exchange(gate: &Gate, subject: &str, more: &[(&str, &str)]) -> Response {
    let mut fields =
        vec![("subject_token", subject), ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")];
    fields.extend(more);
    by(gate, EXCHANGE, &fields)
}

#[test]
fn a_persons_token_becomes_one_for_a_resource_and_says_who_acts() {
    let login = Login::start();
    let gate = gate(&login);
    let answer = exchange(&gate, &login.token("ann", &json!({})), &[("resource", &format!("{URL}/mcp/servers/s"))]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let claims = claims(&answer);
    assert_eq!((&claims["sub"], &claims["act"]), (&json!("ann"), &json!({"sub": "nightly"})));
    let bad = exchange(&gate, &login.token("ann", &json!({"aud": "somebody-else"})), &[]);
    assert_eq!(error(&bad), "invalid_request");
}

#[test]
fn a_token_of_our_own_is_exchanged_for_no_more_than_it_has() {
    let gate = gate(&Login::start());
    let narrow = access_token(&gate, "/mcp/servers/s", "mcp:read");
    let other = format!("{URL}/mcp/servers/other");
    assert_eq!(error(&exchange(&gate, &narrow, &[("resource", &other)])), "invalid_target");
    let same = format!("{URL}/mcp/servers/s");
    assert_eq!(error(&exchange(&gate, &narrow, &[("resource", &same), ("scope", "mcp:tools")])), "invalid_scope");
    let answer = exchange(&gate, &narrow, &[("resource", &same)]);
    assert_eq!((answer.status, &claims(&answer)["scope"]), (200, &json!("mcp:read")));
}

#[test]
fn a_client_that_anybody_can_be_takes_none_of_these_ways() {
    let gate = gate(&Login::start());
    let client = super::registered(&gate, &[super::LOCAL]);
    for grant_type in ["client_credentials", JWT_BEARER, EXCHANGE] {
        let fields = [
            ("grant_type", grant_type),
            ("client_id", client.as_str()),
            ("assertion", "x"),
            ("subject_token", "x"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        let answer = post_form(&gate.stranger(), "/oauth/token", &fields);
        assert_eq!(error(&answer), "unauthorized_client", "{grant_type}");
    }
}
