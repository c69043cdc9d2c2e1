//! What limits and budgets cost a call: nanoseconds for a reservation and its settle over one to six payers, and for finding
//! the meters of a model, a tag and a run.
//!
//! `cargo run --release -p gatehouse-policy --example meter_cost`

#![expect(clippy::print_stdout, reason = "a measurement for people")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use gatehouse_domain::{Action, Money, Now, On, Payer, PayerKind};
use gatehouse_policy::{Cost, Meter, Meters, Period, Refusal, Rule, Terms, Tree, Window, reserve};

const CALLS: u32 = 1_000_000;

fn main() -> Result<(), Box<Refusal>> {
    let minute = || Window::calendar(Period::Minute);
    let budget = || Rule::money(Money::from_usd(1e9), Window::calendar(Period::Month)).warning_at(&[0.5, 0.8]);
    let rules =
        vec![Rule::requests(u64::MAX, minute()), Rule::tokens(u64::MAX, minute()), Rule::concurrent(50), budget()];
    let terms = Terms { rules };
    let now = || Now(SystemTime::now());
    let meter = |n: usize| Arc::new(Meter::new(Payer::new(PayerKind::Team, format!("t{n}")), &terms, now()));
    let meters: Vec<Arc<Meter>> = (0..6).map(meter).collect();
    let cost = Cost { tokens: 1000, ceiling: Some(Money::from_nano_usd(1000)) };
    for payers in 1..=meters.len() {
        let start = Instant::now();
        for _ in 0..CALLS {
            let now = now();
            let held = reserve(black_box(&meters[..payers]), now, black_box(cost))?;
            black_box(held.settle(now, 400, Money::from_nano_usd(300), |_| {}));
        }
        println!("{:?} for a call of {payers} payers with three limits and a budget each", start.elapsed() / CALLS);
    }
    let one = |kind, name: &str| (On::One(Payer::new(kind, name)), terms.clone());
    let runs = (On::Each(PayerKind::Run), terms.clone());
    let nodes = [one(PayerKind::Model, "fast"), one(PayerKind::Tag, "env=prod"), runs];
    let tree = Tree::new(nodes, &Meters::default(), now());
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(tree.of_call(
            black_box((Action::CallModel, "fast")),
            Some("env=prod,job=nightly"),
            Some("run-1"),
            now(),
        ));
    }
    println!("{:?} to find the meters of a model, a tag and a run", start.elapsed() / CALLS);
    Ok(())
}
