//! Why a payer said no, and how a caller hears it.

use std::sync::Arc;

use gatehouse_domain::{Code, Fault, Money, Payer, PayerKind};

use crate::{Measure, OnExhaust, Period, Window};

/// The limit or budget that stood in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose it is.
    pub payer: Payer,
    /// What it counts.
    pub measure: Measure,
    /// Its window.
    pub window: Window,
    /// The maximum: calls, tokens or nano-dollars.
    pub max: i64,
    /// What is left and not held by calls in flight; negative once calls turned out larger than they said.
    pub remaining: i64,
    /// What the call asked for; `None` if it has no price.
    pub asked: Option<i64>,
    /// Seconds until there is room again; `None` if there never is.
    pub room_in_secs: Option<u64>,
    /// What is to happen instead.
    pub on_exhaust: OnExhaust,
}

impl Refusal {
    /// The model the call is to be read as instead, if there is one.
    #[must_use]
    pub fn downgrade(&self) -> Option<&Arc<str>> {
        match &self.on_exhaust {
            OnExhaust::Refuse => None,
            OnExhaust::Downgrade(model) => Some(model),
        }
    }

    /// As a caller hears it: 429 `rate_limited` or 402 `budget_exceeded`, with a way out.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self.measure {
            Measure::Concurrent => self.concurrent(),
            Measure::Requests | Measure::Tokens => self.rate(),
            Measure::Money => self.budget(),
        }
    }

    fn concurrent(&self) -> Fault {
        let message = format!(
            "{} already has {} calls in flight, which is its limit. Wait for one to end, or ask for a higher \
             `concurrent` limit.",
            subject(&self.payer),
            self.max
        );
        Fault::new(Code::RateLimited, message).retry_after(1)
    }

    fn rate(&self) -> Fault {
        let (unit, max, window, whose) = (self.measure.as_str(), self.max, &self.window, owner(&self.payer));
        let asked = self.asked.unwrap_or(0);
        if asked > max {
            let message = format!(
                "This call needs about {asked} {unit}, more than the whole limit of {max} {unit} per {window} of \
                 {whose}. Send a smaller request, lower its output limit, or ask for a higher limit."
            );
            return Fault::new(Code::RateLimited, message);
        }
        let wait = if self.window.period() == Period::Life { "Ask" } else { "Wait for the window to move on, or ask" };
        let message = format!(
            "The limit of {max} {unit} per {window} of {whose} is reached: {} left, about {asked} needed. {wait} for a \
             higher limit.",
            self.remaining.max(0)
        );
        with_reset(Fault::new(Code::RateLimited, message), self.room_in_secs)
    }

    fn budget(&self) -> Fault {
        let money = |nano| dollars(Money::from_nano_usd(nano));
        let need =
            self.asked.map_or_else(String::new, |asked| format!(", and this call may cost up to ${}", money(asked)));
        let (per, way_out) = match self.window.period() {
            Period::Life => (String::new(), "Ask for a higher budget"),
            _ => (format!(" per {}", self.window), "Wait for the window to move on, ask for a higher budget"),
        };
        let message = format!(
            "The budget of ${}{per} of {} has ${} left{need}. {way_out}, use a cheaper model, or lower the call's output \
             limit.",
            money(self.max),
            owner(&self.payer),
            money(self.remaining.max(0))
        );
        with_reset(Fault::new(Code::BudgetExceeded, message), self.room_in_secs)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        refusal.fault()
    }
}

fn owner(payer: &Payer) -> String {
    match payer.kind {
        PayerKind::Key => "this key".to_owned(),
        PayerKind::Run => "this run".to_owned(),
        kind => format!("the {} `{}`", kind.as_str().replace('_', " "), payer.name),
    }
}

/// The owner at the head of a sentence.
fn subject(payer: &Payer) -> String {
    let owner = owner(payer);
    let mut letters = owner.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
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

    fn refusal(measure: Measure, window: Window, max: i64, remaining: i64, asked: i64) -> Refusal {
        Refusal {
            payer: Payer::new(PayerKind::Team, "support"),
            measure,
            window,
            max,
            remaining,
            asked: Some(asked),
            room_in_secs: Some(3600),
            on_exhaust: OnExhaust::Refuse,
        }
    }

    #[test]
    fn a_spent_budget_is_402_and_says_whose_it_is_how_much_is_left_and_when_there_is_more() {
        let usd = |amount| Money::from_usd(amount).nano_usd;
        let month = Window::calendar(Period::Month);
        let fault = refusal(Measure::Money, month, usd(100.0), usd(0.0125), usd(0.5)).fault();
        assert_eq!((fault.code, fault.status, fault.retry_after_secs), (Code::BudgetExceeded, 402, Some(3600)));
        assert!(
            fault.message.contains("$100.00 per month of the team `support` has $0.0125 left"),
            "{}",
            fault.message
        );
        assert!(fault.message.contains("$0.50"), "{}", fault.message);
    }

    #[test]
    fn a_call_larger_than_the_whole_limit_is_not_told_to_wait() {
        let fault = refusal(Measure::Tokens, Window::rolling(Period::Minute), 1000, 1000, 5000).fault();
        assert_eq!(fault.retry_after_secs, None);
        assert!(fault.message.contains("per minute (rolling)"), "{}", fault.message);
    }

    #[test]
    fn too_many_at_once_names_the_payer_first() {
        let fault = refusal(Measure::Concurrent, Window::LIFE, 3, 0, 1).fault();
        assert!(fault.message.starts_with("The team `support` already has 3 calls"), "{}", fault.message);
    }
}
