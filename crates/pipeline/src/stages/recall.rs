//! What the call needs of that which its gateway keeps for this caller, and whether its own answer can be kept.
//!
//! Most calls pass with two questions that answer "nothing". One that names something is given it from memory, and only if
//! it is not there any more, from the database: the one place on the path where a call waits for it.

use std::sync::Arc;
use std::time::Instant;

use gatehouse_domain::{Fault, Now};

use crate::journey::Journey;
use crate::stages::read::Read;

/// A call that has everything it named. Only [`recall`] makes one.
pub(crate) struct Recalled {
    pub(crate) read: Read,
    _proof: (),
}

pub(crate) async fn recall(journey: &mut Journey, mut read: Read, now: Now) -> Result<Recalled, Fault> {
    let keeper = Arc::clone(&journey.core.keeper);
    let key = Arc::clone(&read.caller.principal.key);
    while let Some(id) = read.call.recalls() {
        let began = Instant::now();
        let kept = Box::pin(keeper.find(&key, &id, now)).await?;
        journey.waited_since(began);
        if let Some(keep) = read.call.recalled(kept)? {
            keeper.take(&key, keep);
        }
    }
    read.call.room(&|bytes| keeper.has_room(bytes))?;
    Ok(Recalled { read, _proof: () })
}
