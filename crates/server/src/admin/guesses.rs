//! Wrong keys are counted, by address and all together: an address that keeps guessing waits, twice as long each time, and
//! while guesses come in from everywhere, addresses that never showed a good key wait too.
//!
//! While an address waits its keys are not looked at, right ones neither: a guess must not tell anything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys an address may show before it waits.
const FREE: u32 = 5;
/// The first wait; each wrong key after it doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// And the longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Without a wrong key for so long an address starts anew.
const FORGIVEN: Duration = Duration::from_secs(30 * 60);
/// Wrong keys in a minute, from all addresses, after which strangers wait.
const FREE_GLOBALLY: u32 = 300;
/// How long the global count covers.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered. When it is full, the one that was quiet longest is forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_address: HashMap<IpAddr, Count>,
    window: Option<Instant>,
    in_window: u32,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    wrong: u32,
    last: Instant,
    until: Instant,
    known: bool,
}

impl Guesses {
    /// How long this address has to wait before a key of it is looked at.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.by_address.get(&network(address));
        let own = count.map(|count| count.until.saturating_duration_since(now)).filter(|wait| !wait.is_zero());
        let stranger = !count.is_some_and(|count| count.known);
        let global = counts.window.filter(|_| stranger && counts.in_window >= FREE_GLOBALLY);
        let global = global.map(|start| (start + WINDOW).saturating_duration_since(now)).filter(|wait| !wait.is_zero());
        own.max(global)
    }

    /// A wrong key came from there.
    pub(crate) fn wrong(&self, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.window.is_none_or(|start| now.saturating_duration_since(start) >= WINDOW) {
            counts.window = Some(now);
            counts.in_window = 0;
        }
        counts.in_window = counts.in_window.saturating_add(1);
        let count = counts.of(address, now);
        count.wrong = count.wrong.saturating_add(1);
        count.last = now;
        if count.wrong > FREE {
            let doublings = (count.wrong - FREE - 1).min(16);
            count.until = now + FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        }
    }

    /// A good key came from there: what was wrong before is forgotten.
    pub(crate) fn right(&self, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.of(address, now) = Count { wrong: 0, last: now, until: now, known: true };
    }
}

impl Counts {
    fn of(&mut self, address: IpAddr, now: Instant) -> &mut Count {
        let address = network(address);
        if !self.by_address.contains_key(&address) && self.by_address.len() >= ADDRESSES_MAX {
            let quietest = self.by_address.iter().min_by_key(|(_, count)| count.last).map(|(address, _)| *address);
            quietest.and_then(|quietest| self.by_address.remove(&quietest));
        }
        let count = self.by_address.entry(address).or_insert(Count { wrong: 0, last: now, until: now, known: false });
        if now.saturating_duration_since(count.last) >= FORGIVEN {
            count.wrong = 0;
        }
        count
    }
}

/// What one guesser has at hand: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn after_wrong(times: u32) -> (Guesses, Instant) {
        let (guesses, now) = (Guesses::default(), Instant::now());
        (0..times).for_each(|_| guesses.wrong(address(1), now));
        (guesses, now)
    }

    #[test]
    fn a_few_wrong_keys_are_free_and_each_one_after_them_doubles_the_wait() {
        assert_eq!(after_wrong(5).0.wait(address(1), Instant::now()), None);
        for (times, seconds) in [(6, 1), (7, 2), (8, 4), (15, 512), (100, 900)] {
            let (guesses, now) = after_wrong(times);
            assert_eq!(guesses.wait(address(1), now), Some(Duration::from_secs(seconds)), "{times} wrong keys");
        }
    }

    #[test]
    fn others_do_not_wait_for_one_guesser() {
        let (guesses, now) = after_wrong(100);
        assert_eq!(guesses.wait(address(2), now), None);
    }

    #[test]
    fn a_good_key_or_half_an_hour_makes_a_fresh_start() {
        let (guesses, now) = after_wrong(7);
        guesses.right(address(1), now);
        assert_eq!(guesses.wait(address(1), now), None);
        let (guesses, now) = after_wrong(20);
        let later = now + FORGIVEN + LONGEST_WAIT;
        guesses.wrong(address(1), later);
        assert_eq!(guesses.wait(address(1), later), None);
    }

    #[test]
    fn a_flood_from_everywhere_makes_strangers_wait_but_not_those_with_a_good_key() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        guesses.right(address(1), now);
        for n in 0..FREE_GLOBALLY {
            guesses.wrong(IpAddr::from(u128::from(n).rotate_left(100).to_be_bytes()), now);
        }
        assert!(guesses.wait(address(2), now).is_some());
        assert_eq!(guesses.wait(address(1), now), None);
        assert_eq!(guesses.wait(address(2), now + WINDOW), None);
    }

    #[test]
    fn one_ipv6_network_is_one_guesser_and_memory_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for n in 0..20_000_u32 {
            guesses.wrong(IpAddr::from((u128::from(n) << 64).to_be_bytes()), now);
        }
        assert_eq!(guesses.0.lock().unwrap().by_address.len(), ADDRESSES_MAX);
        (0..6_u128).for_each(|n| guesses.wrong(IpAddr::from(((7 << 100) + n).to_be_bytes()), now));
        assert!(guesses.wait(IpAddr::from(((7_u128 << 100) + 99).to_be_bytes()), now).is_some());
    }
}
