//! Who calls, and from where.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault, Now};
use http::HeaderMap;

use crate::caller::present_key;
use crate::identity::{client_address, identify, opens};
use crate::inner::Inbound;
use crate::journey::Journey;
use crate::path::Arrived;
use crate::snapshot::{KeyEntry, Snapshot};

/// A request whose caller is known.
pub(crate) struct Known<'a> {
    pub(crate) arrived: &'a mut Arrived,
    pub(crate) caller: Arc<KeyEntry>,
}

pub(crate) fn authenticate<'a>(journey: &mut Journey, arrived: &'a mut Arrived, now: Now) -> Result<Known<'a>, Fault> {
    if let Inbound::Inner(made) = arrived.request.body() {
        let caller = Arc::clone(&made.caller);
        journey.known(&caller.principal);
        journey.address = made.address;
        caller.permit.standing(now)?;
        return Ok(Known { arrived, caller });
    }
    let snapshot = &arrived.snapshot;
    let (headers, query) = (arrived.request.headers(), arrived.request.uri().query());
    let caller = match present_key(headers, query) {
        Some(presented) => identify(snapshot, &journey.core.tokens, presented, now)?,
        None => keyless(snapshot, headers)?,
    };
    journey.known(&caller.principal);
    if let Some(access) = &caller.principal.access {
        opens(snapshot, access, headers, arrived.request.uri().path())?;
    }
    caller.permit.standing(now)?;
    let address = client_address(&snapshot.trusted_proxies, arrived.peer, headers);
    journey.address = Some(address);
    caller.permit.address(address)?;
    Ok(Known { arrived, caller })
}

/// Who calls without a key, where such may. Their browser has no secret to keep from other pages, so the page counts.
fn keyless(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Arc<KeyEntry>, Fault> {
    let Some(anonymous) = snapshot.keys.anonymous() else {
        return Err(Fault::new(
            Code::MissingKey,
            "no key on the request; send a Gatehouse key as `Authorization: Bearer`, `x-api-key`, `api-key`, \
             `x-goog-api-key`, `?key=` or as the AWS access key id",
        ));
    };
    snapshot.guests.admit_page(headers)?;
    Ok(Arc::clone(anonymous))
}
