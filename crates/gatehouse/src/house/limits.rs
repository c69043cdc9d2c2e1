//! Limits and budgets at the roof: from configuration and stored keys to the tree, from the ledger into its meters, and out
//! to those who want to see where everybody stands.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_catalog::{Config, Counted, Period as Written, Rule as WrittenRule, Terms as WrittenTerms};
use gatehouse_domain::{Action, Money, Now, On, Payer, PayerKind, Principal, PrincipalKind};
use gatehouse_pipeline::KeyTable;
use gatehouse_policy::{BudgetEvent, Measure, Meter, OnExhaust, OpenWindow, Period, Rule, Stand, Terms, Tree, Window};
use gatehouse_server::control;
use gatehouse_store::{KeyRecord, Span, Spender, Spent, StoreError};

use super::House;
use super::alerts::Event;

/// Everybody who has limits or budgets.
pub(super) fn terms(config: &Config, stored: &[KeyRecord]) -> Vec<(On, Terms)> {
    let one = |kind, name: &Arc<str>, written: &WrittenTerms| {
        (On::One(Payer { kind, name: Arc::clone(name) }), terms_of(written))
    };
    let people = &config.principals;
    let organisations =
        people.organisations.iter().map(|(name, means)| one(PayerKind::Organisation, name, &means.terms));
    let teams = people.teams.iter().map(|(name, team)| one(PayerKind::Team, name, &team.means.terms));
    let users = people.users.iter().map(|(name, user)| one(PayerKind::User, name, &user.means.terms));
    let accounts = people.service_accounts.iter();
    let accounts = accounts.map(|(name, account)| one(PayerKind::ServiceAccount, name, &account.means.terms));
    let agents = people.agents.iter().map(|(name, agent)| one(PayerKind::Agent, name, &agent.means.terms));
    let people = organisations.chain(teams).chain(users).chain(accounts).chain(agents);
    let models = config.models.iter().map(|(name, model)| one(PayerKind::Model, name, &model.terms));
    let servers = config.mcp.servers.iter().map(|(name, server)| one(PayerKind::McpServer, name, &server.terms));
    let keys = config.keys.iter().map(|key| one(PayerKind::Key, &key.name, &key.terms));
    let stored =
        stored.iter().map(|record| (On::One(Payer::new(PayerKind::Key, &*record.key.id)), stored_terms(record)));
    let others = config.limits.iter().map(|(on, written)| (on.clone(), terms_of(written)));
    people.chain(models).chain(servers).chain(keys).chain(stored).chain(others).collect()
}

fn terms_of(written: &WrittenTerms) -> Terms {
    Terms { rules: written.rules.iter().map(rule).collect() }
}

fn rule(written: &WrittenRule) -> Rule {
    let window = window(&written.window);
    let rule = match written.counted {
        Counted::Requests(max) => Rule::requests(max, window),
        Counted::Tokens(max) => Rule::tokens(max, window),
        Counted::Concurrent(max) => Rule::concurrent(max.into()),
        Counted::Money(max) => Rule::money(max, window),
    };
    let rule = rule.warning_at(&written.warn_at);
    match &written.downgrade {
        Some(model) => rule.downgrading_to(Arc::clone(model)),
        None => rule,
    }
}

fn window(written: &gatehouse_catalog::Window) -> Window {
    let period = match written.per {
        Written::Second => Period::Second,
        Written::Minute => Period::Minute,
        Written::Hour => Period::Hour,
        Written::Day => Period::Day,
        Written::Week => Period::Week,
        Written::Month => Period::Month,
        Written::Life => Period::Life,
    };
    if written.rolling { Window::rolling(period) } else { Window::calendar_in(period, written.zone.clone()) }
}

/// Limits and budgets as the database keeps them: JSON in the words of the configuration file. What cannot be read is
/// said and, so that a damaged row never lifts a limit, stands for "nothing at all".
fn stored_terms(record: &KeyRecord) -> Terms {
    let limits = serde_json::from_str(record.key.limits.get());
    let budgets = serde_json::from_str(record.key.budgets.get());
    let read = limits.and_then(|limits| Ok((limits, budgets?))).map_err(|error| error.to_string());
    let read = read.and_then(|(limits, budgets)| WrittenTerms::of(limits, budgets).map_err(|wrong| wrong.to_string()));
    match read {
        Ok(written) => terms_of(&written),
        Err(error) => {
            tracing::error!(key = record.key.id, error, "the limits of a stored key cannot be read; it is held back");
            Terms::closed()
        }
    }
}

/// What was used in each slice of a span, by payer.
type Parts = HashMap<Payer, Vec<Spent>>;

impl House {
    /// Tells meters that begin to count what the ledger knows of their windows: after a start all of them, later those of
    /// new limits and budgets. Rows find their meters the way calls do.
    pub(super) async fn restore(&self, tree: &Tree, keys: &KeyTable, now: Now) -> Result<(), StoreError> {
        let crowds = self.meters.crowds();
        let of_crowds = crowds.iter().flat_map(|(_, crowd)| crowd.open_windows(now));
        let of_named = self.meters.named().into_iter().flat_map(|meter| meter.open_windows(now));
        let spans: HashSet<Span> = of_crowds.chain(of_named).map(|open| span(&open)).collect();
        let callers: HashMap<&str, &Principal> =
            keys.entries().map(|entry| (&*entry.principal.key, &*entry.principal)).collect();
        for wanted in spans {
            let mut parts = Parts::new();
            for (spender, spent) in self.store.spending(wanted).await? {
                let who = caller(&spender, callers.get(&*spender.key).copied());
                let of_call = tree.of_call(asked(&spender), spender.tags.as_deref(), None, now);
                for meter in tree.of_caller(&who, now).iter().chain(&of_call) {
                    parts.entry(meter.payer().clone()).or_default().push(spent);
                }
            }
            if tree.counts_runs() {
                for (run, spent) in self.store.spending_of_runs(wanted).await? {
                    if let Some(meter) = tree.of_run(&run, now) {
                        parts.entry(meter.payer().clone()).or_default().push(spent);
                    }
                }
            }
            for meter in self.meters.all() {
                let spent = parts.get(meter.payer()).map_or(&[][..], Vec::as_slice);
                for open in meter.open_windows(now).iter().filter(|open| span(open) == wanted) {
                    meter.restore(open, &amounts(open.measure, spent));
                }
            }
        }
        Ok(())
    }

    /// Where everybody stands.
    pub(super) fn stands(&self) -> Vec<control::BudgetStanding> {
        let now = Now(SystemTime::now());
        self.meters.all().iter().flat_map(|meter| standings(meter, now)).collect()
    }

    /// Says thresholds that were reached in the log of diagnostics, and to those who want to be told.
    pub(super) fn say_alerts(&self) {
        let Some(shared) = self.shared() else { return };
        for event in shared.alerts.take() {
            self.bell.ring(Event::threshold(&event));
            let BudgetEvent { payer, measure, window, share, max, used, .. } = event;
            let (measure, per, share) = (measure.as_str(), window.to_string(), share.fraction());
            tracing::warn!(%payer, measure, per, share, max, used, "a threshold of a limit or budget is reached");
        }
    }
}

/// Where one payer stands.
pub(super) fn standings(meter: &Meter, now: Now) -> Vec<control::BudgetStanding> {
    let stands = meter.stands(now).into_iter().enumerate();
    stands.map(|(n, stand)| shown(meter.payer(), n, stand)).collect()
}

fn span(open: &OpenWindow) -> Span {
    Span { since_unix_ms: open.start_unix_ms, until_unix_ms: open.until_unix_ms, slice_ms: open.slice_ms }
}

/// What a row of the ledger was asked for.
fn asked(spender: &Spender) -> (Action, &str) {
    let action = match (&*spender.dialect, &*spender.operation) {
        ("mcp", "tools/call") => Action::CallTool,
        ("mcp", "prompts/get") => Action::GetPrompt,
        ("mcp", _) => Action::ReadResource,
        _ => Action::CallModel,
    };
    (action, &spender.model)
}

/// A caller as the ledger remembers it. What only the key knows, such as the name of a service account, comes from the key.
fn caller(spender: &Spender, key: Option<&Principal>) -> Principal {
    let kind = match (&spender.agent, &spender.user) {
        _ if key.is_some_and(|key| key.kind != PrincipalKind::Anonymous) => {
            key.map_or(PrincipalKind::Service, |key| key.kind)
        }
        (Some(_), _) => PrincipalKind::Agent,
        (None, Some(_)) => PrincipalKind::User,
        (None, None) => PrincipalKind::Anonymous,
    };
    let name = key.map_or(&spender.key, |key| &key.name);
    Principal {
        organisation: Arc::clone(&spender.organisation),
        team: spender.team.clone(),
        user: spender.user.clone(),
        agent: spender.agent.clone(),
        service_account: key.and_then(|key| key.service_account.clone()),
        tags: spender.tags.clone(),
        ..Principal::bare(kind, Arc::clone(&spender.key), Arc::clone(name))
    }
}

fn amounts(measure: Measure, spent: &[Spent]) -> Vec<(u64, i64)> {
    let amount = |spent: &Spent| match measure {
        Measure::Requests => i64::try_from(spent.calls).unwrap_or(i64::MAX),
        Measure::Tokens => i64::try_from(spent.tokens).unwrap_or(i64::MAX),
        Measure::Money => spent.cost.nano_usd,
        Measure::Concurrent => 0,
    };
    spent.iter().map(|spent| (spent.slice_unix_ms, amount(spent))).collect()
}

fn shown(payer: &Payer, n: usize, stand: Stand) -> control::BudgetStanding {
    let Rule { measure, max, window, warn_at, on_exhaust } = stand.rule;
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    let amount = |amount: i64| match measure {
        Measure::Money => Money::from_nano_usd(amount).usd(),
        _ => amount as f64,
    };
    control::BudgetStanding {
        id: format!("{payer}/{n}"),
        kind: payer.kind.as_str().to_owned(),
        payer: payer.name.to_string(),
        measure: measure.as_str().to_owned(),
        per: (measure != Measure::Concurrent).then(|| window.period().as_str().to_owned()),
        zone: window.zone().filter(|zone| *zone != "UTC").map(str::to_owned),
        rolling: window.is_rolling(),
        max: amount(max),
        used: amount(stand.used),
        reserved: amount(stand.held),
        remaining: amount(max.saturating_sub(stand.used).saturating_sub(stand.held).max(0)),
        whole_at_unix_ms: stand.whole_at_unix_ms,
        warn_at: warn_at.iter().map(|share| share.fraction()).collect(),
        downgrade: match on_exhaust {
            OnExhaust::Refuse => None,
            OnExhaust::Downgrade(model) => Some(model.to_string()),
        },
    }
}
