use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use gatehouse_domain::{Code, Gauge, Payer, PayerKind};

use super::*;
use crate::{Measure, OpenWindow, Period, Rule, Terms, Window};

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;

fn at(unix_ms: u64) -> Now {
    Now(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn usd(amount: f64) -> Money {
    Money::from_usd(amount)
}

fn payer(name: &str, rules: Vec<Rule>) -> Arc<Meter> {
    Arc::new(Meter::new(Payer::new(PayerKind::Key, name), &Terms { rules }, at(0)))
}

fn limited(rules: &[Rule]) -> Arc<Meter> {
    payer("ci", rules.to_vec())
}

fn budgeted(max: f64, per: Period) -> Arc<Meter> {
    limited(&[Rule::money(usd(max), Window::calendar(per))])
}

fn take(meter: &Arc<Meter>, now: Now, cost: Cost) -> Result<Reservation, Box<Refusal>> {
    reserve([meter], now, cost)
}

/// A whole call that used what it reserved.
fn call(meter: &Arc<Meter>, unix_ms: u64, cost: Cost) -> bool {
    let taken = take(meter, at(unix_ms), cost);
    taken.map(|held| quietly(held, unix_ms, cost.tokens, cost.ceiling.unwrap_or_default())).is_ok()
}

fn quietly(held: Reservation, unix_ms: u64, tokens: u64, money: Money) {
    held.settle(at(unix_ms), tokens, money, |_| {});
}

/// Settled and held, added up, of the first rule with this measure.
fn taken(meter: &Meter, unix_ms: u64, measure: Measure) -> i64 {
    let stands = meter.stands(at(unix_ms));
    stands.iter().find(|stand| stand.rule.measure == measure).map(|stand| stand.used + stand.held).unwrap()
}

fn tokens(tokens: u64) -> Cost {
    Cost { tokens, ceiling: Some(Money::ZERO) }
}

fn money(amount: f64) -> Cost {
    Cost { tokens: 0, ceiling: Some(usd(amount)) }
}

fn per(period: Period) -> Window {
    Window::calendar(period)
}

#[test]
fn a_request_limit_lets_its_maximum_pass_and_says_when_to_come_back() {
    let meter = limited(&[Rule::requests(2, per(Period::Minute))]);
    assert!(call(&meter, 10_000, tokens(0)) && call(&meter, 10_000, tokens(0)));
    let fault = take(&meter, at(10_000), tokens(0)).unwrap_err().fault();
    assert_eq!((fault.code, fault.retry_after_secs), (Code::RateLimited, Some(50)));
    assert!(call(&meter, MINUTE, tokens(0)));
}

#[test]
fn a_concurrency_slot_comes_back_whether_the_call_settles_or_is_dropped() {
    let meter = limited(&[Rule::concurrent(1)]);
    let first = take(&meter, at(0), tokens(0)).unwrap();
    assert_eq!(take(&meter, at(0), tokens(0)).unwrap_err().measure, Measure::Concurrent);
    quietly(first, 1, 0, Money::ZERO);
    drop(take(&meter, at(1), tokens(0)).unwrap());
    assert!(take(&meter, at(1), tokens(0)).is_ok());
    assert_eq!(taken(&meter, 1, Measure::Concurrent), 0);
}

#[test]
fn a_call_that_used_more_tokens_than_it_said_makes_later_calls_wait() {
    let meter = limited(&[Rule::tokens(100, per(Period::Minute))]);
    quietly(take(&meter, at(0), tokens(10)).unwrap(), 1, 250, Money::ZERO);
    assert_eq!(taken(&meter, 2, Measure::Tokens), 250);
    assert!(take(&meter, at(2), tokens(1)).is_err());
    assert!(take(&meter, at(MINUTE), tokens(100)).is_ok());
}

#[test]
fn tokens_that_were_reserved_and_not_used_can_be_used_by_the_next_call() {
    let meter = limited(&[Rule::tokens(100, per(Period::Minute))]);
    quietly(take(&meter, at(0), tokens(100)).unwrap(), 1, 5, Money::ZERO);
    assert!(take(&meter, at(2), tokens(95)).is_ok());
}

#[test]
fn a_reservation_dropped_unsettled_gives_money_tokens_and_request_back() {
    let day = || per(Period::Day);
    let meter = limited(&[Rule::requests(1, day()), Rule::tokens(10, day()), Rule::money(usd(1.0), day())]);
    let all = Cost { tokens: 10, ceiling: Some(usd(1.0)) };
    drop(take(&meter, at(0), all).unwrap());
    assert!(take(&meter, at(0), all).is_ok());
}

#[test]
fn a_refused_reservation_takes_nothing_from_any_window_of_any_payer() {
    let team = payer("team", vec![Rule::requests(5, per(Period::Minute)), Rule::concurrent(5)]);
    let key = budgeted(1.0, Period::Life);
    let refused = reserve([&team, &key], at(0), money(2.0)).err().unwrap();
    assert_eq!(refused.fault().code, Code::BudgetExceeded);
    assert_eq!((taken(&team, 0, Measure::Requests), taken(&team, 0, Measure::Concurrent)), (0, 0));
}

#[test]
fn every_payer_must_allow_and_the_refusal_names_the_one_that_does_not() {
    let (wide, narrow) = (budgeted(100.0, Period::Month), payer("narrow", vec![Rule::money(usd(0.1), Window::LIFE)]));
    quietly(reserve([&wide, &narrow], at(0), money(0.1)).unwrap(), 0, 0, usd(0.1));
    let refused = reserve([&wide, &narrow], at(0), money(0.1)).err().unwrap();
    assert_eq!(refused.payer.name.as_ref(), "narrow");
    assert_eq!(taken(&wide, 0, Measure::Money), usd(0.1).nano_usd);
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
                    let Ok(reservation) = take(meter, at(1000), money(0.01)) else { continue };
                    if (thread + call) % 3 == 0 {
                        continue; // the call never ran
                    }
                    spent.fetch_add(usd(0.005).nano_usd, Ordering::Relaxed);
                    quietly(reservation, 1001, 0, usd(0.005));
                }
            });
        }
    });
    let spent = spent.into_inner();
    assert!(spent <= usd(1.0).nano_usd, "{spent}");
    assert_eq!(taken(&meter, 1002, Measure::Money), spent);
    assert!(spent > usd(0.98).nano_usd, "the budget was not used up: {spent}");
}

#[test]
fn a_life_budget_never_comes_back() {
    let meter = budgeted(1.0, Period::Life);
    assert!(call(&meter, 0, money(1.0)));
    let fault = take(&meter, at(DAY * 40_000), money(0.000_000_001)).unwrap_err().fault();
    assert_eq!((fault.code, fault.retry_after_secs), (Code::BudgetExceeded, None));
}

#[test]
fn a_call_without_a_price_passes_a_budget_until_it_is_spent_and_a_free_one_always() {
    let meter = budgeted(1.0, Period::Life);
    let unpriced = Cost { tokens: 0, ceiling: None };
    let held = take(&meter, at(0), unpriced).unwrap();
    assert!(held.unpriced());
    quietly(held, 0, 0, usd(1.5));
    assert!(take(&meter, at(0), unpriced).is_err());
    assert!(take(&meter, at(0), money(0.0)).is_ok());
}

#[test]
fn a_negative_ceiling_hands_out_nothing() {
    let meter = budgeted(1.0, Period::Life);
    let _held = take(&meter, at(0), money(-5.0)).unwrap();
    assert!(take(&meter, at(0), money(1.1)).is_err());
}

#[test]
fn headers_show_the_limit_that_is_nearest_to_its_end_among_all_payers() {
    let minute = || per(Period::Minute);
    let team = payer("team", vec![Rule::requests(100, minute()), Rule::requests(1000, per(Period::Day))]);
    let key = payer("key", vec![Rule::tokens(500, minute()), Rule::requests(200, minute())]);
    let standing = reserve([&team, &key], at(30_000), tokens(120)).unwrap().standing();
    assert_eq!(standing.requests, Some(Gauge { limit: 100, remaining: 99, resets_in_secs: 30 }));
    assert_eq!(standing.tokens, Some(Gauge { limit: 500, remaining: 380, resets_in_secs: 30 }));
}

#[test]
fn a_threshold_is_told_once_per_window_and_by_what_was_really_used() {
    let meter = limited(&[Rule::money(usd(1.0), per(Period::Day)).warning_at(&[0.5, 0.8])]);
    let mut told = Vec::new();
    // Each holds ninety cents and uses thirty: thresholds look at use, or every large hold would cry wolf.
    for unix_ms in [0, 1, 2, DAY, DAY + 1] {
        let held = take(&meter, at(unix_ms), money(0.4)).unwrap();
        held.settle(at(unix_ms), 0, usd(0.3), |event| told.push((event.share.0, event.at_unix_ms)));
    }
    assert_eq!(told, [(500, 1), (800, 2), (500, DAY + 1)]);
}

#[test]
fn a_call_is_warned_while_a_threshold_is_reached() {
    let meter = limited(&[Rule::money(usd(1.0), per(Period::Day)).warning_at(&[0.5])]);
    let first = take(&meter, at(0), money(0.6)).unwrap();
    assert_eq!(first.warning(), None);
    let warning = first.settle(at(0), 0, usd(0.6), |_| {});
    assert_eq!(warning.unwrap().to_string(), "key:ci usd per day 50%");
    assert!(take(&meter, at(1), money(0.1)).unwrap().warning().is_some());
    assert!(take(&meter, at(DAY), money(0.1)).unwrap().warning().is_none());
}

#[test]
fn a_spent_budget_names_the_model_to_fall_back_to() {
    let meter = limited(&[Rule::money(usd(1.0), Window::LIFE).downgrading_to("cheap")]);
    let refused = take(&meter, at(0), money(2.0)).err().unwrap();
    assert_eq!(refused.downgrade().map(|model| &**model), Some("cheap"));
}

mod edits {
    use super::*;

    fn change(meter: &Meter, unix_ms: u64, rules: Vec<Rule>) {
        meter.set_terms(&Terms { rules }, at(unix_ms));
    }

    #[test]
    fn a_raised_budget_keeps_what_was_used() {
        let meter = budgeted(1.0, Period::Day);
        assert!(call(&meter, 0, money(0.9)));
        change(&meter, 1, vec![Rule::money(usd(2.0), per(Period::Day))]);
        assert!(take(&meter, at(1), money(1.2)).is_err());
        assert!(take(&meter, at(1), money(1.1)).is_ok());
    }

    #[test]
    fn a_budget_lowered_below_what_is_held_refuses_until_it_is_given_back() {
        let meter = budgeted(1.0, Period::Day);
        let held = take(&meter, at(0), money(0.9)).unwrap();
        change(&meter, 1, vec![Rule::money(usd(0.5), per(Period::Day))]);
        assert!(take(&meter, at(2), money(0.1)).is_err());
        quietly(held, 3, 0, usd(0.2));
        assert!(take(&meter, at(4), money(0.3)).is_ok());
    }

    #[test]
    fn a_call_reserved_before_a_limit_existed_gives_nothing_back_and_counts_in_full() {
        let meter = limited(&[]);
        let (never_ran, ran) = (take(&meter, at(0), tokens(1000)).unwrap(), take(&meter, at(0), tokens(1000)).unwrap());
        change(&meter, 1, vec![Rule::tokens(10, per(Period::Day))]);
        drop(never_ran);
        assert_eq!(taken(&meter, 1, Measure::Tokens), 0);
        quietly(ran, 2, 7, Money::ZERO);
        assert_eq!(taken(&meter, 2, Measure::Tokens), 7);
    }

    #[test]
    fn a_limit_taken_away_under_a_call_is_no_trouble_and_none_when_it_comes_back() {
        let meter = limited(&[Rule::concurrent(1)]);
        let long = take(&meter, at(0), tokens(0)).unwrap();
        change(&meter, 1, vec![]);
        change(&meter, 2, vec![Rule::concurrent(1)]);
        quietly(long, 3, 0, Money::ZERO);
        assert_eq!(taken(&meter, 3, Measure::Concurrent), 0);
    }

    #[test]
    fn another_zone_is_another_window_with_a_past_to_be_asked_for() {
        let meter = budgeted(1.0, Period::Day);
        meter.restore(&meter.open_windows(at(DAY))[0], &[]);
        assert_eq!(meter.open_windows(at(DAY)), []);
        let berlin = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        change(&meter, DAY + 5, vec![Rule::money(usd(1.0), Window::calendar_in(Period::Day, berlin))]);
        let open = &meter.open_windows(at(DAY + 5))[0];
        assert_eq!((open.start_unix_ms, open.until_unix_ms), (DAY - 3_600_000, DAY + 5));
    }
}

mod time {
    use super::*;

    #[test]
    fn an_edge_is_exact_to_the_millisecond() {
        let meter = limited(&[Rule::requests(1, per(Period::Minute))]);
        assert!(call(&meter, MINUTE - 2, tokens(0)));
        assert!(!call(&meter, MINUTE - 1, tokens(0)));
        assert!(call(&meter, MINUTE, tokens(0)));
        assert!(!call(&meter, MINUTE + 1, tokens(0)));
    }

    #[test]
    fn a_thread_whose_clock_is_a_little_behind_does_not_open_the_last_window_again() {
        let meter = limited(&[Rule::requests(1, per(Period::Minute))]);
        assert!(call(&meter, MINUTE, tokens(0)));
        assert!(!call(&meter, MINUTE - 1, tokens(0)));
        assert!(!call(&meter, MINUTE + 1, tokens(0)));
    }

    #[test]
    fn a_call_that_settles_after_its_window_ended_leaves_the_next_window_whole() {
        let meter = budgeted(1.0, Period::Day);
        let yesterday = take(&meter, at(DAY - 1), money(0.6)).unwrap();
        let today = take(&meter, at(DAY), money(1.0)).unwrap();
        quietly(yesterday, DAY + 5, 0, usd(0.5));
        assert_eq!(taken(&meter, DAY + 5, Measure::Money), usd(1.0).nano_usd);
        drop(today);
        assert_eq!(taken(&meter, DAY + 5, Measure::Money), 0);
    }

    #[test]
    fn a_call_dropped_after_its_window_ended_does_not_enrich_the_next_one() {
        let meter = budgeted(1.0, Period::Day);
        let yesterday = take(&meter, at(DAY - 1), money(1.0)).unwrap();
        let _today = take(&meter, at(DAY), money(0.7)).unwrap();
        drop(yesterday);
        assert!(take(&meter, at(DAY + 1), money(0.4)).is_err());
    }

    #[test]
    fn what_a_long_call_used_beyond_its_estimate_counts_where_it_ended() {
        let meter = limited(&[Rule::tokens(100, per(Period::Minute))]);
        let long = take(&meter, at(0), tokens(10)).unwrap();
        quietly(long, 3 * MINUTE, 110, Money::ZERO);
        assert_eq!(taken(&meter, 3 * MINUTE, Measure::Tokens), 100);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_open_a_fresh_window() {
        let meter = budgeted(1.0, Period::Day);
        assert!(call(&meter, 10 * DAY, money(1.0)));
        for earlier in [10 * DAY - 1, 9 * DAY, 0] {
            assert!(!call(&meter, earlier, money(0.1)), "at {earlier}");
        }
        assert!(call(&meter, 11 * DAY, money(0.1)));
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_is_set_right_neither_forgets_nor_stays_shut() {
        let meter = budgeted(1.0, Period::Day);
        assert!(call(&meter, 10 * DAY, money(0.6)));
        assert!(call(&meter, 400 * DAY, money(0.3)));
        // Set right: today's sixty cents are still spent, and what was spent in between is, too.
        assert!(!call(&meter, 10 * DAY + 5, money(0.2)));
        assert!(call(&meter, 10 * DAY + 5, money(0.1)));
        // Tomorrow comes as ever, not in a year.
        assert!(call(&meter, 11 * DAY, money(1.0)));
    }

    #[test]
    fn a_clock_that_swings_to_and_fro_hands_out_no_window_twice() {
        let meter = budgeted(1.0, Period::Day);
        assert!(call(&meter, DAY, money(1.0)));
        assert!(call(&meter, 2 * DAY, money(1.0)));
        for unix_ms in [DAY, 2 * DAY, DAY, 2 * DAY] {
            assert!(!call(&meter, unix_ms, money(0.1)), "at {unix_ms}");
        }
    }

    #[test]
    fn a_reservation_from_before_a_step_is_given_back_once() {
        let meter = budgeted(1.0, Period::Day);
        let held = take(&meter, at(10 * DAY), money(0.7)).unwrap();
        assert!(take(&meter, at(9 * DAY), money(0.7)).is_err());
        drop(held);
        assert_eq!(taken(&meter, 9 * DAY, Measure::Money), 0);
    }

    #[test]
    fn a_budget_per_day_in_berlin_lasts_twenty_five_hours_when_clocks_go_back() {
        let berlin = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let meter = limited(&[Rule::money(usd(1.0), Window::calendar_in(Period::Day, berlin))]);
        let midnight: jiff::Timestamp = "2026-10-24T22:00:00Z".parse().unwrap();
        let midnight = u64::try_from(midnight.as_millisecond()).unwrap();
        assert!(call(&meter, midnight, money(1.0)));
        assert!(!call(&meter, midnight + 25 * 60 * MINUTE - 1, money(0.1)));
        assert!(call(&meter, midnight + 25 * 60 * MINUTE, money(0.1)));
    }
}

mod rolling {
    use super::*;

    /// Ten in any minute; a slice is 1.2 seconds.
    fn ten_a_minute() -> Arc<Meter> {
        limited(&[Rule::requests(10, Window::rolling(Period::Minute))])
    }

    #[test]
    fn no_edge_lets_a_whole_maximum_pass_twice_in_a_row() {
        let meter = ten_a_minute();
        assert!((0..10).all(|_| call(&meter, MINUTE - 1, tokens(0))));
        assert!(!call(&meter, MINUTE, tokens(0)));
        assert!(!call(&meter, 2 * MINUTE - 2, tokens(0)));
    }

    #[test]
    fn what_was_used_is_free_again_after_the_period_and_at_most_a_fiftieth_later() {
        let meter = ten_a_minute();
        assert!((0..10).all(|_| call(&meter, 500, tokens(0))));
        let fault = take(&meter, at(10_000), tokens(0)).unwrap_err().fault();
        assert_eq!(fault.retry_after_secs, Some(52));
        assert!(!call(&meter, 500 + MINUTE, tokens(0)));
        assert!(call(&meter, 500 + MINUTE + 1200, tokens(0)));
    }

    #[test]
    fn room_comes_back_bit_by_bit() {
        let meter = ten_a_minute();
        assert!((0..10).all(|n| call(&meter, n * 5000, tokens(0))));
        let passed = (0..120).filter(|half_second| call(&meter, MINUTE + half_second * 500, tokens(0))).count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn a_long_call_holds_its_tokens_only_as_long_as_the_window_reaches_back() {
        let meter = limited(&[Rule::tokens(100, Window::rolling(Period::Minute))]);
        let long = take(&meter, at(0), tokens(100)).unwrap();
        assert!(!call(&meter, 30_000, tokens(1)));
        assert!(call(&meter, 2 * MINUTE, tokens(50)));
        quietly(long, 2 * MINUTE, 130, Money::ZERO);
        assert_eq!(taken(&meter, 2 * MINUTE, Measure::Tokens), 80);
    }

    #[test]
    fn a_clock_set_back_frees_nothing_and_blocks_nothing_for_good() {
        let meter = ten_a_minute();
        assert!((0..10).all(|_| call(&meter, 100 * DAY, tokens(0))));
        assert!(!call(&meter, DAY, tokens(0)));
        assert!(call(&meter, DAY + MINUTE + 1200, tokens(0)));
    }

    #[test]
    fn what_the_ledger_knows_is_as_old_as_it_was() {
        let meter = payer("ci", Vec::new());
        meter.set_terms(&Terms { rules: vec![Rule::requests(10, Window::rolling(Period::Minute))] }, at(10 * MINUTE));
        let open = &meter.open_windows(at(10 * MINUTE))[0];
        assert_eq!((open.slice_ms, open.until_unix_ms), (1200, 10 * MINUTE));
        meter.restore(open, &[(9 * MINUTE + 6000, 4), (9 * MINUTE + 54_000, 6)]);
        assert!(!call(&meter, 10 * MINUTE, tokens(0)));
        let passed = (0..10).filter(|_| call(&meter, 10 * MINUTE + 7200, tokens(0))).count();
        assert_eq!(passed, 4);
    }
}

#[test]
fn what_the_ledger_knows_of_open_windows_is_restored_once() {
    let rules = vec![Rule::money(usd(1.0), per(Period::Month)).warning_at(&[0.5])];
    let meter = Arc::new(Meter::new(Payer::new(PayerKind::Team, "support"), &Terms { rules }, at(40 * DAY)));
    let windows = meter.open_windows(at(40 * DAY));
    let february = OpenWindow {
        measure: Measure::Money,
        window: per(Period::Month),
        start_unix_ms: 31 * DAY,
        slice_ms: 28 * DAY,
        until_unix_ms: 40 * DAY,
    };
    assert_eq!(windows, std::slice::from_ref(&february));
    for _ in 0..2 {
        meter.restore(&february, &[(31 * DAY, usd(0.5).nano_usd), (39 * DAY, usd(0.25).nano_usd)]);
    }
    assert!(take(&meter, at(40 * DAY), money(0.26)).is_err());
    let held = take(&meter, at(40 * DAY), money(0.25)).unwrap();
    let mut told = 0;
    assert!(held.settle(at(40 * DAY), 0, usd(0.01), |_| told += 1).is_some());
    assert_eq!(told, 0, "a threshold from before the restart is not told again");
}
