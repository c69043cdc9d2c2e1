use std::sync::Arc;

use gatehouse_domain::{AttemptOutcome, AttemptStatus, Money, Principal, PrincipalKind, RequestId, Usage};
use uuid::{NoContext, Timestamp, Uuid};

use super::*;

/// 2026-11-22T12:00:00Z
const NOON: u64 = 1_795_348_800;

fn attempt(key: &str, model: &str, unix_secs: u64) -> AttemptOutcome {
    let id = RequestId::from_uuid(Uuid::new_v7(Timestamp::from_unix(NoContext, unix_secs, 0)));
    AttemptOutcome {
        id: id.attempt(0),
        started_unix_ms: unix_secs * 1_000,
        who: Arc::new(Principal { team: Some("support".into()), ..Principal::bare(PrincipalKind::Service, key, "ci") }),
        run: None,
        tags: None,
        model: model.into(),
        provider: "openai".into(),
        upstream_model: "gpt-5-mini".into(),
        dialect: "openai_chat",
        operation: "chat",
        stream: false,
        status: AttemptStatus::Ok,
        http_status: 200,
        usage: Usage { input: 10, cache_read: 5, output: 7, ..Usage::default() },
        estimated: false,
        cost: Money::from_nano_usd(1_000_000),
        priced: true,
        duration_us: 250_500,
        first_byte_us: 90_000,
    }
}

async fn desk() -> Desk {
    let desk = Desk::open().await;
    let attempts = [attempt("a", "fast", NOON), attempt("a", "fast", NOON + 86_400), attempt("b", "fast", NOON)];
    assert_eq!(desk.store.insert_attempts(&attempts).await.unwrap(), 3);
    desk
}

#[tokio::test]
async fn usage_is_summed_up_by_the_dimensions_asked_for() {
    let rows = desk().await.get("/api/v1/usage?by=key,model").await.json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
    let first = &rows["rows"][0];
    assert_eq!((&first["key"], &first["model"]), (&json!("a"), &json!("fast")));
    assert_eq!(
        (&first["attempts"], &first["input_tokens"], &first["output_tokens"]),
        (&json!(2), &json!(30), &json!(14))
    );
    assert_eq!(first["cost_usd"], json!(0.002));
}

#[tokio::test]
async fn a_time_range_counts_its_start_and_not_its_end() {
    let rows = desk().await.get("/api/v1/usage?since=2026-11-22T12:00:00Z&until=2026-11-23T12:00:00Z").await.json();
    assert_eq!(rows["rows"][0]["attempts"], 2);
}

#[tokio::test]
async fn usage_can_be_asked_of_one_key() {
    let rows = desk().await.get("/api/v1/usage?by=day&key=a").await.json();
    let days: Vec<_> = rows["rows"].as_array().unwrap().iter().map(|row| row["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-11-22", "2026-11-23"]);
}

#[tokio::test]
async fn an_export_has_a_line_for_each_attempt_of_its_period() {
    let desk = desk().await;
    let text = desk.get("/api/v1/usage/export?until=2026-11-23").await.text;
    assert_eq!(text.lines().count(), 3, "a header and two attempts: {text}");
    assert!(text.starts_with("id,started,organisation,team,"), "{text}");
    let lines = desk.get("/api/v1/usage/export?format=json").await.text;
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["cost_usd"], &first["team"]), (&json!("0.001000000"), &json!("support")));
}

#[tokio::test]
async fn an_export_for_finance_tools_sums_up_to_the_ledger() {
    let text = desk().await.get("/api/v1/usage/export?format=focus").await.text;
    let billed = text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<f64>().unwrap());
    assert!((billed.sum::<f64>() - 0.003).abs() < 1e-12, "{text}");
}

#[tokio::test]
async fn the_past_is_priced_again_only_when_told_to_write() {
    let desk = desk().await;
    let looked = desk.post("/api/v1/usage/reprice", json!({"since": "2026-11-01"})).await.json();
    assert_eq!((&looked["rows"][0]["attempts"], &looked["rows"][0]["old_usd"]), (&json!(3), &json!(0.003)));
    let refused = desk.post("/api/v1/usage/reprice", json!({"since": "yesterday"})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_no_format_is_refused_by_name() {
    let refused = desk().await.get("/api/v1/usage/export?format=xlsx").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_no_dimension_or_moment_is_refused_by_name() {
    let desk = desk().await;
    for (query, says) in [("by=colour", "colour"), ("since=then", "since"), ("until=then", "until"), ("bye=key", "bye")]
    {
        let answer = desk.get(&format!("/api/v1/usage?{query}")).await;
        assert!(answer.status == 400 && answer.text.contains(says), "{query} -> {}", answer.text);
    }
}

#[tokio::test]
async fn a_dimension_named_twice_counts_once() {
    let rows = desk().await.get("/api/v1/usage?by=key,key").await;
    assert_eq!(rows.text.matches("\"key\"").count(), 2, "one per row: {}", rows.text);
}

#[tokio::test]
async fn the_latest_attempts_come_newest_first() {
    let desk = desk().await;
    let rows = desk.get("/api/v1/attempts?limit=2").await.json();
    let rows = rows["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["started_unix_ms"], (NOON + 86_400) * 1_000);
    assert_eq!((&rows[0]["status"], &rows[0]["duration_ms"]), (&json!("ok"), &json!(250.5)));
    assert_eq!(rows[0]["usage"]["cache_read"], 5);
    assert_eq!(desk.get("/api/v1/attempts?limit=0").await.status, 400);
}

#[tokio::test]
async fn a_cursor_goes_on_where_the_page_before_ended() {
    let desk = desk().await;
    let whole = desk.get("/api/v1/attempts").await.json();
    let first = desk.get("/api/v1/attempts?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = desk.get(&format!("/api/v1/attempts?limit=2&cursor={cursor}")).await.json();
    let ids = |page: &Value| page["rows"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!([ids(&first), ids(&last)].concat(), ids(&whole));
    assert_eq!((&last["next_cursor"], &whole["next_cursor"]), (&Value::Null, &Value::Null));
    assert_eq!(desk.get("/api/v1/attempts?cursor=nonsense").await.status, 400);
}
