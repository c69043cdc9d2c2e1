//! Breakers, cool-downs and retry budgets, one per target, kept across configuration reloads.
//!
//! Only what is the target's own fault opens a breaker: a caller's 400 never does, and a 429 is a cool-down for as long
//! as its headers say. An open breaker lets one probe through when its time is up; the probe decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_domain::Availability;

/// Failures in a row that open a breaker.
const FAILURES_TO_OPEN: u32 = 5;
/// First open time; doubles with each failed probe up to `OPEN_MAX`.
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_MAX: Duration = Duration::from_secs(60);
/// A probe that never reports back is given up after this long.
const PROBE_MAX: Duration = Duration::from_secs(60);
/// Retries may add a fifth of the calls of a window, and at least ten.
const RETRY_WINDOW: Duration = Duration::from_secs(10);
const RETRY_SHARE_DIVISOR: u64 = 5;
const RETRY_MINIMUM: u64 = 10;

/// What an attempt says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers (a caller's fault included).
    Alive,
    /// It failed.
    Failed,
    /// It asked to be left alone for so long.
    Limited(Duration),
    /// It proves nothing: the client left, or the gateway's own credentials were refused.
    Silent,
}

/// The breaker as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are kept away.
    Open,
    /// One probe is on its way.
    HalfOpen,
    /// The target asked to be left alone.
    CoolingDown,
}

impl BreakerState {
    /// The word used in API, metrics and console.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::CoolingDown => "cooling_down",
        }
    }
}

/// The health of one target.
#[derive(Debug, Default)]
pub struct Health {
    /// False = nothing wrong: the hot path reads this one flag and goes on.
    troubled: AtomicBool,
    calls: AtomicU64,
    trouble: Mutex<Trouble>,
    retries: Mutex<Retries>,
}

#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    opened: u32,
    open_until: Option<Instant>,
    probe_since: Option<Instant>,
    cool_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Retries {
    window: Option<Instant>,
    calls_at_start: u64,
    used: u64,
}

impl Health {
    /// May the target be tried now? Read-only: [`Health::begin`] claims the probe.
    #[must_use]
    pub fn availability(&self, now: Instant) -> Availability {
        if !self.troubled.load(Ordering::Relaxed) {
            return Availability::Ready;
        }
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.availability(now)
    }

    /// An attempt is about to start. `false`: another attempt is already probing this target.
    pub fn begin(&self, now: Instant) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !self.troubled.load(Ordering::Relaxed) {
            return true;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.availability(now) != Availability::Ready {
            return false;
        }
        if trouble.open_until.is_some() {
            trouble.probe_since = Some(now);
        }
        true
    }

    /// An attempt has ended.
    pub fn end(&self, verdict: Verdict, now: Instant) {
        if verdict == Verdict::Alive && !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Verdict::Alive => {
                *trouble =
                    Trouble { cool_until: trouble.cool_until.filter(|until| *until > now), ..Trouble::default() };
            }
            Verdict::Failed => trouble.fail(now),
            Verdict::Limited(cool_down) => {
                trouble.probe_since = None;
                trouble.cool_until = Some(now + cool_down);
            }
            Verdict::Silent => trouble.probe_since = None,
        }
        self.troubled.store(!trouble.is_clear(), Ordering::Relaxed);
    }

    /// Takes one retry out of the budget; `false` when it is spent.
    pub fn may_retry(&self, now: Instant) -> bool {
        let calls = self.calls.load(Ordering::Relaxed);
        let mut retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        if retries.window.is_none_or(|start| now.duration_since(start) > RETRY_WINDOW) {
            *retries = Retries { window: Some(now), calls_at_start: calls, used: 0 };
        }
        let allowed = (calls.saturating_sub(retries.calls_at_start) / RETRY_SHARE_DIVISOR).max(RETRY_MINIMUM);
        let may = retries.used < allowed;
        retries.used += u64::from(may);
        may
    }

    /// Forgets all trouble.
    pub fn reset(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Trouble::default();
        self.troubled.store(false, Ordering::Relaxed);
    }

    /// The breaker for people: state and, if it keeps calls away, for how long still.
    #[must_use]
    pub fn state(&self, now: Instant) -> (BreakerState, Option<Duration>) {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.availability(now) {
            Availability::CoolingDown { retry_in } => (BreakerState::CoolingDown, Some(retry_in)),
            Availability::Broken { .. } if trouble.probe_since.is_some() => (BreakerState::HalfOpen, None),
            Availability::Broken { retry_in } => (BreakerState::Open, Some(retry_in)),
            Availability::Ready if trouble.open_until.is_some() => (BreakerState::HalfOpen, None),
            Availability::Ready => (BreakerState::Closed, None),
        }
    }
}

impl Trouble {
    fn availability(&self, now: Instant) -> Availability {
        let left = |until: Option<Instant>| {
            until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        };
        if let Some(retry_in) = left(self.cool_until) {
            return Availability::CoolingDown { retry_in };
        }
        if let Some(retry_in) = left(self.open_until) {
            return Availability::Broken { retry_in };
        }
        match self.probe_since {
            Some(since) if now.duration_since(since) < PROBE_MAX => {
                Availability::Broken { retry_in: Duration::from_secs(1) }
            }
            _ => Availability::Ready,
        }
    }

    fn fail(&mut self, now: Instant) {
        self.failures += 1;
        let was_probe = self.probe_since.take().is_some();
        if was_probe || self.failures >= FAILURES_TO_OPEN {
            let open_for = OPEN_FIRST.saturating_mul(1 << self.opened.min(6)).min(OPEN_MAX);
            self.opened += 1;
            self.open_until = Some(now + open_for);
        }
    }

    fn is_clear(&self) -> bool {
        self.failures == 0 && self.open_until.is_none() && self.cool_until.is_none() && self.probe_since.is_none()
    }
}

/// The health of every target ever named, by label.
#[derive(Debug, Default)]
pub struct HealthTable(Mutex<HashMap<Arc<str>, Arc<Health>>>);

impl HealthTable {
    /// The health of a target, made on first sight. Control plane only.
    #[must_use]
    pub fn of(&self, label: &Arc<str>) -> Arc<Health> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(table.entry(Arc::clone(label)).or_default())
    }

    /// All of them, sorted by label.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Arc<Health>)> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = table.iter().map(|(label, health)| (Arc::clone(label), Arc::clone(health))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(times: u32, now: Instant) -> Health {
        let health = Health::default();
        for _ in 0..times {
            health.begin(now);
            health.end(Verdict::Failed, now);
        }
        health
    }

    #[test]
    fn five_failures_in_a_row_open_the_breaker_and_four_do_not() {
        let now = Instant::now();
        assert_eq!(failed(4, now).availability(now), Availability::Ready);
        assert!(matches!(failed(5, now).availability(now), Availability::Broken { .. }));
    }

    #[test]
    fn an_open_breaker_lets_exactly_one_probe_through() {
        let now = Instant::now();
        let health = failed(5, now);
        let later = now + OPEN_FIRST;
        assert!(health.begin(later), "the probe");
        assert!(!health.begin(later), "nobody else");
        assert_eq!(health.state(later).0, BreakerState::HalfOpen);
        health.end(Verdict::Alive, later);
        assert_eq!(health.state(later).0, BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_doubles_the_open_time() {
        let now = Instant::now();
        let health = failed(5, now);
        let later = now + OPEN_FIRST;
        health.begin(later);
        health.end(Verdict::Failed, later);
        assert_eq!(health.availability(later), Availability::Broken { retry_in: OPEN_FIRST * 2 });
    }

    #[test]
    fn a_limit_cools_down_and_never_opens() {
        let now = Instant::now();
        let health = Health::default();
        for _ in 0..20 {
            health.end(Verdict::Limited(Duration::from_secs(7)), now);
        }
        assert_eq!(health.state(now), (BreakerState::CoolingDown, Some(Duration::from_secs(7))));
        assert_eq!(health.availability(now + Duration::from_secs(7)), Availability::Ready);
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed_and_a_reset_closes_it() {
        let now = Instant::now();
        let health = failed(4, now);
        health.end(Verdict::Alive, now);
        health.end(Verdict::Failed, now);
        assert_eq!(health.availability(now), Availability::Ready);
        let broken = failed(5, now);
        broken.reset();
        assert_eq!(broken.state(now).0, BreakerState::Closed);
    }

    #[test]
    fn retries_are_a_fifth_of_the_calls_and_at_least_ten_a_window() {
        let now = Instant::now();
        let health = Health::default();
        assert!(health.may_retry(now));
        for _ in 0..100 {
            health.begin(now);
        }
        let granted = (0..100).filter(|_| health.may_retry(now)).count();
        assert_eq!(granted, 19);
        assert!(health.may_retry(now + RETRY_WINDOW + Duration::from_secs(1)));
    }
}
