//! What the admin API may ask of the running gateway.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use gatehouse_catalog::{BudgetWindow, Config, Key, Limit, LimitWindow};
use gatehouse_domain::{Availability, Now, PricedPart, Secret};
use gatehouse_llm_gateway::prices;
use gatehouse_server::control::{
    Answer, Breaker, BreakerState, ConfigProblem, ConfigStatus, FileKey, Model, ModelTarget, NotReady, Operations,
    Price, Provider, Readiness, Reload, Source,
};
use gatehouse_store::LedgerEntry;
use gatehouse_store::audit::Refusal;
use gatehouse_telemetry::{CONTENT_TYPE, Sample};
use gatehouse_upstream::BreakerState as Upstream;
use serde_json::json;
use serde_json::value::RawValue;

use super::{House, wiring};

impl Operations for House {
    fn admin_key(&self) -> Option<Secret> {
        self.config(|config| config.auth.admin_key.clone()).flatten()
    }

    fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        match self.shared() {
            None => reasons.push(NotReady::NoConfig),
            Some(shared) if shared.draining.load(Ordering::Relaxed) => reasons.push(NotReady::Draining),
            Some(_) => {}
        }
        let journal = self.journal.health();
        if journal.trouble.is_some() && journal.bytes >= journal.most_bytes {
            reasons.push(NotReady::JournalUnavailable);
        }
        Readiness { ready: reasons.is_empty(), reasons, generation: self.state().generation }
    }

    fn metrics(&self) -> (String, &'static str) {
        (self.exposition.render(&self.sample()), CONTENT_TYPE)
    }

    fn breakers(&self) -> Vec<Breaker> {
        let now = Instant::now();
        let shown = self.health.all().into_iter().map(|(target, health)| {
            let (state, retry_in) = health.state(now);
            Breaker {
                target: target.to_string(),
                state: breaker_state(state),
                retry_in_ms: retry_in.and_then(|wait| u64::try_from(wait.as_millis()).ok()),
            }
        });
        shown.collect()
    }

    fn reset_breaker(&self, target: &str) -> bool {
        let found = self.health.all().into_iter().find(|(label, _)| **label == *target);
        found.inspect(|(_, health)| health.reset()).is_some()
    }

    fn reset_breakers(&self) -> usize {
        let now = Instant::now();
        let all = self.health.all();
        let open = all.iter().filter(|(_, health)| health.availability(now) != Availability::Ready).count();
        all.iter().for_each(|(_, health)| health.reset());
        open
    }

    fn config_status(&self) -> ConfigStatus {
        let state = self.state();
        ConfigStatus {
            generation: state.generation,
            source: state.from.clone(),
            since_unix_ms: state.since_unix_ms,
            problem: state.problem.clone(),
        }
    }

    fn reload(&self) -> Answer<'_, Reload> {
        Box::pin(async {
            let name = self.source.name();
            let applied = match self.source.load() {
                Ok(loaded) => self.apply(Arc::new(loaded), &name).await.map_err(|error| error.to_string()),
                Err(failure) => Err(failure.to_string()),
            };
            match applied {
                Ok(generation) => {
                    tracing::info!(generation, source = name, "configuration in force");
                    let data_dir = self.config(|config| config.data_dir.clone());
                    if let Some(data_dir) = data_dir {
                        self.source.keep(&data_dir);
                    }
                    Reload::Accepted(self.config_status())
                }
                Err(text) => {
                    tracing::error!(
                        source = name,
                        problem = text,
                        "configuration refused; the last good one stays in force"
                    );
                    Reload::Refused(self.refused(&text))
                }
            }
        })
    }

    fn file_keys(&self) -> Vec<FileKey> {
        self.config(|config| config.keys.iter().map(file_key).collect()).unwrap_or_default()
    }

    fn keys_changed(&self) -> Answer<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.refresh_keys().await {
                tracing::error!(%error, "changed keys could not be read; the old ones stay in force");
            }
        })
    }

    fn models(&self) -> Vec<Model> {
        self.config(models).unwrap_or_default()
    }

    fn providers(&self) -> Vec<Provider> {
        self.config(providers).unwrap_or_default()
    }

    fn note_refusal(&self, refusal: Refusal) {
        self.records.refuse(refusal);
    }

    fn price(&self, provider: &str, model: &str, at: SystemTime) -> Option<Price> {
        self.config(|config| price(config, provider, model, Now(at))).flatten()
    }

    fn priced_parts(&self, attempt: &LedgerEntry) -> Option<Vec<PricedPart>> {
        self.config(|config| wiring::priced_parts(config, attempt)).flatten()
    }
}

impl House {
    pub(super) fn config<T>(&self, read: impl FnOnce(&Config) -> T) -> Option<T> {
        let loaded = self.state().loaded.clone();
        loaded.map(|loaded| read(&loaded.config))
    }

    /// Notes that a change was refused.
    pub(super) fn refused(&self, text: &str) -> ConfigProblem {
        let problem = ConfigProblem {
            at_unix_ms: Now(SystemTime::now()).unix_ms(),
            problems: text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        };
        let mut state = self.state();
        state.rejected += 1;
        state.problem = Some(problem.clone());
        problem
    }

    fn sample(&self) -> Sample {
        let state = self.state();
        let (generation, reloads_accepted, reloads_rejected) = (state.generation, state.accepted, state.rejected);
        drop(state);
        let now = Instant::now();
        let breakers =
            self.health.all().into_iter().map(|(target, health)| (target, metric_state(health.state(now).0)));
        Sample {
            inflight: self.shared().map_or(0, |shared| shared.in_flight() as u64),
            tasks: self.shared().map_or(0, |shared| shared.tasks() as u64),
            breakers: breakers.collect(),
            usage_lost: self.shipped.strays(),
            journal_pending: self.shipped.open(),
            config_generation: generation,
            reloads_accepted,
            reloads_rejected,
            requests_dropped: self.records.requests_dropped(),
            refusals_dropped: self.records.refusals_dropped(),
            outbox_dropped: self.outboxes.iter().map(|outbox| outbox.dropped()).sum(),
            draining: self.shared().is_some_and(|shared| shared.draining.load(Ordering::Relaxed)),
        }
    }
}

const fn breaker_state(state: Upstream) -> BreakerState {
    match state {
        Upstream::Closed => BreakerState::Closed,
        Upstream::Open => BreakerState::Open,
        Upstream::HalfOpen => BreakerState::HalfOpen,
        Upstream::CoolingDown => BreakerState::CoolingDown,
    }
}

const fn metric_state(state: Upstream) -> gatehouse_telemetry::BreakerState {
    use gatehouse_telemetry::BreakerState;
    match state {
        Upstream::Closed => BreakerState::Closed,
        Upstream::Open | Upstream::CoolingDown => BreakerState::Open,
        Upstream::HalfOpen => BreakerState::HalfOpen,
    }
}

fn models(config: &Config) -> Vec<Model> {
    let shown = config.models.iter().map(|(name, model)| Model {
        name: name.to_string(),
        strategy: model.strategy.clone(),
        targets: model
            .targets
            .iter()
            .map(|target| ModelTarget {
                provider: target.provider.to_string(),
                model: target.model.clone(),
                weight: target.weight,
            })
            .collect(),
        fallbacks: model.fallbacks.iter().map(ToString::to_string).collect(),
        source: Source::File,
    });
    shown.collect()
}

fn providers(config: &Config) -> Vec<Provider> {
    let shown = config.providers.iter().map(|(name, provider)| Provider {
        name: name.to_string(),
        kind: provider.kind.clone(),
        address: provider.base_url.as_ref().map_or_else(|| "the kind's own".to_owned(), |url| url.text.clone()),
        credentials: provider.api_key.is_some()
            || provider.secret_access_key.is_some()
            || provider.credentials.is_some(),
        source: Source::File,
    });
    shown.collect()
}

fn price(config: &Config, provider: &str, model: &str, now: Now) -> Option<Price> {
    let kind = &config.providers.get(provider)?.kind;
    let list = wiring::catalogue(config).find(provider, kind, model);
    let over = config.prices.contains_key(&format!("{provider}/{model}"));
    let rates: prices::Rates = *list.at(now)?.base();
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    let usd = |rate: gatehouse_domain::PicoPerToken| rate.0 as f64 / 1e6;
    Some(Price {
        provider: provider.to_owned(),
        model: model.to_owned(),
        input: usd(rates.input),
        output: usd(rates.output),
        cache_read: usd(rates.cache_read),
        cache_write: usd(rates.cache_write_5m),
        from: if over { "override" } else { "list" }.to_owned(),
    })
}

fn file_key(key: &Key) -> FileKey {
    let limits = key.limits.iter().map(|limit| match *limit {
        Limit::Requests { max, per } => json!({"requests": max, "per": limit_word(per)}),
        Limit::Tokens { max, per } => json!({"tokens": max, "per": limit_word(per)}),
        Limit::Concurrent { max } => json!({"concurrent": max}),
    });
    let budgets = key.budgets.iter().map(|budget| json!({"usd": budget.max.usd(), "per": budget_word(budget.per)}));
    FileKey {
        id: key.name.to_string(),
        name: key.name.to_string(),
        team: key.team.as_deref().map(str::to_owned),
        models: key.models.clone(),
        limits: raw(&limits.collect()),
        budgets: raw(&budgets.collect()),
        expires_unix_ms: key.expires.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()),
    }
}

fn raw(list: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(list).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

const fn limit_word(window: LimitWindow) -> &'static str {
    match window {
        LimitWindow::Second => "second",
        LimitWindow::Minute => "minute",
        LimitWindow::Hour => "hour",
        LimitWindow::Day => "day",
    }
}

const fn budget_word(window: BudgetWindow) -> &'static str {
    match window {
        BudgetWindow::Day => "day",
        BudgetWindow::Week => "week",
        BudgetWindow::Month => "month",
        BudgetWindow::Life => "life",
    }
}
