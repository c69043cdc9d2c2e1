//! A plan in words: short for the `x-gatehouse-route` header, in full for `gatehouse router explain`.

use std::sync::Arc;

use serde::Serialize;

use crate::plan::Plan;
use crate::routes::{Pool, Route};

/// Longest text in the header.
const HEADER_BYTES_MAX: usize = 256;

/// Why a call is tried where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The model as the client named it.
    pub model: String,
    /// Targets in the order to try them.
    pub steps: Vec<Step>,
    /// Targets left out.
    pub excluded: Vec<Excluded>,
}

/// One target of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `provider/model`.
    pub target: String,
    /// The model it was taken from: the one asked for, or a fallback.
    pub model: String,
    /// The strategy that put it here.
    pub strategy: &'static str,
    /// Its weight.
    pub weight: u32,
}

/// One target left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// `provider/model`.
    pub target: String,
    /// `broken` or `cooling_down`.
    pub reason: &'static str,
    /// Milliseconds until it may be tried again.
    pub retry_in_ms: u64,
}

impl Plan {
    /// The first choice in short: `weighted:openai/gpt-5-mini(8/10)`, with `fallback backup:` before it if none of the
    /// model's own targets was ready, and the targets left out after it. Fit for a header: visible ASCII, bounded.
    #[must_use]
    pub fn route(&self, route: &Route) -> Arc<str> {
        let mut text = String::with_capacity(64);
        if let Some((pool, place)) = self.first(route) {
            let is_own = *pool.model == *route.model;
            if is_own
                && self.skipped.is_empty()
                && let Some(said) = pool.said.get(place)
            {
                return Arc::clone(said);
            }
            if !is_own {
                text.push_str(&format!("fallback {}:", pool.model));
            }
            text.push_str(&first(pool, place, self.weight_total));
        }
        for skipped in &self.skipped {
            text.push_str(&format!(" -{}({})", skipped.label, skipped.reason.as_str()));
            if text.len() > HEADER_BYTES_MAX {
                break;
            }
        }
        fit_for_header(&text).into()
    }

    /// The whole plan.
    #[must_use]
    pub fn explain(&self, route: &Route) -> Explanation {
        let steps = self.from.iter().map(|&(pool, place)| {
            let pool = &route.pools[pool];
            Step {
                target: pool.labels[place].to_string(),
                model: pool.model.to_string(),
                strategy: pool.strategy.name,
                weight: pool.candidates[place].weight,
            }
        });
        let excluded = self.skipped.iter().map(|skipped| Excluded {
            target: skipped.label.to_string(),
            reason: skipped.reason.as_str(),
            retry_in_ms: u64::try_from(skipped.retry_in.as_millis()).unwrap_or(u64::MAX),
        });
        Explanation { model: route.model.to_string(), steps: steps.collect(), excluded: excluded.collect() }
    }

    fn first<'a>(&self, route: &'a Route) -> Option<(&'a Pool, usize)> {
        let &(pool, place) = self.from.first()?;
        Some((route.pools.get(pool)?, place))
    }
}

/// What a plan says that leaves nothing of a pool out and begins with the target at `place`.
pub(crate) fn said(pool: &Pool, place: usize) -> Arc<str> {
    let weight_total = pool.candidates.iter().map(|candidate| u64::from(candidate.weight)).sum();
    fit_for_header(&first(pool, place, weight_total)).into()
}

fn first(pool: &Pool, place: usize, weight_total: u64) -> String {
    let (name, label) = (pool.strategy.name, &pool.labels[place]);
    match name {
        "weighted" => format!("{name}:{label}({}/{weight_total})", pool.candidates[place].weight),
        _ => format!("{name}:{label}({}/{})", place + 1, pool.candidates.len()),
    }
}

fn fit_for_header(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
    let mut fit: String = visible.take(HEADER_BYTES_MAX).collect();
    if text.len() > HEADER_BYTES_MAX {
        fit.truncate(HEADER_BYTES_MAX - 3);
        fit.push_str("...");
    }
    fit
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use gatehouse_domain::{Availability, Facts, Now};

    use super::*;
    use crate::{ModelSpec, Routes, TargetSpec, plan};

    fn specs(label: &str) -> [ModelSpec; 2] {
        let target = |target, label: &str, weight| TargetSpec { target, label: label.into(), weight: Some(weight) };
        let own = vec![target(0, label, 8), target(1, "claude/haiku", 2)];
        [
            ModelSpec { name: "fast".into(), targets: own, fallbacks: vec!["backup".to_owned()], strategy: None },
            ModelSpec {
                name: "backup".into(),
                targets: vec![target(2, "local/qwen3", 1)],
                strategy: Some("priority".to_owned()),
                ..ModelSpec::default()
            },
        ]
    }

    fn explained(label: &str, out: &[usize]) -> (String, Explanation) {
        let routes = Routes::build(&specs(label)).unwrap();
        let route = routes.get("fast").unwrap();
        let availability = |target: usize| match out.contains(&target) {
            true => Availability::Broken { retry_in: Duration::from_secs(2) },
            false => Availability::Ready,
        };
        let facts = |dice| Facts { availability: &availability, dice, now: Now(SystemTime::UNIX_EPOCH) };
        // Dice on which the heavier of the model's own targets comes first, where it may.
        let mut plans = (0..100).map(|dice| plan(route, &facts(dice)).unwrap());
        let plan = plans.find(|plan| plan.order[0] != 1 || out.contains(&0)).unwrap();
        (plan.route(route).to_string(), plan.explain(route))
    }

    #[test]
    fn the_short_form_names_strategy_target_and_share() {
        assert_eq!(explained("openai/gpt-5-mini", &[]).0, "weighted:openai/gpt-5-mini(8/10)");
        let short = explained("openai/gpt-5-mini", &[0]).0;
        assert_eq!(short, "weighted:claude/haiku(2/2) -openai/gpt-5-mini(broken)");
        let short = explained("o/m", &[0, 1]).0;
        assert_eq!(short, "fallback backup:priority:local/qwen3(1/1) -o/m(broken) -claude/haiku(broken)");
    }

    #[test]
    fn the_short_form_is_always_a_header_value() {
        let long = format!("p/{}\r\n{}", "ü".repeat(300), "x".repeat(300));
        let short = explained(&long, &[]).0;
        assert!(short.len() <= HEADER_BYTES_MAX && short.bytes().all(|byte| (32..127).contains(&byte)), "{short}");
    }

    #[test]
    fn the_full_form_holds_every_target() {
        let (_, full) = explained("o/m", &[1]);
        let targets: Vec<(&str, &str)> = full.steps.iter().map(|step| (&*step.target, &*step.model)).collect();
        assert_eq!(targets, [("o/m", "fast"), ("local/qwen3", "backup")]);
        let excluded = Excluded { target: "claude/haiku".to_owned(), reason: "broken", retry_in_ms: 2000 };
        assert_eq!(full.excluded, [excluded]);
    }
}
