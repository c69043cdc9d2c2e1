//! When nobody calls, the process gives back the pages of its program that only starting, or the last load, has needed.

use std::time::{Duration, Instant};

/// How soon after the start: opening the database and building documents is over by then.
const AFTER_START: &[Duration] = &[Duration::from_secs(1)];
/// How long after the last call. Once more when connections to providers that nobody uses have been closed
/// (`PoolLimits::idle_for`): that is code which nothing else passes, and what they held is free then.
const AFTER_CALLS: &[Duration] = &[Duration::from_secs(30), Duration::from_secs(50)];

/// Knows when to give pages back: after the start, and whenever calls have ceased.
#[derive(Debug)]
pub(super) struct Quiet {
    /// The start, or when the last call was noted.
    since: Instant,
    /// How long after that they are still to be given back.
    due: &'static [Duration],
    /// Has the start's share been given back? The first calls do not put that off.
    started: bool,
}

impl Quiet {
    /// Of a process that starts now.
    pub(super) fn since(start: Instant) -> Self {
        Self { since: start, due: AFTER_START, started: false }
    }

    /// Takes note of how many calls have ended by now since it was asked before; tells whether it is time.
    pub(super) fn is_due(&mut self, now: Instant, calls: usize) -> bool {
        if calls > 0 && self.started {
            (self.since, self.due) = (now, AFTER_CALLS);
        }
        let Some((_, later)) = self.due.split_first().filter(|(after, _)| now.duration_since(self.since) >= **after)
        else {
            return false;
        };
        self.due = later;
        self.started = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_once_after_the_start_and_twice_after_the_last_call_of_many() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = Quiet::since(start);
        let asked =
            [(0, 1), (1, 5), (2, 0), (40, 0), (50, 3), (70, 1), (99, 0), (100, 0), (101, 0), (120, 0), (200, 0)];
        let due: Vec<u64> = asked
            .into_iter()
            .filter(|(second, calls)| quiet.is_due(at(*second), *calls))
            .map(|(second, _)| second)
            .collect();
        assert_eq!(due, [1, 100, 120]);
    }
}
