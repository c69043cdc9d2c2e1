//! What a meter costs: nanoseconds for a reservation and its settle, with two limits and a budget.
//!
//! `cargo run --release -p gatehouse-policy --example meter_cost`

#![expect(clippy::print_stdout, reason = "a measurement for people")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use gatehouse_domain::{Money, Now};
use gatehouse_policy::{BudgetSpec, Cost, LimitSpec, Meter, Period, Refusal, Terms};

const CALLS: u32 = 1_000_000;

fn main() -> Result<(), Refusal> {
    let terms = Terms {
        limits: vec![
            LimitSpec::Requests { max: u64::MAX, per: Period::Minute },
            LimitSpec::Tokens { max: u64::MAX, per: Period::Minute },
            LimitSpec::Concurrent { max: 50 },
        ],
        budgets: vec![BudgetSpec { max: Money::from_usd(1e9), per: Period::Month }],
    };
    let meter = Arc::new(Meter::new(&terms));
    let cost = Cost { tokens: 1000, ceiling: Some(Money::from_nano_usd(1000)) };
    let start = Instant::now();
    for _ in 0..CALLS {
        let now = Now(SystemTime::now());
        black_box(meter.reserve(now, black_box(cost))?).settle(now, 400, Money::from_nano_usd(300));
    }
    println!("{:?} for a reservation and its settle, reading the clock once", start.elapsed() / CALLS);
    Ok(())
}
