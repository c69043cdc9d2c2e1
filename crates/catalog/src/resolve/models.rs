//! `models`: references, weights, wildcards and circles of fallbacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::Timeouts;

use super::limits;
use super::providers::timeouts;
use crate::check::{Check, nth};
use crate::config::{Model, Target};
use crate::pattern;
use crate::written;

type Models = BTreeMap<String, written::Model>;
type Names<'a> = pattern::Names<'a, written::Model>;
type Providers = BTreeMap<String, written::Provider>;

pub(super) fn all(models: &Models, providers: &Providers, check: &mut Check) -> BTreeMap<Arc<str>, Model> {
    let names = Names::of(models);
    circles(models, &names, check);
    models.iter().map(|(name, model)| (Arc::from(name.as_str()), one(name, model, &names, providers, check))).collect()
}

fn one(name: &str, model: &written::Model, names: &Names<'_>, providers: &Providers, check: &mut Check) -> Model {
    let path = format!("models.{name}");
    if name.is_empty() || name.trim_end_matches('*').len() + 1 < name.len() || name.trim_end_matches('*').contains('*')
    {
        check.error_at(&path, "a model's name may have one `*`, at its end", None);
    }
    let weighted = model.targets.iter().any(|target| target.weight.is_some());
    let strategy = model.strategy.clone().unwrap_or_else(|| if weighted { "weighted" } else { "priority" }.to_owned());
    let targets: Vec<Target> = model
        .targets
        .iter()
        .enumerate()
        .map(|(n, target)| {
            let at = nth(&format!("{path}.targets"), n);
            one_target(&at, target, name.ends_with('*'), providers, check);
            Target {
                provider: target.provider.as_str().into(),
                model: target.model.clone(),
                weight: target.weight.unwrap_or(1),
                timeouts: target_timeouts(&path, n, model, target, providers, check),
            }
        })
        .collect();
    if targets.is_empty() {
        let hint = "add one: - {provider: …, model: …}".to_owned();
        check.error_at(&format!("{path}.targets"), "a model needs a target", Some(hint));
    } else if strategy == "weighted" {
        weights(&path, &targets, check);
    } else if weighted {
        let hint = "write `strategy: weighted`, or remove the weights".to_owned();
        check.warn(&format!("{path}.targets"), format!("weights mean nothing under strategy `{strategy}`"), Some(hint));
    }
    let fallbacks = fallbacks(&path, model, names, check);
    let terms = limits::terms(&path, model.limits.clone(), model.budgets.clone(), names, check);
    if terms.downgrades().any(|to| to == name) {
        let hint = "name another model, or write `on_exhaust: refuse`".to_owned();
        check.error_at(&path, "what is spent is downgraded to itself", Some(hint));
    }
    Model { strategy, targets, fallbacks, terms }
}

fn one_target(at: &str, target: &written::Target, wildcard: bool, providers: &Providers, check: &mut Check) {
    let name = target.provider.as_str();
    // A provider that is written, but wrong, was reported where it stands.
    if !providers.contains_key(name) && !check.positions.has(&format!("providers.{name}")) {
        let hint = check.near(name, providers.keys().map(String::as_str));
        check.error_at(&format!("{at}.provider"), format!("there is no provider `{name}`"), hint);
    }
    if target.model.is_empty() {
        check.error_at(&format!("{at}.model"), "empty", Some("write the provider's own name of the model".to_owned()));
    }
    if target.model.contains('*') && !wildcard {
        let hint = "end the model's own name in `*` too, or name one model".to_owned();
        check.error_at(&format!("{at}.model"), "there is no matched part that `*` could stand for", Some(hint));
    }
}

/// The model's timers over those of the target's provider. Reported once, for the first target.
fn target_timeouts(
    path: &str,
    n: usize,
    model: &written::Model,
    target: &written::Target,
    providers: &Providers,
    check: &mut Check,
) -> Timeouts {
    // The provider's own timers are reported when the provider is resolved.
    let mut quiet = check.silent();
    let of_provider = providers
        .get(&target.provider)
        .map_or_else(Timeouts::default, |provider| timeouts("", &provider.timeouts, Timeouts::default(), &mut quiet));
    let check = if n == 0 { check } else { &mut quiet };
    timeouts(&format!("{path}.timeouts"), &model.timeouts, of_provider, check)
}

fn weights(path: &str, targets: &[Target], check: &mut Check) {
    let sum: u64 = targets.iter().map(|target| u64::from(target.weight)).sum();
    if sum == 0 {
        let message = "all weights are 0: no target would ever be chosen";
        check.error_at(&format!("{path}.targets"), message, Some("give one a weight".to_owned()));
    } else if sum > u64::from(u32::MAX) {
        check.error_at(&format!("{path}.targets"), "the weights add up to more than 4294967295", None);
    }
}

fn fallbacks(path: &str, model: &written::Model, names: &Names<'_>, check: &mut Check) -> Vec<Arc<str>> {
    for (n, fallback) in model.fallbacks.iter().enumerate() {
        if names.serving(fallback).is_none() && !check.positions.has(&format!("models.{fallback}")) {
            let hint = check.near(fallback, names.all());
            check.error_at(&nth(&format!("{path}.fallbacks"), n), format!("there is no model `{fallback}`"), hint);
        }
    }
    model.fallbacks.iter().map(|name| Arc::from(name.as_str())).collect()
}

/// Reports each circle once. Goes depth first with a stack of its own: a chain of fallbacks may be as long as the file.
fn circles(models: &Models, names: &Names<'_>, check: &mut Check) {
    let mut on_trail: BTreeMap<&str, bool> = BTreeMap::new();
    for start in models.keys() {
        if on_trail.contains_key(start.as_str()) {
            continue;
        }
        let mut trail: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = trail.pop() {
            let fallback = models.get(name).and_then(|model| model.fallbacks.get(next));
            on_trail.insert(name, fallback.is_some());
            let Some(fallback) = fallback else { continue };
            trail.push((name, next + 1));
            let Some(to) = names.serving(fallback) else { continue };
            match on_trail.get(to) {
                None => trail.push((to, 0)),
                Some(false) => {}
                Some(true) => {
                    let circle = trail.iter().map(|(name, _)| *name).skip_while(|name| *name != to).chain([to]);
                    let message = format!("fallbacks lead in a circle: {}", circle.collect::<Vec<_>>().join(" → "));
                    let path = nth(&format!("models.{name}.fallbacks"), next);
                    check.error_at(&path, message, Some("remove one of them".to_owned()));
                }
            }
        }
    }
}
