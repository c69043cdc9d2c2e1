//! From a configuration and the stored keys to what the path reads: the only file that knows both sides.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatehouse_catalog::principals::{Holder, Principals};
use gatehouse_catalog::written::Unpriced;
use gatehouse_catalog::written::{PricePeriod, PriceTier};
use gatehouse_catalog::{Config, Key, Price};
use gatehouse_domain::{IpRange, Now, PricedPart, Principal, PrincipalKind, ServiceTier, WrittenRates};
use gatehouse_llm_gateway::gateway::{Blueprint, ModelPlan, ProviderPlan, TargetPlan};
use gatehouse_llm_gateway::prices::{Catalogue, Override, UsdSchedule};
use gatehouse_llm_gateway::providers::Settings;
use gatehouse_pipeline::{Caps, KeyEntry, KeyTable};
use gatehouse_policy::{Permit, Tree};
use gatehouse_store::{KeyRecord, LedgerEntry, Pepper, keys};

use super::people;
use crate::config_file;
use crate::policies::Known;

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
        refuses_unpriced: config.unpriced == Unpriced::Refuse,
        public_url: config.public_url.text.as_str().into(),
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
        if let Err(error) = catalogue.set(name, &over(price)) {
            tracing::warn!(name, %error, "a price override is not used");
        }
    }
    catalogue
}

/// A price as written, in the words of the price list.
fn over(price: &Price) -> Vec<Override> {
    let period = |period: PricePeriod<'_>| Override {
        from: period.from.map(str::to_owned),
        standard: schedule(period.rates, period.tiers),
        classes: period
            .classes
            .iter()
            .map(|(class, price)| (ServiceTier::of_word(class), schedule(price.rates(), &price.tiers)))
            .collect(),
        off_peak: period.off_peak.and_then(|hours| {
            let (from, until) = hours.minutes()?;
            Some((from, until, schedule(hours.rates(), &hours.tiers)))
        }),
    };
    price.periods().map(period).collect()
}

fn schedule(base: WrittenRates, tiers: &[PriceTier]) -> UsdSchedule {
    UsdSchedule { base, tiers: tiers.iter().map(|tier| (tier.above, tier.rates())).collect() }
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

/// Builds the table of keys: those of the file, those of the database, and `anonymous` where keyless callers may come.
pub(super) struct KeyRoom<'a> {
    pub(super) pepper: &'a Pepper,
    pub(super) tree: &'a Tree,
    pub(super) now: Now,
}

impl KeyRoom<'_> {
    pub(super) fn table(&self, config: &Config, stored: &[KeyRecord]) -> KeyTable {
        let anonymous = config.auth.anonymous.then(|| self.anonymous());
        let mut table = KeyTable::new(self.pepper.clone(), anonymous);
        for key in &config.keys {
            let entry = Arc::new(self.file_key(&config.principals, key));
            table.insert(keys::hash(self.pepper, key.secret.reveal()), entry);
        }
        for record in stored {
            self.stored_key(&config.principals, record, &mut table);
        }
        table
    }

    fn anonymous(&self) -> Arc<KeyEntry> {
        let principal = Arc::new(Principal::bare(PrincipalKind::Anonymous, "anonymous", "anonymous"));
        Arc::new(self.entry(principal, Permit::default()))
    }

    fn entry(&self, principal: Arc<Principal>, permit: Permit) -> KeyEntry {
        KeyEntry { meters: self.tree.of_caller(&principal, self.now), principal, permit }
    }

    fn file_key(&self, principals: &Principals, key: &Key) -> KeyEntry {
        let mut principal = principals.principal(&key.holder, &key.name, &key.name);
        principal.tags = principals.tags_of(&principal, key.tags.as_deref());
        principal.role = key.role;
        let permit = Permit {
            models: people::models(principals, &principal).narrowed(&key.models),
            tools: people::tools(principals, &principal).narrowed(&key.mcp_servers, &key.toolsets),
            ip_ranges: key.ip_ranges.clone(),
            expires_unix_ms: key.expires.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()),
            revoked_unix_ms: None,
        };
        self.entry(Arc::new(principal), permit)
    }

    fn stored_key(&self, principals: &Principals, record: &KeyRecord, table: &mut KeyTable) {
        let key = &record.key;
        let Ok(ip_ranges) = key.ip_ranges.iter().map(|text| text.parse()).collect::<Result<Vec<IpRange>, _>>() else {
            tracing::error!(key = key.id, "the address ranges of a stored key cannot be read; the key is held back");
            return;
        };
        let holder = holder(record);
        let revoked_unix_ms = record.revoked_unix_ms.or_else(|| {
            let gone = principals.owner_is_there(&holder).err()?;
            tracing::warn!(
                key = key.id,
                problem = gone.message,
                "the owner of a stored key is gone; the key is held back"
            );
            Some(self.now.unix_ms())
        });
        let mut principal = principals.principal(&holder, &key.id, &key.name);
        principal.tags = principals.tags_of(&principal, key.tags.as_deref());
        // A role nobody knows any more is none.
        principal.role = key.role.as_deref().and_then(|role| role.parse().ok());
        let models = people::models(principals, &principal).narrowed(&key.models);
        let tools = people::tools(principals, &principal).narrowed(&key.mcp_servers, &key.toolsets);
        let principal = Arc::new(principal);
        let entry = |expires| {
            let permit = Permit {
                models: models.clone(),
                tools: tools.clone(),
                ip_ranges: ip_ranges.clone(),
                expires_unix_ms: expires,
                revoked_unix_ms,
            };
            self.entry(Arc::clone(&principal), permit)
        };
        if let Some((hash, until)) = record.old_hash {
            table.insert(hash, Arc::new(entry(Some(key.expires_unix_ms.map_or(until, |expires| expires.min(until))))));
        }
        table.insert(key.hash, Arc::new(entry(key.expires_unix_ms)));
    }
}

/// Who is known by the id of a key: what the path would find, without a gateway that runs.
pub(crate) fn known(config: &Config, pepper: &Pepper, stored: &[KeyRecord]) -> Known {
    let now = Now(SystemTime::now());
    let table = KeyRoom { pepper, tree: &Tree::default(), now }.table(config, stored);
    known_of(&table)
}

/// Who is known by the id of a key.
pub(super) fn known_of(table: &KeyTable) -> Known {
    let entries = table.entries().chain(table.anonymous());
    let by_id = |entry: &Arc<KeyEntry>| {
        (Arc::clone(&entry.principal.key), (Arc::clone(&entry.principal), entry.permit.clone()))
    };
    entries.map(by_id).collect()
}

/// Whom a stored key belongs to.
pub(super) fn holder(record: &KeyRecord) -> Holder {
    let name = |name: &Option<String>| name.as_deref().map(Arc::from);
    let key = &record.key;
    Holder {
        organisation: name(&key.organisation),
        team: name(&key.team),
        user: name(&key.user),
        service_account: name(&key.service_account),
        agent: name(&key.agent),
    }
}
