//! Faults before the first byte: the next target answers, whatever dialect it speaks, and every attempt is on record.

use gatehouse_tests::{Dialect, Gate, House, Reply, Upstream};

/// Everything that can go wrong before an answer begins, and what the ledger calls it.
fn faults() -> Vec<(&'static str, Reply, &'static str)> {
    vec![
        ("limited", Reply::error(429, "slow down").header("retry-after", "1"), "limited"),
        ("failing", Reply::error(500, "boom"), "failed"),
        ("unavailable", Reply::error(503, "no capacity"), "failed"),
        ("overloaded", Reply::error(529, "overloaded"), "failed"),
        ("web-page", Reply::html(502), "failed"),
        ("silent", Reply::text("never").stall_before_head(), "timed_out"),
        ("closing", Reply::text("never").close_before_head(), "failed"),
    ]
}

/// A house with one model per fault, each falling back to a provider of the next dialect in the list.
fn faulty_house(caller: Dialect, primary: &Upstream, backup: &Upstream) -> Gate {
    let at = Dialect::ALL.iter().position(|dialect| *dialect == caller).unwrap();
    let other = Dialect::ALL[(at + 2) % Dialect::ALL.len()];
    let mut house = House::new()
        .provider("primary", caller, primary)
        .impatient("primary")
        .without_retries("primary")
        .provider("backup", other, backup);
    for (name, reply, _) in faults() {
        primary.replies(name, [reply]);
        house = house.model(name, &[&format!("primary/{name}"), "backup/upstream-model"]);
    }
    house.start()
}

each_dialect!(before_the_first_byte_the_next_target_answers, |dialect: Dialect| {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    let gate = faulty_house(dialect, &primary, &backup);
    for (name, _, status) in faults() {
        let answer = gate.client().ask(dialect, name, "Hello?");
        assert_eq!(answer.said(dialect), "Hello from the provider.", "{name}");
        assert_eq!(answer.header("x-gatehouse-provider"), Some("backup"), "{name}");
        let rows = gate.ledger_of(2 * (backup.served()));
        let first = rows.iter().find(|row| row.model == name && row.provider == "primary").unwrap();
        assert_eq!((first.status.as_str(), first.output_tokens), (status, 0), "{name}");
    }
    assert_eq!((primary.served(), backup.served()), (faults().len(), faults().len()));
});

each_dialect!(before_the_first_byte_of_a_stream_the_next_target_answers, |dialect: Dialect| {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    let gate = faulty_house(dialect, &primary, &backup);
    for (name, _, _) in faults() {
        let outcome = gate.client().ask_stream(dialect, name, "Hello?").outcome();
        assert_eq!((outcome.text.as_str(), outcome.terminal), ("Hello from the provider.", true), "{name}");
    }
});

each_dialect!(after_the_first_byte_no_other_target_is_asked, |dialect: Dialect| {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    let half = || Reply::text("one two three four five six seven eight");
    let breaks = [half().close_after_frames(7), half().reset_after_frames(7), half().stall_after_frames(7)];
    let house = House::new().provider("primary", dialect, &primary).impatient("primary");
    let house = house.provider("backup", dialect, &backup);
    let gate = house.model("fast", &["primary/upstream-model", "backup/upstream-model"]).start();
    for (at, reply) in breaks.into_iter().enumerate() {
        primary.reply(reply);
        let outcome = gate.client().ask_stream(dialect, "fast", "Count.").outcome();
        assert!(!outcome.text.is_empty() && !outcome.terminal, "{at}: {outcome:?}");
        assert!(outcome.error || outcome.broken, "{at}: {outcome:?}");
    }
    assert_eq!((primary.served(), backup.served()), (3, 0));
    let rows = gate.ledger_of(3);
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows.iter().all(|row| row.status == "truncated" || row.status == "timed_out"), "{rows:?}");
});

each_dialect!(when_every_target_fails_the_caller_is_told_in_its_own_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(503, "no capacity"));
    let gate = House::with_one(dialect, &upstream).without_retries("only").start();
    assert!(!gate.client().ask(dialect, "fast", "Hello?").refused(dialect, 503).is_empty());
    assert!(!gate.client().ask_stream(dialect, "fast", "Hello?").response().refused(dialect, 503).is_empty());
});

each_dialect!(a_limit_of_the_provider_reaches_the_caller_with_its_time, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(429, "slow down").header("retry-after", "7"));
    let gate = House::with_one(dialect, &upstream).start();
    let answer = gate.client().ask(dialect, "fast", "Hello?");
    assert!(!answer.refused(dialect, 429).is_empty());
    assert!(answer.header("retry-after").is_some_and(|seconds| (1..=7).contains(&seconds.parse().unwrap_or(0))));
});

each_dialect!(the_callers_own_mistake_is_passed_on_as_it_is_and_tried_nowhere_else, |dialect: Dialect| {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    primary.reply(Reply::error(400, "temperature must be at most 2"));
    let house = House::new().provider("primary", dialect, &primary).provider("backup", dialect, &backup);
    let gate = house.model("fast", &["primary/upstream-model", "backup/upstream-model"]).start();
    let answer = gate.client().ask(dialect, "fast", "Hello?");
    assert_eq!(answer.body, dialect.error(400, "temperature must be at most 2"), "{}", answer.text());
    assert_eq!((answer.status, primary.served(), backup.served()), (400, 1, 0));
});

each_dialect!(the_callers_own_mistake_is_translated_into_its_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(400, "temperature must be at most 2"));
    let other = if dialect == Dialect::Cohere { Dialect::Anthropic } else { Dialect::Cohere };
    let gate = House::with_one(other, &upstream).start();
    let message = gate.client().ask(dialect, "fast", "Hello?").refused(dialect, 400);
    assert!(message.contains("temperature must be at most 2"), "{message}");
    assert_eq!(upstream.served(), 1);
});

#[test]
fn a_failed_try_is_repeated_as_often_as_configured() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [Reply::error(500, "boom"), Reply::error(500, "boom"), Reply::text("third")]);
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).set("/providers/only/retries", 2.into()).start();
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").said(Dialect::OpenAiChat), "third");
    let statuses: Vec<String> = gate.ledger_of(3).into_iter().map(|row| row.status).collect();
    assert_eq!(statuses.iter().filter(|status| *status == "failed").count(), 2, "{statuses:?}");
}

#[test]
fn a_fallback_model_answers_when_no_target_of_the_first_can() {
    let (primary, backup) = (Upstream::start(), Upstream::start());
    primary.reply(Reply::error(503, "no capacity"));
    let house = House::new().provider("primary", Dialect::OpenAiChat, &primary).without_retries("primary");
    let house = house.provider("backup", Dialect::Gemini, &backup).model("backup", &["backup/upstream-model"]);
    let house =
        house.model("fast", &["primary/upstream-model"]).set("/models/fast/fallbacks", serde_json::json!(["backup"]));
    let answer = house.start().client().ask(Dialect::Anthropic, "fast", "Hello?");
    assert_eq!(answer.said(Dialect::Anthropic), "Hello from the provider.");
}

#[test]
fn weights_share_calls_out_as_they_say() {
    let (heavy, light) = (Upstream::start(), Upstream::start());
    let house =
        House::new().provider("heavy", Dialect::OpenAiChat, &heavy).provider("light", Dialect::OpenAiChat, &light);
    let targets = serde_json::json!([
        {"provider": "heavy", "model": "m", "weight": 8}, {"provider": "light", "model": "m", "weight": 2}]);
    let gate = house.set("/models/fast", serde_json::json!({"strategy": "weighted", "targets": targets})).start();
    for _ in 0..400 {
        assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    }
    // 80 of 400 are expected; five standard deviations are 40.
    assert!((40..=120).contains(&light.served()), "{} of 400", light.served());
}
