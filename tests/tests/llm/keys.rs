//! Who may come in: every way of carrying a key works on every path, and a wrong one is told so in its own dialect.

use gatehouse_tests::{Carrier, Dialect, House, KEY, Upstream};
use serde_json::json;

each_dialect!(every_way_of_carrying_a_key_works, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).start();
    for carrier in Carrier::ALL {
        let answer = gate.client().carrying(carrier).ask(dialect, "fast", "Hello?");
        assert_eq!(answer.status, 200, "{carrier:?}: {}", answer.text());
    }
    assert_eq!(upstream.served(), Carrier::ALL.len());
});

each_dialect!(a_call_without_a_key_is_refused_in_its_own_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).start();
    let message = gate.stranger().ask(dialect, "fast", "Hello?").refused(dialect, 401);
    assert!(message.to_lowercase().contains("key"), "{message}");
    assert_eq!(upstream.served(), 0);
});

each_dialect!(an_unknown_key_is_refused_and_not_repeated, |dialect: Dialect| {
    let upstream = Upstream::start();
    let gate = House::with_one(dialect, &upstream).start();
    let wrong = "gk_test_nobody_ever_issued_this_one";
    for carrier in Carrier::ALL {
        let answer = gate.stranger().key(wrong).carrying(carrier).ask(dialect, "fast", "Hello?");
        let message = answer.refused(dialect, 401);
        assert!(!message.contains(wrong), "{carrier:?}: {message}");
    }
    assert_eq!(upstream.served(), 0);
});

each_dialect!(an_expired_key_is_told_that_it_is, |dialect: Dialect| {
    let upstream = Upstream::start();
    let old = json!({"name": "old", "secret": "gk_test_expired_00000000000000000", "expires": "2020-01-01"});
    let gate = House::with_one(dialect, &upstream).key(old).start();
    let caller = gate.stranger().key("gk_test_expired_00000000000000000");
    let message = caller.ask(dialect, "fast", "Hello?").refused(dialect, 401);
    assert!(message.to_lowercase().contains("expired"), "{message}");
});

each_dialect!(a_key_may_use_its_models_and_no_others, |dialect: Dialect| {
    let upstream = Upstream::start();
    let narrow = json!({"name": "narrow", "secret": "gk_test_narrow_000000000000000000", "models": ["other"]});
    let gate = House::with_one(dialect, &upstream).model("other", &["only/other-model"]).key(narrow).start();
    let caller = gate.stranger().key("gk_test_narrow_000000000000000000");
    assert_eq!(caller.ask(dialect, "other", "Hello?").status, 200);
    let refused = caller.ask(dialect, "fast", "Hello?");
    // Which models others have is nobody's business: 403 and 404 are both honest.
    assert!([403, 404].contains(&refused.status), "{}", refused.text());
    assert!(dialect.error_message(&refused.json()).is_some(), "{}", refused.text());
    assert_eq!(upstream.served(), 1);
});

#[test]
fn a_house_that_lets_anyone_in_takes_calls_without_a_key() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).set("/auth/anonymous", json!(true)).start();
    assert_eq!(gate.stranger().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(1)[0].key, "anonymous");
}

#[test]
fn a_house_that_lets_anyone_in_still_refuses_a_wrong_key() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).set("/auth/anonymous", json!(true)).start();
    let caller = gate.stranger().key("gk_test_nobody_ever_issued_this_one");
    let told = caller.ask(Dialect::OpenAiChat, "fast", "Hello?").refused(Dialect::OpenAiChat, 401);
    assert!(told.contains("key"), "{told}");
    assert_eq!(upstream.served(), 0);
}

#[test]
fn a_house_that_lets_anyone_in_takes_no_calls_from_pages_of_others() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).set("/auth/anonymous", json!(true)).start();
    let from = |page: &str| gate.stranger().header("origin", page).ask(Dialect::OpenAiChat, "fast", "Hello?");
    assert_eq!(from("http://localhost:3000").status, 200);
    let told = from("https://evil.example").refused(Dialect::OpenAiChat, 403);
    assert!(told.contains("`server.allowed_hosts`"), "{told}");
    assert_eq!(upstream.served(), 1);
}

#[test]
fn no_key_ever_stands_in_the_log() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Gemini, &upstream).start();
    for carrier in Carrier::ALL {
        assert_eq!(gate.client().carrying(carrier).ask(Dialect::Gemini, "fast", "Hello?").status, 200);
        let wrong = gate.stranger().key("gk_test_nobody_ever_issued_this_one").carrying(carrier);
        assert_eq!(wrong.ask(Dialect::Gemini, "fast", "Hello?").status, 401);
    }
    assert_eq!(gate.ledger_of(Carrier::ALL.len()).len(), Carrier::ALL.len());
    let logs = gate.logs();
    for secret in [KEY, "gk_test_nobody_ever_issued_this_one", "provider-secret"] {
        assert!(!logs.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn a_key_is_accepted_only_whole() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    for near_miss in [&KEY[..KEY.len() - 1], &format!("{KEY}x"), &KEY.to_uppercase(), ""] {
        let status = gate.stranger().key(near_miss).ask(Dialect::OpenAiChat, "fast", "Hello?").status;
        assert_eq!(status, 401, "{near_miss:?}");
    }
}
