//! Providers that answer what is no answer: the caller gets a clear error in its own dialect, in bounded time and memory,
//! and nothing is billed twice.

use gatehouse_tests::{Dialect, House, Reply, Upstream};

/// The same provider fault for a caller of its dialect (`fast`) and for one of another (`cross`).
#[track_caller]
fn assert_refused(dialect: Dialect, reply: &Reply, statuses: &[u16]) {
    let other = if dialect == Dialect::Anthropic { Dialect::OpenAiChat } else { Dialect::Anthropic };
    for provider in [dialect, other] {
        let upstream = Upstream::start();
        upstream.reply(reply.clone());
        let gate = House::with_one(provider, &upstream).impatient("only").without_retries("only").start();
        let answer = gate.client().ask(dialect, "fast", "Hello?");
        assert!(statuses.contains(&answer.status), "{} by {}: {}", answer.status, provider.name(), answer.text());
        assert!(dialect.error_message(&answer.json()).is_some(), "by {}: {}", provider.name(), answer.text());
        let rows = gate.ledger_of(1);
        assert_eq!((rows.len(), upstream.served()), (1, 1), "by {}: {rows:?}", provider.name());
    }
}

#[track_caller]
fn assert_stream_fails(dialect: Dialect, reply: &Reply) {
    let other = if dialect == Dialect::Anthropic { Dialect::OpenAiChat } else { Dialect::Anthropic };
    for provider in [dialect, other] {
        let upstream = Upstream::start();
        upstream.reply(reply.clone());
        let gate = House::with_one(provider, &upstream).impatient("only").without_retries("only").start();
        let stream = gate.client().ask_stream(dialect, "fast", "Hello?");
        if stream.status == 200 {
            let outcome = stream.outcome();
            assert!(!outcome.terminal && (outcome.error || outcome.broken), "by {}: {outcome:?}", provider.name());
        } else {
            let answer = stream.response();
            assert!(dialect.error_message(&answer.json()).is_some(), "by {}: {}", provider.name(), answer.text());
        }
        assert_eq!(gate.ledger_of(1).len(), 1, "by {}", provider.name());
    }
}

each_dialect!(a_web_page_is_no_answer, |dialect: Dialect| assert_refused(dialect, &Reply::html(200), &[502]));

each_dialect!(nothing_is_no_answer, |dialect: Dialect| assert_refused(dialect, &Reply::empty(), &[502]));

each_dialect!(half_an_answer_is_no_answer, |dialect: Dialect| {
    assert_refused(dialect, &Reply::text("a long enough text").cut_after_bytes(60), &[502]);
});

each_dialect!(an_answer_shorter_than_declared_is_no_answer, |dialect: Dialect| {
    assert_refused(dialect, &Reply::text("short").declaring_length(100_000), &[502]);
});

each_dialect!(an_answer_that_never_ends_is_given_up, |dialect: Dialect| {
    assert_refused(dialect, &Reply::text("stuck").declaring_length(100_000).stall_after_frames(1), &[502, 504]);
});

each_dialect!(an_answer_that_never_begins_is_given_up, |dialect: Dialect| {
    assert_refused(dialect, &Reply::text("never").stall_before_head(), &[504]);
});

each_dialect!(an_answer_that_inflates_without_end_is_given_up, |dialect: Dialect| {
    assert_refused(dialect, &Reply::gzip_bomb(), &[502]);
});

each_dialect!(an_error_that_is_a_web_page_becomes_an_error_of_the_dialect, |dialect: Dialect| {
    assert_refused(dialect, &Reply::html(503), &[502, 503]);
});

each_dialect!(a_refusal_of_the_gateways_own_key_is_not_the_callers_fault, |dialect: Dialect| {
    assert_refused(dialect, &Reply::error(401, "invalid api key sk-12345"), &[502]);
});

each_dialect!(a_stream_without_an_event_is_no_answer, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::frames(&[]));
});

each_dialect!(a_stream_of_nonsense_is_no_answer, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::frames(&["this is not an event\n\n", "data: {\"half\": \n\n"]));
});

each_dialect!(half_an_event_is_no_end, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::text("one two three").cut_after_bytes(200));
});

each_dialect!(a_line_without_an_end_is_given_up, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::endless_line(64 << 20));
});

each_dialect!(a_stream_that_stalls_after_its_head_is_given_up, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::text("never").stall_after_head());
});

each_dialect!(a_web_page_in_the_place_of_a_stream_is_no_answer, |dialect: Dialect| {
    assert_stream_fails(dialect, &Reply::html(200));
});

#[test]
fn what_a_provider_says_of_the_gateways_key_is_not_repeated() {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(401, "Incorrect API key provided: provider-secret"));
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let answer = gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?");
    assert!(!answer.text().contains("provider-secret"), "{}", answer.text());
}

#[test]
fn a_provider_that_is_not_there_is_unreachable() {
    let gone = Upstream::start().url();
    let house = House::new().provider_at("only", Dialect::OpenAiChat, &gone).without_retries("only");
    let gate = house.model("fast", &["only/upstream-model"]).start();
    let answer = gate.client().ask(Dialect::Anthropic, "fast", "Hello?");
    let message = answer.refused(Dialect::Anthropic, 502);
    assert!(!message.contains(gone.trim_start_matches("http://")), "an address inside is nobody's business: {message}");
}

#[test]
fn a_connection_the_provider_closed_while_idle_costs_the_caller_nothing() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    upstream.reply(Reply::text("then closed").header("connection", "close"));
    for _ in 0..5 {
        assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    }
}
