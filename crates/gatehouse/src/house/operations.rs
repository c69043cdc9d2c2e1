//! What the admin API may ask of the running gateway.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use gatehouse_catalog::principals;
use gatehouse_catalog::{Config, Key};
use gatehouse_domain::{Availability, Code, Fault, Gauge, Guests, Now, PricedPart, Principal, Secret};
use gatehouse_llm_gateway::prices;
use gatehouse_pipeline::identity::{client_address, identify};
use gatehouse_pipeline::{KeyEntry, Snapshot};
use gatehouse_server::control::{
    Answer, Breaker, BreakerState, BudgetStanding, ConfigProblem, ConfigStatus, DeclaredObject, FileKey, FileObject,
    From, Holder, McpChanges, McpDecision, McpExplanation, McpFinding, McpQuestion, McpServerStanding, NotReady,
    Operations, PolicyAnswer, PolicyQuestion, PolicyRefusal, Price, Readiness, Reload, ReplayQuestion, ReplayReport,
    Standing, Whoami, Wrong, WrongHolder,
};
use gatehouse_store::audit::Refusal;
use gatehouse_store::{LedgerEntry, StoreError};
use gatehouse_telemetry::{CONTENT_TYPE, Sample};
use gatehouse_upstream::BreakerState as Upstream;
use serde_json::value::RawValue;

use super::alerts::Event;
use super::{House, mcp, wiring};

impl Operations for House {
    fn admin_key(&self) -> Option<Secret> {
        self.config(|config| config.auth.admin_key.clone()).flatten()
    }

    fn guests(&self) -> Guests {
        self.config(|config| config.guests.clone()).unwrap_or_default()
    }

    fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        match self.shared() {
            None => reasons.push(NotReady::NoConfig),
            Some(shared) if shared.is_draining() => reasons.push(NotReady::Draining),
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

    fn budgets(&self) -> Vec<BudgetStanding> {
        self.stands()
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
            let reading = self.reading.lock().await;
            let name = self.source.name();
            match self.read_and_apply(&name).await {
                Ok(generation) => {
                    tracing::info!(generation, source = name, "configuration in force");
                    self.config(|config| self.source.keep(config));
                    drop(reading);
                    self.mcp.first_lists().await;
                    self.keys_changed().await;
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

    fn models(&self) -> Vec<String> {
        self.config(|config| config.models.keys().map(ToString::to_string).collect()).unwrap_or_default()
    }

    fn file_objects(&self) -> Vec<FileObject> {
        let Some(loaded) = self.state().loaded.clone() else { return Vec::new() };
        let of_file = loaded.objects.iter().filter(|object| object.of_file);
        let object = |object: &gatehouse_catalog::Object| FileObject {
            kind: object.kind.name,
            name: object.name.clone(),
            organisation: loaded.config.principals.organisation_of(object.kind.name, &object.name),
            body: object.body.clone(),
        };
        of_file.map(object).collect()
    }

    fn check_objects(&self, objects: Vec<DeclaredObject>) -> Answer<'_, Result<(), Vec<Wrong>>> {
        Box::pin(async move {
            let wrong = self.wrong_with(objects).await;
            if wrong.is_empty() { Ok(()) } else { Err(wrong) }
        })
    }

    fn check_secret(&self, organisation: &str, name: &str, value: Option<Secret>) -> Answer<'_, Vec<Wrong>> {
        let (organisation, name) = (organisation.to_owned(), name.to_owned());
        Box::pin(async move { self.wrong_with_secret(&organisation, &name, value).await })
    }

    fn objects_changed(&self) -> Answer<'_, Reload> {
        self.reload()
    }

    fn explain_policy(&self, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyRefusal> {
        self.explain(question)
    }

    fn replay_policies(
        &self,
        question: ReplayQuestion,
        since_unix_ms: Option<u64>,
        until_unix_ms: Option<u64>,
    ) -> Answer<'_, Result<ReplayReport, PolicyRefusal>> {
        Box::pin(self.replay(question, since_unix_ms, until_unix_ms))
    }

    fn caller(&self, presented: &str) -> Result<Arc<Principal>, Fault> {
        let entry = self.entry(presented)?.1;
        Ok(Arc::clone(&entry.principal))
    }

    fn caller_from(&self, presented: &str, from: &From<'_>) -> Result<Arc<Principal>, Fault> {
        let (snapshot, entry) = self.entry(presented)?;
        entry.permit.address(client_address(&snapshot.trusted_proxies, from.peer, from.headers))?;
        Ok(Arc::clone(&entry.principal))
    }

    fn whoami(&self, presented: &str, from: &From<'_>) -> Result<Whoami, Fault> {
        let (snapshot, entry) = self.entry(presented)?;
        entry.permit.address(client_address(&snapshot.trusted_proxies, from.peer, from.headers))?;
        Ok(whoami(&snapshot, &entry))
    }

    fn check_holder(&self, holder: &Holder) -> Result<(), WrongHolder> {
        let checked = self.config(|config| config.principals.check(&declared_holder(holder))).unwrap_or(Ok(()));
        checked.map_err(|problem| WrongHolder { message: problem.message, hint: problem.hint.unwrap_or_default() })
    }

    fn stands_for(&self, holder: &Holder) -> Principal {
        let holder = declared_holder(holder);
        let who = self.config(|config| config.principals.principal(&holder, "", ""));
        who.unwrap_or_else(|| principals::Principals::default().principal(&holder, "", ""))
    }

    fn environment(&self) -> String {
        self.config(|config| config.auth.environment.clone()).unwrap_or_default()
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

    fn mcp_servers(&self) -> Vec<McpServerStanding> {
        self.mcp.standings()
    }

    fn mcp_findings(&self) -> Vec<McpFinding> {
        self.mcp.findings()
    }

    fn refresh_mcp_server(&self, name: &str) -> bool {
        self.mcp.ask_again(name)
    }

    fn diff_mcp(&self, kind: &str, before: &str, after: &str) -> McpChanges {
        mcp::changes(kind, before, after)
    }

    fn decide_mcp(&self, decision: McpDecision) -> Answer<'_, Result<bool, StoreError>> {
        Box::pin(async move { self.mcp.decide(&decision).await })
    }

    fn explain_mcp(&self, question: &McpQuestion) -> Result<McpExplanation, PolicyRefusal> {
        self.explain_tool(question)
    }
}

impl House {
    /// Reads file and database, and puts them in force.
    async fn read_and_apply(&self, name: &str) -> Result<u64, String> {
        let stored = self.stored().await.map_err(|error| error.to_string())?;
        let loaded = self.source.load(stored.beside(&stored.declared())).map_err(|failure| failure.to_string())?;
        self.apply(Arc::new(loaded), name).await.map_err(|error| error.to_string())
    }

    /// Whom a presented key or token stands for under the snapshot in force, if it still counts.
    fn entry(&self, presented: &str) -> Result<(Arc<Snapshot>, Arc<KeyEntry>), Fault> {
        let starting = || Fault::new(Code::Draining, "the gateway is starting; try again").retry_after(1);
        let snapshot = self.shared().ok_or_else(starting)?.snapshot.load_full();
        let now = Now(SystemTime::now());
        let entry = identify(&snapshot, &self.presented, presented, now)?;
        entry.permit.standing(now)?;
        if entry.principal.access.is_some() {
            let message =
                "an access token opens the resource it was issued for; here, present a key or a token of its issuer";
            return Err(Fault::new(Code::WrongAudience, message));
        }
        Ok((snapshot, entry))
    }

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
        self.bell.ring(Event::config_refused(text));
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
            mcp_listens: self.mcp.listening() as u64,
            tasks: self.shared().map_or(0, |shared| shared.tasks() as u64),
            breakers: breakers.collect(),
            usage_lost: self.shipped.strays(),
            journal_pending: self.shipped.open(),
            config_generation: generation,
            reloads_accepted,
            reloads_rejected,
            alerts_dropped: self.bell.dropped() + self.shared().map_or(0, |shared| shared.alerts.dropped()),
            requests_dropped: self.records.requests_dropped(),
            refusals_dropped: self.records.refusals_dropped(),
            outbox_dropped: self.outboxes.iter().map(|outbox| outbox.dropped()).sum(),
            draining: self.shared().is_some_and(|shared| shared.is_draining()),
        }
    }
}

fn whoami(snapshot: &Snapshot, entry: &KeyEntry) -> Whoami {
    let who = &entry.principal;
    let names = snapshot.lanes.iter().flat_map(|lane| lane.gateway.resources());
    let standing = gatehouse_policy::standing(entry.meters.iter(), Now(SystemTime::now()));
    let gauge = |gauge: Gauge| Standing {
        limit: gauge.limit,
        remaining: gauge.remaining,
        resets_in_secs: gauge.resets_in_secs,
    };
    Whoami {
        kind: who.kind.as_str(),
        key: who.key.to_string(),
        name: who.name.to_string(),
        organisation: who.organisation.to_string(),
        team: text(who.team.as_ref()),
        user: text(who.user.as_ref()),
        service_account: text(who.service_account.as_ref()),
        agent: text(who.agent.as_ref()),
        act: who.act.iter().map(|actor| format!("{}:{}", actor.kind.as_str(), actor.name)).collect(),
        tags: text(who.tags.as_ref()),
        role: who.role.map(gatehouse_domain::Role::as_str),
        models: names.filter(|name| entry.permit.models.match_name(name)).map(ToString::to_string).collect(),
        requests: standing.requests.map(gauge),
        tokens: standing.tokens.map(gauge),
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
    FileKey {
        id: key.name.to_string(),
        name: key.name.to_string(),
        holder: Holder {
            organisation: text(key.holder.organisation.as_ref()),
            team: text(key.holder.team.as_ref()),
            user: text(key.holder.user.as_ref()),
            service_account: text(key.holder.service_account.as_ref()),
            agent: text(key.holder.agent.as_ref()),
        },
        ip_ranges: key.ip_ranges.iter().map(ToString::to_string).collect(),
        tags: text(key.tags.as_ref()),
        role: key.role.map(gatehouse_domain::Role::as_str),
        mcp_servers: key.mcp_servers.clone(),
        toolsets: key.toolsets.clone(),
        agents: key.agents.clone(),
        models: key.models.clone(),
        limits: raw(&key.terms.limits),
        budgets: raw(&key.terms.budgets),
        expires_unix_ms: key.expires.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()),
    }
}

fn declared_holder(holder: &Holder) -> principals::Holder {
    let name = |name: &Option<String>| name.as_deref().map(Arc::from);
    principals::Holder {
        organisation: name(&holder.organisation),
        team: name(&holder.team),
        user: name(&holder.user),
        service_account: name(&holder.service_account),
        agent: name(&holder.agent),
    }
}

fn text(name: Option<&Arc<str>>) -> Option<String> {
    name.map(ToString::to_string)
}

fn raw(list: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(list).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
