use std::sync::Arc;

use gatehouse_domain::{AttemptStatus, Money, Principal, PrincipalKind, ServiceTier, Usage};
use proptest::prelude::*;

use super::record::{self, Record, SETTLE_MOST};
use super::segment::{Next, footprint, next};
use crate::tests::{intent, outcome};

#[test]
fn a_writer_can_be_moved_to_its_core_and_the_rest_be_shared() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<super::JournalWriter>();
    moves::<crate::Shipper>();
    is_shared::<super::Journal>();
    is_shared::<crate::Store>();
}

#[test]
fn the_largest_possible_settle_fits_into_the_room_that_is_set_aside_for_it() {
    let most = u64::MAX;
    let mut largest = outcome(1);
    largest.usage = Usage {
        input: most,
        cache_read: most,
        cache_write_5m: most,
        cache_write_1h: most,
        input_audio: most,
        input_image: most,
        input_tool: most,
        output: most,
        reasoning: most,
        output_audio: most,
        output_image: most,
        tier: ServiceTier::Priority,
    };
    largest.cost = Money::from_nano_usd(i64::MIN);
    (largest.http_status, largest.duration_us, largest.first_byte_us) = (u16::MAX, most, most);
    let mut payload = Vec::new();
    record::write_settle(&mut payload, &largest);
    assert!(footprint(payload.len()) <= SETTLE_MOST);
    let Some(Record::Settle(read)) = record::read(&payload) else { panic!("not a settle") };
    assert_eq!((read.usage, read.cost, read.duration_us), (largest.usage, largest.cost, most));
}

#[test]
fn the_longest_names_fit_and_are_cut_between_characters() {
    let text = "é".repeat(1000);
    let long = &*text;
    let mut longest = intent(1);
    let name: Arc<str> = long.into();
    let some = || Some(Arc::clone(&name));
    let who = Principal {
        organisation: Arc::clone(&name),
        team: some(),
        user: some(),
        agent: some(),
        ..Principal::bare(PrincipalKind::Agent, long, long)
    };
    (longest.who, longest.run, longest.tags, longest.model) = (&who, Some(long), Some(long), long);
    (longest.provider, longest.upstream_model) = (long, long);
    (longest.dialect, longest.operation) = (long, long);
    (longest.reserved, longest.input_tokens) = (Money::from_nano_usd(i64::MIN), u64::MAX);
    let mut payload = Vec::new();
    record::write_intent(&mut payload, &longest);
    assert!(payload.len() <= record::INTENT_MOST);
    let Some(Record::Intent(read)) = record::read(&payload) else { panic!("not an intent") };
    let subject = record::read_subject(read.subject).unwrap();
    assert_eq!((subject.key.len(), subject.operation.len()), (400, 400));
}

#[test]
fn a_settle_reads_back_as_it_was_written() {
    for status in AttemptStatus::ALL {
        let mut written = outcome(5);
        (written.status, written.estimated, written.priced) = (status, true, false);
        written.cost = Money::from_nano_usd(-3);
        let mut payload = Vec::new();
        record::write_settle(&mut payload, &written);
        let Some(Record::Settle(read)) = record::read(&payload) else { panic!("not a settle") };
        assert_eq!((read.id, read.status), (written.id.0.as_u128(), status));
        assert_eq!((read.estimated, read.priced, read.cost), (true, false, written.cost));
        assert_eq!((read.usage, read.http_status), (written.usage, 200));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_or_run_past_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Next::Record(payload, size) = next(&bytes) {
            prop_assert!(payload.len() < size && size <= bytes.len());
        }
        if let Some(Record::Intent(intent)) = record::read(&bytes) {
            let _read = record::read_subject(intent.subject);
        }
    }
}
