//! What one payer (a key, a team) has used in its current windows: reserve before a call, settle after it.
//!
//! A reservation takes the most a call can use out of every window at once, or nothing at all; so any number of threads
//! against one dollar spend at most one dollar. Settling puts back what was not used. A reservation that is dropped
//! unsettled is a call that never ran: everything goes back.
//!
//! **Which window a call belongs to**: the one in which it was reserved, as in the ledger. If that window is over when
//! the call settles, what it left unused is forgotten with the window, and only what it used *beyond* its reservation is
//! booked, to the window that is open now; otherwise long calls with low estimates would pass every limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Gauge, KeyId, Money, Now, Standing};

use crate::window::Counter;
use crate::{BudgetSpec, LimitSpec, Measure, Period, Refusal};

/// The measures and windows a meter can count. Counters keep their place when terms change, so that a reload neither
/// forgets what was used nor hands out a fresh window.
const COUNTERS: [(Measure, Period); 18] = {
    use Measure::{Money, Requests, Tokens};
    use Period::{Day, Hour, Life, Minute, Month, Second, Week};
    [
        (Requests, Second),
        (Requests, Minute),
        (Requests, Hour),
        (Requests, Day),
        (Requests, Week),
        (Requests, Month),
        (Requests, Life),
        (Tokens, Second),
        (Tokens, Minute),
        (Tokens, Hour),
        (Tokens, Day),
        (Tokens, Week),
        (Tokens, Month),
        (Tokens, Life),
        (Money, Day),
        (Money, Week),
        (Money, Month),
        (Money, Life),
    ]
};

/// The limits and budgets of one payer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Limits; all of them hold.
    pub limits: Vec<LimitSpec>,
    /// Budgets; all of them hold. Windows shorter than a day count as a day.
    pub budgets: Vec<BudgetSpec>,
}

/// What a call may use at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Input tokens, counted or estimated, and the output the call allows.
    pub tokens: u64,
    /// The most the call can cost; `None` if there is no price for it. Such a call passes a budget that is not spent yet,
    /// counts as nothing until it settles, and is flagged ([`Reservation::unpriced`]).
    pub ceiling: Option<Money>,
}

/// A window that is open now: what must be asked of the ledger after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// What it counts.
    pub measure: Measure,
    /// How long it is.
    pub period: Period,
    /// Unix milliseconds at which it began.
    pub start_unix_ms: u64,
}

/// The counters of one payer. Shared by every core; the lock is held for some dozen nanoseconds and never across anything
/// slow.
#[derive(Debug)]
pub struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    most_in_flight: Option<u64>,
    in_flight: u64,
    /// Grows with every change of terms.
    epoch: u64,
    /// The latest moment seen: a clock that steps back is held here.
    latest: u64,
    counters: [Counter; COUNTERS.len()],
}

/// A maximum for one of the counters.
#[derive(Clone, Copy, Debug)]
struct Rule {
    counter: usize,
    measure: Measure,
    period: Period,
    max: i64,
}

/// What a call has taken out of its payer's windows. Settle it, or drop it to give everything back.
#[derive(Debug)]
#[must_use = "a reservation that is dropped gives everything back"]
pub struct Reservation {
    meter: Arc<Meter>,
    reserved_at: u64,
    epoch: u64,
    cost: Cost,
    standing: Standing,
    settled: bool,
}

impl Meter {
    /// A meter that has counted nothing yet.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let meter = Self { state: Mutex::default() };
        meter.set_terms(terms);
        meter
    }

    /// Changes the terms. What was counted stays counted; what was not counted so far begins at zero.
    pub fn set_terms(&self, terms: &Terms) {
        let mut state = self.lock();
        state.epoch += 1;
        state.rules = rules(terms);
        state.most_in_flight = terms
            .limits
            .iter()
            .filter_map(|limit| match limit {
                LimitSpec::Concurrent { max } => Some(*max),
                _ => None,
            })
            .min();
        let state = &mut *state;
        for (index, counter) in state.counters.iter_mut().enumerate() {
            let counted = state.rules.iter().any(|rule| rule.counter == index);
            match (counted, counter.born) {
                (true, 0) => *counter = Counter::born(state.epoch),
                (false, _) => counter.born = 0,
                (true, _) => {}
            }
        }
    }

    /// Takes a call's most out of every window, or nothing.
    ///
    /// # Errors
    /// The first limit or budget that has not enough left. [`Refusal::fault`] says it to the caller.
    pub fn reserve(self: &Arc<Self>, now: Now, cost: Cost) -> Result<Reservation, Refusal> {
        let mut state = self.lock();
        let now = state.clock(now);
        if let Some(max) = state.most_in_flight.filter(|max| state.in_flight >= *max) {
            return Err(Refusal::Concurrent { max });
        }
        let State { rules, counters, .. } = &mut *state;
        for rule in rules.iter() {
            rule.admit(&counters[rule.counter], &cost, now)?;
        }
        state.in_flight += 1;
        let epoch = state.epoch;
        state.book(|measure| (cost.amount(measure), 0), now, epoch);
        let standing = state.standing(now);
        drop(state);
        Ok(Reservation { meter: Arc::clone(self), reserved_at: now, epoch, cost, standing, settled: false })
    }

    /// Where the payer stands, for rate-limit headers. [`Reservation::standing`] is the same without a second look.
    #[must_use]
    pub fn standing(&self, now: Now) -> Standing {
        let mut state = self.lock();
        let now = state.clock(now);
        state.standing(now)
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.lock().in_flight
    }

    /// What was used and is reserved in the current window of a measure: calls, tokens or nano-dollars; `None` if no
    /// limit or budget counts it.
    #[must_use]
    pub fn used(&self, now: Now, measure: Measure, period: Period) -> Option<i64> {
        let mut state = self.lock();
        state.clock(now);
        let rule = state.rules.iter().find(|rule| rule.measure == measure && rule.period == period)?;
        Some(state.counters[rule.counter].used)
    }

    /// The windows that are open and counted now. After a start, look each up in the ledger and [`restore`] it.
    ///
    /// [`restore`]: Self::restore
    #[must_use]
    pub fn open_windows(&self, now: Now) -> Vec<OpenWindow> {
        let mut state = self.lock();
        state.clock(now);
        let mut windows: Vec<OpenWindow> = Vec::new();
        for rule in &state.rules {
            let start_unix_ms = state.counters[rule.counter].start();
            let window = OpenWindow { measure: rule.measure, period: rule.period, start_unix_ms };
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
        windows
    }

    /// Adds what the ledger says was used in a window before this process began: calls, tokens or nano-dollars. Call it
    /// once per window, before the first call.
    pub fn restore(&self, now: Now, window: &OpenWindow, used: i64) {
        let mut state = self.lock();
        state.clock(now);
        let State { rules, counters, .. } = &mut *state;
        let Some(rule) = rules.iter().find(|rule| rule.measure == window.measure && rule.period == window.period)
        else {
            return;
        };
        let counter = &mut counters[rule.counter];
        if counter.start() == window.start_unix_ms {
            counter.used = counter.used.saturating_add(used);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below can panic half-way through a change, so a poisoned meter is still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time as this meter sees it: never earlier than before. Moves every counted window on.
    fn clock(&mut self, now: Now) -> u64 {
        self.latest = self.latest.max(now.unix_ms());
        for rule in &self.rules {
            self.counters[rule.counter].roll(rule.period, self.latest);
        }
        self.latest
    }

    /// Books to each counter once. `amount` says for a measure what to add where the counter holds the reservation, and
    /// what to add where its window has begun since.
    fn book(&mut self, amount: impl Fn(Measure) -> (i64, i64), reserved_at: u64, epoch: u64) {
        let mut booked = 0_u32;
        for rule in &self.rules {
            let bit = 1 << rule.counter;
            if booked & bit != 0 {
                continue;
            }
            booked |= bit;
            let counter = &mut self.counters[rule.counter];
            let (held, later) = amount(rule.measure);
            let change = if counter.holds(reserved_at, epoch) { held } else { later };
            counter.used = counter.used.saturating_add(change);
        }
    }

    fn standing(&self, now: u64) -> Standing {
        let mut standing = Standing::default();
        for rule in &self.rules {
            let place = match rule.measure {
                Measure::Requests => &mut standing.requests,
                Measure::Tokens => &mut standing.tokens,
                Measure::Money => continue,
            };
            let counter = &self.counters[rule.counter];
            let remaining = u64::try_from(rule.max.saturating_sub(counter.used)).unwrap_or(0);
            if place.is_none_or(|gauge| remaining < gauge.remaining) {
                let limit = u64::try_from(rule.max).unwrap_or(0);
                let resets_in_secs = counter.resets_in_secs(now).unwrap_or(0);
                *place = Some(Gauge { limit, remaining, resets_in_secs });
            }
        }
        standing
    }
}

impl Rule {
    fn admit(&self, counter: &Counter, cost: &Cost, now: u64) -> Result<(), Refusal> {
        let asked = cost.amount(self.measure);
        let remaining = self.max.saturating_sub(counter.used);
        // What is free of charge passes a spent budget; what has no price might cost anything and does not.
        let unpriced_and_spent = self.measure == Measure::Money && cost.ceiling.is_none() && remaining <= 0;
        let fits = asked <= remaining || (asked == 0 && self.measure == Measure::Money);
        if fits && !unpriced_and_spent {
            return Ok(());
        }
        let resets_in_secs = counter.resets_in_secs(now);
        Err(match self.measure {
            Measure::Money => Refusal::Budget {
                per: self.period,
                max: Money::from_nano_usd(self.max),
                remaining: Money::from_nano_usd(remaining),
                asked: cost.ceiling,
                resets_in_secs,
            },
            Measure::Requests | Measure::Tokens => Refusal::Rate {
                measure: self.measure,
                per: self.period,
                max: u64::try_from(self.max).unwrap_or(0),
                remaining,
                asked: u64::try_from(asked).unwrap_or(0),
                resets_in_secs,
            },
        })
    }
}

impl Cost {
    /// Never negative: a wrong ceiling must not hand out money.
    fn amount(&self, measure: Measure) -> i64 {
        match measure {
            Measure::Requests => 1,
            Measure::Tokens => i64::try_from(self.tokens).unwrap_or(i64::MAX),
            Measure::Money => self.ceiling.map_or(0, |ceiling| ceiling.nano_usd.max(0)),
        }
    }
}

impl Reservation {
    /// Books what the call really used. The request itself stays counted.
    pub fn settle(mut self, now: Now, tokens: u64, money: Money) {
        self.settled = true;
        let actual = Cost { tokens, ceiling: Some(money) };
        let mut state = self.meter.lock();
        state.clock(now);
        state.in_flight = state.in_flight.saturating_sub(1);
        let change = |measure| {
            let more = actual.amount(measure).saturating_sub(self.cost.amount(measure));
            (more, more.max(0))
        };
        state.book(change, self.reserved_at, self.epoch);
    }

    /// Where the payer stood when this was reserved.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Did the call have no price?
    #[must_use]
    pub fn unpriced(&self) -> bool {
        self.cost.ceiling.is_none()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut state = self.meter.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.book(|measure| (-self.cost.amount(measure), 0), self.reserved_at, self.epoch);
    }
}

/// One rule per limit and budget, in the order of the configuration.
fn rules(terms: &Terms) -> Vec<Rule> {
    let limits = terms.limits.iter().filter_map(|limit| limit.counted());
    let budgets = terms.budgets.iter().map(|budget| {
        let period = budget.per.max(Period::Day);
        (Measure::Money, period, budget.max.nano_usd)
    });
    limits
        .chain(budgets)
        .filter_map(|(measure, period, max)| {
            let counter = COUNTERS.iter().position(|known| *known == (measure, period))?;
            Some(Rule { counter, measure, period, max })
        })
        .collect()
}

/// Every meter of the process, by payer. Looked up when a configuration is loaded, never per call.
#[derive(Debug, Default)]
pub struct Meters {
    by_payer: Mutex<HashMap<KeyId, Arc<Meter>>>,
}

impl Meters {
    /// The payer's meter, under these terms from now on. The flag says whether it is new, so that what the ledger knows
    /// must be [restored](Meter::restore) into it. Keys and teams share the name space: prefix the names.
    pub fn meter(&self, payer: &KeyId, terms: &Terms) -> (Arc<Meter>, bool) {
        let mut meters = self.by_payer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = meters.get(payer) {
            meter.set_terms(terms);
            return (Arc::clone(meter), false);
        }
        let meter = Arc::new(Meter::new(terms));
        meters.insert(Arc::clone(payer), Arc::clone(&meter));
        (meter, true)
    }

    /// The payer's meter as it is.
    #[must_use]
    pub fn get(&self, payer: &str) -> Option<Arc<Meter>> {
        self.by_payer.lock().unwrap_or_else(PoisonError::into_inner).get(payer).map(Arc::clone)
    }

    /// Forgets payers that are gone: those nobody holds and `keep` does not name.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        let mut meters = self.by_payer.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|payer, meter| Arc::strong_count(meter) > 1 || keep(payer));
    }
}

#[cfg(test)]
mod tests;
