//! Models as configured, checked and flattened once, so that planning a call only walks a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::explanation::said;
use crate::strategies::{self, Candidate, Strategy};

/// Longest chain of fallbacks.
const FALLBACK_DEPTH_MAX: usize = 16;
/// The strategy under which weights count.
const WEIGHTED: &str = "weighted";

/// A model as written.
#[derive(Clone, Debug, Default)]
pub struct ModelSpec {
    /// What clients send as `model`.
    pub name: Arc<str>,
    /// Its strategy; if none is named, `weighted` where any target has a weight, else `priority`.
    pub strategy: Option<String>,
    /// Its targets.
    pub targets: Vec<TargetSpec>,
    /// Models to go on with when all of its targets failed or are out.
    pub fallbacks: Vec<String>,
}

/// A target of a model as written.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Index in the gateway's target table.
    pub target: usize,
    /// `provider/model`.
    pub label: Arc<str>,
    /// Its weight; 1 if none is named.
    pub weight: Option<u32>,
}

/// Something in the models that cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a path of keys: `models.fast.strategy`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Every model, ready to be planned for.
#[derive(Clone, Debug, Default)]
pub struct Routes(BTreeMap<Arc<str>, Route>);

/// One model: its own targets, then those of its fallbacks.
#[derive(Clone, Debug)]
pub struct Route {
    /// What clients send as `model`.
    pub model: Arc<str>,
    /// The model's own pool first, then one for each model it falls back to, in the order in which they are tried.
    pub pools: Vec<Pool>,
}

/// The targets of one model and how they are ordered.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Whose.
    pub model: Arc<str>,
    /// How they are ordered.
    pub strategy: &'static Strategy,
    /// The targets, each once.
    pub candidates: Vec<Candidate>,
    /// Their labels, by the same places.
    pub labels: Vec<Arc<str>>,
    /// What a plan says that has all of them and begins with the one at this place: nearly every plan, so it is written once.
    pub(crate) said: Vec<Arc<str>>,
}

impl Routes {
    /// Checks models and flattens their fallbacks.
    ///
    /// # Errors
    /// Every problem: unknown strategies and fallbacks, models without targets, fallbacks that lead back.
    pub fn build(specs: &[ModelSpec]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut pools: BTreeMap<&str, (Pool, &[String])> = BTreeMap::new();
        for spec in specs {
            if let Some(pool) = pool(spec, &mut problems) {
                let known = pools.insert(&spec.name, (pool, &spec.fallbacks));
                if known.is_some() {
                    problems.push(problem(&spec.name, "", "is configured twice"));
                }
            }
        }
        for spec in specs {
            for fallback in &spec.fallbacks {
                if !specs.iter().any(|other| *other.name == **fallback) {
                    problems.push(problem(&spec.name, ".fallbacks", format!("there is no model `{fallback}`")));
                }
            }
        }
        let mut routes = BTreeMap::new();
        for spec in specs {
            let mut route = Route { model: spec.name.clone(), pools: Vec::new() };
            match collect(&spec.name, &pools, &mut Vec::new(), &mut route.pools) {
                Ok(()) => _ = routes.insert(spec.name.clone(), route),
                Err(why) => problems.push(problem(&spec.name, ".fallbacks", why)),
            }
        }
        if problems.is_empty() { Ok(Self(routes)) } else { Err(problems) }
    }

    /// The route of a model.
    #[must_use]
    pub fn get(&self, model: &str) -> Option<&Route> {
        self.0.get(model)
    }

    /// Every route, by model.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.values()
    }
}

fn problem(model: &str, field: &str, message: impl Into<String>) -> Problem {
    Problem { field: format!("models.{model}{field}"), message: message.into() }
}

/// The strategy of a model that names none: whoever writes weights wants them to count, whoever writes a list wants its
/// order.
fn usual_strategy(targets: &[TargetSpec]) -> &'static str {
    if targets.iter().any(|target| target.weight.is_some()) { WEIGHTED } else { "priority" }
}

fn pool(spec: &ModelSpec, problems: &mut Vec<Problem>) -> Option<Pool> {
    let strategy = strategies::strategy(spec.strategy.as_deref().unwrap_or_else(|| usual_strategy(&spec.targets)))
        .map_err(|why| problems.push(problem(&spec.name, ".strategy", why)))
        .ok()?;
    let mut pool =
        Pool { model: spec.name.clone(), strategy, candidates: Vec::new(), labels: Vec::new(), said: Vec::new() };
    for written in &spec.targets {
        let weight = written.weight.unwrap_or(1);
        // The same target twice is one target with both weights: a plan never tries it twice.
        match pool.candidates.iter_mut().find(|candidate| candidate.target == written.target) {
            Some(known) => known.weight = known.weight.saturating_add(weight),
            None => {
                pool.candidates.push(Candidate { target: written.target, weight });
                pool.labels.push(written.label.clone());
            }
        }
    }
    if pool.candidates.is_empty() {
        problems.push(problem(&spec.name, ".targets", "is empty: name at least one provider and model"));
        return None;
    }
    if strategy.name == WEIGHTED && pool.candidates.iter().all(|candidate| candidate.weight == 0) {
        problems.push(problem(&spec.name, ".targets", "all weights are zero: give one target a weight"));
    }
    pool.said = (0..pool.candidates.len()).map(|place| said(&pool, place)).collect();
    Some(pool)
}

/// Appends a model's pool and those of its fallbacks, depth first, each once. `path` is how we came here.
fn collect<'a>(
    model: &'a str,
    all: &BTreeMap<&'a str, (Pool, &'a [String])>,
    path: &mut Vec<&'a str>,
    pools: &mut Vec<Pool>,
) -> Result<(), String> {
    if path.contains(&model) {
        return Err(format!("lead back to `{model}`: {} > {model}", path.join(" > ")));
    }
    if path.len() >= FALLBACK_DEPTH_MAX {
        return Err(format!("are more than {FALLBACK_DEPTH_MAX} deep"));
    }
    // A model that is not there was reported already.
    let Some((pool, fallbacks)) = all.get(model) else { return Ok(()) };
    if pools.iter().any(|known| *known.model == *model) {
        return Ok(());
    }
    pools.push(pool.clone());
    path.push(model);
    for fallback in *fallbacks {
        collect(fallback, all, path, pools)?;
    }
    path.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, targets: &[usize], fallbacks: &[&str]) -> ModelSpec {
        let target = |&target: &usize| TargetSpec { target, label: format!("p/{target}").into(), weight: None };
        ModelSpec {
            name: name.into(),
            strategy: None,
            targets: targets.iter().map(target).collect(),
            fallbacks: fallbacks.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn problems(specs: &[ModelSpec]) -> Vec<String> {
        let problems = Routes::build(specs).err().unwrap_or_default();
        problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
    }

    #[test]
    fn fallbacks_are_flattened_depth_first_and_each_model_stands_once() {
        let specs =
            [spec("a", &[0], &["b", "c"]), spec("b", &[1], &["d"]), spec("c", &[2], &["d"]), spec("d", &[3], &[])];
        let routes = Routes::build(&specs).unwrap();
        let pools: Vec<&str> = routes.get("a").unwrap().pools.iter().map(|pool| &*pool.model).collect();
        assert_eq!(pools, ["a", "b", "d", "c"]);
    }

    #[test]
    fn fallbacks_that_lead_back_are_refused_with_the_way_they_take() {
        let circle = problems(&[spec("a", &[0], &["b"]), spec("b", &[1], &["a"])]);
        assert_eq!(circle[0], "models.a.fallbacks: lead back to `a`: a > b > a");
        assert_eq!(problems(&[spec("a", &[0], &["a"])])[0], "models.a.fallbacks: lead back to `a`: a > a");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(problems(&[spec("a", &[0], &["x"])]), ["models.a.fallbacks: there is no model `x`"]);
        assert!(problems(&[spec("a", &[], &[])])[0].starts_with("models.a.targets: is empty"));
        let later = ModelSpec { strategy: Some("semantic".to_owned()), ..spec("a", &[0], &[]) };
        assert!(problems(&[later])[0].starts_with("models.a.strategy: strategy `semantic` comes with"));
    }

    #[test]
    fn a_chain_without_end_is_refused() {
        let chain: Vec<ModelSpec> =
            (0..100).map(|n| spec(&format!("m{n}"), &[n], &[format!("m{}", n + 1).as_str()])).collect();
        assert!(problems(&chain).iter().any(|problem| problem.contains("deep")));
    }

    #[test]
    fn a_target_listed_twice_has_both_weights() {
        let routes = Routes::build(&[spec("a", &[7, 7, 8], &[])]).unwrap();
        let pool = &routes.get("a").unwrap().pools[0];
        assert_eq!(pool.candidates, [Candidate { target: 7, weight: 2 }, Candidate { target: 8, weight: 1 }]);
    }
}
