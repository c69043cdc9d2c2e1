//! How often one address may do something that costs us a row or a fetch.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_oauth::server::{Oops, Wrong};

/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

/// So many times in a window: one address, and all together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) window: Duration,
    pub(super) each: u32,
    pub(super) all: u32,
}

/// Clients that register themselves.
pub(super) const REGISTRATIONS: Terms = Terms { window: Duration::from_secs(3_600), each: 60, all: 1_000 };
/// Authorization requests: each stores a row, and may fetch a document.
pub(super) const REQUESTS: Terms = Terms { window: Duration::from_secs(60), each: 60, all: 1_200 };

/// The counts of the window that runs.
#[derive(Debug)]
pub(super) struct Pace {
    terms: Terms,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    all: u32,
    each: HashMap<IpAddr, u32>,
}

impl Pace {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, counts: Mutex::new(Counts { since: Instant::now(), all: 0, each: HashMap::new() }) }
    }

    /// Counts one more, if it fits.
    ///
    /// # Errors
    /// [`Wrong::TooMany`].
    pub(super) fn step(&self, address: IpAddr, now: Instant) -> Result<(), Oops> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(counts.since) >= self.terms.window {
            *counts = Counts { since: now, all: 0, each: HashMap::new() };
        }
        let known = counts.each.get(&address).copied().unwrap_or(0);
        let full = counts.each.len() >= ADDRESSES_MAX && known == 0;
        if known >= self.terms.each || counts.all >= self.terms.all || full {
            return Err(Oops::new(Wrong::TooMany, "too many requests of this kind came from there; try again later"));
        }
        counts.all += 1;
        counts.each.insert(address, known + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { window: Duration::from_secs(60), each: 2, all: 3 };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn each_address_has_so_many_and_all_together_so_many() {
        let (pace, now) = (Pace::new(TERMS), Instant::now());
        assert!(pace.step(address(1), now).is_ok() && pace.step(address(1), now).is_ok());
        assert_eq!(pace.step(address(1), now).unwrap_err().wrong, Wrong::TooMany);
        assert!(pace.step(address(2), now).is_ok());
        assert!(pace.step(address(3), now).is_err());
    }

    #[test]
    fn another_window_is_another_count() {
        let (pace, now) = (Pace::new(TERMS), Instant::now());
        (0..5).for_each(|_| drop(pace.step(address(1), now)));
        assert!(pace.step(address(1), now + TERMS.window).is_ok());
    }
}
