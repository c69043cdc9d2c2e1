//! A client that leaves stops the provider's work, in every phase, and what was used is settled.

use std::time::Duration;

use gatehouse_tests::{Dialect, House, Reply, Upstream};

/// The contract.
const SOON: Duration = Duration::from_millis(100);

/// How long the provider went on working, at best of three: a test machine has other things to do, a gateway that is slow to
/// notice is so every time.
fn at_best(once: impl Fn() -> Duration) -> Duration {
    let mut best = once();
    for _ in 0..2 {
        if best >= SOON {
            best = best.min(once());
        }
    }
    best
}

each_dialect!(leaving_before_the_answer_begins_stops_the_provider, |dialect: Dialect| {
    let once = || {
        let upstream = Upstream::start();
        upstream.reply(Reply::text("never").stall_before_head());
        let gate = House::with_one(dialect, &upstream).start();
        let body = dialect.request("fast", "Hello?", false).to_string();
        let call = gate.client().send("POST", &dialect.path("fast", false), body.as_bytes());
        assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
        let left = call.leave();
        let worked_on = upstream.wait_for_cancel().saturating_duration_since(left);
        assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
        worked_on
    };
    assert!(at_best(once) < SOON);
});

each_dialect!(leaving_between_head_and_body_stops_the_provider, |dialect: Dialect| {
    let once = || {
        let upstream = Upstream::start();
        upstream.reply(Reply::text("never").stall_after_head());
        let gate = House::with_one(dialect, &upstream).start();
        let body = dialect.request("fast", "Hello?", true).to_string();
        let call = gate.client().send("POST", &dialect.path("fast", true), body.as_bytes());
        assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
        let left = call.leave();
        let worked_on = upstream.wait_for_cancel().saturating_duration_since(left);
        assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
        worked_on
    };
    assert!(at_best(once) < SOON);
});

each_dialect!(leaving_in_the_middle_of_a_stream_stops_the_provider, |dialect: Dialect| {
    let once = || {
        let upstream = Upstream::start();
        upstream.reply(Reply::text("one two three four five six seven eight").stall_after_frames(8));
        let gate = House::with_one(dialect, &upstream).start();
        let mut stream = gate.client().ask_stream(dialect, "fast", "Count.");
        assert_eq!(stream.next_text().as_deref(), Some("one "));
        let left = stream.leave();
        let worked_on = upstream.wait_for_cancel().saturating_duration_since(left);
        let rows = gate.ledger_of(1);
        assert_eq!((rows.len(), rows[0].status.as_str()), (1, "cancelled"), "{rows:?}");
        assert!(rows[0].input_tokens > 0, "what was used is settled: {rows:?}");
        worked_on
    };
    assert!(at_best(once) < SOON);
});

each_dialect!(leaving_a_translated_stream_stops_the_provider, |dialect: Dialect| {
    let once = || {
        let upstream = Upstream::start();
        upstream.reply(Reply::text("one two three four five six seven eight").stall_after_frames(8));
        let other = if dialect == Dialect::Anthropic { Dialect::OpenAiChat } else { Dialect::Anthropic };
        let gate = House::with_one(other, &upstream).start();
        let mut stream = gate.client().ask_stream(dialect, "fast", "Count.");
        assert_eq!(stream.next_text().as_deref(), Some("one "));
        let left = stream.leave();
        let worked_on = upstream.wait_for_cancel().saturating_duration_since(left);
        assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
        worked_on
    };
    assert!(at_best(once) < SOON);
});

#[test]
fn a_client_that_left_frees_its_place() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [Reply::text("never").stall_before_head(), Reply::text("next")]);
    let gate = House::with_one(Dialect::OpenAiChat, &upstream)
        .set("/keys/0/limits", serde_json::json!([{"concurrent": 1}]))
        .start();
    let body = Dialect::OpenAiChat.request("fast", "Hello?", false).to_string();
    let call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 429);
    call.leave();
    assert!(!upstream.wait_for_cancel().elapsed().is_zero());
    assert_eq!(gate.ledger_of(1)[0].status, "cancelled");
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").said(Dialect::OpenAiChat), "next");
}

#[test]
fn a_client_that_left_never_starts_a_fallback() {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    primary.reply(Reply::text("never").stall_before_head());
    let house = House::new().provider("a", Dialect::OpenAiChat, &primary).provider("b", Dialect::OpenAiChat, &backup);
    let gate = house.model("fast", &["a/upstream-model", "b/upstream-model"]).start();
    let body = Dialect::OpenAiChat.request("fast", "Hello?", false).to_string();
    let call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
    assert_eq!(primary.wait_for_request(1).model, "upstream-model");
    call.leave();
    assert!(!primary.wait_for_cancel().elapsed().is_zero());
    assert_eq!((gate.ledger_of(1).len(), backup.served()), (1, 0));
}
