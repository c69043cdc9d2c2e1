//! Exactly one ledger row per attempt, whatever happens.

use std::thread;
use std::time::{Duration, Instant};

use gatehouse_domain::{AttemptStatus, Money};
use proptest::prelude::*;
use sqlx::Executor as _;

use super::{Home, intent, outcome, small};
use crate::journal::{Journal, JournalConfig, JournalFull, JournalReader, SettleError};
use crate::{DataDir, Shipper, ShipperConfig, StoreError, UsageDimension, UsageQuery};

async fn by_status(home: &Home) -> Vec<(String, u64)> {
    let query = UsageQuery { by: vec![UsageDimension::Status], ..UsageQuery::default() };
    let mut rows: Vec<_> = home
        .store
        .usage(&query)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.dimensions[0].1.clone().unwrap(), row.attempts))
        .collect();
    rows.sort();
    rows
}

/// Ships everything that is in a photograph into this home's database.
async fn recover_into(home: &Home, dir: &DataDir) -> crate::Recovery {
    let (_journal, reader) = Journal::open(dir, small()).unwrap();
    home.shipper(reader).recover().await.unwrap()
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn an_attempt_that_settles_has_one_row_and_leaves_no_file() {
    let home = Home::new().await;
    let (journal, shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    for n in 0..1000 {
        intent_when_ready(&mut writer, n);
        writer.settle(&outcome(n)).unwrap();
    }
    drop(writer);
    let drained = shipper.drain(soon()).await;
    assert_eq!((drained.rows, drained.open, drained.complete), (1000, 0, true));
    assert_eq!(home.rows().await, 1000);
    let row = &home.store.recent(1).await.unwrap()[0];
    assert_eq!((row.usage, row.cost, row.id), (outcome(999).usage, outcome(999).cost, outcome(999).id));
    drop(journal);
    let (_journal, _shipper, recovery) = home.restart().await;
    assert_eq!(recovery.rows, 0);
    assert_eq!(home.journal_files(), 0);
}

#[tokio::test]
async fn attempts_in_flight_at_kill_9_are_booked_as_interrupted_at_their_reservation() {
    let home = Home::new().await;
    let (journal, _shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    for n in 0..3 {
        writer.intent(&intent(n)).unwrap();
    }
    writer.settle(&outcome(1)).unwrap();
    let (_folder, killed) = home.photograph();
    let recovery = recover_into(&home, &killed).await;
    assert_eq!((recovery.rows, recovery.interrupted, recovery.torn_files), (3, 2, 0));
    assert_eq!(by_status(&home).await, [("interrupted".to_owned(), 2), ("ok".to_owned(), 1)]);
    let row = &home.store.recent(1).await.unwrap()[0];
    assert_eq!((row.status, row.estimated, row.cost), ("interrupted", true, Money::from_nano_usd(5000)));
    assert_eq!(row.usage.input_total(), 11);
}

#[tokio::test]
async fn a_journal_shipped_twice_makes_no_second_row() {
    let home = Home::new().await;
    let (journal, mut shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    for n in 0..300 {
        writer.intent(&intent(n)).unwrap();
        writer.settle(&outcome(n)).unwrap();
    }
    let (_folder, before_shipping) = home.photograph();
    shipper.run(async { drop(home.store.ping().await) }).await;
    shipper.drain(soon()).await;
    assert_eq!(home.rows().await, 300);
    let recovery = recover_into(&home, &before_shipping).await;
    assert_eq!((recovery.rows, home.rows().await), (0, 300));
}

#[tokio::test]
async fn an_attempt_may_settle_many_segments_after_it_began() {
    let home = Home::new().await;
    let (journal, shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    writer.intent(&intent(0)).unwrap();
    for n in 1..2000 {
        intent_when_ready(&mut writer, n);
        writer.settle(&outcome(n)).unwrap();
    }
    writer.settle(&outcome(0)).unwrap();
    drop(writer);
    assert_eq!(shipper.drain(soon()).await.rows, 2000);
}

/// An intent; while the journal's thread is behind, again.
fn intent_when_ready(writer: &mut crate::journal::JournalWriter, n: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while writer.intent(&intent(n)).is_err() {
        assert!(Instant::now() < deadline, "no segment was prepared for {n}");
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_locked_database_delays_rows_and_loses_none() {
    let home = Home::new().await;
    let (journal, reader) = Journal::open(&home.dir, small()).unwrap();
    let mut shipper = home.shipper(reader);
    let mut writer = journal.writer().unwrap();
    for n in 0..150 {
        writer.intent(&intent(n)).unwrap();
        writer.settle(&outcome(n)).unwrap();
    }
    drop(writer);
    let mut other = home.store.pool.acquire().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let stats = shipper.stats();
    let until_it_failed = async {
        while stats.failures() == 0 {
            tokio::task::yield_now().await;
        }
    };
    shipper.run(until_it_failed).await;
    assert!(stats.trouble().is_some_and(|trouble| trouble.contains("locked")), "{:?}", stats.trouble());
    other.execute("ROLLBACK").await.unwrap();
    drop(other);
    assert_eq!(shipper.drain(soon()).await.rows, 150);
    assert_eq!(stats.trouble(), None);
    assert_eq!(home.rows().await, 150);
}

#[tokio::test]
async fn a_full_journal_refuses_intents_and_lets_everything_accepted_settle() {
    let home = Home::new().await;
    let most_bytes = 4 * (64 << 10);
    let (journal, reader) = Journal::open(&home.dir, JournalConfig { most_bytes, ..small() }).unwrap();
    let mut shipper = home.shipper(reader);
    let mut writer = journal.writer().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut accepted = 0;
    loop {
        let full = journal.health().bytes == most_bytes;
        match writer.intent(&intent(accepted)) {
            Ok(()) => accepted += 1,
            Err(JournalFull) if full => break,
            Err(JournalFull) => thread::yield_now(),
        }
        assert!(Instant::now() < deadline);
    }
    let refusal: gatehouse_domain::Fault = JournalFull.into();
    assert_eq!((refusal.code.as_str(), refusal.status), ("ledger_unavailable", 503));
    for n in 0..accepted {
        writer.settle(&outcome(n)).unwrap();
    }
    shipper.recover().await.unwrap();
    shipper.run(async { while home.rows().await < accepted {} }).await;
    intent_when_ready(&mut writer, accepted);
    assert_eq!(home.rows().await, accepted);
}

#[tokio::test]
async fn a_settle_nobody_announced_is_refused() {
    let home = Home::new().await;
    let (journal, _shipper, _) = home.restart().await;
    assert_eq!(journal.writer().unwrap().settle(&outcome(1)), Err(SettleError::NoIntent));
}

#[tokio::test]
async fn a_second_process_cannot_open_the_journal() {
    let home = Home::new().await;
    let (_journal, _shipper, _) = home.restart().await;
    assert!(matches!(Journal::open(&home.dir, small()), Err(StoreError::InUse { .. })));
}

#[tokio::test]
async fn long_attempts_do_not_keep_the_files_alive_in_which_they_began() {
    let home = Home::new().await;
    let (journal, mut shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    for n in 0..20_000_u64 {
        intent_when_ready(&mut writer, n);
        if n % 200 != 0 {
            writer.settle(&outcome(n)).unwrap();
        }
    }
    let stats = shipper.stats();
    shipper
        .run(async {
            while stats.rows() < 19_900 {
                tokio::task::yield_now().await
            }
        })
        .await;
    shipper.run(async { tokio::task::yield_now().await }).await;
    assert!(home.journal_files() < 16, "{} files", home.journal_files());

    let (_folder, killed) = home.photograph();
    let elsewhere = Home::new().await;
    assert_eq!(recover_into(&elsewhere, &killed).await.interrupted, 100);

    for n in (0..20_000).step_by(200) {
        writer.settle(&outcome(n)).unwrap();
    }
    drop(writer);
    assert_eq!(shipper.drain(soon()).await.open, 0);
    assert_eq!(by_status(&home).await, [("ok".to_owned(), 20_000)]);
    let (_folder, after) = home.photograph();
    assert!(used_bytes(&after) <= 32, "a file with records was left behind");
}

#[tokio::test]
async fn many_cores_writing_while_rows_are_shipped_lose_nothing() {
    const EACH: u64 = 3000;
    let home = Home::new().await;
    let (journal, mut shipper, _) = home.restart().await;
    let cores: Vec<_> = (0..4)
        .map(|core| {
            let mut writer = journal.writer().unwrap();
            thread::spawn(move || {
                for n in core * EACH..(core + 1) * EACH {
                    intent_when_ready(&mut writer, n);
                    writer.settle(&outcome(n)).unwrap();
                }
            })
        })
        .collect();
    let stats = shipper.stats();
    shipper
        .run(async {
            while stats.rows() < 4 * EACH {
                tokio::task::yield_now().await
            }
        })
        .await;
    for core in cores {
        core.join().unwrap();
    }
    assert_eq!(stats.strays(), 0);
    assert_eq!(home.rows().await, 4 * EACH);
}

#[tokio::test]
async fn a_file_that_is_no_segment_is_set_aside_and_reported() {
    let home = Home::new().await;
    let file = home.dir.journal().unwrap().join("0000000000000001.seg");
    std::fs::write(&file, b"something else").unwrap();
    let (_journal, _shipper, recovery) = home.restart().await;
    assert_eq!(recovery.torn_files, 1);
    assert!(file.with_extension("damaged").exists());
}

/// One thing that happens: a writer announces an attempt, or settles its oldest open one.
#[derive(Clone, Debug)]
struct Step {
    writer: usize,
    settles: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3_usize, any::<bool>()).prop_map(|(writer, settles)| Step { writer, settles });
    proptest::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_a_crash_at_any_point_there_is_one_row_per_intent(steps in steps(), crash in 0.0..1.0_f64, ship in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new().await;
            let (journal, mut shipper, _) = home.restart().await;
            let mut writers: Vec<_> = (0..3).map(|_| (journal.writer().unwrap(), Vec::new())).collect();
            let (mut announced, mut settled) = (0, 0);
            let happened = (steps.len() as f64 * crash) as usize;
            for step in &steps[..happened] {
                let (writer, open) = &mut writers[step.writer];
                if step.settles && !open.is_empty() {
                    writer.settle(&outcome(open.remove(0))).unwrap();
                    settled += 1;
                } else {
                    intent_when_ready(writer, announced);
                    open.push(announced);
                    announced += 1;
                }
                if ship && announced % 50 == 49 {
                    shipper.run(tokio::task::yield_now()).await;
                }
            }
            let (_folder, killed) = home.photograph();
            recover_into(&home, &killed).await;
            let mut expected = vec![("interrupted".to_owned(), announced - settled), ("ok".to_owned(), settled)];
            expected.retain(|(_, rows)| *rows > 0);
            assert_eq!(by_status(&home).await, expected);
        });
    }
}

/// Reads a journal folder to its end without a database.
fn read_all(reader: &mut JournalReader) -> Vec<AttemptStatus> {
    let mut statuses = Vec::new();
    while reader.is_recovering() {
        let rows = reader.next_batch(100).unwrap();
        statuses.extend(rows.iter().map(|row| row.row.status));
        reader.committed(&rows);
    }
    statuses
}

#[tokio::test]
async fn a_record_torn_or_garbled_at_any_byte_is_cut_off_and_what_was_before_it_stands() {
    let home = Home::new().await;
    let (journal, _shipper, _) = home.restart().await;
    let mut writer = journal.writer().unwrap();
    writer.intent(&intent(0)).unwrap();
    writer.settle(&outcome(0)).unwrap();
    writer.intent(&intent(1)).unwrap();
    let before = used_bytes(&home.photograph().1);
    writer.settle(&outcome(1)).unwrap();
    let (_folder, whole) = home.photograph();
    let after = used_bytes(&whole);
    let (path, bytes) = used_segment(&whole);

    let length = u32::from_le_bytes(bytes[before..before + 4].try_into().unwrap());
    let end = before + 8 + length as usize;

    for at in before..after {
        let torn = bytes[..at].iter().copied().chain(std::iter::repeat_n(0, bytes.len() - at)).collect();
        let mut garbled = bytes.clone();
        garbled[at] ^= 0x40;
        for damaged in [torn, garbled, bytes[..at].to_vec()] {
            let stands = damaged.get(before..end) == Some(&bytes[before..end]);
            std::fs::write(&path, damaged).unwrap();
            let (_journal, mut reader) = Journal::open(&whole, small()).unwrap();
            let last = if stands { AttemptStatus::Ok } else { AttemptStatus::Interrupted };
            assert_eq!(read_all(&mut reader), [AttemptStatus::Ok, last], "at {at} of {before}..{end}");
        }
    }
}

fn used_segment(dir: &DataDir) -> (std::path::PathBuf, Vec<u8>) {
    let folder = dir.journal().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = files.map(|path| (path.clone(), std::fs::read(path).unwrap()));
    read.max_by_key(|(_, bytes)| used(bytes)).unwrap_or_default()
}

fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// Where the records of the fullest segment end; its header takes 32 bytes.
fn used_bytes(dir: &DataDir) -> usize {
    used(&used_segment(dir).1).next_multiple_of(8)
}

#[tokio::test]
async fn stopping_a_shipper_in_the_middle_of_a_batch_loses_nothing() {
    let home = Home::new().await;
    let (journal, reader) = Journal::open(&home.dir, small()).unwrap();
    let config = ShipperConfig { most_rows: 7, ..ShipperConfig::default() };
    let mut shipper = Shipper::new(home.store.clone(), reader, config);
    let mut writer = journal.writer().unwrap();
    for n in 0..200 {
        writer.intent(&intent(n)).unwrap();
        writer.settle(&outcome(n)).unwrap();
        shipper.run(tokio::task::yield_now()).await;
    }
    drop(writer);
    assert!(shipper.drain(soon()).await.complete);
    assert_eq!(home.rows().await, 200);
}
