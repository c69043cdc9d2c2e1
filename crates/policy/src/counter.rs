//! What was used of one measure in one window: settled, and held by calls in flight.
//!
//! A window is a row of slices, the current one last: a calendar window is a single slice, a rolling one keeps
//! [`SLICES`](crate::window::SLICES) whole ones behind the current. Each call belongs to the slice in which it was reserved.
//! Slices are told apart by the number of the last reservation before them and not by the time, so that no step of the
//! clock can book a call twice or in the wrong place.

use std::collections::VecDeque;

use crate::Window;

/// A clock that is behind the window by less than this is another thread's, not set back.
pub(crate) const JITTER_MS: u64 = 1000;

/// One slice.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    used: i64,
    held: i64,
    /// The number of the last reservation before this slice.
    after: u64,
}

/// The counter of one rule. `used + held` may pass the maximum when a call turned out larger than it said.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    /// Unix milliseconds between which the current slice lies.
    start: u64,
    end: u64,
    used: i64,
    held: i64,
    current: Slice,
    /// The whole slices before, oldest first; none for calendar windows.
    past: VecDeque<Slice>,
    /// The calendar window the clock was in before, and what it held: a clock that steps into it again finds it as it was.
    left: Option<(u64, i64)>,
    /// The last reservation before this counter was switched on, and when that was.
    born: u64,
    born_unix_ms: u64,
    restored: bool,
}

impl Counter {
    pub(crate) fn born(window: &Window, after: u64, now: u64) -> Self {
        let (start, end) = window.slice_around(now);
        Self {
            start,
            end,
            used: 0,
            held: 0,
            current: Slice { after, ..Slice::default() },
            past: VecDeque::new(),
            left: None,
            born: after,
            born_unix_ms: now,
            restored: false,
        }
    }

    /// Settled use in the window.
    pub(crate) fn used(&self) -> i64 {
        self.used
    }

    /// What calls in flight hold of it.
    pub(crate) fn held(&self) -> i64 {
        self.held
    }

    /// Both.
    pub(crate) fn taken(&self) -> i64 {
        self.used.saturating_add(self.held)
    }

    /// Moves on to the window around `now`, where `last` is the number of the last reservation. Says whether a calendar
    /// window has begun.
    pub(crate) fn turn(&mut self, window: &Window, now: u64, last: u64) -> bool {
        if now < self.end && now.saturating_add(JITTER_MS) >= self.start {
            return false;
        }
        let ahead = now >= self.end;
        if window.is_rolling() {
            self.slide(window, ahead, now, last);
            return false;
        }
        let (start, end) = window.slice_around(now);
        let known = self.left.take_if(|(known, _)| *known == start).map_or(0, |(_, taken)| taken);
        self.left = Some((self.start, self.taken()));
        (self.start, self.end) = (start, end);
        if ahead {
            self.current = Slice { used: known, held: 0, after: last };
            (self.used, self.held) = (known, 0);
        } else {
            // What was used while the clock was ahead was really used earlier: it counts in both windows.
            self.current.used = self.current.used.saturating_add(known);
            self.used = self.used.saturating_add(known);
        }
        ahead
    }

    fn slide(&mut self, window: &Window, ahead: bool, now: u64, last: u64) {
        let (start, end) = window.slice_around(now);
        let slices = start.saturating_sub(self.start) / (end - start).max(1);
        (self.start, self.end) = (start, end);
        if !ahead {
            // Every slice stays: what was used a moment before the clock was set back is as old as it was.
            return;
        }
        let fresh = Slice { after: last, ..Slice::default() };
        if slices > window.slices_before() {
            self.past.clear();
            (self.used, self.held, self.current) = (0, 0, fresh);
            return;
        }
        for _ in 0..slices {
            self.past.push_back(std::mem::replace(&mut self.current, fresh));
            if self.past.len() as u64 > window.slices_before()
                && let Some(gone) = self.past.pop_front()
            {
                self.used = self.used.saturating_sub(gone.used);
                self.held = self.held.saturating_sub(gone.held);
            }
        }
    }

    /// Holds so much for the reservation being made.
    pub(crate) fn hold(&mut self, amount: i64) {
        self.current.held = self.current.held.saturating_add(amount);
        self.held = self.held.saturating_add(amount);
    }

    /// Replaces what reservation `number` held by what its call used. If its slice is gone, only what was used beyond the
    /// reservation counts, where it became known; if the counter is younger than the reservation, all of it does.
    pub(crate) fn settle(&mut self, number: u64, held: i64, used: i64) {
        let slice = if number > self.current.after {
            Some(&mut self.current)
        } else {
            self.past.iter_mut().rev().find(|slice| number > slice.after)
        };
        let counts = if let Some(slice) = slice {
            slice.held = slice.held.saturating_sub(held);
            slice.used = slice.used.saturating_add(used);
            self.held = self.held.saturating_sub(held);
            used
        } else {
            let counts = if number <= self.born { used } else { used.saturating_sub(held).max(0) };
            self.current.used = self.current.used.saturating_add(counts);
            counts
        };
        self.used = self.used.saturating_add(counts);
    }

    /// The slices of the window that is open: where the oldest begins, how long each is, and up to when the ledger is to be
    /// asked. `None` once it was.
    pub(crate) fn unrestored(&self, window: &Window) -> Option<(u64, u64, u64)> {
        if self.restored {
            return None;
        }
        let width = self.end.saturating_sub(self.start);
        let start = self.start.saturating_sub(width.saturating_mul(window.slices_before()));
        Some((start, width, self.born_unix_ms))
    }

    /// Adds what the ledger says was used before the counter was born, by the moment at which each part was used.
    pub(crate) fn restore(&mut self, window: &Window, parts: &[(u64, i64)]) {
        if std::mem::replace(&mut self.restored, true) {
            return;
        }
        let width = self.end.saturating_sub(self.start).max(1);
        let most = usize::try_from(window.slices_before()).unwrap_or(0);
        while self.past.len() < most && window.is_rolling() {
            // Older than every reservation of this process, so that none is looked for in there.
            self.past.push_front(Slice { after: u64::MAX, ..Slice::default() });
        }
        for (moment, used) in parts {
            let age = usize::try_from(self.end.saturating_sub(1).saturating_sub(*moment) / width).unwrap_or(usize::MAX);
            let slice = match age {
                0 => Some(&mut self.current),
                age => self.past.len().checked_sub(age).and_then(|place| self.past.get_mut(place)),
            };
            let Some(slice) = slice else { continue };
            slice.used = slice.used.saturating_add(*used);
            self.used = self.used.saturating_add(*used);
        }
    }

    /// Unix milliseconds at which everything that is used now will be free again; `None` if never.
    pub(crate) fn whole_at(&self, window: &Window) -> Option<u64> {
        if window.is_rolling() {
            return Some(self.end.saturating_add(window.length_ms()));
        }
        (self.end != u64::MAX).then_some(self.end)
    }

    /// Unix milliseconds at which at least so much will be free, if nothing more is used; `None` if never.
    pub(crate) fn room_at(&self, window: &Window, missing: i64) -> Option<u64> {
        if !window.is_rolling() {
            return self.whole_at(window);
        }
        let width = self.end.saturating_sub(self.start);
        let mut freed = 0_i64;
        for (place, slice) in self.past.iter().chain([&self.current]).enumerate() {
            freed = freed.saturating_add(slice.used).saturating_add(slice.held);
            if freed >= missing {
                let younger = (self.past.len() - place) as u64;
                let leaves_in = window.slices_before().saturating_sub(younger);
                return Some(self.end.saturating_add(width.saturating_mul(leaves_in)));
            }
        }
        self.whole_at(window)
    }
}
