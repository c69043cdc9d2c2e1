//! Bearer tokens of an issuer: who is let in with one, what the others are told, and what happens when the issuer changes its
//! keys, is away, hangs or turns hostile.

use gatehouse_tests::{Client, Dialect, Gate, House, Login, Reply, Response, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

fn house(upstream: &Upstream, login: &Login) -> House {
    House::with_one(CHAT, upstream).set("/auth/jwt", json!([login.entry()]))
}

fn bearer(gate: &Gate, token: &str) -> Client {
    gate.stranger().key(token)
}

fn ask(gate: &Gate, token: &str) -> Response {
    bearer(gate, token).ask(CHAT, "fast", "Hello?")
}

/// Asks again until it is let in: keys are fetched in the background, and whoever comes too early is told to come back. An unknown
/// key is asked for once in ten seconds.
fn ask_until_let_in(gate: &Gate, token: &str) {
    let deadline = std::time::Instant::now() + gatehouse_tests::PATIENCE;
    loop {
        let answer = ask(gate, token);
        if answer.status == 200 {
            return;
        }
        assert_eq!((answer.status, code(&answer).as_str()), (503, "identity_unavailable"), "{}", answer.text());
        assert!(std::time::Instant::now() < deadline, "never let in: {}", gate.logs());
    }
}

fn code(answer: &Response) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

each_dialect!(a_token_is_as_good_as_a_key, |dialect: Dialect| {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = House::with_one(dialect, &upstream).set("/auth/jwt", json!([login.entry()])).start();
    let token = login.token("ann", &json!({}));
    for _ in 0..2 {
        let answer = bearer(&gate, &token).ask(dialect, "fast", "Hello?");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!((upstream.served(), login.asked()), (2, 1));
    assert!(!gate.logs().contains(&token), "the token is in the log");
});

each_dialect!(a_bad_token_is_refused_in_the_callers_dialect, |dialect: Dialect| {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = House::with_one(dialect, &upstream).set("/auth/jwt", json!([login.entry()])).start();
    for claims in [json!({"exp": 1}), json!({"aud": "somebody-else"}), json!({"iss": "https://evil.example.com"})] {
        let token = login.token("ann", &claims);
        let answer = bearer(&gate, &token).ask(dialect, "fast", "Hello?");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{claims}");
        let told = answer.refused(dialect, 401);
        assert!(told.contains("token") && !told.contains(&token[..20]), "{told}");
    }
    assert_eq!(upstream.served(), 0);
});

#[test]
fn every_refusal_has_its_code() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login).start();
    let stranger = Login::start();
    let good = login.token("ann", &json!({}));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let unsigned = good.strip_suffix(signature).unwrap().to_owned();
    for (token, expected) in [
        (login.token("ann", &json!({"exp": 1_700_000_000})), "expired_token"),
        (login.token("ann", &json!({"nbf": 4_000_000_000_u64})), "expired_token"),
        (login.token("ann", &json!({"aud": ["x", "y"]})), "wrong_audience"),
        (login.token("ann", &json!({"iss": "https://login.example.com/"})), "invalid_token"),
        (login.token("", &json!({})), "invalid_token"),
        (stranger.token("ann", &json!({})), "invalid_token"),
        (unsigned, "invalid_token"),
        (
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYW5uIn0.".to_owned(),
            "invalid_token",
        ),
        ("ey.ey.ey".to_owned(), "invalid_token"),
        (format!("ey{}.ey.x", "A".repeat(20_000)), "invalid_token"),
        ("ey-is-no-token".to_owned(), "unknown_key"),
    ] {
        let answer = ask(&gate, &token);
        assert_eq!((answer.status, code(&answer).as_str()), (401, expected), "{:.60}: {}", token, answer.text());
    }
    assert_eq!(upstream.served(), 0);
}

#[test]
fn two_tokens_that_begin_alike_are_two_callers() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login).start();
    let who = |subject: &str| {
        let token = login.token(subject, &json!({}));
        assert_eq!(ask(&gate, &token).status, 200);
        bearer(&gate, &token).get("/api/v1/whoami").json()["user"].clone()
    };
    assert_eq!([who("ann"), who("anna"), who("ann")], [json!("ann"), json!("anna"), json!("ann")]);
    let rows = gate.ledger_of(3);
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys.iter().filter(|key| key.ends_with("#ann")).count(), 2, "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.ends_with("#anna")).count(), 1, "{keys:?}");
}

#[test]
fn a_declared_person_has_team_limits_and_models() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login)
        .model("other", &["only/other-model"])
        .set("/organisations", json!({"acme": {}}))
        .set(
            "/teams",
            json!({"support": {"organisation": "acme", "models": ["fast"]}, "research": {"organisation": "acme"}}),
        )
        .set("/users", json!({"ann": {"limits": [{"requests": 2, "per": "day"}]}}))
        .start();
    let token = login.token("ann", &json!({"groups": ["everyone", "support", "research"]}));
    let who = bearer(&gate, &token).get("/api/v1/whoami").json();
    assert_eq!((&who["team"], &who["organisation"], &who["kind"]), (&json!("support"), &json!("acme"), &json!("user")));
    assert_eq!((&who["models"], &who["requests"]["remaining"]), (&json!(["fast"]), &json!(2)), "{who}");
    assert_eq!(bearer(&gate, &token).ask(CHAT, "other", "Hello?").status, 403, "no model of the team");
    // Another token of the same person is the same person.
    let again = login.token("ann", &json!({"groups": ["support"], "jti": "2"}));
    let told = [ask(&gate, &token).status, ask(&gate, &again).status, ask(&gate, &again).status];
    assert_eq!(told, [200, 200, 429]);
    let foreign = login.token("eve", &json!({"org": "elsewhere"}));
    assert_eq!(code(&ask(&gate, &foreign)), "not_allowed");
}

#[test]
fn an_agent_for_a_person_keeps_both() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login).start();
    let token = login.token("ann", &json!({"act": {"sub": "billing", "act": {"sub": "planner"}}, "role": "owner"}));
    let who = bearer(&gate, &token).get("/api/v1/whoami").json();
    assert_eq!((&who["kind"], &who["user"], &who["agent"]), (&json!("agent"), &json!("ann"), &json!("billing")));
    assert_eq!(who["act"], json!(["agent:billing", "agent:planner"]));
    assert_eq!(who["role"], Value::Null, "an agent for somebody has no role: {who}");
}

#[test]
fn a_new_key_of_the_issuer_is_fetched_when_it_is_first_seen() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login).start();
    let old = login.token("ann", &json!({}));
    ask_until_let_in(&gate, &old);
    login.rotate("two");
    // At first, or once the last look is ten seconds past, the caller is told to come back; in between, that the key is unknown.
    let new = login.token("ann", &json!({}));
    let deadline = std::time::Instant::now() + gatehouse_tests::PATIENCE;
    while ask(&gate, &new).status != 200 {
        assert!(std::time::Instant::now() < deadline, "never let in: {}", gate.logs());
        std::thread::yield_now();
    }
    assert_eq!(ask(&gate, &old).status, 401, "a key the issuer has withdrawn vouches for nothing, remembered or not");
    assert!(login.asked() <= 4, "unknown keys make {} requests", login.asked());
}

#[test]
fn unknown_keys_do_not_make_the_gateway_ask_again_and_again() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = house(&upstream, &login).start();
    let stranger = Login::start();
    for n in 0..50 {
        stranger.rotate(&format!("made-up-{n}"));
        assert!([401, 503].contains(&ask(&gate, &stranger.token("ann", &json!({}))).status));
    }
    assert!(login.asked() <= 3, "{} requests", login.asked());
}

#[test]
fn while_the_issuer_is_away_tokens_wait_and_keys_go_on() {
    let (upstream, login) = (Upstream::start(), Login::start());
    for away in [
        Reply::error(500, "broken"),
        Reply::html(200),
        Reply::empty(),
        Reply::raw("application/json", r#"{"keys": []}"#),
    ] {
        login.answer(Some(away));
        let gate = house(&upstream, &login).start();
        let answer = ask(&gate, &login.token("ann", &json!({})));
        assert_eq!(code(&answer), "identity_unavailable");
        assert!(answer.header("retry-after").is_some());
        assert!(!answer.refused(CHAT, 503).is_empty());
        assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    }
}

#[test]
fn an_issuer_that_hangs_or_never_ends_holds_nobody_up() {
    let (upstream, login) = (Upstream::start(), Login::start());
    for hostile in [Reply::error(200, "x").stall_before_head(), Reply::endless_line(8 << 20)] {
        login.answer(Some(hostile));
        let gate = house(&upstream, &login).start();
        assert_eq!(code(&ask(&gate, &login.token("ann", &json!({})))), "identity_unavailable");
        assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    }
}

#[test]
fn an_issuer_that_comes_back_is_heard() {
    let (upstream, login) = (Upstream::start(), Login::start());
    login.answer(Some(Reply::error(503, "later")));
    let gate = house(&upstream, &login).start();
    let token = login.token("ann", &json!({}));
    assert_eq!(ask(&gate, &token).status, 503);
    login.answer(None);
    login.wait_until_asked(2);
    ask_until_let_in(&gate, &token);
}

#[test]
fn keys_are_used_for_a_while_without_their_issuer_and_not_for_ever() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let mut entry = login.entry();
    entry["jwks_max_stale"] = json!(1);
    let gate = House::with_one(CHAT, &upstream).set("/auth/jwt", json!([entry])).start();
    login.answer(Some(Reply::error(500, "broken")));
    let token = login.token("ann", &json!({}));
    assert_eq!(ask(&gate, &token).status, 200, "still fresh enough");
    let deadline = std::time::Instant::now() + gatehouse_tests::PATIENCE;
    while ask(&gate, &token).status == 200 {
        assert!(std::time::Instant::now() < deadline, "used for ever");
    }
    assert_eq!(code(&ask(&gate, &token)), "identity_unavailable");
}

#[test]
fn keys_of_a_file_need_no_issuer_at_the_wire() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, login.document()).unwrap();
    let mut entry = login.entry();
    entry["jwks_file"] = json!(file);
    entry.as_object_mut().unwrap().remove("jwks_url");
    let gate = House::with_one(CHAT, &upstream).set("/auth/jwt", json!([entry])).start();
    assert_eq!(ask(&gate, &login.token("ann", &json!({}))).status, 200);
    assert_eq!(login.asked(), 0);
}

#[test]
fn without_issuers_a_token_is_an_unknown_key() {
    let (upstream, login) = (Upstream::start(), Login::start());
    let gate = House::with_one(CHAT, &upstream).start();
    assert_eq!(code(&ask(&gate, &login.token("ann", &json!({})))), "unknown_key");
}
