//! What a gateway is built from, and the building: names resolved to indexes, prices found, everything that is the same
//! for every call made once.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, Now, Target, Timeouts, TokenGrant, Told};
use gatehouse_llm_router::{ModelSpec, Route, Routes, TargetSpec};
use http::uri::PathAndQuery;

use crate::dialects::{Quirks, ThinkingStyle};
use crate::form::Issuer;
use crate::prices::{Catalogue, PriceList};
use crate::providers::{self, DialectName, Operation, Provider, Settings};
use crate::rounds::Home;

/// Output limit written where a dialect requires one, the client named none and the catalogue knows none.
const USUAL_OUTPUT_CAP: u64 = 8192;

/// Providers and models as configured.
#[derive(Default)]
pub struct Blueprint {
    /// Providers by name.
    pub providers: Vec<ProviderPlan>,
    /// Models by name.
    pub models: Vec<ModelPlan>,
    /// Prices.
    pub catalogue: Catalogue,
    /// Unix seconds at which the gateway was built: `created` of models in listings.
    pub built_unix_secs: u64,
    /// Are answers of the Responses API kept here where the provider keeps none?
    pub keeps_responses: bool,
    /// Are targets without a price left out?
    pub refuses_unpriced: bool,
    /// Where callers reach the gateway: tools at addresses below it are its own. Empty: only those named by their path.
    pub public_url: Arc<str>,
}

/// One provider as configured.
pub struct ProviderPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: String,
    /// Address and credentials.
    pub settings: Settings,
    /// Tries after the first, per target.
    pub retries: u8,
}

/// One model as configured.
pub struct ModelPlan {
    /// What clients name; may end in `*`.
    pub name: Arc<str>,
    /// How a target is chosen.
    pub strategy: String,
    /// Where calls go.
    pub targets: Vec<TargetPlan>,
    /// Other models to try.
    pub fallbacks: Vec<Arc<str>>,
}

/// One target as configured.
pub struct TargetPlan {
    /// A provider's name.
    pub provider: Arc<str>,
    /// The provider's name of the model; `*` = what the wildcard of the model's name matched.
    pub model: String,
    /// Share of the calls.
    pub weight: u32,
    /// Timers.
    pub timeouts: Timeouts,
}

/// What is wrong with a blueprint, by its place in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlueprintProblem {
    /// `providers.openai.api_key`, `models.fast.strategy`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

/// A target with everything a call needs to know of it.
pub(crate) struct Facts {
    pub(crate) target: Arc<Target>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) prices: Arc<PriceList>,
    pub(crate) issuer: Issuer,
    pub(crate) thinking: ThinkingStyle,
    /// The model's name as a JSON string, to be spliced in.
    pub(crate) model_json: Bytes,
    /// Paths of conversations, as far as they are known before a call.
    paths: Vec<(DialectName, bool, PathAndQuery)>,
}

impl Facts {
    fn new(target: Arc<Target>, provider: Arc<Provider>, catalogue: &Catalogue) -> Self {
        let kind = provider.kind;
        Self {
            prices: Arc::new(catalogue.find(&provider.name, kind.name, &target.model)),
            issuer: providers::issuer(&target.model),
            thinking: (kind.thinking)(&target.model),
            model_json: serde_json::Value::from(&*target.model).to_string().into(),
            paths: Vec::new(),
            target,
            provider,
        }
    }

    /// Makes the paths that every conversation with this target goes to.
    fn with_paths(mut self) -> Self {
        for (native, stream) in self.provider.kind.native.iter().flat_map(|native| [(native, false), (native, true)]) {
            let chat = Operation::Chat { stream };
            if let Ok(path) = providers::path(&self.provider, native.dialect, &self.target.model, chat) {
                self.paths.push((native.dialect, stream, path));
            }
        }
        self
    }

    /// The path of an operation, if it was made before.
    pub(crate) fn path(&self, dialect: DialectName, operation: Operation) -> Option<&PathAndQuery> {
        let Operation::Chat { stream } = operation else { return None };
        let found = self.paths.iter().find(|(own, streams, _)| *own == dialect && *streams == stream);
        found.map(|(_, _, path)| path)
    }

    pub(crate) fn quirks(&self, dialect: DialectName) -> Quirks {
        (self.provider.kind.quirks)(&self.target.model, dialect)
    }

    pub(crate) fn output_cap(&self) -> u64 {
        self.prices.max_output.unwrap_or(USUAL_OUTPUT_CAP)
    }
}

/// One model clients can name.
pub(crate) struct ModelEntry {
    pub(crate) name: Arc<str>,
    /// Its own targets, then those of its fallbacks.
    pub(crate) route: Route,
}

impl ModelEntry {
    /// Every target a call may reach, the model's own first.
    pub(crate) fn targets(&self) -> impl Iterator<Item = usize> {
        self.route.pools.iter().flat_map(|pool| &pool.candidates).map(|candidate| candidate.target)
    }
}

/// Everything resolved.
pub(crate) struct Built {
    pub(crate) facts: Vec<Arc<Facts>>,
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) grants: Vec<TokenGrant>,
    pub(crate) entries: Vec<ModelEntry>,
    pub(crate) by_name: foldhash::HashMap<Arc<str>, usize>,
    /// Entries whose name ends in `*`, longest prefix first.
    pub(crate) wildcards: Vec<usize>,
    /// Names for listings: those without a wildcard.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) catalogue: Catalogue,
    pub(crate) built_unix_secs: u64,
    pub(crate) keeps_responses: bool,
    refuses_unpriced: bool,
    /// Which MCP endpoints are the gateway's own.
    pub(crate) home: Home,
}

pub(crate) fn build(blueprint: Blueprint) -> Result<Built, Vec<BlueprintProblem>> {
    let mut problems = Vec::new();
    let mut grants = Vec::new();
    let mut accounts = HashMap::new();
    for plan in &blueprint.providers {
        match providers::resolve(&plan.name, &plan.kind, &plan.settings) {
            Ok(provider) => {
                let grant = provider.grant.clone().map(|grant| {
                    grants.push(grant);
                    grants.len() - 1
                });
                accounts.insert(Arc::clone(&plan.name), (Arc::new(provider), grant, plan.retries));
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| BlueprintProblem {
                path: format!("providers.{}.{}", plan.name, problem.field),
                message: problem.message,
                hint: problem.hint,
            })),
        }
    }
    let mut built = Built {
        facts: Vec::new(),
        targets: Vec::new(),
        grants,
        entries: Vec::with_capacity(blueprint.models.len()),
        by_name: foldhash::HashMap::default(),
        wildcards: Vec::new(),
        names: Vec::new(),
        catalogue: blueprint.catalogue,
        built_unix_secs: blueprint.built_unix_secs,
        keeps_responses: blueprint.keeps_responses,
        refuses_unpriced: blueprint.refuses_unpriced,
        home: Home::new(&blueprint.public_url),
    };
    let specs: Vec<ModelSpec> = blueprint.models.iter().map(|plan| built.spec(plan, &accounts)).collect();
    // Models whose provider is broken would only be reported twice.
    if problems.is_empty() {
        match Routes::build(&specs) {
            Ok(routes) => built.add_models(&routes),
            Err(found) => problems.extend(found.into_iter().map(|problem| BlueprintProblem {
                path: problem.field,
                message: problem.message,
                hint: None,
            })),
        }
    }
    if problems.is_empty() { Ok(built) } else { Err(problems) }
}

type Account = (Arc<Provider>, Option<usize>, u8);

impl Built {
    fn spec(&mut self, plan: &ModelPlan, accounts: &HashMap<Arc<str>, Account>) -> ModelSpec {
        let mut targets = Vec::with_capacity(plan.targets.len());
        for target in &plan.targets {
            // A provider that is missing or broken was reported where it stands.
            let Some(account) = accounts.get(&target.provider) else { continue };
            let index = self.add_target(target, account);
            targets.push(TargetSpec {
                target: index,
                label: Arc::clone(&self.targets[index].label),
                weight: Some(target.weight),
            });
        }
        ModelSpec {
            name: Arc::clone(&plan.name),
            strategy: Some(plan.strategy.clone()),
            targets,
            fallbacks: plan.fallbacks.iter().map(ToString::to_string).collect(),
        }
    }

    /// A plan without the targets that have no price, where the configuration says so.
    ///
    /// # Errors
    /// `UnpricedModel` when none is left.
    pub(crate) fn priced(
        &self,
        mut order: Vec<usize>,
        model: &str,
        matched: Option<&str>,
        now: Now,
    ) -> Result<Vec<usize>, Fault> {
        if self.refuses_unpriced {
            order.retain(|target| self.facts(*target, matched).is_some_and(|facts| facts.prices.at(now).is_some()));
        }
        if order.is_empty() {
            let message = format!(
                "there is no price for any target of the model `{model}`, and this gateway refuses what it cannot count; use \
                 another model, or have the operator set a price under `prices.overrides`"
            );
            return Err(Fault::new(Code::UnpricedModel, message).at("model"));
        }
        Ok(order)
    }

    fn add_models(&mut self, routes: &Routes) {
        for route in routes.iter() {
            let (name, entry) = (Arc::clone(&route.model), self.entries.len());
            self.by_name.insert(Arc::clone(&name), entry);
            if name.ends_with('*') {
                self.wildcards.push(entry);
            } else {
                self.names.push(Arc::clone(&name));
            }
            self.entries.push(ModelEntry { name, route: route.clone() });
        }
        let entries = &self.entries;
        self.wildcards.sort_by_key(|index| std::cmp::Reverse(entries[*index].name.len()));
    }

    fn add_target(&mut self, plan: &TargetPlan, (provider, grant, retries): &Account) -> usize {
        let index = self.targets.len();
        let target = Arc::new(Target {
            index,
            provider: Arc::clone(&plan.provider),
            model: plan.model.as_str().into(),
            told: Told::of(&plan.provider, &plan.model),
            label: format!("{}/{}", plan.provider, plan.model).into(),
            origin: provider.origin.clone(),
            timeouts: plan.timeouts,
            retries: *retries,
            grant: *grant,
        });
        self.facts.push(Arc::new(Facts::new(Arc::clone(&target), Arc::clone(provider), &self.catalogue).with_paths()));
        self.targets.push(target);
        index
    }

    /// The entry a client's name leads to, and what its wildcard matched.
    pub(crate) fn find<'n>(&self, name: &'n str) -> Option<(usize, Option<&'n str>)> {
        if let Some(index) = self.by_name.get(name) {
            return Some((*index, None));
        }
        self.wildcards.iter().find_map(|index| {
            let prefix = self.entries[*index].name.strip_suffix('*')?;
            name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(|rest| (*index, Some(rest)))
        })
    }

    /// The facts of a target, with the model filled in where the table leaves it open.
    pub(crate) fn facts(&self, index: usize, matched: Option<&str>) -> Option<Arc<Facts>> {
        let facts = self.facts.get(index)?;
        let Some(matched) = matched.filter(|_| &*facts.target.model == "*") else { return Some(Arc::clone(facts)) };
        let target = Target {
            model: matched.into(),
            told: Told::of(&facts.target.provider, matched),
            label: format!("{}/{matched}", facts.target.provider).into(),
            ..(*facts.target).clone()
        };
        Some(Arc::new(Facts::new(Arc::new(target), Arc::clone(&facts.provider), &self.catalogue)))
    }
}
