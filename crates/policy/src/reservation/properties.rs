//! Whatever happens in whatever order over whatever tree: no payer is ever overspent, and in the end every counter is the
//! exact sum of what was used.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use gatehouse_domain::{Payer, PayerKind};
use proptest::prelude::*;

use super::*;
use crate::{Measure, Period, Rule, Terms, Window};

const PAYERS: usize = 6;

/// One step: who is touched (a bit each), what is asked for, and which open call is settled or dropped first.
#[derive(Clone, Debug)]
struct Step {
    payers: u8,
    tokens: u64,
    nano_usd: i64,
    end: Option<(usize, bool)>,
    part: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop::option::of((0..8_usize, any::<bool>()));
    let step = (1..64_u8, 0..50_u64, 0..50_i64, end, 0..=100_u64);
    let step = step.prop_map(|(payers, tokens, nano_usd, end, part)| Step { payers, tokens, nano_usd, end, part });
    prop::collection::vec(step, 1..200)
}

/// A tree whose payers have some rules each.
fn tree() -> impl Strategy<Value = Vec<Arc<Meter>>> {
    let window = prop::sample::select(vec![
        Window::LIFE,
        Window::calendar(Period::Month),
        Window::rolling(Period::Month),
        Window::rolling(Period::Day),
    ]);
    let rule = (0..4_u8, 1..300_u64, window).prop_map(|(measure, max, window)| match measure {
        0 => Rule::requests(max, window),
        1 => Rule::tokens(max, window),
        2 => Rule::concurrent(max % 8 + 1),
        _ => Rule::money(Money::from_nano_usd(i64::try_from(max).unwrap()), window),
    });
    let payer = prop::collection::vec(rule, 0..4);
    prop::collection::vec(payer, PAYERS).prop_map(|payers| {
        let meter = |(n, rules)| Meter::new(Payer::new(PayerKind::Team, format!("p{n}")), &Terms { rules }, at(0));
        payers.into_iter().enumerate().map(|payer| Arc::new(meter(payer))).collect()
    })
}

fn at(unix_ms: u64) -> Now {
    Now(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_000 + unix_ms))
}

/// What one payer's calls really used, and how many are open.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    requests: i64,
    tokens: i64,
    money: i64,
    open: i64,
}

impl Sum {
    fn add(&mut self, call: &Open, times: i64) {
        self.requests += times;
        self.tokens += times * i64::try_from(call.tokens).unwrap();
        self.money += times * call.money;
    }
}

struct Open {
    payers: u8,
    held: Reservation,
    tokens: u64,
    money: i64,
}

fn touched(payers: u8) -> impl Iterator<Item = usize> {
    (0..PAYERS).filter(move |n| payers & (1 << n) != 0)
}

fn never_overspent(meters: &[Arc<Meter>], now: Now) -> Result<(), TestCaseError> {
    for stand in meters.iter().flat_map(|meter| meter.stands(now)) {
        prop_assert!(stand.used >= 0 && stand.held >= 0, "{:?}", stand);
        prop_assert!(stand.used + stand.held <= stand.rule.max, "{:?}", stand);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_overspent_and_everything_adds_up(meters in tree(), steps in steps()) {
        let mut open: Vec<Open> = Vec::new();
        let mut sums = [Sum::default(); PAYERS];
        for (n, step) in (0_u64..).zip(steps) {
            let now = at(n);
            if let Some((place, settles)) = step.end.filter(|_| !open.is_empty()) {
                let call = open.swap_remove(place % open.len());
                for payer in touched(call.payers) {
                    sums[payer].open -= 1;
                    if settles {
                        sums[payer].add(&call, 1);
                    }
                }
                if settles {
                    call.held.settle(now, call.tokens, Money::from_nano_usd(call.money), |_| {});
                }
            }
            let cost = Cost { tokens: step.tokens, ceiling: Some(Money::from_nano_usd(step.nano_usd)) };
            let payers = touched(step.payers).map(|payer| &meters[payer]);
            if let Ok(held) = reserve(payers, now, cost) {
                touched(step.payers).for_each(|payer| sums[payer].open += 1);
                let tokens = step.tokens * step.part / 100;
                open.push(Open { payers: step.payers, held, tokens, money: step.nano_usd * i64::try_from(step.part).unwrap() / 100 });
            }
            never_overspent(&meters, now)?;
        }
        open.clear();
        for (meter, sum) in meters.iter().zip(sums) {
            for stand in meter.stands(at(1000)) {
                let used = match stand.rule.measure {
                    Measure::Requests => sum.requests,
                    Measure::Tokens => sum.tokens,
                    Measure::Concurrent => 0,
                    Measure::Money => sum.money,
                };
                prop_assert_eq!((stand.used, stand.held), (used, 0), "{:?}", stand.rule);
            }
        }
    }

    /// Whatever the clock does, within two months: the calls of a month, by the clock they were reserved under, never hold and
    /// use more than its budget.
    #[test]
    fn no_clock_hands_out_a_calendar_window_twice(
        meters in tree(),
        steps in steps(),
        clock in prop::collection::vec(0..2_000_000_000_u64, 200),
    ) {
        let mut open: Vec<(u64, Open)> = Vec::new();
        let mut months: HashMap<(usize, u64), Sum> = HashMap::new();
        for (step, moment) in steps.into_iter().zip(clock) {
            let now = at(moment);
            let month = Window::calendar(Period::Month).slice_around(now.unix_ms()).0;
            if let Some((place, settles)) = step.end.filter(|_| !open.is_empty()) {
                let (month, call) = open.swap_remove(place % open.len());
                if settles {
                    call.held.settle(now, call.tokens, Money::from_nano_usd(call.money), |_| {});
                } else {
                    touched(call.payers).for_each(|payer| months.entry((payer, month)).or_default().add(&call, -1));
                }
            }
            let cost = Cost { tokens: step.tokens, ceiling: Some(Money::from_nano_usd(step.nano_usd)) };
            let Ok(held) = reserve(touched(step.payers).map(|payer| &meters[payer]), now, cost) else { continue };
            let call = Open { payers: step.payers, held, tokens: step.tokens, money: step.nano_usd };
            for payer in touched(step.payers) {
                let sum = months.entry((payer, month)).or_default();
                sum.add(&call, 1);
                for stand in meters[payer].stands(now) {
                    prop_assert!(stand.used >= 0 && stand.held >= 0, "{:?}", stand);
                    let taken = match stand.rule.measure {
                        Measure::Requests => sum.requests,
                        Measure::Tokens => sum.tokens,
                        Measure::Concurrent => 0,
                        Measure::Money => sum.money,
                    };
                    let by_month = stand.rule.window == Window::calendar(Period::Month);
                    prop_assert!(!by_month || taken <= stand.rule.max, "{} of {:?}", taken, stand.rule);
                }
            }
            open.push((month, call));
        }
    }
}
