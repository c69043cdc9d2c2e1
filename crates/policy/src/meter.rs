//! What one payer has used of its limits and budgets.
//!
//! Calls reserve against every payer they touch at once, in `reservation.rs`; here is one payer's part of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gatehouse_domain::{Gauge, Now, Payer, Standing};

use crate::counter::{Counter, JITTER_MS};
use crate::terms::Used;
use crate::{BudgetEvent, Cost, Measure, PerMille, Refusal, Rule, Terms, Warning, Window};

/// A window that is open and whose past must be asked of the ledger, after a start or after its rule was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// What it counts.
    pub measure: Measure,
    /// Which window.
    pub window: Window,
    /// Unix milliseconds at which it began; for a rolling one, at which its oldest slice began.
    pub start_unix_ms: u64,
    /// Milliseconds of a slice: use is to be given by slices of this length, counted from the start.
    pub slice_ms: u64,
    /// Unix milliseconds up to which to ask: from then on the meter has counted by itself.
    pub until_unix_ms: u64,
}

/// Where one rule of a payer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The limit or budget.
    pub rule: Rule,
    /// Settled use in its window.
    pub used: i64,
    /// What calls in flight hold of it.
    pub held: i64,
    /// Unix milliseconds at which all that is used now will be free again; `None` if never.
    pub whole_at_unix_ms: Option<u64>,
}

/// The counters of one payer. Shared by every core; the lock is held for some dozen nanoseconds and never across anything
/// slow.
#[derive(Debug)]
pub struct Meter {
    payer: Payer,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    /// The number of the last reservation.
    last: u64,
    /// The latest moment seen. Another thread's clock that is a little behind is held here.
    latest: u64,
}

/// One rule with its counter.
#[derive(Clone, Debug)]
struct Line {
    rule: Rule,
    counter: Counter,
    /// One bit for each threshold that was reached in this window.
    warned: u8,
    /// Rolling windows: when thresholds may be said again.
    again_at: u64,
}

/// What a reservation takes along from one meter.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Its number there.
    pub(crate) number: u64,
}

impl Meter {
    /// A meter that has counted nothing yet.
    #[must_use]
    pub fn new(payer: Payer, terms: &Terms, now: Now) -> Self {
        let meter = Self { payer, state: Mutex::default() };
        meter.set_terms(terms, now);
        meter
    }

    /// Whose it is.
    #[must_use]
    pub fn payer(&self) -> &Payer {
        &self.payer
    }

    /// Changes the terms. A rule that counts the same thing in the same window goes on counting under its new maximum; others
    /// begin at zero, with their past to be [restored](Self::restore). A changed rule may warn anew.
    pub fn set_terms(&self, terms: &Terms, now: Now) {
        let mut state = self.lock();
        let now = state.clock(now.unix_ms());
        let (before, last) = (std::mem::take(&mut state.lines), state.last);
        let line = |rule: &Rule| match before.iter().find(|line| line.rule.counts_like(rule)) {
            Some(line) if line.rule == *rule => line.clone(),
            Some(line) => Line { rule: rule.clone(), counter: line.counter.clone(), warned: 0, again_at: 0 },
            None => {
                let counter = Counter::born(&rule.window, last, now);
                Line { rule: rule.clone(), counter, warned: 0, again_at: 0 }
            }
        };
        state.lines = terms.rules.iter().map(line).collect();
    }

    /// Takes a call's most out of every window of this payer, or nothing.
    pub(crate) fn take(&self, now: u64, cost: &Cost, seen: &mut Seen) -> Result<Taken, Box<Refusal>> {
        let mut state = self.lock();
        let now = state.clock(now);
        for line in &state.lines {
            line.admit(&self.payer, cost, now)?;
        }
        state.last += 1;
        for line in &mut state.lines {
            line.counter.hold(cost.held(line.rule.measure));
            line.gauge(now, &mut seen.standing);
            line.warning(&self.payer, &mut seen.warning);
        }
        Ok(Taken { number: state.last })
    }

    /// Replaces what was taken by what was used. Thresholds that are reached by it are told to `tell`.
    pub(crate) fn settle(&self, taken: &Taken, now: u64, cost: &Cost, used: &Used, told: &mut Told<'_>) {
        let mut state = self.lock();
        let now = state.clock(now);
        for line in &mut state.lines {
            let measure = line.rule.measure;
            line.counter.settle(taken.number, cost.held(measure), used.of(measure));
            line.reached(&self.payer, now, told.tell);
            line.warning(&self.payer, told.warning);
        }
    }

    /// Gives back what was taken: the call never ran. There is no clock at hand, and none is needed.
    pub(crate) fn give_back(&self, taken: &Taken, cost: &Cost) {
        for line in &mut self.lock().lines {
            line.counter.settle(taken.number, cost.held(line.rule.measure), 0);
        }
    }

    /// The limits nearest to their end, for rate-limit headers, merged into what other payers said.
    pub(crate) fn stand(&self, now: u64, standing: &mut Standing) {
        let mut state = self.lock();
        let now = state.clock(now);
        for line in &state.lines {
            line.gauge(now, standing);
        }
    }

    /// Where each rule stands, in the order of the configuration.
    #[must_use]
    pub fn stands(&self, now: Now) -> Vec<Stand> {
        let mut state = self.lock();
        state.clock(now.unix_ms());
        let stand = |line: &Line| Stand {
            rule: line.rule.clone(),
            used: line.counter.used(),
            held: line.counter.held(),
            whole_at_unix_ms: line.counter.whole_at(&line.rule.window),
        };
        state.lines.iter().map(stand).collect()
    }

    /// The windows whose past is not known yet: look each up in the ledger and [`restore`](Self::restore) it.
    #[must_use]
    pub fn open_windows(&self, now: Now) -> Vec<OpenWindow> {
        let mut state = self.lock();
        state.clock(now.unix_ms());
        let mut windows: Vec<OpenWindow> = Vec::new();
        for line in state.lines.iter().filter(|line| line.rule.measure != Measure::Concurrent) {
            let Some((start_unix_ms, slice_ms, until_unix_ms)) = line.counter.unrestored(&line.rule.window) else {
                continue;
            };
            let Rule { measure, window, .. } = line.rule.clone();
            let open = OpenWindow { measure, window, start_unix_ms, slice_ms, until_unix_ms };
            if !windows.contains(&open) {
                windows.push(open);
            }
        }
        windows
    }

    /// Adds what the ledger says was used in a window before this meter counted it: moments in Unix milliseconds, each with
    /// calls, tokens or nano-dollars. Only the first restoring of a window counts. Thresholds that were reached by it are not
    /// said again.
    pub fn restore(&self, open: &OpenWindow, parts: &[(u64, i64)]) {
        let mut state = self.lock();
        let same = |line: &&mut Line| line.rule.measure == open.measure && line.rule.window == open.window;
        for line in state.lines.iter_mut().filter(same) {
            line.counter.restore(&line.rule.window, parts);
            line.reached(&self.payer, 0, &mut |_| {});
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below can panic half-way through a change, so a poisoned meter is still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reservation sees on its way along the payers.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) warning: Option<Warning>,
}

/// What a settlement says on its way along the payers.
pub(crate) struct Told<'a> {
    pub(crate) tell: &'a mut dyn FnMut(BudgetEvent),
    pub(crate) warning: &'a mut Option<Warning>,
}

impl State {
    /// The time as this meter sees it, with every counter moved there. A clock that is a little behind is another thread's;
    /// one that is far behind was set back.
    fn clock(&mut self, now: u64) -> u64 {
        self.latest = if now.saturating_add(JITTER_MS) < self.latest { now } else { self.latest.max(now) };
        let (latest, last) = (self.latest, self.last);
        for line in &mut self.lines {
            if line.counter.turn(&line.rule.window, latest, last) {
                line.warned = 0;
            }
        }
        latest
    }
}

impl Line {
    fn admit(&self, payer: &Payer, cost: &Cost, now: u64) -> Result<(), Box<Refusal>> {
        let Rule { measure, max, window, on_exhaust, .. } = &self.rule;
        let asked = cost.held(*measure);
        let remaining = max.saturating_sub(self.counter.taken());
        // What is free of charge passes a spent budget; what has no price might cost anything and does not.
        let money = *measure == Measure::Money;
        let unpriced_and_spent = money && cost.ceiling.is_none() && remaining <= 0;
        if !unpriced_and_spent && (asked <= remaining || (asked == 0 && money)) {
            return Ok(());
        }
        let missing = asked.saturating_sub(remaining).max(1);
        let room_at = self.counter.room_at(window, missing);
        Err(Box::new(Refusal {
            payer: payer.clone(),
            measure: *measure,
            window: window.clone(),
            max: *max,
            remaining,
            asked: if money { cost.ceiling.map(|ceiling| ceiling.nano_usd) } else { Some(asked) },
            room_in_secs: room_at.map(|moment| seconds_until(moment, now)),
            on_exhaust: on_exhaust.clone(),
        }))
    }

    fn gauge(&self, now: u64, standing: &mut Standing) {
        let place = match self.rule.measure {
            Measure::Requests => &mut standing.requests,
            Measure::Tokens => &mut standing.tokens,
            Measure::Concurrent | Measure::Money => return,
        };
        let remaining = u64::try_from(self.rule.max.saturating_sub(self.counter.taken())).unwrap_or(0);
        if place.is_none_or(|gauge| remaining < gauge.remaining) {
            let limit = u64::try_from(self.rule.max).unwrap_or(0);
            let resets_in_secs =
                self.counter.whole_at(&self.rule.window).map_or(0, |moment| seconds_until(moment, now));
            *place = Some(Gauge { limit, remaining, resets_in_secs });
        }
    }

    /// Notes thresholds that have been reached, and tells the highest of them.
    fn reached(&mut self, payer: &Payer, now: u64, tell: &mut dyn FnMut(BudgetEvent)) {
        if self.rule.warn_at.is_empty() {
            return;
        }
        let rolling = self.rule.window.is_rolling();
        if rolling && now >= self.again_at {
            self.warned = 0;
        }
        let used = self.counter.used();
        let before = self.warned;
        for (bit, share) in self.rule.warn_at.iter().take(Rule::THRESHOLDS_MAX).enumerate() {
            if used >= share.of(self.rule.max) {
                self.warned |= 1 << bit;
            }
        }
        let Some(share) = self.highest(self.warned & !before) else { return };
        if rolling {
            self.again_at = now.saturating_add(self.rule.window.length_ms());
        }
        let Rule { measure, window, max, .. } = self.rule.clone();
        tell(BudgetEvent { payer: payer.clone(), measure, window, share, max, used, at_unix_ms: now });
    }

    /// Offers the highest threshold that is reached now; the highest of all payers stays.
    fn warning(&self, payer: &Payer, warning: &mut Option<Warning>) {
        let Some(share) = self.highest(self.warned) else { return };
        if warning.as_ref().is_none_or(|known| known.share < share) {
            let Rule { measure, window, .. } = self.rule.clone();
            *warning = Some(Warning { payer: payer.clone(), measure, window, share });
        }
    }

    fn highest(&self, bits: u8) -> Option<PerMille> {
        let place = u8::BITS.checked_sub(bits.leading_zeros() + 1)?;
        self.rule.warn_at.get(place as usize).copied()
    }
}

/// Whole seconds, at least one.
fn seconds_until(moment: u64, now: u64) -> u64 {
    moment.saturating_sub(now).div_ceil(1000).max(1)
}
