use std::sync::Arc;

use gatehouse_domain::{AttemptOutcome, AttemptStatus, CallOutcome, Money, Principal, PrincipalKind, RequestId, Usage};
use gatehouse_store::RequestLog;
use uuid::Uuid;

use super::*;

/// A log of four calls, a second apart, two of them of one run, one of them refused.
async fn desk() -> Desk {
    let desk = Desk::open().await;
    let mut log = RequestLog::default();
    let entries: Vec<_> = (0..4_u64).filter_map(|n| log.entry(call(n))).collect();
    desk.store.insert_requests(&entries).await.unwrap();
    desk
}

fn call(n: u64) -> CallOutcome {
    let who = Principal { team: Some("support".into()), ..Principal::bare(PrincipalKind::Service, "key_ci", "ci") };
    let who = Arc::new(who);
    let model: Arc<str> = ["fast", "open/gpt"][(n % 2) as usize].into();
    let started_unix_ms = 1_795_348_800_000 + n * 1_000;
    let attempt = AttemptOutcome {
        id: id(n).attempt(0),
        started_unix_ms,
        who: Arc::clone(&who),
        run: None,
        tags: None,
        model: Arc::clone(&model),
        provider: "claude".into(),
        upstream_model: "haiku".into(),
        dialect: "openai_chat",
        operation: "chat",
        stream: false,
        status: AttemptStatus::Ok,
        http_status: 200,
        usage: Usage::default(),
        estimated: false,
        cost: Money::from_nano_usd(i64::try_from(n).unwrap() * 1_000_000),
        priced: true,
        duration_us: 0,
        first_byte_us: 0,
    };
    CallOutcome {
        id: id(n),
        started_unix_ms,
        who: Some(who),
        model: Some(model),
        run: (n < 2).then(|| "run-7".into()),
        status: if n == 3 { 429 } else { 200 },
        fault: (n == 3).then_some("rate_limited"),
        attempts: vec![attempt],
        ..CallOutcome::default()
    }
}

fn id(n: u64) -> RequestId {
    RequestId(Uuid::from_u128(u128::from(1_795_348_800_000 + n * 1_000) << 80))
}

#[tokio::test]
async fn calls_are_listed_newest_first_in_pages() {
    let desk = desk().await;
    let first = desk.get("/api/v1/requests?limit=3").await.json();
    assert_eq!(first["rows"][0]["id"], id(3).to_string());
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("/api/v1/requests?limit=3&cursor={cursor}")).await.json();
    assert_eq!((second["rows"].as_array().unwrap().len(), second.get("next_cursor")), (1, None));
}

#[tokio::test]
async fn calls_are_found_by_what_they_were() {
    let desk = desk().await;
    for (query, expected) in [
        ("status=429", 1),
        ("status=2xx", 3),
        ("code=rate_limited", 1),
        ("q=GPT", 2),
        ("model=fast&run=run-7", 1),
        ("min_cost=0.002", 2),
        ("since=2026-11-22T12:00:02Z", 2),
        ("team=other", 0),
    ] {
        let found = desk.get(&format!("/api/v1/requests?{query}")).await;
        assert_eq!(found.json()["rows"].as_array().unwrap().len(), expected, "{query}: {}", found.text);
    }
}

#[tokio::test]
async fn a_wrong_search_is_told_what_to_write() {
    let desk = desk().await;
    let long = format!("q={}", "x".repeat(300));
    for query in ["status=maybe", "min_cost=-1", "min_cost=NaN", "cursor=x", "since=never", "limit=0", &long] {
        let answer = desk.get(&format!("/api/v1/requests?{query}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid_request"), "{query}");
    }
}

#[tokio::test]
async fn a_call_is_shown_by_its_request_id() {
    let desk = desk().await;
    let shown = desk.get(&format!("/api/v1/requests/{}", id(3))).await.json();
    assert_eq!((&shown["code"], &shown["cost_usd"]), (&json!("rate_limited"), &json!(0.003)));
    for id in [id(9).to_string(), "not-an-id".to_owned()] {
        assert_eq!(desk.get(&format!("/api/v1/requests/{id}")).await.code(), "not_found");
    }
}

#[tokio::test]
async fn a_run_is_its_calls_in_order_and_their_sums() {
    let desk = desk().await;
    let run = desk.get("/api/v1/runs/run-7").await.json();
    assert_eq!((&run["sums"]["calls"], &run["sums"]["cost_usd"]), (&json!(2), &json!(0.001)));
    assert_eq!(run["rows"][0]["id"], id(0).to_string());
    assert_eq!(desk.get("/api/v1/runs/run-8").await.code(), "not_found");
}
