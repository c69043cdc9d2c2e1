//! The request log, from the call to the row.

use gatehouse_tests::{Dialect, House, Reply, Upstream};
use serde_json::json;

use super::rows;

#[test]
fn a_call_has_one_row_however_many_attempts_it_took() {
    let upstream = Upstream::start();
    upstream.replies("upstream-model", [Reply::error(500, "not now"), Reply::text("Hello.")]);
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let answer = gate.client().header("x-gatehouse-tags", "env=prod").ask(Dialect::OpenAiChat, "fast", "Hello?");
    assert_eq!(answer.status, 200);
    let row = &rows(&gate, "/api/v1/requests", 1)[0];
    assert_eq!(row["id"], answer.header("x-gatehouse-request-id").expect("an id"));
    assert_eq!((&row["attempts"], &row["status"], &row["model"]), (&json!(2), &json!(200), &json!("fast")));
    assert_eq!(
        (&row["key"], &row["tags"], &row["upstream_model"]),
        (&json!("test"), &json!("env=prod"), &json!("upstream-model"))
    );
    assert_eq!(rows(&gate, "/api/v1/requests", 1).len(), 1);
}

#[test]
fn a_refused_call_says_why_and_a_stranger_gets_no_row() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    assert_eq!(gate.stranger().key("nobodys-key").ask(Dialect::OpenAiChat, "fast", "Hello?").status, 401);
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "slow", "Hello?").status, 404);
    let found = rows(&gate, "/api/v1/requests", 1);
    let codes: Vec<_> = found.iter().map(|row| row["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["unknown_model"]);
}

#[test]
fn the_calls_of_a_run_are_shown_in_order_with_their_sums_here_and_there() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    for _ in 0..3 {
        let caller = gate.client().header("x-gatehouse-run", "nightly-42");
        assert_eq!(caller.ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    }
    rows(&gate, "/api/v1/requests?run=nightly-42", 3);
    let run = gate.admin().get("/api/v1/runs/nightly-42").json();
    assert_eq!((&run["sums"]["calls"], &run["sums"]["input_tokens"]), (&json!(3), &json!(33)), "{run}");
    let shown = gate.rows(&["runs", "show", "nightly-42"]);
    assert_eq!((shown.len(), &shown[3]["calls"]), (4, &json!(3)), "{shown:?}");
    assert!(shown[0]["started_unix_ms"].as_u64() <= shown[2]["started_unix_ms"].as_u64());
}

#[test]
fn the_rows_of_the_last_calls_are_there_after_a_stop() {
    let upstream = Upstream::start();
    let mut gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    for _ in 0..20 {
        assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    }
    gate.terminate();
    assert!(gate.wait_for_exit().success());
    assert_eq!(gate.rows(&["requests", "list"]).len(), 20);
}

#[test]
fn without_a_request_log_no_row_is_written() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream)
        .set("/telemetry", json!({"requests": {"keep_days": 0}}))
        .start();
    assert_eq!(gate.client().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 200);
    // A refusal that came later is in the audit log: by then the row would have been written.
    assert_eq!(gate.stranger().ask(Dialect::OpenAiChat, "fast", "Hello?").status, 401);
    rows(&gate, "/api/v1/audit?outcome=refused", 1);
    assert!(rows(&gate, "/api/v1/requests", 0).is_empty());
}
