//! Refusals on their way into the log. Each is an entry of its own, until they come in a flood: beyond
//! [`EACH_PER_MINUTE`] of one key for one reason in a minute, the rest of that minute is one entry with a count.
//!
//! A caller that is refused a million times must not be able to fill a disk with it, nor make the log useless to read.

use std::collections::HashMap;

use super::event::{Actor, AuditEvent, AuditOutcome};

/// Refusals of one key for one reason that get an entry each, per minute.
pub(super) const EACH_PER_MINUTE: u64 = 10;
/// Pairs of key and reason that are told apart in a minute. There are few keys; beyond this, what is unknown is one.
const PAIRS_MAX: usize = 4_096;
const MINUTE_MS: u64 = 60_000;

/// A call that was refused.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// Unix milliseconds.
    pub at_unix_ms: u64,
    /// Whose chain it goes on.
    pub organisation: String,
    /// Who was refused.
    pub actor: Actor,
    /// What they wanted to do.
    pub action: String,
    /// To what: kind and name.
    pub object: Option<(String, String)>,
    /// The call; empty for none.
    pub request_id: String,
    /// Why: the stable code.
    pub code: &'static str,
}

/// Gathers refusals and says which entries are due. Pure: time comes in with them.
#[derive(Debug, Default)]
pub struct Refusals {
    minutes: HashMap<(String, String, &'static str), Minute>,
    due: Vec<AuditEvent>,
}

/// What one pair of key and reason did in one minute.
#[derive(Debug)]
struct Minute {
    number: u64,
    seen: u64,
    /// Those that got no entry of their own: the first of them, with their count.
    rest: Option<AuditEvent>,
}

impl Refusals {
    /// Takes one.
    pub fn take(&mut self, refusal: Refusal) {
        let number = refusal.at_unix_ms / MINUTE_MS;
        let key = refusal.actor.key.clone().unwrap_or_default();
        let mut pair = (refusal.organisation.clone(), key, refusal.code);
        if self.minutes.len() >= PAIRS_MAX && !self.minutes.contains_key(&pair) {
            pair = (String::new(), String::new(), refusal.code);
        }
        let minute = self.minutes.entry(pair).or_insert_with(|| Minute { number, seen: 0, rest: None });
        // A record may come late by a minute; it is counted where it came.
        if minute.number < number {
            self.due.extend(minute.rest.take());
            (minute.number, minute.seen) = (number, 0);
        }
        minute.seen += 1;
        if minute.seen <= EACH_PER_MINUTE {
            self.due.push(refusal.event());
        } else {
            minute.rest.get_or_insert_with(|| AuditEvent { count: 0, ..refusal.event() }).count += 1;
        }
    }

    /// The entries that are due at a moment; each is given out once. Minutes that are over are closed.
    pub fn due(&mut self, now_unix_ms: u64) -> Vec<AuditEvent> {
        let now = now_unix_ms / MINUTE_MS;
        let due = &mut self.due;
        self.minutes.retain(|_, minute| {
            let over = minute.number < now;
            if over {
                due.extend(minute.rest.take());
            }
            !over
        });
        std::mem::take(due)
    }

    /// Everything, minutes that are not over included: at shutdown.
    pub fn rest(&mut self) -> Vec<AuditEvent> {
        self.due(u64::MAX)
    }
}

impl Refusal {
    fn event(self) -> AuditEvent {
        let event = AuditEvent::new(self.at_unix_ms, self.organisation, self.actor, self.action);
        let event = event.ended(AuditOutcome::Refused, Some(self.code));
        let event = AuditEvent { request_id: Some(self.request_id).filter(|id| !id.is_empty()), ..event };
        match self.object {
            Some((kind, name)) => event.on(kind, name),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(at: u64, key: &str) -> Refusal {
        let actor = Actor { key: Some(key.to_owned()), ..Actor::default() };
        Refusal { at_unix_ms: at, actor, code: "rate_limited", ..Refusal::default() }
    }

    #[test]
    fn a_few_refusals_are_an_entry_each_at_once() {
        let mut refusals = Refusals::default();
        (0..3).for_each(|n| refusals.take(refusal(n, "a")));
        assert_eq!(refusals.due(3).len(), 3);
        assert!(refusals.due(3).is_empty());
    }

    #[test]
    fn a_flood_is_ten_entries_and_a_count_when_the_minute_is_over() {
        let mut refusals = Refusals::default();
        (0..1_000).for_each(|n| refusals.take(refusal(n, "a")));
        assert_eq!(refusals.due(1_000).len(), 10);
        let counted = refusals.due(MINUTE_MS);
        assert_eq!(counted.iter().map(|event| event.count).collect::<Vec<_>>(), [990]);
        assert_eq!(counted[0].at_unix_ms, 10);
    }

    #[test]
    fn no_refusal_is_lost_between_entries_and_counts() {
        let mut refusals = Refusals::default();
        let mut events = Vec::new();
        for n in 0..10_000_u64 {
            refusals.take(refusal(n * 37, ["a", "b", "c"][(n % 3) as usize]));
            if n % 100 == 0 {
                events.extend(refusals.due(n * 37));
            }
        }
        events.extend(refusals.rest());
        assert_eq!(events.iter().map(|event| event.count).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_thousand_times_more_keys_than_there_are_take_bounded_room() {
        let mut refusals = Refusals::default();
        (0..50_000).for_each(|n| refusals.take(refusal(0, &n.to_string())));
        let events = refusals.rest();
        assert!(events.len() <= PAIRS_MAX + EACH_PER_MINUTE as usize + 1, "{}", events.len());
        assert_eq!(events.iter().map(|event| event.count).sum::<u64>(), 50_000);
    }
}
