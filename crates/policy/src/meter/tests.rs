use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use gatehouse_domain::Code;

use super::*;

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

fn at(unix_ms: u64) -> Now {
    Now(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn usd(amount: f64) -> Money {
    Money::from_usd(amount)
}

fn limited(limits: &[LimitSpec]) -> Arc<Meter> {
    Arc::new(Meter::new(&Terms { limits: limits.to_vec(), budgets: Vec::new() }))
}

fn budgeted(max: f64, per: Period) -> Arc<Meter> {
    Arc::new(Meter::new(&Terms { limits: Vec::new(), budgets: vec![BudgetSpec { max: usd(max), per }] }))
}

fn tokens(tokens: u64) -> Cost {
    Cost { tokens, ceiling: Some(Money::ZERO) }
}

fn money(amount: f64) -> Cost {
    Cost { tokens: 0, ceiling: Some(usd(amount)) }
}

#[test]
fn a_request_limit_lets_its_maximum_pass_and_says_when_to_come_back() {
    let meter = limited(&[LimitSpec::Requests { max: 2, per: Period::Minute }]);
    for _ in 0..2 {
        meter.reserve(at(10_000), tokens(0)).unwrap().settle(at(10_000), 0, Money::ZERO);
    }
    let fault = meter.reserve(at(10_000), tokens(0)).unwrap_err().fault();
    assert_eq!((fault.code, fault.retry_after_secs), (Code::RateLimited, Some(50)));
    assert!(meter.reserve(at(MINUTE), tokens(0)).is_ok());
}

#[test]
fn a_concurrency_slot_comes_back_whether_the_call_settles_or_is_dropped() {
    let meter = limited(&[LimitSpec::Concurrent { max: 1 }]);
    let first = meter.reserve(at(0), tokens(0)).unwrap();
    assert_eq!(meter.reserve(at(0), tokens(0)).unwrap_err(), Refusal::Concurrent { max: 1 });
    first.settle(at(1), 0, Money::ZERO);
    drop(meter.reserve(at(1), tokens(0)).unwrap());
    assert!(meter.reserve(at(1), tokens(0)).is_ok());
    assert_eq!(meter.in_flight(), 0);
}

#[test]
fn a_call_that_used_more_tokens_than_it_said_makes_later_calls_wait() {
    let meter = limited(&[LimitSpec::Tokens { max: 100, per: Period::Minute }]);
    meter.reserve(at(0), tokens(10)).unwrap().settle(at(1), 250, Money::ZERO);
    assert_eq!(meter.used(at(2), Measure::Tokens, Period::Minute), Some(250));
    assert!(meter.reserve(at(2), tokens(1)).is_err());
    assert!(meter.reserve(at(MINUTE), tokens(100)).is_ok());
}

#[test]
fn tokens_that_were_reserved_and_not_used_can_be_used_by_the_next_call() {
    let meter = limited(&[LimitSpec::Tokens { max: 100, per: Period::Minute }]);
    meter.reserve(at(0), tokens(100)).unwrap().settle(at(1), 5, Money::ZERO);
    assert!(meter.reserve(at(2), tokens(95)).is_ok());
}

#[test]
fn a_reservation_dropped_unsettled_gives_money_tokens_and_request_back() {
    let terms = Terms {
        limits: vec![LimitSpec::Requests { max: 1, per: Period::Day }, LimitSpec::Tokens { max: 10, per: Period::Day }],
        budgets: vec![BudgetSpec { max: usd(1.0), per: Period::Day }],
    };
    let meter = Arc::new(Meter::new(&terms));
    let all = Cost { tokens: 10, ceiling: Some(usd(1.0)) };
    drop(meter.reserve(at(0), all).unwrap());
    assert!(meter.reserve(at(0), all).is_ok());
}

#[test]
fn a_refused_reservation_takes_nothing_from_any_window() {
    let terms = Terms {
        limits: vec![LimitSpec::Requests { max: 5, per: Period::Minute }],
        budgets: vec![BudgetSpec { max: usd(1.0), per: Period::Life }],
    };
    let meter = Arc::new(Meter::new(&terms));
    assert_eq!(meter.reserve(at(0), money(2.0)).unwrap_err().fault().code, Code::BudgetExceeded);
    assert_eq!(meter.used(at(0), Measure::Requests, Period::Minute), Some(0));
    assert_eq!(meter.in_flight(), 0);
}

#[test]
fn five_hundred_threads_against_one_dollar_spend_exactly_one_dollar() {
    let meter = budgeted(1.0, Period::Month);
    let spent = AtomicI64::new(0);
    thread::scope(|scope| {
        for thread in 0..500_u64 {
            let (meter, spent) = (&meter, &spent);
            scope.spawn(move || {
                for call in 0..20 {
                    let Ok(reservation) = meter.reserve(at(1000), money(0.01)) else { continue };
                    if (thread + call) % 3 == 0 {
                        continue; // the call never ran
                    }
                    spent.fetch_add(usd(0.005).nano_usd, Ordering::Relaxed);
                    reservation.settle(at(1001), 0, usd(0.005));
                }
            });
        }
    });
    let spent = spent.into_inner();
    assert!(spent <= usd(1.0).nano_usd, "{spent}");
    assert_eq!(meter.used(at(1002), Measure::Money, Period::Month), Some(spent));
    assert!(spent > usd(0.98).nano_usd, "the budget was not used up: {spent}");
}

#[test]
fn a_call_that_settles_after_its_window_ended_leaves_the_next_window_whole() {
    let meter = budgeted(1.0, Period::Day);
    let yesterday = meter.reserve(at(DAY - 1), money(0.6)).unwrap();
    let today = meter.reserve(at(DAY), money(1.0)).unwrap();
    yesterday.settle(at(DAY + 5), 0, usd(0.5));
    assert_eq!(meter.used(at(DAY + 5), Measure::Money, Period::Day), Some(usd(1.0).nano_usd));
    drop(today);
    assert_eq!(meter.used(at(DAY + 5), Measure::Money, Period::Day), Some(0));
}

#[test]
fn a_call_dropped_after_its_window_ended_does_not_enrich_the_next_one() {
    let meter = budgeted(1.0, Period::Day);
    let yesterday = meter.reserve(at(DAY - 1), money(1.0)).unwrap();
    let _today = meter.reserve(at(DAY), money(0.7)).unwrap();
    drop(yesterday);
    assert!(meter.reserve(at(DAY + 1), money(0.4)).is_err());
}

#[test]
fn what_a_long_call_used_beyond_its_estimate_counts_where_it_ended() {
    let meter = limited(&[LimitSpec::Tokens { max: 100, per: Period::Minute }]);
    let long = meter.reserve(at(0), tokens(10)).unwrap();
    long.settle(at(3 * MINUTE), 110, Money::ZERO);
    assert_eq!(meter.used(at(3 * MINUTE), Measure::Tokens, Period::Minute), Some(100));
}

#[test]
fn a_clock_that_steps_back_does_not_open_a_fresh_window() {
    let meter = budgeted(1.0, Period::Day);
    meter.reserve(at(10 * DAY), money(1.0)).unwrap().settle(at(10 * DAY), 0, usd(1.0));
    for earlier in [10 * DAY - 1, 9 * DAY, 0] {
        assert!(meter.reserve(at(earlier), money(0.1)).is_err(), "at {earlier}");
    }
    assert!(meter.reserve(at(11 * DAY), money(0.1)).is_ok());
}

#[test]
fn a_reload_keeps_what_was_used_and_applies_the_new_maximum() {
    let meter = budgeted(1.0, Period::Day);
    meter.reserve(at(0), money(0.9)).unwrap().settle(at(0), 0, usd(0.9));
    let doubled = Terms { limits: Vec::new(), budgets: vec![BudgetSpec { max: usd(2.0), per: Period::Day }] };
    meter.set_terms(&doubled);
    assert!(meter.reserve(at(1), money(1.2)).is_err());
    assert!(meter.reserve(at(1), money(1.1)).is_ok());
}

#[test]
fn a_call_reserved_before_a_limit_existed_does_not_give_back_what_it_never_took() {
    let meter = limited(&[]);
    let early = meter.reserve(at(0), tokens(1000)).unwrap();
    meter.set_terms(&Terms { limits: vec![LimitSpec::Tokens { max: 10, per: Period::Day }], budgets: Vec::new() });
    drop(early);
    assert_eq!(meter.used(at(1), Measure::Tokens, Period::Day), Some(0));
}

#[test]
fn a_life_budget_never_comes_back() {
    let meter = budgeted(1.0, Period::Life);
    meter.reserve(at(0), money(1.0)).unwrap().settle(at(0), 0, usd(1.0));
    let fault = meter.reserve(at(DAY * 40_000), money(0.000_000_001)).unwrap_err().fault();
    assert_eq!((fault.code, fault.retry_after_secs), (Code::BudgetExceeded, None));
}

#[test]
fn a_call_without_a_price_passes_a_budget_until_it_is_spent_and_a_free_one_always() {
    let meter = budgeted(1.0, Period::Life);
    let unpriced = Cost { tokens: 0, ceiling: None };
    let call = meter.reserve(at(0), unpriced).unwrap();
    assert!(call.unpriced());
    call.settle(at(0), 0, usd(1.5));
    assert!(meter.reserve(at(0), unpriced).is_err());
    assert!(meter.reserve(at(0), money(0.0)).is_ok());
}

#[test]
fn a_negative_ceiling_hands_out_nothing() {
    let meter = budgeted(1.0, Period::Life);
    let _held = meter.reserve(at(0), money(-5.0)).unwrap();
    assert!(meter.reserve(at(0), money(1.1)).is_err());
}

#[test]
fn what_the_ledger_knows_of_open_windows_is_restored() {
    let meter = budgeted(1.0, Period::Month);
    let windows = meter.open_windows(at(40 * DAY));
    let february = OpenWindow { measure: Measure::Money, period: Period::Month, start_unix_ms: 31 * DAY };
    assert_eq!(windows, [february]);
    meter.restore(at(40 * DAY), &february, usd(0.75).nano_usd);
    assert!(meter.reserve(at(40 * DAY), money(0.26)).is_err());
    assert!(meter.reserve(at(40 * DAY), money(0.25)).is_ok());
}

#[test]
fn headers_show_the_limit_that_is_nearest_to_its_end() {
    let meter = limited(&[
        LimitSpec::Requests { max: 100, per: Period::Minute },
        LimitSpec::Requests { max: 1000, per: Period::Day },
        LimitSpec::Tokens { max: 500, per: Period::Minute },
    ]);
    let standing = meter.reserve(at(30_000), tokens(120)).unwrap().standing();
    assert_eq!(standing.requests, Some(Gauge { limit: 100, remaining: 99, resets_in_secs: 30 }));
    assert_eq!(standing.tokens, Some(Gauge { limit: 500, remaining: 380, resets_in_secs: 30 }));
}

#[test]
fn meters_outlive_reloads_and_forget_payers_that_are_gone() {
    let meters = Meters::default();
    let key: KeyId = "key:ci".into();
    let (meter, fresh) = meters.meter(&key, &Terms::default());
    assert!(fresh);
    assert!(!meters.meter(&key, &Terms::default()).1);
    meters.retain(|_| false);
    assert!(meters.get("key:ci").is_some(), "a call still holds it");
    drop(meter);
    meters.retain(|_| false);
    assert!(meters.get("key:ci").is_none());
}
