//! What is known of tokens in this process: one slot for each server and owner. A call on its way reads it and goes on; whoever
//! has to find out something takes its turn, so that a hundred calls ask once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::Secret;

use super::unix_ms;

/// Slots that nobody has asked for so long are given up.
const IDLE: Duration = Duration::from_secs(3600);
/// Slots from which on idle ones are looked for.
const SWEEP_FROM: usize = 1_000;
/// How long "there is none" is believed.
const NOTHING_FOR: Duration = Duration::from_secs(1);
/// A token is over so long before its end, so that it is not over on its way.
const MARGIN_MS_MAX: u64 = 10_000;

/// Whose token, for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SlotKey {
    pub(super) server: Arc<str>,
    pub(super) organisation: Arc<str>,
    pub(super) owner: String,
}

/// A token in hand.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Secret,
    /// Which pair of the connection it is; for the gateway's own tokens, zero.
    pub(super) generation: u64,
    /// Unix milliseconds between which it is good.
    pub(super) since_unix_ms: u64,
    pub(super) until_unix_ms: Option<u64>,
    pub(super) refreshable: bool,
    /// Was it fetched because the server refused the one before?
    pub(super) after_refusal: bool,
    /// A number from 0 to 1 that spreads early refreshes.
    pub(super) dice: f64,
}

/// One slot.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever finds something out.
    pub(super) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    nothing_since: Option<Instant>,
    used: Option<Instant>,
}

/// What a slot says right away.
pub(super) enum Known {
    Token(Secret),
    Nothing,
    Unknown,
}

/// All of them.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<SlotKey, Arc<Slot>>>);

impl Held {
    /// Is it good now?
    pub(super) fn good(&self, now: u64) -> bool {
        self.until_unix_ms.is_none_or(|until| {
            let margin = (until.saturating_sub(self.since_unix_ms) / 5).min(MARGIN_MS_MAX);
            now.saturating_add(margin) < until
        })
    }

    /// Is it time to get the next one, while this one is still good? Between a fifth and a tenth of its life before the end.
    pub(super) fn due(&self, now: u64) -> bool {
        self.until_unix_ms.is_some_and(|until| {
            let life = until.saturating_sub(self.since_unix_ms);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share"
            )]
            let early = (life as f64 * (0.1 + 0.1 * self.dice)) as u64;
            self.refreshable && now.saturating_add(early) >= until
        })
    }
}

impl Slot {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, without waiting.
    pub(super) fn known(&self) -> Known {
        let mut state = self.state();
        state.used = Some(Instant::now());
        match &state.held {
            Some(held) if held.good(unix_ms()) => Known::Token(held.token.clone()),
            None if state.nothing_since.is_some_and(|since| since.elapsed() < NOTHING_FOR) => Known::Nothing,
            _ => Known::Unknown,
        }
    }

    pub(super) fn held(&self) -> Option<Held> {
        self.state().held.clone()
    }

    pub(super) fn hold(&self, held: Held) {
        let mut state = self.state();
        state.held = Some(held);
        state.nothing_since = None;
    }

    /// There is no token.
    pub(super) fn empty(&self) {
        let mut state = self.state();
        state.held = None;
        state.nothing_since = Some(Instant::now());
    }

    /// Whatever was known may have changed.
    pub(super) fn doubt(&self) {
        let mut state = self.state();
        state.held = None;
        state.nothing_since = None;
    }
}

impl Slots {
    /// The slot of a key.
    pub(super) fn of(&self, key: &SlotKey) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= SWEEP_FROM {
            // One that somebody waits at is in use, whatever its clock says.
            slots.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.state().used.is_some_and(|used| used.elapsed() < IDLE)
            });
        }
        let slot = Arc::<Slot>::default();
        slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }

    /// Those in use.
    pub(super) fn all(&self) -> Vec<(SlotKey, Arc<Slot>)> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(key, slot)| (key.clone(), Arc::clone(slot))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(since: u64, until: Option<u64>) -> Held {
        Held {
            token: Secret::new("t"),
            generation: 1,
            since_unix_ms: since,
            until_unix_ms: until,
            refreshable: true,
            after_refusal: false,
            dice: 0.5,
        }
    }

    #[test]
    fn a_token_is_over_a_little_before_its_end() {
        let hour = held(0, Some(3_600_000));
        assert!(hour.good(3_589_999) && !hour.good(3_590_000));
        let short = held(0, Some(1_000));
        assert!(short.good(799) && !short.good(800));
        assert!(held(0, None).good(u64::MAX));
    }

    #[test]
    fn it_is_due_while_it_is_still_good() {
        let hour = held(0, Some(3_600_000));
        assert!(!hour.due(3_000_000) && hour.due(3_100_000) && hour.good(3_100_000));
        assert!(!held(0, None).due(u64::MAX));
    }
}
