//! A real process, really killed: this test binary starts itself as a gateway core that never stops, and kills it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::{Home, intent, outcome, small};
use crate::DataDir;
use crate::journal::Journal;

const FOLDER: &str = "GATEHOUSE_TEST_KILLED_FOLDER";

/// Not a test of its own: what the other process runs. Announces every attempt, settles all but every tenth, and says how
/// far it has got, until it is killed.
#[test]
fn a_core_that_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let dir = DataDir::create(folder).unwrap();
    let (journal, _reader) = Journal::open(&dir, small()).unwrap();
    let mut writer = journal.writer().unwrap();
    for n in 0.. {
        while writer.intent(&intent(n)).is_err() {
            std::thread::yield_now();
        }
        if n % 10 != 0 {
            writer.settle(&outcome(n)).unwrap();
        }
        if n % 500 == 499 {
            writeln!(std::io::stdout(), "announced {}", n + 1).unwrap();
        }
    }
}

#[tokio::test]
async fn every_attempt_of_a_process_killed_with_signal_9_has_exactly_one_row() {
    let home = Home::new().await;
    let mut core = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::a_core_that_writes_until_it_is_killed", "--nocapture"])
        .env(FOLDER, home.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(core.stdout.take().unwrap()).lines().map(Result::unwrap);
    let counts = said.filter_map(|line| line.strip_prefix("announced ")?.parse::<u64>().ok());
    let announced = counts.take(8).last().unwrap();
    core.kill().unwrap();
    core.wait().unwrap();

    let (_journal, _shipper, recovery) = home.restart().await;
    let rows = home.rows().await;
    assert!(rows >= announced, "{announced} were announced, {rows} have a row");
    assert_eq!(recovery.rows, rows);
    // Attempts are announced in order: as many rows as attempts up to the last one means none is missing, none double.
    let latest = &home.store.recent(1).await.unwrap()[0];
    assert_eq!(latest.id, super::id(rows - 1));
    let last_was_open = u64::from((rows - 1) % 10 != 0 && latest.status == "interrupted");
    assert_eq!(recovery.interrupted, rows.div_ceil(10) + last_was_open);
}
