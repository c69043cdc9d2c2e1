//! Counts one record: finds its two kinds of series (the call's and each attempt's) in a cache of ready handles and
//! bumps them. Everything here belongs to the one consumer; the scrape side is in `exposition`.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use gatehouse_domain::{AttemptOutcome, AttemptStatus, CallOutcome, Ran};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::families::{Dollars, Families};
use crate::names;
use crate::vocabulary::{NameId, Vocabulary};

/// Most series of calls, and of attempts, that are kept apart. What comes beyond is counted under "other".
const SERIES: usize = 2_000;

/// The consumer's side of the metrics.
pub(crate) struct Metrics {
    families: Arc<Families>,
    vocabulary: Arc<Vocabulary>,
    calls: HashMap<CallKey, CallSeries>,
    attempts: HashMap<AttemptKey, AttemptSeries>,
    /// Of guardrails, by name and decision. Names are those of the configuration, so there are few.
    decisions: HashMap<(Arc<str>, &'static str), Counter>,
    /// Of guardrails, by dialect and operation.
    looks: HashMap<(&'static str, &'static str), Histogram>,
}

/// What tells the series of two calls apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CallKey {
    dialect: &'static str,
    operation: &'static str,
    model: NameId,
    status: u16,
    fault: Option<&'static str>,
}

struct CallSeries {
    requests: Counter,
    refusals: Option<Counter>,
    duration: Histogram,
    overhead: Histogram,
    first_token: Histogram,
    server_duration: Histogram,
}

/// What tells the series of two attempts apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct AttemptKey {
    dialect: &'static str,
    operation: &'static str,
    provider: NameId,
    model: NameId,
    status: AttemptStatus,
}

struct AttemptSeries {
    attempts: Counter,
    retries: Counter,
    fallbacks: Counter,
    unpriced: Counter,
    estimated: Counter,
    cost: Counter<f64, Dollars>,
    input_tokens: Histogram,
    output_tokens: Histogram,
    duration: Histogram,
    first_chunk: Histogram,
    per_output_token: Histogram,
}

impl Metrics {
    pub(crate) fn new(families: Arc<Families>, vocabulary: Arc<Vocabulary>) -> Self {
        Self {
            families,
            vocabulary,
            calls: HashMap::new(),
            attempts: HashMap::new(),
            decisions: HashMap::new(),
            looks: HashMap::new(),
        }
    }

    /// Another configuration: numbers of names have changed, so the caches start over. The series themselves stay.
    pub(crate) fn learn(&mut self, vocabulary: Arc<Vocabulary>) {
        self.vocabulary = vocabulary;
        self.calls.clear();
        self.attempts.clear();
        self.decisions.clear();
    }

    pub(crate) fn count(&mut self, call: &CallOutcome) {
        let key = CallKey {
            dialect: call.dialect,
            operation: call.operation,
            model: self.vocabulary.id(call.model.as_deref().unwrap_or_default()),
            status: call.status,
            fault: call.fault,
        };
        self.call_series(key).count(call);
        if !call.guardrails.is_empty() {
            self.count_guardrails(call);
        }
        let mut before: Option<&AttemptOutcome> = None;
        for attempt in &call.attempts {
            let key = AttemptKey {
                dialect: attempt.dialect,
                operation: attempt.operation,
                provider: self.vocabulary.id(&attempt.provider),
                model: self.vocabulary.id(&attempt.upstream_model),
                status: attempt.status,
            };
            self.attempt_series(key).count(attempt, before);
            before = Some(attempt);
        }
    }

    fn count_guardrails(&mut self, call: &CallOutcome) {
        for run in &call.guardrails {
            let decision = if run.ran == Ran::Failed || run.findings == 0 { run.ran.as_str() } else { run.action };
            let series = self.decisions.entry((Arc::clone(&run.name), decision));
            series.or_insert_with(|| self.families.guardrail_decisions.with(&[&run.name, decision])).inc();
        }
        let looks = self.looks.entry((call.dialect, call.operation)).or_insert_with(|| {
            let operation = names::operation(call.dialect, call.operation);
            self.families.guardrail_duration.with(&[call.dialect, operation])
        });
        looks.observe(seconds(call.guardrails_us));
    }

    fn call_series(&mut self, key: CallKey) -> &CallSeries {
        let key = if self.calls.len() < SERIES || self.calls.contains_key(&key) {
            key
        } else {
            self.families.series_capped.inc();
            // Status and code are closed lists; only the model can be one of very many.
            CallKey { model: NameId::default(), ..key }
        };
        let (families, vocabulary) = (&self.families, &self.vocabulary);
        self.calls.entry(key).or_insert_with(|| CallSeries::new(key, families, vocabulary))
    }

    fn attempt_series(&mut self, key: AttemptKey) -> &AttemptSeries {
        let key = if self.attempts.len() < SERIES || self.attempts.contains_key(&key) {
            key
        } else {
            self.families.series_capped.inc();
            AttemptKey { provider: NameId::default(), model: NameId::default(), ..key }
        };
        let (families, vocabulary) = (&self.families, &self.vocabulary);
        self.attempts.entry(key).or_insert_with(|| AttemptSeries::new(key, families, vocabulary))
    }
}

impl CallSeries {
    fn new(key: CallKey, families: &Families, vocabulary: &Vocabulary) -> Self {
        let operation = names::operation(key.dialect, key.operation);
        let model = vocabulary.text(key.model);
        let status = key.status.to_string();
        Self {
            requests: families.requests.with(&[key.dialect, operation, model, &status]),
            refusals: key.fault.map(|code| families.refusals.with(&[key.dialect, code])),
            duration: families.request_duration.with(&[key.dialect, operation, model]),
            overhead: families.overhead.with(&[key.dialect, operation]),
            first_token: families.time_to_first_token.with(&[operation, model]),
            server_duration: families.server_duration.with(&[operation, model, key.fault.unwrap_or_default()]),
        }
    }

    fn count(&self, call: &CallOutcome) {
        self.requests.inc();
        if let Some(refusals) = &self.refusals {
            refusals.inc();
        }
        self.duration.observe(seconds(call.duration_us));
        self.overhead.observe(seconds(call.overhead_us));
        self.server_duration.observe(seconds(call.duration_us));
        if call.stream && call.fault.is_none() {
            self.first_token.observe(seconds(call.first_byte_us));
        }
    }
}

impl AttemptSeries {
    fn new(key: AttemptKey, families: &Families, vocabulary: &Vocabulary) -> Self {
        let operation = names::operation(key.dialect, key.operation);
        let (provider, model) = (vocabulary.text(key.provider), vocabulary.text(key.model));
        let kind = vocabulary.provider_kind(provider);
        let error = if key.status == AttemptStatus::Ok { "" } else { key.status.as_str() };
        Self {
            attempts: families.attempts.with(&[provider, model, key.status.as_str()]),
            retries: families.retries.with(&[provider, model]),
            fallbacks: families.fallbacks.with(&[provider, model]),
            unpriced: families.unpriced.with(&[provider, model]),
            estimated: families.estimated.with(&[provider, model]),
            cost: families.cost.with(&[provider, model]),
            input_tokens: families.token_usage.with(&[operation, kind, model, "input"]),
            output_tokens: families.token_usage.with(&[operation, kind, model, "output"]),
            duration: families.operation_duration.with(&[operation, kind, model, error]),
            first_chunk: families.time_to_first_chunk.with(&[operation, kind, model]),
            per_output_token: families.time_per_output_token.with(&[operation, kind, model]),
        }
    }

    fn count(&self, attempt: &AttemptOutcome, before: Option<&AttemptOutcome>) {
        self.attempts.inc();
        match before {
            None => {}
            Some(before) if same_target(before, attempt) => _ = self.retries.inc(),
            Some(_) => _ = self.fallbacks.inc(),
        }
        self.duration.observe(seconds(attempt.duration_us));
        self.cost.inc_by(attempt.cost.usd());
        if attempt.usage.is_empty() {
            return;
        }
        let (input, output) = (attempt.usage.input_total(), attempt.usage.output_total());
        self.input_tokens.observe(tokens(input));
        self.output_tokens.observe(tokens(output));
        if !attempt.priced {
            self.unpriced.inc();
        }
        if attempt.estimated {
            self.estimated.inc();
        }
        if attempt.stream && attempt.first_byte_us > 0 {
            self.first_chunk.observe(seconds(attempt.first_byte_us));
            if output > 1 {
                let streaming = seconds(attempt.duration_us.saturating_sub(attempt.first_byte_us));
                self.per_output_token.observe(streaming / tokens(output - 1));
            }
        }
    }
}

pub(crate) fn same_target(a: &AttemptOutcome, b: &AttemptOutcome) -> bool {
    a.provider == b.provider && a.upstream_model == b.upstream_model
}

#[expect(clippy::cast_precision_loss, reason = "a measurement: beyond 2^53 µs nobody counts single ones")]
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn tokens(count: u64) -> f64 {
    count as f64
}
