//! What the request log promises.

use std::sync::Arc;

use gatehouse_domain::{CallOutcome, GuardrailRun, Money, Principal, Ran};
use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{CALLER, Home, START, id, outcome};
use crate::{DataDir, RequestFilter, RequestLog, RequestRow, RunSums, Store};

const GUARDRAILS: &str = r#"[{"name":"no-secrets","point":"request","ran":"ran","action":"observe","findings":1}]"#;

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
        stream: true,
        duration_us: 5_000,
        first_byte_us: 3_000,
        overhead_us: 70,
        status: if refused { 429 } else { 200 },
        fault: refused.then_some("rate_limited"),
        attempts: if refused { vec![] } else { vec![outcome(n)] },
        ..CallOutcome::default()
    }
}

async fn log_of(calls: u64) -> Home {
    let home = Home::new().await;
    write(&home, (0..calls).map(call)).await;
    home
}

async fn write(home: &Home, calls: impl IntoIterator<Item = CallOutcome>) {
    let mut log = RequestLog::default();
    let entries: Vec<_> = calls.into_iter().filter_map(|call| log.entry(call)).collect();
    home.store.insert_requests(&entries).await.unwrap();
}

fn all() -> RequestFilter {
    RequestFilter { limit: 1_000, ..RequestFilter::default() }
}

#[tokio::test]
async fn a_call_comes_back_as_it_was_written() {
    let home = log_of(200).await;
    let expected = RequestRow {
        id: id(7).request(),
        started_unix_ms: START + 7,
        organisation: "default".into(),
        team: "support".into(),
        user: "ada".into(),
        agent: "billing".into(),
        key: "key_ci".into(),
        dialect: "openai_chat".into(),
        operation: "chat".into(),
        model: "fast".into(),
        provider: "claude".into(),
        upstream_model: "claude-haiku-4-5".into(),
        run: "run-7".into(),
        tags: "env=prod".into(),
        stream: true,
        status: 200,
        code: String::new(),
        attempts: 1,
        input_tokens: 100,
        output_tokens: 20,
        cost: Money::from_nano_usd(1_200),
        duration_us: 5_000,
        first_byte_us: 3_000,
        overhead_us: 70,
        guardrails: GUARDRAILS.into(),
        decision: "permit-support".into(),
    };
    assert_eq!(home.store.request(id(7).request()).await.unwrap(), Some(expected));
    assert!(home.store.request(id(900).request()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_call_as_json_says_who_what_and_what_it_cost() {
    let home = log_of(1).await;
    let row = home.store.request(id(0).request()).await.unwrap().unwrap();
    let row = serde_json::to_value(row).unwrap();
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
    write(&home, [call(1)]).await;
    assert_eq!(home.store.requests(&all()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_only_some_calls_have_is_told_of_those() {
    let home = Home::new().await;
    let tagged = Principal { tags: Some("env=prod".into()), ..CALLER.clone() };
    let plain = |n| CallOutcome {
        who: Some(Arc::new(tagged.clone())),
        run: None,
        guardrails: vec![GuardrailRun { findings: 0, action: "", ..call(n).guardrails[0].clone() }],
        ..call(n)
    };
    let own_tags = CallOutcome { tags: Some("env=prod,job=nightly".into()), ..plain(1) };
    let unknown = CallOutcome { model: Some("nobodys".into()), attempts: vec![], ..plain(3) };
    write(&home, [plain(0), own_tags, call(2), unknown, plain(4)]).await;
    let rows = home.store.requests(&RequestFilter { oldest_first: true, ..all() }).await.unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| (&*row.run, &*row.tags, &*row.model, row.guardrails == GUARDRAILS)).collect();
    assert_eq!(
        told,
        [
            ("", "env=prod", "fast", false),
            ("", "env=prod,job=nightly", "fast", false),
            ("run-7", "env=prod", "fast", true),
            ("", "env=prod", "nobodys", false),
            ("", "env=prod", "fast", false),
        ]
    );
    assert_eq!(subjects(&home).await, 3, "of calls 0, 1 and 4; of 2; of 3");
}

#[tokio::test]
async fn what_calls_were_about_is_forgotten_with_the_last_call_of_its_day() {
    const DAY: u64 = 86_400_000;
    let home = log_of(3).await;
    let later = |n: u64| CallOutcome { id: id(n + DAY).request(), started_unix_ms: START + n + DAY, ..call(n) };
    write(&home, (0..3).map(later)).await;
    let before = subjects(&home).await;
    while home.store.purge_requests(START + DAY).await.unwrap() > 0 {}
    assert_eq!((before, subjects(&home).await), (4, 2));
    assert_eq!(home.store.requests(&all()).await.unwrap().len(), 3);
}

async fn subjects(home: &Home) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM request_subjects").fetch_one(&home.store.pool).await.unwrap()
}

#[tokio::test]
async fn a_caller_nobody_knows_gets_no_row_and_a_long_name_is_cut() {
    let home = Home::new().await;
    let long = CallOutcome { model: Some("é".repeat(1_000).into()), ..call(2) };
    write(&home, [CallOutcome { who: None, ..call(1) }, long]).await;
    let rows = home.store.requests(&all()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.model.len()).collect::<Vec<_>>(), [256]);
}

/// A database of the version before subjects, with three calls in its log: two alike, one refused.
#[tokio::test]
async fn the_log_of_an_earlier_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::create(folder.path().join("data")).unwrap();
    let options = SqliteConnectOptions::new().filename(dir.database()).create_if_missing(true);
    let mut old = options.connect().await.unwrap();
    let migrations = sqlx::migrate!("migrations/sqlite");
    let before = migrations.iter().filter(|migration| migration.version < 60).cloned().collect::<Vec<_>>();
    Migrator { migrations: before.into(), ..Migrator::DEFAULT }.run(&mut old).await.unwrap();
    for (n, model, code, attempts) in [(0, "fast", "", 1), (1, "fast", "", 1), (2, "nobodys", "unknown_model", 0)] {
        sqlx::query(
            "INSERT INTO requests VALUES (?, ?, 'default', 'support', '', '', 'key_ci', 'openai_chat', 'chat', ?, 'claude',
                 'haiku', 'run-7', 'env=prod', 0, 200, ?, ?, 100, 20, 1200, 5000, 3000, 70, '[]', '')",
        )
        .bind(id(n).request().0.as_bytes().to_vec())
        .bind(i64::try_from(START + n).unwrap())
        .bind(model)
        .bind(code)
        .bind(attempts)
        .execute(&mut old)
        .await
        .unwrap();
    }
    old.close().await.unwrap();
    let store = Store::open(&dir).await.unwrap();
    let rows = store.requests(&RequestFilter { oldest_first: true, ..all() }).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (&*row.model, &*row.code, &*row.tags, &*row.run, row.attempts)).collect();
    let expected = [("fast", "", "env=prod", "run-7", 1), ("nobodys", "unknown_model", "env=prod", "run-7", 0)];
    assert_eq!(told, [expected[0], expected[0], expected[1]]);
    assert_eq!(rows[1].cost, Money::from_nano_usd(1_200));
}
