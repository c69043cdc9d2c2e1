//! Why a meter said no, and how a caller hears it.

use gatehouse_domain::{Code, Fault, Money};

use crate::{Measure, Period};

/// The limit or budget that stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A limit on calls or tokens per period.
    Rate {
        /// Calls or tokens.
        measure: Measure,
        /// Its window.
        per: Period,
        /// The maximum of one window.
        max: u64,
        /// What is left in this window; negative once calls turned out larger than they said.
        remaining: i64,
        /// What the call asked for.
        asked: u64,
        /// Seconds until the next window; `None` if it never comes.
        resets_in_secs: Option<u64>,
    },
    /// The limit on calls in flight.
    Concurrent {
        /// The most calls in flight.
        max: u64,
    },
    /// A budget.
    Budget {
        /// Its window.
        per: Period,
        /// The whole budget.
        max: Money,
        /// What is left of it and not reserved by calls in flight.
        remaining: Money,
        /// The most the call could cost; `None` if it has no price.
        asked: Option<Money>,
        /// Seconds until the budget is whole again; `None` if it never is.
        resets_in_secs: Option<u64>,
    },
}

impl Refusal {
    /// As a caller hears it: 429 `rate_limited` or 402 `budget_exceeded`, with a way out.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match *self {
            Self::Concurrent { max } => Fault::new(
                Code::RateLimited,
                format!(
                    "This key or team already has {max} calls in flight, which is its limit. Wait for one to end, or \
                     ask for a higher `concurrent` limit."
                ),
            )
            .retry_after(1),
            Self::Rate { measure, per, max, remaining, asked, resets_in_secs } => {
                let unit = if measure == Measure::Tokens { "tokens" } else { "requests" };
                if asked > max {
                    return Fault::new(
                        Code::RateLimited,
                        format!(
                            "This call needs about {asked} {unit}, more than the whole limit of {max} {unit} per \
                             {per}. Send a smaller request, lower its output limit, or ask for a higher limit."
                        ),
                    );
                }
                let left = remaining.max(0);
                let message = format!(
                    "The limit of {max} {unit} per {per} is reached: {left} left, about {asked} needed. Wait for the \
                     next {per}, or ask for a higher limit."
                );
                with_reset(Fault::new(Code::RateLimited, message), resets_in_secs)
            }
            Self::Budget { per, max, remaining, asked, resets_in_secs } => {
                let max = dollars(max);
                let left = dollars(remaining.max(Money::ZERO));
                let need = asked.map_or_else(String::new, |ceiling| {
                    format!(", and this call may cost up to ${}", dollars(ceiling))
                });
                let (whose, way_out) = match per {
                    Period::Life => (String::new(), "Ask for a higher budget"),
                    _ => (format!(" per {per}"), "Wait for the next window, ask for a higher budget"),
                };
                let message = format!(
                    "The budget of ${max}{whose} has ${left} left{need}. {way_out}, use a cheaper model, or lower the \
                     call's output limit."
                );
                with_reset(Fault::new(Code::BudgetExceeded, message), resets_in_secs)
            }
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        refusal.fault()
    }
}

fn with_reset(fault: Fault, seconds: Option<u64>) -> Fault {
    match seconds {
        Some(seconds) => fault.retry_after(seconds),
        None => fault,
    }
}

/// Dollars without the zeros that say nothing: `1.50`, `0.000123`.
fn dollars(amount: Money) -> String {
    let exact = amount.to_string();
    let kept = exact.trim_end_matches('0').len();
    let cents = exact.find('.').map_or(exact.len(), |point| point + 3);
    exact[..kept.max(cents).min(exact.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_is_402_and_says_how_much_is_left_and_when_it_is_whole_again() {
        let refusal = Refusal::Budget {
            per: Period::Month,
            max: Money::from_usd(100.0),
            remaining: Money::from_usd(0.0125),
            asked: Some(Money::from_usd(0.5)),
            resets_in_secs: Some(3600),
        };
        let fault = refusal.fault();
        assert_eq!((fault.code, fault.status, fault.retry_after_secs), (Code::BudgetExceeded, 402, Some(3600)));
        assert!(fault.message.contains("$100.00 per month has $0.0125 left"), "{}", fault.message);
        assert!(fault.message.contains("$0.50"), "{}", fault.message);
    }

    #[test]
    fn a_call_larger_than_the_whole_limit_is_not_told_to_wait() {
        let refusal = Refusal::Rate {
            measure: Measure::Tokens,
            per: Period::Minute,
            max: 1000,
            remaining: 1000,
            asked: 5000,
            resets_in_secs: Some(10),
        };
        assert_eq!(refusal.fault().retry_after_secs, None);
    }
}
