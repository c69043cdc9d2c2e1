//! Each way of tampering is done to a real table, and found.

use gatehouse_domain::Secret;
use serde_json::Value;

use super::*;
use crate::tests::{Home, START};

const ORG: &str = "acme";

fn event(n: u64) -> AuditEvent {
    let actor = Actor { who: "ada".into(), role: Some("admin".into()), ..Actor::default() };
    AuditEvent::new(START + n, ORG, actor, "key.create").on("key", format!("key_{n}"))
}

/// A log of so many entries.
async fn log_of(entries: u64) -> (Home, AuditLog) {
    let home = Home::new().await;
    let log = home.store.audit().unwrap();
    log.append((1..=entries).map(event).collect()).await.unwrap();
    (home, log)
}

async fn tamper(home: &Home, sql: &'static str) {
    sqlx::query(sql).execute(&home.store.pool).await.unwrap();
}

async fn findings(log: &AuditLog) -> Vec<AuditFinding> {
    let reports = log.verify().await.unwrap();
    let findings: Vec<_> = reports.iter().flat_map(|report| report.findings.clone()).collect();
    assert_eq!(findings.is_empty(), reports.iter().all(|report| report.sound));
    findings
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_sound_and_signed_to_its_end() {
    let (_home, log) = log_of(600).await;
    let reports = log.verify().await.unwrap();
    assert_eq!((reports.len(), reports[0].entries, reports[0].signed_to), (1, 600, 600), "{reports:?}");
    assert!(reports[0].sound, "{reports:?}");
}

#[tokio::test]
async fn a_changed_entry_is_found() {
    let (home, log) = log_of(10).await;
    tamper(&home, "UPDATE audit SET event = replace(event, 'ada', 'eve') WHERE seq = 4").await;
    assert_eq!(findings(&log).await, [AuditFinding::Changed { seq: 4 }]);
}

#[tokio::test]
async fn a_removed_entry_is_found() {
    let (home, log) = log_of(10).await;
    tamper(&home, "DELETE FROM audit WHERE seq IN (4, 5)").await;
    assert_eq!(findings(&log).await, [AuditFinding::Removed { from: 4, to: 5 }]);
}

#[tokio::test]
async fn a_removed_entry_is_found_though_those_after_it_were_numbered_anew() {
    let (home, log) = log_of(10).await;
    tamper(&home, "DELETE FROM audit WHERE seq = 4").await;
    tamper(&home, "UPDATE audit SET seq = seq - 1 WHERE seq > 4").await;
    assert!(findings(&log).await.contains(&AuditFinding::Moved { seq: 4 }));
}

#[tokio::test]
async fn exchanged_entries_are_found() {
    let (home, log) = log_of(10).await;
    tamper(&home, "UPDATE audit SET seq = CASE seq WHEN 4 THEN -5 ELSE -4 END WHERE seq IN (4, 5)").await;
    tamper(&home, "UPDATE audit SET seq = -seq WHERE seq < 0").await;
    let found = findings(&log).await;
    assert!(found.contains(&AuditFinding::Moved { seq: 4 }) && found.contains(&AuditFinding::Moved { seq: 5 }));
}

#[tokio::test]
async fn an_entry_moved_to_another_organisation_is_found() {
    let (home, log) = log_of(3).await;
    tamper(&home, "UPDATE audit SET organisation = 'other', seq = 1 WHERE seq = 3").await;
    let found = findings(&log).await;
    assert!(found.contains(&AuditFinding::Moved { seq: 1 }), "{found:?}");
    assert!(found.contains(&AuditFinding::CutOff { at: 2, was: 3 }), "{found:?}");
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_found() {
    let (home, log) = log_of(10).await;
    tamper(&home, "DELETE FROM audit WHERE seq > 8").await;
    assert_eq!(findings(&log).await, [AuditFinding::CutOff { at: 8, was: 10 }]);
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_still_found_after_new_entries() {
    let (home, log) = log_of(10).await;
    tamper(&home, "DELETE FROM audit WHERE seq > 8").await;
    log.append((20..24).map(event).collect()).await.unwrap();
    assert_eq!(findings(&log).await, [AuditFinding::Rewritten { seq: 10 }]);
}

#[tokio::test]
async fn a_chain_that_was_removed_whole_is_found() {
    let (home, log) = log_of(300).await;
    tamper(&home, "DELETE FROM audit").await;
    tamper(&home, "DELETE FROM audit_checkpoints").await;
    let found = findings(&log).await;
    assert!(found.contains(&AuditFinding::CutOff { at: 0, was: 300 }), "{found:?}");
}

#[tokio::test]
async fn a_history_written_anew_with_good_hashes_disagrees_with_what_was_signed() {
    let (home, log) = log_of(10).await;
    let mut hash = super::chain::BEGINNING;
    for n in 1..=10 {
        let text: String = sqlx::query_scalar("SELECT event FROM audit WHERE seq = ?")
            .bind(n)
            .fetch_one(&home.store.pool)
            .await
            .unwrap();
        let event: Value = serde_json::from_str(&text.replace("ada", "eve")).unwrap();
        hash = super::chain::next(&hash, &event);
        sqlx::query("UPDATE audit SET event = ?, hash = ? WHERE seq = ?")
            .bind(event.to_string())
            .bind(&hash[..])
            .bind(n)
            .execute(&home.store.pool)
            .await
            .unwrap();
    }
    assert_eq!(findings(&log).await, [AuditFinding::Rewritten { seq: 10 }]);
}

#[tokio::test]
async fn a_forged_checkpoint_is_found() {
    let (home, log) = log_of(300).await;
    let stranger = InstanceKey::from_seed(&[7; 32]).unwrap();
    let forged = stranger.state(StatementKind::Checkpoint, ORG, 1, (256, &[1; 32]), START);
    let forged = serde_json::to_string(&forged).unwrap();
    sqlx::query("UPDATE audit_checkpoints SET statement = ?").bind(forged).execute(&home.store.pool).await.unwrap();
    let found = findings(&log).await;
    assert!(found.contains(&AuditFinding::Forged { number: 1, seq: 256 }), "{found:?}");
}

#[tokio::test]
async fn a_changed_checkpoint_is_found() {
    let (home, log) = log_of(300).await;
    tamper(&home, "UPDATE audit_checkpoints SET statement = replace(statement, '\"seq\":256', '\"seq\":255')").await;
    assert!(findings(&log).await.contains(&AuditFinding::Forged { number: 1, seq: 255 }));
}

#[tokio::test]
async fn a_removed_checkpoint_is_found() {
    let (home, log) = log_of(600).await;
    tamper(&home, "DELETE FROM audit_checkpoints WHERE number = 1").await;
    assert_eq!(findings(&log).await, [AuditFinding::CheckpointRemoved { number: 1 }]);
}

#[tokio::test]
async fn the_start_of_an_export_does_not_pass_for_a_tombstone() {
    let (home, log) = log_of(10).await;
    let text = export(&log, START + 5).await;
    let start: Value = serde_json::from_str(text.lines().find(|line| line.contains("\"start\"")).unwrap()).unwrap();
    tamper(&home, "DELETE FROM audit WHERE seq <= 4").await;
    sqlx::query("INSERT INTO audit_checkpoints VALUES (?, 1, ?)")
        .bind(ORG)
        .bind(start["statement"].to_string())
        .execute(&home.store.pool)
        .await
        .unwrap();
    assert!(!findings(&log).await.is_empty());
}

#[tokio::test]
async fn retention_deletes_a_prefix_and_the_rest_stays_sound() {
    let (_home, log) = log_of(1_200).await;
    assert_eq!(log.delete_before(START + 1_101, START).await.unwrap(), 1_100);
    let reports = log.verify().await.unwrap();
    assert!(reports[0].sound, "{reports:?}");
    assert_eq!((reports[0].first, reports[0].entries), (1_101, 100));
    log.append(vec![event(1_201)]).await.unwrap();
    assert!(findings(&log).await.is_empty());
}

#[tokio::test]
async fn retention_never_deletes_the_newest_entry() {
    let (_home, log) = log_of(5).await;
    assert_eq!(log.delete_before(u64::MAX, START).await.unwrap(), 4);
    log.append(vec![event(6)]).await.unwrap();
    assert!(findings(&log).await.is_empty());
}

#[tokio::test]
async fn a_prefix_that_was_removed_without_a_tombstone_is_found() {
    let (home, log) = log_of(10).await;
    tamper(&home, "DELETE FROM audit WHERE seq <= 4").await;
    assert_eq!(findings(&log).await, [AuditFinding::Removed { from: 1, to: 4 }]);
}

#[tokio::test]
async fn a_checkpoint_is_signed_when_asked_for_and_only_if_there_is_something_new() {
    let (_home, log) = log_of(3).await;
    assert_eq!(log.checkpoint(START).await.unwrap(), 1);
    assert_eq!(log.checkpoint(START).await.unwrap(), 0);
    assert!(findings(&log).await.is_empty());
}

#[tokio::test]
async fn entries_of_two_processes_are_one_chain() {
    let (home, log) = log_of(1).await;
    let other = crate::Store::open(&home.dir).await.unwrap().audit().unwrap();
    for n in 2..12 {
        let log = if n % 2 == 0 { &log } else { &other };
        log.append(vec![event(n)]).await.unwrap();
    }
    let reports = log.verify().await.unwrap();
    assert_eq!((reports[0].entries, reports[0].sound), (11, true));
}

#[tokio::test]
async fn organisations_have_chains_of_their_own() {
    let (_home, log) = log_of(3).await;
    let other = AuditEvent { organisation: "other".into(), ..event(9) };
    log.append(vec![other, event(10)]).await.unwrap();
    let reports = log.verify().await.unwrap();
    let entries: Vec<_> = reports.iter().map(|report| (&*report.organisation, report.entries)).collect();
    assert_eq!(entries, [("acme", 4), ("other", 1)]);
}

async fn export(log: &AuditLog, since: u64) -> String {
    let (mut export, mut text) = (log.export(since, START), String::new());
    while let Some(piece) = export.next().await.unwrap() {
        text.push_str(&piece);
    }
    text
}

fn export_findings(text: &str, key: Option<&str>) -> Vec<AuditFinding> {
    verify_export(text.as_bytes(), key).unwrap().into_iter().flat_map(|report| report.findings).collect()
}

#[tokio::test]
async fn an_export_is_sound_whole_and_from_a_moment_on() {
    let (_home, log) = log_of(600).await;
    for since in [0, START + 1, START + 300, START + 9_999] {
        let text = export(&log, since).await;
        assert_eq!(export_findings(&text, Some(&log.public_key())), [], "since {since}");
    }
    assert_eq!(export(&log, START + 599).await.matches("\"entry\"").count(), 2);
}

#[tokio::test]
async fn an_export_that_was_tampered_with_is_found_out() {
    let (_home, log) = log_of(600).await;
    let text = export(&log, START + 100).await;
    let lines: Vec<&str> = text.lines().collect();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().join("\n");
    let mut swapped = lines.clone();
    swapped.swap(10, 11);
    let last = lines.len() - 1;
    for (what, tampered) in [
        ("changed", text.replacen("\"who\":\"ada\"", "\"who\":\"eve\"", 1)),
        ("removed", without(20)),
        ("swapped", swapped.join("\n")),
        ("cut off", without(last)),
        ("cut within a line", text[..text.len() - 40].to_owned()),
        ("without its start", without(3)),
        ("without its head", without(lines.iter().position(|line| line.contains("\"head\"")).unwrap())),
    ] {
        // A head only says how far it went: without it an export is whole as far as its checkpoints know.
        let found = export_findings(&tampered, None);
        assert_eq!(found.is_empty(), what == "without its head", "{what}: {found:?}");
    }
}

#[tokio::test]
async fn an_export_signed_by_another_installation_is_refused() {
    let (_home, log) = log_of(3).await;
    let text = export(&log, 0).await;
    let stranger = InstanceKey::from_seed(&[7; 32]).unwrap().public();
    assert!(matches!(verify_export(text.as_bytes(), Some(&stranger)), Err(ExportError::OtherKey { .. })));
    let renamed = text.replace(&log.public_key(), &stranger);
    assert!(!export_findings(&renamed, Some(&stranger)).is_empty());
}

#[test]
fn hostile_exports_are_errors_and_findings_never_panics() {
    let heading = format!("{{\"gatehouse_audit\":1,\"public_key\":\"{}\",\"exported_unix_ms\":0}}\n", "00".repeat(32));
    for text in ["", "x", "{}", "[]\n"] {
        assert!(matches!(verify_export(text.as_bytes(), None), Err(ExportError::NotAnExport)), "{text:?}");
    }
    for line in ["x", "{\"entry\":{\"seq\":1,\"event\":[],\"hash\":\"\"}}", &"[".repeat(3_000_000)] {
        assert!(!export_findings(&format!("{heading}{line}"), None).is_empty());
    }
}

#[tokio::test]
async fn a_listing_is_narrowed_by_what_is_asked_for() {
    let (_home, log) = log_of(5).await;
    let refused = event(6).ended(AuditOutcome::Refused, Some("not_allowed"));
    log.append(vec![refused]).await.unwrap();
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    for (query, expected) in [
        (AuditQuery { ..query.clone() }, vec![6, 5, 4, 3, 2, 1]),
        (AuditQuery { outcome: Some(AuditOutcome::Refused), ..query.clone() }, vec![6]),
        (AuditQuery { code: Some("not_allowed".into()), ..query.clone() }, vec![6]),
        (AuditQuery { action: Some("key.*".into()), limit: 2, ..query.clone() }, vec![6, 5]),
        (AuditQuery { action: Some("key".into()), ..query.clone() }, vec![]),
        (AuditQuery { actor: Some("eve".into()), ..query.clone() }, vec![]),
        (AuditQuery { object: Some("key_2".into()), ..query.clone() }, vec![2]),
        (AuditQuery { since_unix_ms: Some(START + 5), ..query.clone() }, vec![6, 5]),
        (AuditQuery { until_unix_ms: Some(START + 3), ..query.clone() }, vec![2, 1]),
        (AuditQuery { organisation: Some("other".into()), ..query.clone() }, vec![]),
        (AuditQuery { before: Some(3), ..query.clone() }, vec![2, 1]),
    ] {
        let found: Vec<u64> = log.list(&query).await.unwrap().iter().map(|entry| entry.seq).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

#[tokio::test]
async fn texts_of_callers_take_bounded_room() {
    let (_home, log) = log_of(0).await;
    log.append(vec![event(1).on("model", "é".repeat(100_000))]).await.unwrap();
    let entries = log.list(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(entries[0].event.object.as_ref().unwrap().name.len(), 256 + "…".len());
    assert!(findings(&log).await.is_empty());
}

#[test]
fn the_instance_key_is_not_in_its_debug_print() {
    let key = InstanceKey::from_seed(&[7; 32]).unwrap();
    assert_eq!(format!("{key:?}"), "InstanceKey([secret])");
    assert_eq!(format!("{:?}", Secret::new("x")), "[secret]");
}
