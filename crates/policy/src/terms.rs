//! Limits and budgets as they are configured.

use std::sync::Arc;

use gatehouse_domain::Money;

use crate::{Period, Window};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Calls.
    Requests,
    /// Tokens, in and out together.
    Tokens,
    /// Calls in flight. Has no window.
    Concurrent,
    /// Nano-dollars.
    Money,
}

impl Measure {
    /// The word of messages, headers and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrent => "concurrent",
            Self::Money => "usd",
        }
    }
}

/// What happens to a call that does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnExhaust {
    /// It is refused.
    #[default]
    Refuse,
    /// It is read again as a call to this model, and refused only if that does not fit either.
    Downgrade(Arc<str>),
}

/// A share of a maximum in thousandths, so that shares can be compared and stored exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMille(pub u16);

impl PerMille {
    /// From a fraction as written in the configuration (`0.8`), rounded to thousandths.
    #[must_use]
    pub fn from_fraction(fraction: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
        Self((fraction * 1000.0).round().clamp(0.0, 1000.0) as u16)
    }

    /// The share as a fraction, to be shown.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// So much of a maximum, rounded up: a threshold is never reached early.
    pub(crate) fn of(self, max: i64) -> i64 {
        let part = (i128::from(max.max(0)) * i128::from(self.0)).div_euclid(1000);
        let exact = (i128::from(max.max(0)) * i128::from(self.0)).rem_euclid(1000) == 0;
        i64::try_from(if exact { part } else { part + 1 }).unwrap_or(i64::MAX)
    }
}

/// One limit or budget: so much of a measure in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it counts.
    pub measure: Measure,
    /// The most of it: calls, tokens or nano-dollars. Never negative.
    pub max: i64,
    /// In which window. Calls in flight have none: [`Window::LIFE`].
    pub window: Window,
    /// Shares of the maximum at which to warn, ascending; at most [`Rule::THRESHOLDS_MAX`] are looked at.
    pub warn_at: Vec<PerMille>,
    /// What happens to a call that does not fit.
    pub on_exhaust: OnExhaust,
}

impl Rule {
    /// Thresholds of one rule at most.
    pub const THRESHOLDS_MAX: usize = 8;

    /// So many calls per window.
    #[must_use]
    pub fn requests(max: u64, window: Window) -> Self {
        Self::new(Measure::Requests, signed(max), window)
    }

    /// So many tokens per window, input and output together.
    #[must_use]
    pub fn tokens(max: u64, window: Window) -> Self {
        Self::new(Measure::Tokens, signed(max), window)
    }

    /// So many calls at the same time.
    #[must_use]
    pub fn concurrent(max: u64) -> Self {
        Self::new(Measure::Concurrent, signed(max), Window::LIFE)
    }

    /// So much money per window.
    #[must_use]
    pub fn money(max: Money, window: Window) -> Self {
        Self::new(Measure::Money, max.nano_usd.max(0), window)
    }

    /// The same, warning at these shares.
    #[must_use]
    pub fn warning_at(mut self, shares: &[f64]) -> Self {
        self.warn_at = shares.iter().copied().map(PerMille::from_fraction).collect();
        self.warn_at.sort_unstable();
        self.warn_at.truncate(Self::THRESHOLDS_MAX);
        self
    }

    /// The same, downgrading to this model.
    #[must_use]
    pub fn downgrading_to(mut self, model: impl Into<Arc<str>>) -> Self {
        self.on_exhaust = OnExhaust::Downgrade(model.into());
        self
    }

    fn new(measure: Measure, max: i64, window: Window) -> Self {
        Self { measure, max, window, warn_at: Vec::new(), on_exhaust: OnExhaust::Refuse }
    }

    /// Do both count the same thing? Then a counter can go on under the other.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        self.measure == other.measure && self.window == other.window
    }
}

fn signed(max: u64) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

/// The limits and budgets of one payer; all of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// In the order of the configuration.
    pub rules: Vec<Rule>,
}

impl Terms {
    /// Terms that let nothing pass: what stands in for limits that cannot be read.
    #[must_use]
    pub fn closed() -> Self {
        Self { rules: vec![Rule::requests(0, Window::calendar(Period::Life))] }
    }

    /// Is there nothing to hold?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Both, these first.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.rules.extend(other.rules.iter().cloned());
        self
    }
}

/// What a call may use at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Input tokens, counted or estimated, and the output the call allows.
    pub tokens: u64,
    /// The most the call can cost; `None` if there is no price for it. Such a call passes a budget that is not spent yet,
    /// counts as nothing until it settles, and is flagged (`Reservation::unpriced`).
    pub ceiling: Option<Money>,
}

impl Cost {
    /// What a call takes of a measure. Never negative: a wrong ceiling must not hand out money.
    pub(crate) fn held(&self, measure: Measure) -> i64 {
        match measure {
            Measure::Requests | Measure::Concurrent => 1,
            Measure::Tokens => signed(self.tokens),
            Measure::Money => self.ceiling.map_or(0, |ceiling| ceiling.nano_usd.max(0)),
        }
    }
}

/// What a call has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) requests: i64,
    pub(crate) tokens: i64,
    pub(crate) money: i64,
}

impl Used {
    /// Of a call that ran.
    pub(crate) fn by_call(tokens: u64, money: Money) -> Self {
        Self { requests: 1, tokens: signed(tokens), money: money.nano_usd.max(0) }
    }

    pub(crate) fn of(&self, measure: Measure) -> i64 {
        match measure {
            Measure::Requests => self.requests,
            Measure::Tokens => self.tokens,
            Measure::Concurrent => 0,
            Measure::Money => self.money,
        }
    }
}
