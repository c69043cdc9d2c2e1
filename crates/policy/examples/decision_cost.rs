//! What a decision costs: nanoseconds from the cache, and microseconds asked anew, with ten and with two hundred policies.
//!
//! `cargo run --release -p gatehouse-policy --example decision_cost`

#![expect(clippy::print_stdout, reason = "a measurement for people")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use gatehouse_policy::permissions::{
    Caller, Circumstances, DecisionCache, Directory, Kind, Permissions, PolicyProblems, PolicySet, Question,
};

const HITS: u32 = 1_000_000;
const MISSES: u32 = 2_000;

fn main() -> Result<(), PolicyProblems> {
    for count in [10, 200] {
        measure(count)?;
    }
    Ok(())
}

fn measure(count: usize) -> Result<(), PolicyProblems> {
    let mut text = String::from("permit (principal, action, resource is Model);\n");
    for n in 1..count {
        let _written = writeln!(
            text,
            "forbid (principal in Team::\"team-{n}\", action == Action::\"call_model\", resource) \
             when {{ context.tags.contains(\"job=batch\") && context.hour < 6 && resource.name like \"big-{n}*\" }};"
        );
    }
    let start = Instant::now();
    let policies = PolicySet::load(&[("policies.cedar", text)])?;
    let loaded = start.elapsed();
    let permissions = Arc::new(Permissions { policies: policies.into(), directory: Directory::default() });
    let caller = Caller {
        key: "key_4fQz0123456789",
        name: "support-bot",
        organisation: Some("default"),
        team: Some("team-7"),
        user: Some("ann"),
        tags: Some("env=prod,job=batch"),
        ..Caller::default()
    };
    let question = |hour: u64| Question {
        caller,
        action: "call_model",
        kind: Kind::Model,
        resource: "fast",
        circumstances: Circumstances { unix_secs: hour * 3600, input_tokens: 1000, ..Circumstances::default() },
    };
    let mut cache = DecisionCache::default();
    let start = Instant::now();
    for _ in 0..HITS {
        black_box(cache.decide(&permissions, black_box(&question(1))));
    }
    let hit = start.elapsed() / HITS;
    let start = Instant::now();
    for hour in 0..MISSES {
        black_box(cache.decide(&permissions, black_box(&question(hour.into()))));
    }
    let miss = start.elapsed() / MISSES;
    println!("{count} policies: {hit:?} from the cache, {miss:?} asked anew, loaded in {loaded:?}");
    Ok(())
}
