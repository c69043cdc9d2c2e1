use std::time::SystemTime;

use gatehouse_domain::Now;
use proptest::prelude::*;

use super::*;
use crate::{ModelSpec, Routes, TargetSpec};

const WAIT: Duration = Duration::from_millis(12_300);

fn model(name: &str, strategy: &str, targets: &[(usize, u32)], fallbacks: &[&str]) -> ModelSpec {
    let target = |&(target, weight): &(usize, u32)| TargetSpec {
        target,
        label: format!("p/m{target}").into(),
        weight: Some(weight),
    };
    ModelSpec {
        name: name.into(),
        strategy: Some(strategy.to_owned()),
        targets: targets.iter().map(target).collect(),
        fallbacks: fallbacks.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// Plans the first of the models while the targets in `out` have an open breaker.
fn planned(models: &[ModelSpec], out: &[usize], dice: u64) -> Result<Plan, NoneReady> {
    let routes = Routes::build(models).unwrap();
    let availability = |target: usize| match out.contains(&target) {
        true if target.is_multiple_of(2) => Availability::Broken { retry_in: WAIT },
        true => Availability::CoolingDown { retry_in: WAIT * 2 },
        false => Availability::Ready,
    };
    let facts = Facts { availability: &availability, dice, now: Now(SystemTime::UNIX_EPOCH) };
    plan(routes.get(&models[0].name).unwrap(), &facts)
}

#[test]
fn own_targets_go_before_those_of_fallbacks() {
    let models = [model("a", "priority", &[(1, 1), (2, 1)], &["b"]), model("b", "priority", &[(2, 1), (3, 1)], &[])];
    assert_eq!(planned(&models, &[], 7).unwrap().order, [1, 2, 3]);
}

#[test]
fn a_target_that_is_out_is_left_out_and_named() {
    let models = [model("a", "priority", &[(1, 1), (2, 1)], &["b"]), model("b", "priority", &[(3, 1)], &[])];
    let plan = planned(&models, &[1], 7).unwrap();
    assert_eq!(plan.order, [2, 3]);
    assert_eq!(plan.skipped, [Skipped { label: "p/m1".into(), reason: Reason::CoolingDown, retry_in: WAIT * 2 }]);
}

#[test]
fn when_all_own_targets_are_out_the_fallback_goes_first() {
    let models = [model("a", "weighted", &[(1, 1), (2, 1)], &["b"]), model("b", "priority", &[(3, 1)], &[])];
    assert_eq!(planned(&models, &[1, 2], 7).unwrap().order, [3]);
}

#[test]
fn when_nothing_is_left_the_refusal_says_what_why_and_when() {
    let models = [model("a", "weighted", &[(1, 1), (2, 1)], &[])];
    let fault = Fault::from(planned(&models, &[1, 2], 7).unwrap_err());
    assert_eq!((fault.code, fault.retry_after_secs), (Code::NoTarget, Some(13)));
    assert_eq!(
        fault.message,
        "no target of model `a` can be tried now (p/m1: limited by its provider, retry in 25 s; \
         p/m2: failed too often, retry in 13 s)"
    );
}

#[test]
fn a_refusal_of_many_targets_stays_short() {
    let targets: Vec<(usize, u32)> = (0..500).map(|target| (target, 1)).collect();
    let out: Vec<usize> = (0..500).collect();
    let fault = Fault::from(planned(&[model("a", "priority", &targets, &[])], &out, 7).unwrap_err());
    assert!(fault.message.len() < 1000 && fault.message.contains("and 492 more"));
}

#[test]
fn weights_hold_among_the_targets_that_are_left() {
    let models = [model("a", "weighted", &[(1, 6), (2, 3), (3, 1)], &[])];
    let first = (0..20_000).filter(|&dice| planned(&models, &[1], dice).unwrap().order[0] == 2).count();
    assert!(first.abs_diff(15_000) < 400, "{first}");
}

proptest! {
    #[test]
    fn a_plan_never_repeats_a_target_and_never_holds_one_that_is_out(
        own in prop::collection::vec((0_usize..12, 0_u32..9), 1..8),
        spare in prop::collection::vec((0_usize..12, 0_u32..9), 1..8),
        out in prop::collection::vec(0_usize..12, 0..8),
        weighted: bool,
        dice: u64,
    ) {
        let strategy = if weighted { "weighted" } else { "priority" };
        // A weight somewhere, or the configuration would be refused.
        let with_weight = |mut targets: Vec<(usize, u32)>| { targets[0].1 += 1; targets };
        let models = [
            model("a", strategy, &with_weight(own.clone()), &["b"]),
            model("b", "weighted", &with_weight(spare.clone()), &[]),
        ];
        match planned(&models, &out, dice) {
            Ok(plan) => {
                let mut seen = plan.order.clone();
                seen.sort_unstable();
                seen.dedup();
                prop_assert_eq!(seen.len(), plan.order.len());
                prop_assert!(plan.order.iter().all(|target| !out.contains(target)));
            }
            Err(none) => {
                prop_assert!(own.iter().chain(&spare).all(|(target, _)| out.contains(target)));
                prop_assert!(!none.skipped.is_empty());
            }
        }
    }
}
