//! What the tables promise, on every backend.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{AttemptStatus, Money, Principal, ServiceTier, Usage};
use serde_json::value::RawValue;

use super::{CALLER, Home, START, outcome};
use crate::{
    DataDir, LedgerEntry, NewKey, Reprice, ResponseChange, Span, Store, StoreError, StoredResponse, UsageDimension,
    UsageQuery,
};

/// Runs each function as a test on each backend.
macro_rules! on_every_backend {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::Home::new().await.store).await;
            })+
        }
    };
}

on_every_backend!(
    a_report_sums_every_attempt_once,
    a_report_is_broken_down_by_what_is_asked_for,
    a_report_begins_and_ends_where_it_is_told_to,
    a_report_row_as_json_has_the_fields_of_the_contract,
    an_attempt_inserted_twice_counts_once,
    a_row_comes_back_as_it_was_written,
    absurd_numbers_break_nobodys_report,
    an_attempt_priced_again_keeps_its_row_and_counts_at_its_new_price,
    to_look_what_a_new_price_would_change_changes_nothing,
    what_everybody_spent_is_summed_over_a_span,
    what_was_spent_comes_slice_by_slice,
    a_key_comes_back_as_it_was_created,
    a_second_key_with_the_same_hash_is_refused,
    a_rotated_key_keeps_its_id_and_its_old_hash_for_a_while,
    a_revoked_key_stays_revoked_since_the_first_time,
    the_generation_changes_with_every_change_a_gateway_must_see,
    a_stored_response_is_its_owners_alone,
    many_changes_are_written_in_their_order,
    an_expired_response_is_gone,
    a_value_is_what_it_was_last_set_to,
    a_sound_database_has_no_findings,
);

async fn a_report_sums_every_attempt_once(store: &Store) {
    let mut attempts: Vec<_> = (0..341).map(outcome).collect();
    attempts[0].priced = false;
    attempts[1].estimated = true;
    assert_eq!(store.insert_attempts(&attempts).await.unwrap(), 341);
    let rows = store.usage(&UsageQuery::default()).await.unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.attempts, row.input_tokens, row.output_tokens), (341, 341 * 100, 341 * 20));
    assert_eq!((row.cache_read_tokens, row.reasoning_tokens), (341 * 40, 341 * 5));
    assert_eq!(row.cost, Money::from_nano_usd(341 * 1200));
    assert_eq!((row.unpriced_attempts, row.estimated_attempts), (1, 1));
}

async fn a_report_is_broken_down_by_what_is_asked_for(store: &Store) {
    let mut attempts: Vec<_> = (0..4).map(outcome).collect();
    attempts[3].who = Arc::new(Principal { team: None, ..CALLER.clone() });
    attempts[3].status = AttemptStatus::TimedOut;
    store.insert_attempts(&attempts).await.unwrap();
    for (dimension, values) in [
        (UsageDimension::Key, vec![(Some("key_ci"), 4)]),
        (UsageDimension::Team, vec![(Some("support"), 3), (None, 1)]),
        (UsageDimension::Organisation, vec![(Some("default"), 4)]),
        (UsageDimension::User, vec![(Some("ada"), 4)]),
        (UsageDimension::Agent, vec![(Some("billing"), 4)]),
        (UsageDimension::Tags, vec![(Some("env=prod"), 4)]),
        (UsageDimension::Run, vec![(Some("run-7"), 4)]),
        (UsageDimension::Model, vec![(Some("fast"), 4)]),
        (UsageDimension::Provider, vec![(Some("claude"), 4)]),
        (UsageDimension::UpstreamModel, vec![(Some("claude-haiku-4-5"), 4)]),
        (UsageDimension::Dialect, vec![(Some("openai-chat"), 4)]),
        (UsageDimension::Operation, vec![(Some("chat"), 4)]),
        (UsageDimension::Status, vec![(Some("ok"), 3), (Some("timed_out"), 1)]),
        (UsageDimension::ServiceTier, vec![(Some("standard"), 4)]),
        (UsageDimension::Day, vec![(Some("2026-11-18"), 4)]),
        (UsageDimension::Hour, vec![(Some("2026-11-18T11:00Z"), 4)]),
    ] {
        let query = UsageQuery { by: vec![dimension], ..UsageQuery::default() };
        let rows = store.usage(&query).await.unwrap();
        let found: Vec<_> = rows.iter().map(|row| (row.dimensions[0].1.as_deref(), row.attempts)).collect();
        assert_eq!(found, values, "{}", dimension.as_str());
    }
}

async fn a_report_begins_and_ends_where_it_is_told_to(store: &Store) {
    let attempts: Vec<_> = (0..10).map(outcome).collect();
    store.insert_attempts(&attempts).await.unwrap();
    let query = |since, until| UsageQuery { since_unix_ms: since, until_unix_ms: until, ..UsageQuery::default() };
    for (query, expected) in [
        (query(Some(START + 3), None), 7),
        (query(None, Some(START + 3)), 3),
        (query(Some(START + 3), Some(START + 4)), 1),
        (query(Some(START + 10), None), 0),
        (UsageQuery { key: Some("key_other".to_owned()), ..UsageQuery::default() }, 0),
        (UsageQuery { team: Some("support".to_owned()), ..UsageQuery::default() }, 10),
        (UsageQuery { user: Some("ada".to_owned()), run: Some("run-7".to_owned()), ..UsageQuery::default() }, 10),
        (UsageQuery { run: Some("run-8".to_owned()), ..UsageQuery::default() }, 0),
    ] {
        assert_eq!(store.usage(&query).await.unwrap()[0].attempts, expected, "{query:?}");
    }
}

async fn a_report_row_as_json_has_the_fields_of_the_contract(store: &Store) {
    store.insert_attempts(&[outcome(0)]).await.unwrap();
    let by = vec![UsageDimension::Key, UsageDimension::Model];
    let rows = store.usage(&UsageQuery { by, ..UsageQuery::default() }).await.unwrap();
    let expected = concat!(
        r#"[{"key":"key_ci","model":"fast","attempts":1,"input_tokens":100,"output_tokens":20,"#,
        r#""cache_read_tokens":40,"cache_write_tokens":0,"reasoning_tokens":5,"cost_usd":1.2e-6,"#,
        r#""unpriced_attempts":0,"estimated_attempts":0}]"#
    );
    assert_eq!(serde_json::to_string(&rows).unwrap(), expected);
}

async fn an_attempt_inserted_twice_counts_once(store: &Store) {
    assert_eq!(store.insert_attempts(&[outcome(1), outcome(2)]).await.unwrap(), 2);
    assert_eq!(store.insert_attempts(&[outcome(2), outcome(3)]).await.unwrap(), 1);
    assert_eq!(store.usage(&UsageQuery::default()).await.unwrap()[0].attempts, 3);
}

async fn a_row_comes_back_as_it_was_written(store: &Store) {
    let mut attempt = outcome(1);
    attempt.status = AttemptStatus::Cancelled;
    attempt.usage = Usage {
        input: 1,
        cache_read: 2,
        cache_write_5m: 3,
        cache_write_1h: 4,
        input_audio: 5,
        input_image: 6,
        input_tool: 7,
        output: 8,
        reasoning: 9,
        output_audio: 10,
        output_image: 11,
        tier: ServiceTier::Priority,
    };
    store.insert_attempts(&[outcome(0), attempt.clone()]).await.unwrap();
    let recent = store.recent(1).await.unwrap();
    let [row] = &recent[..] else { panic!("{recent:?}") };
    assert_eq!((row.id, row.usage, row.status), (attempt.id, attempt.usage, "cancelled"));
    assert_eq!((row.team.as_deref(), row.stream, row.http_status), (Some("support"), true, 200));
    assert_eq!((row.duration_us, row.first_byte_us, row.cost), (250_000, 90_000, attempt.cost));
}

async fn absurd_numbers_break_nobodys_report(store: &Store) {
    let mut attempts: Vec<_> = (0..3).map(outcome).collect();
    for attempt in &mut attempts {
        attempt.usage = Usage { input: u64::MAX, cache_read: u64::MAX, output: u64::MAX, ..Usage::default() };
        attempt.cost = Money::from_nano_usd(i64::MAX);
        attempt.duration_us = u64::MAX;
    }
    store.insert_attempts(&attempts).await.unwrap();
    assert_eq!(store.usage(&UsageQuery::default()).await.unwrap()[0].attempts, 3);
    assert_eq!(store.recent(9).await.unwrap().len(), 3);
}

fn again(write: bool) -> Reprice {
    Reprice {
        since_unix_ms: START + 1,
        until_unix_ms: u64::MAX,
        provider: Some("claude".to_owned()),
        upstream_model: None,
        write,
        now_unix_ms: START + 1000,
    }
}

async fn an_attempt_priced_again_keeps_its_row_and_counts_at_its_new_price(store: &Store) {
    let mut attempts: Vec<_> = (0..4).map(outcome).collect();
    (attempts[1].priced, attempts[1].cost) = (false, Money::ZERO);
    attempts[2].status = AttemptStatus::Interrupted;
    store.insert_attempts(&attempts).await.unwrap();
    for new in [500, 700] {
        let price = move |_: &LedgerEntry| Some(Money::from_nano_usd(new));
        let rows = store.reprice(&again(true), &price).await.unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.attempts, row.changed, row.unpriced), (2, 2, 0), "not the one before, not the interrupted one");
    }
    let rows = store.usage(&UsageQuery::default()).await.unwrap();
    assert_eq!((rows[0].cost, rows[0].unpriced_attempts), (Money::from_nano_usd(1200 + 700 + 1200 + 700), 0));
    let latest = store.recent(1).await.unwrap();
    assert_eq!((latest[0].cost, latest[0].usage), (Money::from_nano_usd(700), attempts[3].usage));
}

async fn to_look_what_a_new_price_would_change_changes_nothing(store: &Store) {
    let attempts: Vec<_> = (0..4).map(outcome).collect();
    store.insert_attempts(&attempts).await.unwrap();
    let price = |entry: &LedgerEntry| (entry.started_unix_ms > START + 1).then(|| Money::from_nano_usd(2400));
    let rows = store.reprice(&again(false), &price).await.unwrap();
    assert_eq!((rows[0].attempts, rows[0].changed, rows[0].unpriced), (3, 2, 1));
    assert!((rows[0].new_usd - 6e-6).abs() < 1e-15, "{rows:?}");
    assert_eq!(store.usage(&UsageQuery::default()).await.unwrap()[0].cost, Money::from_nano_usd(4 * 1200));
}

async fn what_everybody_spent_is_summed_over_a_span(store: &Store) {
    let mut attempts: Vec<_> = (0..6).map(outcome).collect();
    let retry = attempts[4].id.request().attempt(1);
    attempts.push(gatehouse_domain::AttemptOutcome { id: retry, ..outcome(4) });
    store.insert_attempts(&attempts).await.unwrap();
    let span = Span { since_unix_ms: START + 3, until_unix_ms: START + 5, slice_ms: u64::MAX };
    let all = store.spending(span).await.unwrap();
    let [(who, spent)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&*who.key, who.team.as_deref(), who.tags.as_deref()), ("key_ci", Some("support"), Some("env=prod")));
    assert_eq!((spent.slice_unix_ms, spent.calls, spent.tokens), (START + 3, 2, 360));
    assert_eq!(spent.cost, Money::from_nano_usd(3600));
    let runs = store.spending_of_runs(span).await.unwrap();
    assert_eq!(runs, [("run-7".to_owned(), *spent)]);
}

async fn what_was_spent_comes_slice_by_slice(store: &Store) {
    let attempts: Vec<_> = (0..6).map(outcome).collect();
    store.insert_attempts(&attempts).await.unwrap();
    let span = Span { since_unix_ms: START, until_unix_ms: START + 5, slice_ms: 2 };
    let mut slices: Vec<_> = store
        .spending(span)
        .await
        .unwrap()
        .iter()
        .map(|(_, spent)| (spent.slice_unix_ms - START, spent.calls))
        .collect();
    slices.sort_unstable();
    assert_eq!(slices, [(0, 2), (2, 2), (4, 1)]);
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn new_key(id: &str, hash: u8) -> NewKey {
    NewKey {
        id: id.to_owned(),
        name: "ci".to_owned(),
        shown: "gk_live_4fQz0000…".to_owned(),
        hash: [hash; 32],
        organisation: Some("acme".to_owned()),
        team: Some("support".to_owned()),
        user: Some("ann".to_owned()),
        service_account: Some("nightly".to_owned()),
        agent: Some("billing".to_owned()),
        models: vec!["fast".to_owned(), "gpt-*".to_owned()],
        mcp_servers: vec!["time".to_owned()],
        toolsets: vec!["support".to_owned()],
        agents: vec!["billing".to_owned()],
        ip_ranges: vec!["10.0.0.0/8".to_owned()],
        tags: Some("env=prod".to_owned()),
        role: Some("auditor".to_owned()),
        limits: raw(r#"[{"requests": 5, "per": "minute"}]"#),
        budgets: raw("[]"),
        created_unix_ms: START,
        expires_unix_ms: Some(START + 1000),
    }
}

async fn a_key_comes_back_as_it_was_created(store: &Store) {
    let key = new_key("key_a", 1);
    store.create_key(&key).await.unwrap();
    let record = store.key("key_a").await.unwrap().unwrap();
    assert_eq!(format!("{:?}", record.key), format!("{key:?}"));
    assert!(record.old_hash.is_none() && record.revoked_unix_ms.is_none() && record.last_used_unix_ms.is_none());
    assert!(store.key("key_b").await.unwrap().is_none());
    assert_eq!(store.list_keys().await.unwrap().len(), 1);
}

async fn a_second_key_with_the_same_hash_is_refused(store: &Store) {
    store.create_key(&new_key("key_a", 1)).await.unwrap();
    let refused = store.create_key(&new_key("key_b", 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
}

async fn a_rotated_key_keeps_its_id_and_its_old_hash_for_a_while(store: &Store) {
    store.create_key(&new_key("key_a", 1)).await.unwrap();
    assert!(store.rotate_key("key_a", &[2; 32], "gh_new…", START + 60_000).await.unwrap());
    let record = store.key("key_a").await.unwrap().unwrap();
    assert_eq!((record.key.hash, record.old_hash), ([2; 32], Some(([1; 32], START + 60_000))));
    assert!(!store.rotate_key("key_b", &[3; 32], "gh_new…", START).await.unwrap());
}

async fn a_revoked_key_stays_revoked_since_the_first_time(store: &Store) {
    store.create_key(&new_key("key_a", 1)).await.unwrap();
    assert!(store.revoke_key("key_a", START + 5).await.unwrap());
    assert!(store.revoke_key("key_a", START + 9).await.unwrap());
    assert_eq!(store.key("key_a").await.unwrap().unwrap().revoked_unix_ms, Some(START + 5));
    assert!(!store.rotate_key("key_a", &[2; 32], "gh_new…", START).await.unwrap(), "a revoked key came back to life");
    assert!(!store.revoke_key("key_b", START).await.unwrap());
}

async fn the_generation_changes_with_every_change_a_gateway_must_see(store: &Store) {
    let mut seen = vec![store.keys_generation().await.unwrap()];
    store.create_key(&new_key("key_a", 1)).await.unwrap();
    seen.push(store.keys_generation().await.unwrap());
    store.rotate_key("key_a", &[2; 32], "gh_new…", START).await.unwrap();
    seen.push(store.keys_generation().await.unwrap());
    store.revoke_key("key_a", START).await.unwrap();
    seen.push(store.keys_generation().await.unwrap());
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    store.touch_keys(&[("key_a", START + 7), ("key_a", START + 3)]).await.unwrap();
    assert_eq!(store.keys_generation().await.unwrap(), seen[3], "being used is no change");
    assert_eq!(store.key("key_a").await.unwrap().unwrap().last_used_unix_ms, Some(START + 7));
}

fn response(id: &str, key: &str) -> StoredResponse {
    StoredResponse {
        id: id.into(),
        key_id: key.into(),
        created_unix_ms: START,
        expires_unix_ms: START + 1000,
        status: "completed".into(),
        request: Bytes::from_static(b"[1]"),
        answer: Bytes::from_static(b"{\"id\":3}"),
    }
}

fn deletion(id: &str, key: &str) -> ResponseChange {
    ResponseChange::Delete { id: id.into(), key_id: key.into() }
}

async fn a_stored_response_is_its_owners_alone(store: &Store) {
    let mine = response("resp_1", "key_a");
    store.write_responses(&[ResponseChange::Put(mine.clone())]).await.unwrap();
    assert_eq!(store.response("resp_1", "key_b", START).await.unwrap(), None);
    let theirs = StoredResponse { status: "theirs".into(), ..response("resp_1", "key_b") };
    store.write_responses(&[ResponseChange::Put(theirs), deletion("resp_1", "key_b")]).await.unwrap();
    assert_eq!(store.response("resp_1", "key_a", START).await.unwrap(), Some(mine));
    store.write_responses(&[deletion("resp_1", "key_a")]).await.unwrap();
    assert_eq!(store.response("resp_1", "key_a", START).await.unwrap(), None);
}

async fn many_changes_are_written_in_their_order(store: &Store) {
    let put = |n: usize| ResponseChange::Put(response(&format!("resp_{n}"), "key_a"));
    let mut changes: Vec<_> = (0..45).map(put).collect();
    changes.push(deletion("resp_7", "key_a"));
    changes.extend([put(45), deletion("resp_8", "key_a"), put(8)]);
    store.write_responses(&changes).await.unwrap();
    for (n, there) in [(0, true), (7, false), (8, true), (44, true), (45, true)] {
        let found = store.response(&format!("resp_{n}"), "key_a", START).await.unwrap();
        assert_eq!(found.is_some(), there, "resp_{n}");
    }
}

async fn an_expired_response_is_gone(store: &Store) {
    store.write_responses(&[ResponseChange::Put(response("resp_1", "key_a"))]).await.unwrap();
    assert_eq!(store.response("resp_1", "key_a", START + 1000).await.unwrap(), None);
    assert_eq!(store.purge_responses(START + 999).await.unwrap(), 0);
    assert_eq!(store.purge_responses(START + 1000).await.unwrap(), 1);
}

async fn a_value_is_what_it_was_last_set_to(store: &Store) {
    assert_eq!(store.meta("last_good_config").await.unwrap(), None);
    store.set_meta("last_good_config", b"one", START).await.unwrap();
    store.set_meta("last_good_config", b"two", START + 1).await.unwrap();
    assert_eq!(store.meta("last_good_config").await.unwrap().as_deref(), Some(&b"two"[..]));
}

async fn a_sound_database_has_no_findings(store: &Store) {
    store.ping().await.unwrap();
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_database_is_readable_by_its_owner_only_and_survives_reopening() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new().await;
    home.store.set_meta("a", b"b", START).await.unwrap();
    for file in std::fs::read_dir(home.dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
    home.store.close().await;
    let again = Store::open(&home.dir).await.unwrap();
    assert_eq!(again.meta("a").await.unwrap().as_deref(), Some(&b"b"[..]));
}

#[tokio::test]
async fn processes_that_start_at_once_all_find_the_tables_made() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::create(folder.path().join("data")).unwrap();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let dir = dir.clone();
            tokio::spawn(async move { Store::open(&dir).await.unwrap().ping().await.unwrap() })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
}
