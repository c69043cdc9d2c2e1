//! Ids of calls: UUIDv7 from the call's own clock reading and a generator seeded once per thread by the operating
//! system. An id must be unique, not secret, and a system call for each would cost more than the rest of its making.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use gatehouse_domain::{Now, RequestId};

thread_local! {
    static DICE: RefCell<fastrand::Rng> = RefCell::new(fastrand::Rng::with_seed(RandomState::new().build_hasher().finish()));
}

/// A fresh id of a call that began now.
pub(crate) fn request_id(now: Now) -> RequestId {
    let mut random = [0; 10];
    DICE.with_borrow_mut(|dice| dice.fill(&mut random));
    RequestId::from_uuid(uuid::Builder::from_unix_timestamp_millis(now.unix_ms(), &random).into_uuid())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn ids_differ_within_a_millisecond_and_leave_room_for_attempts() {
        let now = Now(SystemTime::now());
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| request_id(now)).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.attempt(0).request() == *id && id.0.get_version_num() == 7));
    }
}
