//! What people go through: login, consent, and what of it belongs to one browser.

use std::sync::{Arc, Mutex};

use gatehouse_tests::browser::{Browser, hidden, query_of};
use gatehouse_tests::{House, KEY, Login, Reply, Upstream};
use serde_json::json;

use super::{LOCAL, URL, agree, allow, authorize, house, redeem, registered};

const WEB: &str = "https://app.example.com/cb";

#[test]
fn a_person_logs_in_with_a_key_agrees_and_the_client_gets_its_code() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let mut browser = Browser::new(&gate);
    let address = allow(&mut browser, &authorize(&client, LOCAL, &[]), KEY);
    assert!(address.starts_with(LOCAL), "{address}");
    assert_eq!(query_of(&address, "state").as_deref(), Some("the-state"));
    assert_eq!(query_of(&address, "iss").as_deref(), Some(URL));
    assert_eq!(browser.cookies(), ["__Host-gatehouse-browser", "__Host-gatehouse-session"]);
    let answer = redeem(&gate, &client, &query_of(&address, "code").unwrap());
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert!(!gate.logs().contains(answer.json()["access_token"].as_str().unwrap()));
}

#[test]
fn the_pages_stand_in_no_frame_and_run_no_script() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let page = Browser::new(&gate).open(&authorize(&client, LOCAL, &[]));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    assert_eq!((page.header("cache-control"), page.header("x-frame-options")), (Some("no-store"), Some("DENY")));
}

#[test]
fn wrong_keys_are_refused_and_after_a_few_nobody_from_there_is_heard() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let mut browser = Browser::new(&gate);
    let ticket = hidden(&browser.open(&authorize(&client, LOCAL, &[])), "ticket");
    let mut told = String::new();
    for n in 0..8 {
        let answer = browser.submit("/oauth/login", &[("ticket", &ticket), ("key", &format!("guess-{n}"))]);
        assert_eq!(answer.status, 401);
        told = answer.text();
    }
    assert!(told.contains("Too many wrong keys"), "{told}");
    assert_eq!(browser.submit("/oauth/login", &[("ticket", &ticket), ("key", KEY)]).status, 401);
}

#[test]
fn who_says_no_is_asked_no_further_and_the_client_is_told() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let mut browser = Browser::new(&gate);
    let login = browser.open(&authorize(&client, LOCAL, &[]));
    let ticket = hidden(&login, "ticket");
    let welcomed = browser.submit("/oauth/login", &[("ticket", &ticket), ("key", KEY)]);
    drop(browser.open(welcomed.header("location").unwrap()));
    let sent = browser.submit("/oauth/consent", &[("ticket", &ticket), ("answer", "deny")]);
    let address = sent.header("location").unwrap();
    assert_eq!(query_of(address, "error").as_deref(), Some("access_denied"));
    assert_eq!(query_of(address, "iss").as_deref(), Some(URL));
    assert!(query_of(address, "code").is_none());
}

/// Row 15: a login that is there already gives a new client nothing.
#[test]
fn every_client_is_agreed_to_by_itself_even_by_somebody_who_is_logged_in() {
    let gate = house().start();
    let (known, evil) = (registered(&gate, &[WEB]), registered(&gate, &["https://evil.example/cb"]));
    let mut browser = Browser::new(&gate);
    drop(allow(&mut browser, &authorize(&known, WEB, &[]), KEY));
    let page = browser.open(&authorize(&evil, "https://evil.example/cb", &[]));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Allow access?") && page.text().contains("evil.example"), "{}", page.text());
}

#[test]
fn a_client_on_the_web_is_agreed_to_once_and_one_on_the_own_device_each_time() {
    let gate = house().start();
    let mut browser = Browser::new(&gate);
    let (web, local) = (registered(&gate, &[WEB]), registered(&gate, &[LOCAL]));
    let first = allow(&mut browser, &authorize(&web, WEB, &[]), KEY);
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", web.as_str()),
        ("code", &query_of(&first, "code").unwrap()),
        ("code_verifier", super::VERIFIER),
        ("redirect_uri", WEB),
    ];
    assert_eq!(super::token(&gate, &fields).status, 200);
    let again = browser.open(&authorize(&web, WEB, &[]));
    assert!(again.header("location").is_some_and(|address| query_of(address, "code").is_some()), "{}", again.text());
    let more = browser.open(&authorize(&web, WEB, &[("resource", &format!("{URL}/mcp/servers/other"))]));
    assert!(more.text().contains("Allow access?"), "another resource is another question");
    for _ in 0..2 {
        assert!(browser.open(&authorize(&local, LOCAL, &[])).text().contains("Allow access?"));
    }
}

/// Row 15: a page that was made for one browser is good in no other, and once.
#[test]
fn a_request_belongs_to_one_browser_and_is_answered_once() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let (mut mine, mut theirs) = (Browser::new(&gate), Browser::new(&gate));
    let ticket = hidden(&theirs.open(&authorize(&client, LOCAL, &[])), "ticket");
    drop(mine.open(&authorize(&client, LOCAL, &[])));
    let refused = mine.submit("/oauth/login", &[("ticket", &ticket), ("key", KEY)]);
    assert_eq!(refused.status, 400, "somebody else's request: {}", refused.text());
    let welcomed = theirs.submit("/oauth/login", &[("ticket", &ticket), ("key", KEY)]);
    let first = agree(&mut theirs, &welcomed);
    assert!(query_of(&first, "code").is_some());
    let second = theirs.submit("/oauth/consent", &[("ticket", &ticket), ("answer", "allow")]);
    assert_eq!(second.status, 400, "answered before");
}

#[test]
fn a_form_that_comes_from_another_site_is_refused() {
    let gate = house().start();
    let foreign = gate.stranger().header("origin", "https://evil.example");
    let answer = gatehouse_tests::browser::post_form(&foreign, "/oauth/logout", &[]);
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[test]
fn whoever_wants_nobody_asked_is_told_that_somebody_must_be() {
    let gate = house().start();
    let client = registered(&gate, &[LOCAL]);
    let sent = Browser::new(&gate).open(&authorize(&client, LOCAL, &[("prompt", "none")]));
    let address = sent.header("location").unwrap();
    assert_eq!(query_of(address, "error").as_deref(), Some("interaction_required"));
}

/// An identity provider that gives whatever ID token the test has put there.
struct Provider {
    server: Upstream,
    keys: Login,
    id_token: Arc<Mutex<String>>,
}

impl Provider {
    fn start() -> Self {
        let (keys, id_token) = (Login::start(), Arc::new(Mutex::new(String::new())));
        let (document, given) = (keys.document(), Arc::clone(&id_token));
        let server = Upstream::start_with(0, move |asked| {
            let url = format!("http://{}", asked.header("host").unwrap());
            let body = match asked.path.as_str() {
                "/.well-known/openid-configuration" => json!({
                    "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
                    "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
                }),
                "/keys" => serde_json::from_str(&document).unwrap(),
                _ => json!({"id_token": *given.lock().unwrap(), "access_token": "x", "token_type": "Bearer"}),
            };
            Reply::raw("application/json", body.to_string())
        });
        Self { server, keys, id_token }
    }

    fn house(&self) -> House {
        let login = json!([{
            "name": "Acme", "issuer": self.server.url(), "client_id": "gatehouse", "client_secret": "the-secret",
            "claims": {"team": "groups"},
        }]);
        house().set("/oauth/login", login).set("/teams", json!({"support": {}}))
    }

    fn gives(&self, nonce: &str, subject: &str) {
        let claims = json!({"iss": self.server.url(), "aud": "gatehouse", "nonce": nonce, "groups": ["support"]});
        *self.id_token.lock().unwrap() = self.keys.token(subject, &claims);
    }
}

#[test]
fn a_person_logs_in_at_an_identity_provider() {
    let provider = Provider::start();
    let gate = provider.house().start();
    let client = registered(&gate, &[LOCAL]);
    let mut browser = Browser::new(&gate);
    let page = browser.open(&authorize(&client, LOCAL, &[]));
    let text = page.text();
    assert!(text.contains("Continue with Acme") && !text.contains("type=\"password\""), "{text}");
    let link = text.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let away = browser.open(&link);
    let address = away.header("location").unwrap();
    let ask = |name: &str| query_of(address, name).unwrap_or_default();
    assert!(address.starts_with(&format!("{}/authorize?", provider.server.url())), "{address}");
    assert_eq!((ask("code_challenge_method"), ask("client_id")), ("S256".to_owned(), "gatehouse".to_owned()));
    provider.gives(&ask("nonce"), "ann");
    let back = format!("/oauth/login/callback?code=c&state={}", ask("state"));
    assert_eq!(Browser::new(&gate).open(&back).status, 400, "in another browser");
    let away = browser.open(&link);
    let state = query_of(away.header("location").unwrap(), "state").unwrap();
    provider.gives(&query_of(away.header("location").unwrap(), "nonce").unwrap(), "ann");
    let welcomed = browser.open(&format!("/oauth/login/callback?code=c&state={state}"));
    assert_eq!(welcomed.status, 303, "{} {}", welcomed.text(), gate.logs());
    let done = agree(&mut browser, &welcomed);
    let answer = redeem(&gate, &client, &query_of(&done, "code").unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stale = browser.open(&format!("/oauth/login/callback?code=c&state={state}"));
    assert_eq!(stale.status, 400, "a state is good once");
}

#[test]
fn an_id_token_of_another_login_is_not_believed() {
    let provider = Provider::start();
    let gate = provider.house().start();
    let client = registered(&gate, &[LOCAL]);
    let mut browser = Browser::new(&gate);
    let text = browser.open(&authorize(&client, LOCAL, &[])).text();
    let link = text.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let away = browser.open(&link);
    let state = query_of(away.header("location").unwrap(), "state").unwrap();
    provider.gives("another-nonce", "ann");
    let refused = browser.open(&format!("/oauth/login/callback?code=c&state={state}"));
    assert_eq!(refused.status, 403, "{}", refused.text());
}
