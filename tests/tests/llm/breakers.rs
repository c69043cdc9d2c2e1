//! Breakers: a target that fails is left alone, its state can be seen and reset, and a caller's mistakes never count.

use std::time::Instant;

use gatehouse_tests::{Dialect, Gate, House, PATIENCE, Reply, Upstream};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenAiChat;

fn state(gate: &Gate) -> String {
    let listing = gate.admin().get("/api/v1/breakers");
    assert_eq!(listing.status, 200, "{}", listing.text());
    let rows: Value = listing.json()["rows"].clone();
    let row = rows.as_array().unwrap().iter().find(|row| row["target"] == json!("only/upstream-model")).cloned();
    row.map_or_else(|| "closed".to_owned(), |row| row["state"].as_str().unwrap().to_owned())
}

fn failing_house(upstream: &Upstream) -> Gate {
    upstream.reply(Reply::error(500, "boom"));
    House::with_one(CHAT, upstream).without_retries("only").start()
}

/// Calls until the breaker opens; returns how many calls that took.
fn call_until_open(gate: &Gate) -> usize {
    (1..=50).find(|_| gate.client().ask(CHAT, "fast", "Hello?").status >= 500 && state(gate) == "open").unwrap()
}

#[test]
fn a_target_that_keeps_failing_is_left_alone() {
    let upstream = Upstream::start();
    let gate = failing_house(&upstream);
    let calls = call_until_open(&gate);
    let answer = gate.client().ask(CHAT, "fast", "Hello?");
    assert!(!answer.refused(CHAT, 503).is_empty());
    assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
    assert_eq!(upstream.served(), calls);
}

#[test]
fn an_open_breaker_sends_calls_to_the_next_target_at_once() {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    primary.reply(Reply::error(500, "boom"));
    let house = House::new().provider("only", CHAT, &primary).without_retries("only").provider("backup", CHAT, &backup);
    let gate = house.model("fast", &["only/upstream-model", "backup/upstream-model"]).start();
    while state(&gate) != "open" {
        assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    }
    let before = primary.served();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").header("x-gatehouse-provider"), Some("backup"));
    assert_eq!(primary.served(), before);
}

#[test]
fn an_open_breaker_can_be_reset_by_hand() {
    let upstream = Upstream::start();
    let gate = failing_house(&upstream);
    call_until_open(&gate);
    upstream.reply(Reply::text("well again"));
    let reset = gate.admin().post("/api/v1/breakers/reset", &json!({"target": "only/upstream-model"}));
    assert_eq!(reset.status, 200, "{}", reset.text());
    assert_eq!(state(&gate), "closed");
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").said(CHAT), "well again");
}

#[test]
fn an_open_breaker_lets_one_call_through_to_see_and_closes_when_it_succeeds() {
    let upstream = Upstream::start();
    let gate = failing_house(&upstream);
    let calls = call_until_open(&gate);
    upstream.reply(Reply::text("well again"));
    let deadline = Instant::now() + PATIENCE;
    while gate.client().ask(CHAT, "fast", "Hello?").status != 200 {
        assert!(Instant::now() < deadline, "no probe was let through");
    }
    assert_eq!((upstream.served(), state(&gate).as_str()), (calls + 1, "closed"));
}

#[test]
fn while_one_call_probes_all_others_are_kept_away() {
    let upstream = Upstream::start();
    let gate = failing_house(&upstream);
    let calls = call_until_open(&gate);
    upstream.reply(Reply::text("well again").held());
    let deadline = Instant::now() + PATIENCE;
    let body = CHAT.request("fast", "Hello?", false).to_string();
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
                        let status = call.response().status;
                        if upstream.served() > calls || Instant::now() > deadline {
                            return status;
                        }
                    }
                })
            })
            .collect();
        assert_eq!(upstream.wait_for_request(calls + 1).model, "upstream-model");
        upstream.run();
        let answered = callers.into_iter().filter_map(|caller| caller.join().ok()).filter(|status| *status == 200);
        assert!(answered.count() >= 1);
    });
    assert!(upstream.served() > calls);
}

#[test]
fn a_callers_mistakes_never_open_a_breaker() {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(400, "no such parameter"));
    let gate = House::with_one(CHAT, &upstream).start();
    for _ in 0..30 {
        assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 400);
    }
    assert_eq!((upstream.served(), state(&gate).as_str()), (30, "closed"));
}

#[test]
fn clients_that_leave_never_open_a_breaker() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let gate = House::with_one(CHAT, &upstream).start();
    let body = CHAT.request("fast", "Hello?", false).to_string();
    for count in 1..=10 {
        let call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
        assert_eq!(upstream.wait_for_request(count).model, "upstream-model");
        call.leave();
    }
    assert_eq!(gate.ledger_of(10).len(), 10);
    assert_eq!(state(&gate), "closed");
}

#[test]
fn a_provider_that_asks_for_a_pause_gets_exactly_that() {
    let upstream = Upstream::start();
    upstream
        .replies("upstream-model", [Reply::error(429, "slow down").header("retry-after", "2"), Reply::text("rested")]);
    let gate = House::with_one(CHAT, &upstream).without_retries("only").start();
    let asked = Instant::now();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 429);
    assert_eq!(state(&gate), "cooling_down");
    while gate.client().ask(CHAT, "fast", "Hello?").status != 200 {
        assert!(asked.elapsed() < PATIENCE, "the pause never ended");
    }
    assert!(asked.elapsed().as_millis() >= 1_900, "{:?}", asked.elapsed());
    assert_eq!(upstream.served(), 2);
}

#[test]
fn only_an_administrator_sees_and_resets_breakers() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    assert_eq!(gate.stranger().get("/api/v1/breakers").status, 401);
    let with_a_callers_key = gate.client().post("/api/v1/breakers/reset", &json!({})).status;
    assert!([401, 403].contains(&with_a_callers_key), "{with_a_callers_key}");
}
