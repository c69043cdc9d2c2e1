//! Limits and budgets: amounts, windows, zones, thresholds and whom they are for. The admin API asks the same checks.

use std::sync::Arc;

use gatehouse_domain::{Money, On, Payer, PayerKind, tags};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::mcp::Servers;
use super::names::PlainNames;
use crate::check::{Check, nth};
use crate::config::{Counted, Rule, Terms, Window};
use crate::pattern::Names;
use crate::written::{self, Budget, Limit, LimitsOn, OnExhaust, OnNamed, OnWritten, Period};

/// More than this in a budget is a slip of the finger.
const USD_MAX: f64 = 1e9;
/// Thresholds of one limit or budget.
const THRESHOLDS_MAX: usize = 8;

/// What is wrong with a limit or budget, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({hint})")]
pub struct WrongTerms {
    /// The key it is about: `usd`, `warn_at`; empty for the whole of it.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

fn wrong(field: &'static str, message: impl Into<String>, hint: impl Into<String>) -> WrongTerms {
    WrongTerms { field, message: message.into(), hint: hint.into() }
}

impl Terms {
    /// Terms out of limits and budgets as written, in a file, the admin API or the database.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn of(limits: Vec<Limit>, budgets: Vec<Budget>) -> Result<Self, WrongTerms> {
        let rules = limits.iter().map(Limit::rule).chain(budgets.iter().map(Budget::rule));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { limits, budgets, rules })
    }

    /// The models calls are downgraded to.
    pub fn downgrades(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| rule.downgrade.as_deref())
    }
}

impl Limit {
    fn rule(&self) -> Result<Rule, WrongTerms> {
        let form = "write {requests: 600, per: minute}, {tokens: 200000, per: minute} or {concurrent: 50}";
        let counted = match (self.requests, self.tokens, self.concurrent) {
            (Some(max), None, None) => Counted::Requests(max),
            (None, Some(max), None) => Counted::Tokens(max),
            (None, None, Some(max)) => Counted::Concurrent(max),
            _ => return Err(wrong("", "a limit is exactly one of requests, tokens and concurrent", form)),
        };
        if matches!(counted, Counted::Requests(0) | Counted::Tokens(0) | Counted::Concurrent(0)) {
            return Err(wrong("", "0 would refuse every call", "remove the key, or let it expire"));
        }
        let concurrent = matches!(counted, Counted::Concurrent(_));
        let per = match (concurrent, self.per) {
            (true, None) => Period::Life,
            (true, Some(_)) => return Err(wrong("per", "`concurrent` has no window", "remove `per`")),
            (false, Some(per)) => per,
            (false, None) => return Err(wrong("", "`per` is missing", "add `per: minute`")),
        };
        if concurrent && (self.rolling || self.zone.is_some() || !self.warn_at.is_empty()) {
            return Err(wrong("", "`concurrent` has no window and no thresholds", "keep `concurrent` alone"));
        }
        let window = window(per, self.zone.as_deref(), self.rolling)?;
        rule(counted, window, &self.warn_at, self.on_exhaust.as_ref())
    }
}

impl Budget {
    fn rule(&self) -> Result<Rule, WrongTerms> {
        // This way not-a-number is refused too.
        if !(self.usd > 0.0 && self.usd <= USD_MAX) {
            let message = format!("{} is not an amount of more than 0 and at most {USD_MAX} USD", self.usd);
            return Err(wrong("usd", message, "to let nothing pass, remove the key or the model"));
        }
        let window = window(self.per, self.zone.as_deref(), self.rolling)?;
        rule(Counted::Money(Money::from_usd(self.usd)), window, &self.warn_at, self.on_exhaust.as_ref())
    }
}

fn window(per: Period, zone: Option<&str>, rolling: bool) -> Result<Window, WrongTerms> {
    if rolling && zone.is_some() {
        return Err(wrong("zone", "a rolling window keeps no calendar", "remove `zone` or `rolling`"));
    }
    if rolling && per == Period::Life {
        return Err(wrong("rolling", "`life` does not roll", "remove `rolling`"));
    }
    let zone = match zone {
        None => TimeZone::UTC,
        Some(name) => TimeZoneDatabase::bundled().get(name).map_err(|_| {
            let hint = near_zone(name).map_or_else(
                || "write a name of the IANA list, as Europe/Berlin or America/New_York".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            wrong("zone", format!("there is no time zone `{name}`"), hint)
        })?,
    };
    Ok(Window { per, zone, rolling })
}

/// The zone somebody may have meant: one that ends in the same city, or the most alike.
fn near_zone(name: &str) -> Option<String> {
    let database = TimeZoneDatabase::bundled();
    let likeness = |known: &str| {
        let city = known.rsplit('/').next().unwrap_or(known);
        let [name, known, city] = [name, known, city].map(str::to_lowercase);
        strsim::jaro_winkler(&name, &known).max(strsim::jaro_winkler(&name, &city))
    };
    let ranked = database.available().map(|known| (likeness(known.as_str()), known.as_str().to_owned()));
    ranked.filter(|(likeness, _)| *likeness >= 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

fn rule(counted: Counted, window: Window, warn_at: &[f64], on_exhaust: Option<&OnExhaust>) -> Result<Rule, WrongTerms> {
    if let Some(share) = warn_at.iter().find(|share| !(0.001..=1.0).contains(*share)) {
        let hint = if (1.0..=100.0).contains(share) {
            format!("shares, not percent: write {}", share / 100.0)
        } else {
            "write shares as 0.8".to_owned()
        };
        return Err(wrong("warn_at", format!("{share} is not a share from 0.001 to 1"), hint));
    }
    if warn_at.len() > THRESHOLDS_MAX {
        let message = format!("{} thresholds are more than {THRESHOLDS_MAX}", warn_at.len());
        return Err(wrong("warn_at", message, "keep those somebody will act on"));
    }
    let downgrade = match on_exhaust {
        Some(OnExhaust::Downgrade(written::Downgrade { downgrade })) => Some(Arc::from(downgrade.as_str())),
        Some(OnExhaust::Word(_)) | None => None,
    };
    let mut warn_at = warn_at.to_vec();
    warn_at.sort_by(f64::total_cmp);
    warn_at.dedup();
    Ok(Rule { counted, window, warn_at, downgrade })
}

type Models<'a> = Names<'a, written::Model>;

/// Terms at a place of the file. Wrong ones are reported and left out.
pub(super) fn terms(
    path: &str,
    limits: Vec<Limit>,
    budgets: Vec<Budget>,
    models: &Models<'_>,
    check: &mut Check,
) -> Terms {
    let mut rules = Vec::new();
    let places = (0..limits.len()).map(|n| nth(&format!("{path}.limits"), n));
    let places: Vec<_> = places.chain((0..budgets.len()).map(|n| nth(&format!("{path}.budgets"), n))).collect();
    let found = limits.iter().map(Limit::rule).chain(budgets.iter().map(Budget::rule));
    for (place, found) in places.iter().zip(found) {
        match found {
            Ok(rule) => rules.extend(downgrades(place, rule, models, check)),
            Err(WrongTerms { field, message, hint }) => {
                let place = if field.is_empty() { place.clone() } else { format!("{place}.{field}") };
                check.error_at(&place, message, Some(hint));
            }
        }
    }
    Terms { limits, budgets, rules }
}

/// The rule, if there is such a model as it downgrades to.
fn downgrades(place: &str, rule: Rule, models: &Models<'_>, check: &mut Check) -> Option<Rule> {
    let Some(model) = &rule.downgrade else { return Some(rule) };
    // A model that is written, but wrong, was reported where it stands.
    if models.serving(model).is_some() || check.positions.has(&format!("models.{model}")) {
        return Some(rule);
    }
    let hint = check.near(model, models.all());
    check.error_at(&format!("{place}.on_exhaust.downgrade"), format!("there is no model `{model}`"), hint);
    None
}

/// The section `limits`.
pub(super) fn all(
    written: Vec<LimitsOn>,
    models: &Models<'_>,
    servers: &Servers,
    check: &mut Check,
) -> Vec<(On, Terms)> {
    let mut resolved = Vec::with_capacity(written.len());
    let mut names = PlainNames::of("limits");
    for (n, entry) in written.into_iter().enumerate() {
        let path = nth("limits", n);
        if let Some(name) = &entry.name {
            names.take(n, name, check);
        }
        if entry.limits.is_empty() && entry.budgets.is_empty() {
            let hint = "add `limits: [{requests: 600, per: minute}]` or `budgets: [{usd: 10, per: day}]`".to_owned();
            check.error_at(&path, "neither limits nor budgets", Some(hint));
        }
        let terms = terms(&path, entry.limits, entry.budgets, models, check);
        match on(&entry.on) {
            Ok(on) => {
                known(&path, &on, &terms, models, servers, check);
                resolved.push((on, terms));
            }
            Err((message, hint)) => check.error_at(&format!("{path}.on"), message, Some(hint)),
        }
    }
    resolved
}

/// Is there such a model, server or tool?
fn known(path: &str, on: &On, terms: &Terms, models: &Models<'_>, servers: &Servers, check: &mut Check) {
    let On::One(Payer { kind, name }) = on else { return };
    match kind {
        PayerKind::Model if !models.meets(name) && !check.positions.has(&format!("models.{name}")) => {
            let hint = check.near(name, models.all());
            check.error_at(&format!("{path}.on.model"), format!("there is no model `{name}`"), hint);
        }
        PayerKind::McpServer => {
            servers.server(&format!("{path}.on.mcp_server"), name, check);
            of_tools(path, terms, check);
        }
        PayerKind::Tool => {
            servers.tool(&format!("{path}.on.tool"), name, check);
            of_tools(path, terms, check);
        }
        _ => {}
    }
}

/// Limits of tools count no tokens, and no model answers in the place of a tool.
pub(super) fn of_tools(path: &str, terms: &Terms, check: &mut Check) {
    let of_tokens = terms.limits.iter().enumerate().filter(|(_, limit)| limit.tokens.is_some());
    for (n, _) in of_tokens {
        let hint = "count `requests`, or money with a budget".to_owned();
        check.error_at(&nth(&format!("{path}.limits"), n), "calls of tools have no tokens", Some(hint));
    }
    if terms.downgrades().next().is_some() {
        let hint = "remove `on_exhaust`".to_owned();
        check.error_at(path, "a call of a tool cannot be downgraded to a model", Some(hint));
    }
}

fn on(written: &OnWritten) -> Result<On, (String, String)> {
    let OnWritten::Named(named) = written else { return Ok(On::Each(PayerKind::Run)) };
    let OnNamed { organisation, team, user, service_account, agent, key, model, mcp_server, tool, tag } = &**named;
    let kinds = [
        (PayerKind::Organisation, organisation),
        (PayerKind::Team, team),
        (PayerKind::User, user),
        (PayerKind::ServiceAccount, service_account),
        (PayerKind::Agent, agent),
        (PayerKind::Key, key),
        (PayerKind::Model, model),
        (PayerKind::McpServer, mcp_server),
        (PayerKind::Tool, tool),
        (PayerKind::Tag, tag),
    ];
    let mut said = kinds.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
    let form = || "write `on: run`, or one kind as {team: support}, {user: \"*\"} or {tag: env=prod}".to_owned();
    let (Some((kind, name)), None) = (said.next(), said.next()) else {
        return Err(("exactly one kind is needed".to_owned(), form()));
    };
    match (kind, name) {
        (_, "") => Err(("the name is empty".to_owned(), form())),
        (PayerKind::Tag, text) => tag_of(text),
        // All models together is a pattern like any other; each model is what `models` is for. Tools likewise.
        (PayerKind::Model | PayerKind::Tool, name) => Ok(On::One(Payer::new(kind, name))),
        (kind, "*") => Ok(On::Each(kind)),
        (kind, name) => Ok(On::One(Payer::new(kind, name))),
    }
}

fn tag_of(text: &str) -> Result<On, (String, String)> {
    if let Some(name) = text.strip_suffix("=*") {
        // A value stands in, so that the name is held against the rules of tags.
        return match tags([format!("{name}=x").as_str()]) {
            Some(Some(_)) if !name.contains(',') => Ok(On::EachTag(name.into())),
            _ => Err(no_tag(text)),
        };
    }
    match tags([text]) {
        Some(Some(tag)) if !text.contains(',') => Ok(On::One(Payer::new(PayerKind::Tag, tag))),
        _ => Err(no_tag(text)),
    }
}

fn no_tag(text: &str) -> (String, String) {
    let hint = "write `env=prod`, or `customer=*` for each value: letters, digits and `._-/:`";
    (format!("`{text}` is not a tag"), hint.to_owned())
}
