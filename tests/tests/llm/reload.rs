//! The configuration file changes while the gateway runs.

use std::time::Instant;

use gatehouse_tests::{Dialect, Gate, House, PATIENCE, Upstream, run_cli};
use serde_json::json;

const CHAT: Dialect = Dialect::OpenAiChat;

/// Calls until this model answers with this status.
#[track_caller]
fn wait_for(gate: &Gate, model: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while gate.client().ask(CHAT, model, "Hello?").status != status {
        assert!(Instant::now() < deadline, "{model} never answered {status}:\n{}", gate.logs());
    }
}

#[test]
fn a_new_model_is_there_without_a_restart() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream);
    let gate = house.start();
    assert_eq!(gate.client().ask(CHAT, "new", "Hello?").status, 404);
    gate.rewrite_config(&house.model("new", &["only/new-model"]).file());
    wait_for(&gate, "new", 200);
}

#[test]
fn a_key_taken_out_of_the_file_stops_working() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream);
    let gate = house.start();
    wait_for(&gate, "fast", 200);
    gate.rewrite_config(
        &house.set("/keys", json!([{"name": "other", "secret": "gk_test_other_0000000000000000000"}])).file(),
    );
    wait_for(&gate, "fast", 401);
}

#[test]
fn a_bad_file_is_refused_with_its_reason_and_the_last_good_one_stays() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream);
    let gate = house.start();
    gate.rewrite_config(&house.clone().set("/modles", json!({})).file());
    let line = gate.wait_for_log("the reason of the refusal", |line| line.to_string().contains("modles"));
    assert!(line.to_string().contains("models"), "{line}");
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);

    gate.rewrite_config(&house.model("new", &["only/new-model"]).file());
    wait_for(&gate, "new", 200);
}

#[test]
fn the_last_good_file_survives_a_restart_over_a_bad_one() {
    let upstream = Upstream::start();
    let house = House::with_one(CHAT, &upstream);
    let mut gate = house.start();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
    gate.rewrite_config("listen: [this is no address");
    gate.kill9();
    gate.restart();
    assert_eq!(gate.client().ask(CHAT, "fast", "Hello?").status, 200);
}

#[test]
fn a_reload_does_not_disturb_a_stream() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [gatehouse_tests::Reply::text("one two three").stepped()]);
    let house = House::with_one(CHAT, &upstream).model("old", &["only/old-model"]);
    let gate = house.start();
    (0..2).for_each(|_| upstream.step());
    let mut stream = gate.client().ask_stream(CHAT, "fast", "Count.");
    assert_eq!(stream.next_text().as_deref(), Some("one "));
    gate.rewrite_config(
        &house.set("/models", json!({"other": {"targets": [{"provider": "only", "model": "m"}]}})).file(),
    );
    wait_for(&gate, "old", 404);
    upstream.run();
    let outcome = stream.outcome();
    assert_eq!((outcome.text.as_str(), outcome.terminal), ("two three", true));
}

#[test]
fn check_names_line_and_column_and_the_likely_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.yaml");
    std::fs::write(&file, "listen: 127.0.0.1:0\nprovidres: {}\n").unwrap();
    let output = run_cli(&["check", file.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2:1") && said.contains("providers"), "{said}");
}

#[test]
fn check_accepts_what_serve_accepts() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.yaml");
    std::fs::write(&file, House::with_one(CHAT, &upstream).file()).unwrap();
    let output = run_cli(&["check", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
