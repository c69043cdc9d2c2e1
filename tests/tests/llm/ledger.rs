//! One row per upstream attempt, exactly once, whatever dies. The provider's own count is the judge.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatehouse_tests::{Answer, Client, Dialect, Gate, House, Reply, Upstream};
use serde_json::json;

const CHAT: Dialect = Dialect::OpenAiChat;

each_dialect!(a_call_leaves_one_row_with_its_tokens_and_its_price, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(Answer::text("Hello there.").usage(1_000, 200)));
    let prices = json!({"overrides": {"only/upstream-model": {"input": 3, "output": 15}}});
    let gate = House::with_one(dialect, &upstream).set("/prices", prices).start();
    assert_eq!(gate.client().ask(dialect, "fast", "Hello?").status, 200);
    assert!(gate.client().ask_stream(dialect, "fast", "Hello?").outcome().terminal);
    let rows = gate.ledger_of(2);
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in rows {
        assert_eq!((row.input_tokens, row.output_tokens, row.status.as_str()), (1_000, 200, "ok"), "{row:?}");
        assert_eq!((row.key.as_str(), row.model.as_str(), row.provider.as_str()), ("test", "fast", "only"));
        // 1,000 × 3 + 200 × 15 dollars per million.
        assert!((row.cost_usd - 0.006).abs() < 1e-12, "{row:?}");
    }
});

each_dialect!(a_translated_call_is_counted_like_any_other, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(Answer::text("Hello there.").usage(1_000, 200)));
    let other = if dialect == Dialect::Anthropic { Dialect::Gemini } else { Dialect::Anthropic };
    let gate = House::with_one(other, &upstream).start();
    assert_eq!(gate.client().ask(dialect, "fast", "Hello?").status, 200);
    assert!(gate.client().ask_stream(dialect, "fast", "Hello?").outcome().terminal);
    for row in gate.ledger_of(2) {
        assert_eq!((row.input_tokens, row.output_tokens, row.status.as_str()), (1_000, 200, "ok"), "{row:?}");
    }
});

#[test]
fn a_refused_call_leaves_no_row() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    assert_eq!(gate.client().ask(CHAT, "nothing", "Hello?").status, 404);
    assert_eq!(gate.stranger().ask(CHAT, "fast", "Hello?").status, 401);
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(1).len(), 1);
}

#[test]
fn rows_survive_a_kill_right_after_the_answer() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(CHAT, &upstream).start();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    gate.kill9();
    gate.restart();
    let rows = gate.ledger_of(1);
    assert_eq!((rows.len(), rows[0].status.as_str()), (1, "ok"), "{rows:?}");
}

#[test]
fn a_call_cut_by_a_kill_is_on_record_as_interrupted() {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("never").stall_before_head());
    let mut gate = House::with_one(CHAT, &upstream).start();
    let body = CHAT.request("fast", "Hello?", false).to_string();
    let _call = gate.client().send("POST", "/v1/chat/completions", body.as_bytes());
    assert_eq!(upstream.wait_for_request(1).model, "upstream-model");
    gate.kill9();
    gate.restart();
    let rows = gate.ledger_of(1);
    assert_eq!((rows.len(), rows[0].status.as_str()), (1, "interrupted"), "{rows:?}");
}

/// Calls from a few clients until told to stop; counts the answers that arrived whole.
fn load(client: &Client, stop: &AtomicBool, answered: &AtomicUsize) {
    let body = CHAT.request("fast", "Hello?", false).to_string();
    while !stop.load(Ordering::Relaxed) {
        let Some(answer) = client.try_send("POST", "/v1/chat/completions", body.as_bytes()) else { return };
        match answer.try_response() {
            Some(answer) if answer.status == 200 && answer.whole => answered.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

/// Runs load, waits until the provider has seen some of it, and kills the gateway in the middle.
fn kill_under_load(gate: &mut Gate, upstream: &Upstream, answered: &AtomicUsize) {
    let stop = AtomicBool::new(false);
    let client = gate.client();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load(&client, &stop, answered));
        }
        assert_eq!(upstream.wait_for_request(upstream.served() + 20).model, "upstream-model");
        gate.kill9();
        stop.store(true, Ordering::Relaxed);
    });
    gate.restart();
}

/// `make kill-loop` does this two hundred times.
#[test]
fn five_kills_under_load_lose_no_row_and_double_none() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(CHAT, &upstream).start();
    let answered = AtomicUsize::new(0);
    for _ in 0..5 {
        kill_under_load(&mut gate, &upstream, &answered);
    }
    let rows = gate.ledger_of(upstream.served());
    let unsent = rows.len() - upstream.served();
    let count = |status: &str| rows.iter().filter(|row| row.status == status).count();
    let ids: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), rows.len(), "a row counted twice");
    assert!(count("ok") >= answered.into_inner(), "an answer the client got is not in the ledger");
    // A record is written before the request is sent: the gateway may die between the two.
    assert!(
        unsent <= count("interrupted"),
        "{unsent} rows the provider never saw, {} interrupted",
        count("interrupted")
    );
}

#[test]
fn a_call_is_counted_under_its_run_and_its_tags() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let named = gate.client().header("x-gatehouse-run", "nightly-7").header("x-gatehouse-tags", "job=sum, env=prod");
    assert_eq!(named.ask(CHAT, "fast", "Hello?").status, 200);
    assert_eq!(gate.client().header("traceparent", trace).ask(CHAT, "fast", "Hello?").status, 200);
    assert_eq!(gate.ledger_of(2).len(), 2);
    let mut rows = gate.rows(&["usage", "report", "--by", "run,tags"]);
    rows.sort_by_key(|row| row["run"].to_string());
    let counted: Vec<_> = rows.iter().map(|row| (row["run"].as_str(), row["tags"].as_str())).collect();
    let of_trace = Some("0af7651916cd43dd8448eb211c80319c");
    assert_eq!(counted, [(of_trace, None), (Some("nightly-7"), Some("env=prod,job=sum"))]);
}

#[test]
fn what_is_no_run_and_no_tag_is_refused_in_the_callers_dialect() {
    let upstream = Upstream::start();
    let gate = House::with_one(CHAT, &upstream).start();
    for (name, value) in [("x-gatehouse-run", "a run"), ("x-gatehouse-tags", "prod"), ("x-gatehouse-tags", "a=b c")] {
        let message = gate.client().header(name, value).ask(CHAT, "fast", "Hello?").refused(CHAT, 400);
        assert!(message.contains(name), "{message}");
    }
    assert_eq!(upstream.served(), 0);
}
