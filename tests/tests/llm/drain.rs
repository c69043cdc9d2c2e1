//! SIGTERM: what runs may finish, nothing new begins, and the process ends by itself.

use std::time::Instant;

use gatehouse_tests::{Dialect, House, PATIENCE, Reply, Upstream};
use serde_json::json;

const CHAT: Dialect = Dialect::OpenAiChat;

#[test]
fn a_stream_that_runs_may_finish() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("one two three").stepped());
    let mut gate = House::with_one(CHAT, &upstream).start();
    (0..2).for_each(|_| upstream.step());
    let mut stream = gate.client().ask_stream(CHAT, "fast", "Count.");
    assert_eq!(stream.next_text().as_deref(), Some("one "));
    gate.terminate();
    upstream.run();
    let outcome = stream.outcome();
    assert_eq!((outcome.text.as_str(), outcome.terminal), ("two three", true));
    assert_eq!(gate.wait_for_exit().code(), Some(0), "{}", gate.logs());
}

#[test]
fn while_draining_a_new_call_is_refused_and_told_to_come_back() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [Reply::text("one two three").stepped()]);
    let mut gate = House::with_one(CHAT, &upstream).model("quick", &["only/quick-model"]).start();
    (0..2).for_each(|_| upstream.step());
    let mut stream = gate.client().ask_stream(CHAT, "fast", "Count.");
    assert_eq!(stream.next_text().as_deref(), Some("one "));
    gate.terminate();
    let deadline = Instant::now() + PATIENCE;
    // Until the signal has arrived calls are still taken; after it, refused: with 503 or at the door.
    let served = loop {
        let body = CHAT.request("quick", "Hello?", false).to_string();
        let Some(call) = gate.client().try_send("POST", "/v1/chat/completions", body.as_bytes()) else { break 0 };
        match call.try_head() {
            Some(200) => assert!(Instant::now() < deadline, "calls are still taken"),
            Some(status) => break status,
            None => break 0,
        }
    };
    assert!([0, 503].contains(&served), "{served}");
    upstream.run();
    assert!(stream.outcome().terminal);
    assert_eq!(gate.wait_for_exit().code(), Some(0));
}

#[test]
fn a_call_that_does_not_end_is_cut_at_the_deadline_and_settled() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let mut gate = House::with_one(CHAT, &upstream).set("/server", json!({"drain_secs": 0.3})).start();
    let body = CHAT.request("fast", "Hello?", false).to_string();
    let call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    gate.terminate();
    assert!(call.try_response().is_none_or(|answer| answer.status == 503));
    gate.wait_for_exit();
    gate.restart();
    assert_eq!(gate.ledger_of(1).len(), 1);
}

#[test]
fn an_idle_gateway_stops_at_once() {
    let mut gate = House::new().start();
    let asked = Instant::now();
    gate.terminate();
    assert_eq!(gate.wait_for_exit().code(), Some(0), "{}", gate.logs());
    assert!(asked.elapsed().as_secs() < 3, "{:?}", asked.elapsed());
}
