//! What the request log promises.

use std::sync::Arc;

use gatehouse_domain::{CallOutcome, GuardrailRun, Money, Ran};
use serde_json::json;

use super::{CALLER, Home, START, id, outcome};
use crate::{RequestFilter, RequestRow, RunSums};

/// Call `n`, a millisecond after the one before; every third one was refused.
fn call(n: u64) -> CallOutcome {
    let refused = n % 3 == 2;
    CallOutcome {
        id: id(n).request(),
        started_unix_ms: START + n,
        who: Some(Arc::new(CALLER.clone())),
        run: Some("run-7".into()),
        tags: Some("env=prod".into()),
        decision: Some("permit-support".into()),
        guardrails: vec![GuardrailRun {
            name: "no-secrets".into(),
            point: "request",
            ran: Ran::Ran,
            action: "observe",
            findings: 1,
        }],
        dialect: "openai_chat",
        operation: "chat",
        model: Some("fast".into()),
        status: if refused { 429 } else { 200 },
        fault: refused.then_some("rate_limited"),
        attempts: if refused { vec![] } else { vec![outcome(n)] },
        ..CallOutcome::default()
    }
}

async fn log_of(calls: u64) -> Home {
    let home = Home::new().await;
    let rows: Vec<RequestRow> = (0..calls).filter_map(|n| RequestRow::of(&call(n))).collect();
    home.store.insert_requests(&rows).await.unwrap();
    home
}

fn all() -> RequestFilter {
    RequestFilter { limit: 1_000, ..RequestFilter::default() }
}

#[tokio::test]
async fn a_call_comes_back_as_it_was_written() {
    let home = log_of(200).await;
    let row = home.store.request(id(7).request()).await.unwrap().unwrap();
    assert_eq!(Some(&row), RequestRow::of(&call(7)).as_ref());
    assert!(home.store.request(id(900).request()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_call_as_json_says_who_what_and_what_it_cost() {
    let row = serde_json::to_value(RequestRow::of(&call(0)).unwrap()).unwrap();
    for (field, expected) in [
        ("team", json!("support")),
        ("agent", json!("billing")),
        ("model", json!("fast")),
        ("upstream_model", json!("claude-haiku-4-5")),
        ("input_tokens", json!(100)),
        ("cost_usd", json!(1.2e-6)),
        ("decision", json!("permit-support")),
        (
            "guardrails",
            json!([{"name": "no-secrets", "point": "request", "ran": "ran", "action": "observe", "findings": 1}]),
        ),
    ] {
        assert_eq!(row[field], expected, "{field} in {row}");
    }
    assert!(row.get("code").is_none());
}

#[tokio::test]
async fn a_search_is_narrowed_by_what_is_asked_for() {
    let home = log_of(9).await;
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (all(), 9),
        (RequestFilter { team: text("support"), ..all() }, 9),
        (RequestFilter { team: text("other"), ..all() }, 0),
        (RequestFilter { code: text("rate_limited"), ..all() }, 3),
        (RequestFilter { status: Some((200, 299)), ..all() }, 6),
        (RequestFilter { min_cost: Some(Money::from_nano_usd(1_200)), ..all() }, 6),
        (RequestFilter { min_cost: Some(Money::from_nano_usd(1_201)), ..all() }, 0),
        (RequestFilter { run: text("run-7"), ..all() }, 9),
        (RequestFilter { run: text(""), ..all() }, 0),
        (RequestFilter { since_unix_ms: Some(START + 7), ..all() }, 2),
        (RequestFilter { until_unix_ms: Some(START + 7), ..all() }, 7),
        (RequestFilter { text: text("HAIKU"), ..all() }, 6),
        (RequestFilter { text: text("%"), ..all() }, 0),
        (RequestFilter { text: text("' OR 1=1 --"), ..all() }, 0),
    ] {
        assert_eq!(home.store.requests(&filter).await.unwrap().len(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_in_both_directions() {
    let home = log_of(10).await;
    for oldest_first in [false, true] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = RequestFilter { cursor, limit: 3, oldest_first, ..all() };
            let rows = home.store.requests(&page).await.unwrap();
            let Some(last) = rows.last() else { break };
            cursor = Some(last.id);
            seen.extend(rows.iter().map(|row| row.started_unix_ms - START));
        }
        let expected: Vec<u64> = if oldest_first { (0..10).collect() } else { (0..10).rev().collect() };
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_run_is_summed_up() {
    let home = log_of(9).await;
    let sums = home.store.run_sums("run-7", None).await.unwrap();
    let expected = RunSums {
        calls: 9,
        failed: 3,
        attempts: 6,
        input_tokens: 600,
        output_tokens: 120,
        cost: Money::from_nano_usd(7_200),
        first_unix_ms: START,
        last_unix_ms: START + 8,
    };
    assert_eq!(sums, expected);
    assert_eq!(home.store.run_sums("", None).await.unwrap().calls, 0);
    assert_eq!(home.store.run_sums("run-7", Some("other")).await.unwrap().calls, 0);
}

#[tokio::test]
async fn old_calls_are_deleted_in_batches_oldest_first() {
    let home = log_of(2_500).await;
    let mut batches = Vec::new();
    loop {
        match home.store.purge_requests(START + 2_100).await.unwrap() {
            0 => break,
            gone => batches.push(gone),
        }
    }
    assert_eq!(batches, [1_000, 1_000, 100]);
    let left = home.store.requests(&RequestFilter { oldest_first: true, ..all() }).await.unwrap();
    assert_eq!((left.len(), left[0].started_unix_ms), (400, START + 2_100));
}

#[tokio::test]
async fn a_call_written_twice_is_there_once() {
    let home = log_of(3).await;
    home.store.insert_requests(&[RequestRow::of(&call(1)).unwrap()]).await.unwrap();
    assert_eq!(home.store.requests(&all()).await.unwrap().len(), 3);
}

#[test]
fn a_caller_nobody_knows_gets_no_row_and_a_long_name_is_cut() {
    assert!(RequestRow::of(&CallOutcome { who: None, ..call(1) }).is_none());
    let long = CallOutcome { model: Some("é".repeat(1_000).into()), ..call(1) };
    assert_eq!(RequestRow::of(&long).unwrap().model.len(), 256);
}
