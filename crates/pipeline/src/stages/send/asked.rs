//! An answer that a webhook must see before its caller does: collected whole, streamed or not, shown, and read a second
//! time if its texts were changed.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use gatehouse_domain::{Now, Target};
use gatehouse_upstream::Sent;

use super::{Answer, Missed, collect, over, read_whole, settle_whole};
use crate::guard::{Gathered, Guard, Replay};
use crate::journey::Journey;
use crate::stages::route::Routed;

pub(super) async fn asked(
    journey: &mut Journey,
    routed: &mut Routed,
    target: &Arc<Target>,
    guard: &Arc<Guard>,
    sent: Sent,
    now: Now,
) -> Result<Box<Answer>, Missed> {
    let Sent { head, mut body } = sent;
    let whole = collect(journey, routed, target, &mut body).await?;
    let gathered = Gathered::default();
    let call = &mut routed.admitted.read.call;
    let mut relay = call.relay(target, &head, now, Some(guard.gathering(&gathered)));
    let (mut out, metered) = read_whole(journey, routed, target, whole.clone(), relay.as_mut(), now)?;
    let mut texts = std::mem::take(&mut *gathered.lock().unwrap_or_else(PoisonError::into_inner));
    let core = Arc::clone(&journey.core);
    let began = Instant::now();
    let answered = guard.answer(&mut texts, &core.pool).await;
    journey.waited_since(began);
    match answered {
        Ok(false) => {}
        Ok(true) => {
            let replay = Box::new(Replay::new(texts));
            relay = routed.admitted.read.call.relay(target, &head, now, Some(replay));
            out = read_whole(journey, routed, target, whole, relay.as_mut(), now)?.0;
        }
        Err(fault) => return Err(over(journey, routed, target, fault, &metered, now)),
    }
    Ok(settle_whole(journey, routed, target, &head, relay.as_mut(), (out, &metered), now))
}
