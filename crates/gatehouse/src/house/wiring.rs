//! From a configuration and the stored keys to what the path reads: the only file that knows both sides.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatehouse_catalog::{Budget, BudgetWindow, Config, Key, Limit, LimitWindow, Price, written};
use gatehouse_domain::{Money, Now, PricedPart, Principal, PrincipalKind};
use gatehouse_llm_gateway::gateway::{Blueprint, ModelPlan, ProviderPlan, TargetPlan};
use gatehouse_llm_gateway::prices::{Catalogue, Override};
use gatehouse_llm_gateway::providers::Settings;
use gatehouse_pipeline::{Caps, KeyEntry, KeyTable};
use gatehouse_policy::{BudgetSpec, LimitSpec, Meter, Meters, Patterns, Period, Permit, Terms};
use gatehouse_store::{KeyRecord, LedgerEntry, Pepper, keys};

use crate::config_file;

/// The LLM gateway's plan. `demo` is where the demo provider listens.
pub(crate) fn blueprint(config: &Config, demo: &str) -> Blueprint {
    let providers = config.providers.iter().map(|(name, provider)| ProviderPlan {
        name: Arc::clone(name),
        kind: provider.kind.clone(),
        settings: settings(provider, demo),
        retries: provider.retries,
    });
    let models = config.models.iter().map(|(name, model)| ModelPlan {
        name: Arc::clone(name),
        strategy: model.strategy.clone(),
        targets: model.targets.iter().map(target).collect(),
        fallbacks: model.fallbacks.clone(),
    });
    Blueprint {
        providers: providers.collect(),
        models: models.collect(),
        catalogue: catalogue(config),
        built_unix_secs: Now(SystemTime::now()).unix_secs(),
        keeps_responses: config.server.responses_store,
    }
}

fn settings(provider: &gatehouse_catalog::Provider, demo: &str) -> Settings {
    let settings = config_file::settings(provider);
    let base_url = settings.base_url.or_else(|| (provider.kind == "demo").then(|| demo.to_owned()));
    Settings { base_url, ..settings }
}

fn target(target: &gatehouse_catalog::Target) -> TargetPlan {
    TargetPlan {
        provider: Arc::clone(&target.provider),
        model: target.model.clone(),
        weight: target.weight,
        timeouts: target.timeouts,
    }
}

/// The built-in price list with the configuration's own prices over it.
pub(crate) fn catalogue(config: &Config) -> Catalogue {
    let mut catalogue = Catalogue::builtin();
    for (name, price) in &config.prices {
        if let Err(error) = catalogue.set(name, over(price)) {
            tracing::warn!(name, %error, "a price override is not used");
        }
    }
    catalogue
}

fn over(price: &Price) -> Override {
    Override {
        input: price.input,
        output: price.output,
        cache_read: price.cache_read,
        cache_write: price.cache_write,
        cache_write_1h: price.cache_write_1h,
        reasoning: price.reasoning,
        input_audio: price.input_audio,
        output_audio: price.output_audio,
        input_image: price.input_image,
        output_image: price.output_image,
    }
}

/// The lines of an attempt's invoice by the price that held when it started.
pub(crate) fn priced_parts(config: &Config, attempt: &LedgerEntry) -> Option<Vec<PricedPart>> {
    let kind = &config.providers.get(&*attempt.provider)?.kind;
    let list = catalogue(config).find(&attempt.provider, kind, &attempt.upstream_model);
    let started = Now(SystemTime::UNIX_EPOCH + Duration::from_millis(attempt.started_unix_ms));
    Some(list.at(started)?.parts(&attempt.usage, started))
}

/// Sizes and timers of the path.
pub(super) fn caps(config: &Config) -> Caps {
    Caps {
        request_bytes_max: usize::try_from(config.server.body_bytes_max).unwrap_or(usize::MAX),
        body_timeout: config.server.body_timeout,
        in_flight_max: config.server.in_flight_max as usize,
        ..Caps::default()
    }
}

/// A meter that is new and may have a past in the ledger.
pub(super) struct FreshMeter {
    /// The key's public id.
    pub(super) key: Arc<str>,
    pub(super) meter: Arc<Meter>,
}

/// Builds the table of keys: those of the file, those of the database, and `anonymous` where keyless callers may come.
pub(super) struct KeyRoom<'a> {
    pub(super) pepper: &'a Pepper,
    pub(super) meters: &'a Meters,
    pub(super) fresh: Vec<FreshMeter>,
}

impl KeyRoom<'_> {
    pub(super) fn table(&mut self, config: &Config, stored: &[KeyRecord]) -> KeyTable {
        let anonymous = config.auth.anonymous.then(|| self.anonymous());
        let mut table = KeyTable::new(self.pepper.clone(), anonymous);
        for key in &config.keys {
            let entry = Arc::new(self.file_key(key));
            table.insert(keys::hash(self.pepper, key.secret.reveal()), entry);
        }
        for record in stored {
            self.stored_key(record, &mut table);
        }
        table
    }

    fn anonymous(&self) -> Arc<KeyEntry> {
        Arc::new(KeyEntry {
            principal: Arc::new(principal(PrincipalKind::Anonymous, "anonymous", "anonymous", None)),
            permit: Permit { models: Patterns::default(), expires_unix_ms: None, revoked_unix_ms: None },
            meter: None,
        })
    }

    fn file_key(&mut self, key: &Key) -> KeyEntry {
        let terms =
            Terms { limits: key.limits.iter().map(limit).collect(), budgets: key.budgets.iter().map(budget).collect() };
        let principal = principal(PrincipalKind::Service, &key.name, &key.name, key.team.as_deref());
        let permit = Permit {
            models: Patterns::new(&key.models),
            expires_unix_ms: key.expires.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()),
            revoked_unix_ms: None,
        };
        KeyEntry { meter: self.meter(&principal.key, &terms), principal: Arc::new(principal), permit }
    }

    fn stored_key(&mut self, record: &KeyRecord, table: &mut KeyTable) {
        let key = &record.key;
        let terms = stored_terms(record);
        let principal = Arc::new(principal(PrincipalKind::Service, &key.id, &key.name, key.team.as_deref()));
        let meter = self.meter(&principal.key, &terms);
        let entry = |expires| KeyEntry {
            principal: Arc::clone(&principal),
            permit: Permit {
                models: Patterns::new(&key.models),
                expires_unix_ms: expires,
                revoked_unix_ms: record.revoked_unix_ms,
            },
            meter: meter.clone(),
        };
        if let Some((hash, until)) = record.old_hash {
            table.insert(hash, Arc::new(entry(Some(key.expires_unix_ms.map_or(until, |expires| expires.min(until))))));
        }
        table.insert(key.hash, Arc::new(entry(key.expires_unix_ms)));
    }

    fn meter(&mut self, key: &Arc<str>, terms: &Terms) -> Option<Arc<Meter>> {
        if terms.limits.is_empty() && terms.budgets.is_empty() {
            return None;
        }
        let (meter, is_new) = self.meters.meter(key, terms);
        if is_new {
            self.fresh.push(FreshMeter { key: Arc::clone(key), meter: Arc::clone(&meter) });
        }
        Some(meter)
    }
}

fn principal(kind: PrincipalKind, id: &str, name: &str, team: Option<&str>) -> Principal {
    Principal { team: team.map(Arc::from), ..Principal::bare(kind, id, name) }
}

fn limit(limit: &Limit) -> LimitSpec {
    match *limit {
        Limit::Requests { max, per } => LimitSpec::Requests { max, per: limit_period(per) },
        Limit::Tokens { max, per } => LimitSpec::Tokens { max, per: limit_period(per) },
        Limit::Concurrent { max } => LimitSpec::Concurrent { max: max.into() },
    }
}

fn budget(budget: &Budget) -> BudgetSpec {
    BudgetSpec { max: budget.max, per: budget_period(budget.per) }
}

fn limit_period(window: LimitWindow) -> Period {
    match window {
        LimitWindow::Second => Period::Second,
        LimitWindow::Minute => Period::Minute,
        LimitWindow::Hour => Period::Hour,
        LimitWindow::Day => Period::Day,
    }
}

fn budget_period(window: BudgetWindow) -> Period {
    match window {
        BudgetWindow::Day => Period::Day,
        BudgetWindow::Week => Period::Week,
        BudgetWindow::Month => Period::Month,
        BudgetWindow::Life => Period::Life,
    }
}

/// Limits and budgets as the database keeps them: JSON in the words of the configuration file. What cannot be read is
/// said and, so that a damaged row never lifts a limit, stands for "nothing at all".
fn stored_terms(record: &KeyRecord) -> Terms {
    let limits = serde_json::from_str::<Vec<written::Limit>>(record.key.limits.get());
    let budgets = serde_json::from_str::<Vec<written::Budget>>(record.key.budgets.get());
    let (Ok(limits), Ok(budgets)) = (limits, budgets) else {
        tracing::error!(key = record.key.id, "the limits of a stored key cannot be read; the key is held back");
        return Terms { limits: vec![LimitSpec::Concurrent { max: 0 }], budgets: Vec::new() };
    };
    let limits = limits.iter().filter_map(|limit| {
        let per = limit.per.map_or(Period::Minute, limit_period);
        let requests = limit.requests.map(|max| LimitSpec::Requests { max, per });
        let tokens = limit.tokens.map(|max| LimitSpec::Tokens { max, per });
        let concurrent = limit.concurrent.map(|max| LimitSpec::Concurrent { max: max.into() });
        requests.or(tokens).or(concurrent)
    });
    let budgets =
        budgets.iter().map(|budget| BudgetSpec { max: Money::from_usd(budget.usd), per: budget_period(budget.per) });
    Terms { limits: limits.collect(), budgets: budgets.collect() }
}
