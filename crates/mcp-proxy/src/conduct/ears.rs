//! How many listen. A stream that only tells of changes holds nothing of a limit and lasts for hours, so there is a number of them
//! that one caller may have, and a number that all may have together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Code, Fault, KeyId};
use gatehouse_mcp_gateway::blueprint::Listens;

/// Everybody who listens. The lock is held for a look-up, when a stream begins or ends.
#[derive(Default)]
pub(super) struct Ears(Mutex<Open>);

#[derive(Default)]
struct Open {
    total: usize,
    by_caller: HashMap<KeyId, usize>,
}

/// One who listens, until this is dropped.
pub(super) struct Ear {
    ears: Arc<Ears>,
    caller: KeyId,
}

impl Ears {
    /// Somebody begins to listen.
    ///
    /// # Errors
    /// `RateLimited` when this caller listens on as many streams as one may, `Overloaded` when all together do.
    pub(super) fn open(self: &Arc<Self>, caller: &KeyId, most: Listens) -> Result<Ear, Fault> {
        let mut open = self.lock();
        if open.by_caller.get(caller).is_some_and(|own| *own >= most.per_caller) {
            let message = format!(
                "This caller listens on {} streams, as many as one caller may (`mcp.listens.per_caller`). End one of them, then \
                 listen again.",
                most.per_caller
            );
            return Err(Fault::new(Code::RateLimited, message).retry_after(60));
        }
        if open.total >= most.total {
            let message = "As many streams listen as this gateway allows (`mcp.listens.total`). Try again in a while; lists and \
                           resources can be read meanwhile.";
            return Err(Fault::new(Code::Overloaded, message).retry_after(60));
        }
        open.total += 1;
        *open.by_caller.entry(Arc::clone(caller)).or_default() += 1;
        drop(open);
        Ok(Ear { ears: Arc::clone(self), caller: Arc::clone(caller) })
    }

    /// How many listen.
    pub(super) fn count(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut open = self.ears.lock();
        open.total -= 1;
        if let Some(own) = open.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                open.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(ears: &Arc<Ears>, caller: &str, most: Listens) -> Option<Code> {
        ears.open(&caller.into(), most).err().map(|fault| fault.code)
    }

    #[test]
    fn one_caller_takes_no_more_than_its_part_and_leaves_the_rest_to_others() {
        let (ears, most) = (Arc::new(Ears::default()), Listens { per_caller: 2, total: 3 });
        let held: Vec<_> = (0..2).map(|_| ears.open(&"a".into(), most).unwrap()).collect();
        assert_eq!(refused(&ears, "a", most), Some(Code::RateLimited));
        let other = ears.open(&"b".into(), most).unwrap();
        assert_eq!(refused(&ears, "c", most), Some(Code::Overloaded));
        drop((held, other));
        assert!(ears.count() == 0 && ears.lock().by_caller.is_empty());
        assert_eq!(refused(&ears, "a", most), None);
    }
}
