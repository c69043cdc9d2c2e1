//! What the keeper's memory promises while the database is slow, fails, or is not asked at all.

use bytes::Bytes;
use gatehouse_domain::{Kept, KeyId, Stage};
use tokio::sync::oneshot;

use super::desk::Desk;

const KIB: usize = 1024;

fn kept(id: &str, stage: Stage, bytes: usize) -> Kept {
    let answer = Bytes::from(vec![b'x'; bytes]);
    Kept { id: id.into(), stage, created_unix_ms: 0, expires_unix_ms: 1, request: Bytes::new(), answer }
}

fn key() -> KeyId {
    "key".into()
}

fn name(id: &str) -> super::Name {
    (key(), id.into())
}

fn done(id: &str) -> Kept {
    kept(id, Stage::Done, KIB)
}

fn write(desk: &mut Desk) -> usize {
    let batch = desk.next(100);
    let count = batch.len();
    desk.written(batch, true);
    count
}

#[test]
fn nothing_goes_before_it_is_written() {
    let mut desk = Desk::new(4 * KIB, 100 * KIB);
    (0..10).for_each(|at| assert!(desk.put(&key(), done(&at.to_string()))));
    assert!((0..10).all(|at| desk.find(&name(&at.to_string())).is_some()));
    assert_eq!(write(&mut desk), 10);
    assert!(desk.find(&name("0")).is_none(), "the oldest goes");
    assert!(desk.find(&name("9")).is_some(), "the newest stays");
}

#[test]
fn what_could_not_be_written_comes_again() {
    let mut desk = Desk::new(100 * KIB, 100 * KIB);
    desk.put(&key(), done("a"));
    let batch = desk.next(100);
    desk.written(batch, false);
    assert_eq!(write(&mut desk), 1);
    assert_eq!(write(&mut desk), 0);
}

#[test]
fn what_changes_while_it_is_written_is_written_once_more() {
    let mut desk = Desk::new(100 * KIB, 100 * KIB);
    desk.put(&key(), done("a"));
    let batch = desk.next(100);
    desk.forget(name("a"));
    desk.written(batch, true);
    let batch = desk.next(100);
    assert!(batch.len() == 1 && batch[0].kept.is_none(), "the deletion");
    assert_eq!(desk.find(&name("a")), Some(None), "deleted here until the database knows");
    desk.written(batch, true);
    assert_eq!(desk.find(&name("a")), None);
}

#[test]
fn room_ends_when_the_database_falls_behind_and_comes_back_with_it() {
    let mut desk = Desk::new(100 * KIB, 4 * KIB);
    assert!(desk.has_room(2 * KIB));
    desk.put(&key(), done("a"));
    desk.put(&key(), done("b"));
    assert!(!desk.has_room(2 * KIB));
    for at in 0..9 {
        desk.put(&key(), done(&at.to_string()));
    }
    assert!(!desk.put(&key(), done("c")), "a second bound for calls that had been told there was room");
    write(&mut desk);
    assert!(desk.has_room(2 * KIB) && desk.put(&key(), done("c")));
}

#[test]
fn a_call_is_stopped_once_and_what_it_finds_out_later_changes_nothing() {
    let mut desk = Desk::new(100 * KIB, 100 * KIB);
    let (stop, mut stopped) = oneshot::channel();
    desk.begin(&key(), kept("a", Stage::Open, 1), stop);
    assert!(desk.is_open(&name("a")));
    desk.stop(&key(), done("a"));
    assert_eq!(stopped.try_recv(), Ok(()));
    desk.put(&key(), kept("a", Stage::Done, 7));
    desk.stop(&key(), kept("a", Stage::Done, 9));
    assert_eq!(desk.find(&name("a")), Some(Some(done("a"))));
}

#[test]
fn what_a_call_still_makes_stays_in_memory() {
    let mut desk = Desk::new(KIB, 100 * KIB);
    let (stop, _stopped) = oneshot::channel();
    desk.begin(&key(), kept("a", Stage::Open, KIB), stop);
    assert_eq!(write(&mut desk), 1);
    for at in 0..4 {
        desk.put(&key(), done(&at.to_string()));
    }
    write(&mut desk);
    assert!(desk.find(&name("a")).is_some());
}
