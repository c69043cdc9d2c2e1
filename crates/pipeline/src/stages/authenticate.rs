//! Who calls.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault, Now};

use crate::caller::present_key;
use crate::journey::Journey;
use crate::path::Arrived;
use crate::snapshot::KeyEntry;

/// A request whose caller is known.
pub(crate) struct Known {
    pub(crate) arrived: Arrived,
    pub(crate) caller: Arc<KeyEntry>,
}

pub(crate) fn authenticate(journey: &mut Journey, arrived: Arrived, now: Now) -> Result<Known, Fault> {
    let keys = &arrived.snapshot.keys;
    let caller = match present_key(arrived.request.headers(), arrived.request.uri().query()) {
        Some(presented) => keys.find(presented).ok_or_else(|| {
            Fault::new(
                Code::UnknownKey,
                "this key was not issued by this gateway; ask its operator for one, or make one with `gatehouse keys create`",
            )
        })?,
        None => keys.anonymous().ok_or_else(|| {
            Fault::new(
                Code::MissingKey,
                "no key on the request; send a Gatehouse key as `Authorization: Bearer`, `x-api-key`, `api-key`, \
                 `x-goog-api-key`, `?key=` or as the AWS access key id",
            )
        })?,
    };
    let caller = Arc::clone(caller);
    journey.known(&caller.principal);
    caller.permit.standing(now)?;
    Ok(Known { arrived, caller })
}
