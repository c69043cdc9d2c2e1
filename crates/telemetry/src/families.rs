//! The metric families, registered once under the names of `names`, and the text a scrape gets.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric as Registrable, Registry};
use std::sync::atomic::AtomicU64;

use crate::names::{self, Metric};

/// How a sum of dollars is kept: the bits of an `f64`.
pub(crate) type Dollars = AtomicU64;

type LabelSet = Vec<(&'static str, String)>;

/// A family together with its labels' names.
#[derive(Clone, Debug)]
pub(crate) struct Labelled<M, C = fn() -> M> {
    family: Family<LabelSet, M, C>,
    labels: &'static [&'static str],
}

impl<M: Clone> Labelled<M> {
    /// The series with these label values, made if it is new. Empty values are left out, as OpenMetrics has it.
    pub(crate) fn with(&self, values: &[&str]) -> M {
        let labels = self.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
        self.family.get_or_create_owned(&labels.map(|(label, value)| (*label, (*value).to_owned())).collect())
    }

    /// Forgets every series: those of a gauge are written anew at each scrape.
    pub(crate) fn clear(&self) {
        self.family.clear();
    }
}

/// Every family. Those of calls and attempts are filled by the consumer, the rest at each scrape.
#[derive(Debug)]
pub(crate) struct Families {
    registry: Registry,
    pub(crate) requests: Labelled<Counter>,
    pub(crate) request_duration: Labelled<Histogram>,
    pub(crate) overhead: Labelled<Histogram>,
    pub(crate) refusals: Labelled<Counter>,
    pub(crate) guardrail_decisions: Labelled<Counter>,
    pub(crate) guardrail_duration: Labelled<Histogram>,
    pub(crate) attempts: Labelled<Counter>,
    pub(crate) retries: Labelled<Counter>,
    pub(crate) fallbacks: Labelled<Counter>,
    pub(crate) cost: Labelled<Counter<f64, Dollars>>,
    pub(crate) unpriced: Labelled<Counter>,
    pub(crate) estimated: Labelled<Counter>,
    pub(crate) token_usage: Labelled<Histogram>,
    pub(crate) operation_duration: Labelled<Histogram>,
    pub(crate) time_to_first_chunk: Labelled<Histogram>,
    pub(crate) time_per_output_token: Labelled<Histogram>,
    pub(crate) time_to_first_token: Labelled<Histogram>,
    pub(crate) server_duration: Labelled<Histogram>,
    pub(crate) inflight: Gauge,
    pub(crate) mcp_listens: Gauge,
    pub(crate) breaker_state: Labelled<Gauge>,
    pub(crate) usage_lost: Counter,
    pub(crate) journal_pending: Gauge,
    pub(crate) config_generation: Gauge,
    pub(crate) config_reloads: Labelled<Counter>,
    pub(crate) draining: Gauge,
    pub(crate) telemetry_dropped: Labelled<Counter>,
    pub(crate) series_capped: Counter,
    pub(crate) process_memory: Gauge,
    pub(crate) process_fds: Gauge,
    pub(crate) process_threads: Gauge,
    pub(crate) tasks: Gauge,
}

impl Families {
    pub(crate) fn new(version: &str) -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        let this = Self {
            requests: family(r, names::REQUESTS),
            request_duration: histogram(r, names::REQUEST_DURATION, call_seconds),
            overhead: histogram(r, names::OVERHEAD, overhead_seconds),
            refusals: family(r, names::REFUSALS),
            guardrail_decisions: family(r, names::GUARDRAIL_DECISIONS),
            guardrail_duration: histogram(r, names::GUARDRAIL_DURATION, overhead_seconds),
            attempts: family(r, names::ATTEMPTS),
            retries: family(r, names::RETRIES),
            fallbacks: family(r, names::FALLBACKS),
            cost: family(r, names::COST),
            unpriced: family(r, names::UNPRICED),
            estimated: family(r, names::ESTIMATED),
            token_usage: histogram(r, names::TOKEN_USAGE, token_counts),
            operation_duration: histogram(r, names::OPERATION_DURATION, call_seconds),
            time_to_first_chunk: histogram(r, names::TIME_TO_FIRST_CHUNK, call_seconds),
            time_per_output_token: histogram(r, names::TIME_PER_OUTPUT_TOKEN, token_seconds),
            time_to_first_token: histogram(r, names::TIME_TO_FIRST_TOKEN, first_token_seconds),
            server_duration: histogram(r, names::SERVER_DURATION, call_seconds),
            inflight: single(r, names::INFLIGHT),
            mcp_listens: single(r, names::MCP_LISTENS),
            breaker_state: family(r, names::BREAKER_STATE),
            usage_lost: single(r, names::USAGE_LOST),
            journal_pending: single(r, names::JOURNAL_PENDING),
            config_generation: single(r, names::CONFIG_GENERATION),
            config_reloads: family(r, names::CONFIG_RELOADS),
            draining: single(r, names::DRAINING),
            telemetry_dropped: family(r, names::TELEMETRY_DROPPED),
            series_capped: single(r, names::SERIES_CAPPED),
            process_memory: single(r, names::PROCESS_MEMORY),
            process_fds: single(r, names::PROCESS_FDS),
            process_threads: single(r, names::PROCESS_THREADS),
            tasks: single(r, names::TASKS),
            registry: Registry::default(),
        };
        family::<Gauge>(&mut registry, names::BUILD_INFO).with(&[version]).set(1);
        Self { registry, ..this }
    }

    /// The whole text. Writing to a `String` cannot fail, so an error could only come from a label that refuses.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::from("# EOF\n"),
        }
    }
}

fn single<M: Registrable + Clone + Default>(registry: &mut Registry, metric: Metric) -> M {
    let made = M::default();
    registry.register(base(metric), metric.help, made.clone());
    made
}

fn family<M>(registry: &mut Registry, metric: Metric) -> Labelled<M>
where
    M: Default + Clone,
    Family<LabelSet, M, fn() -> M>: Registrable,
{
    labelled(registry, metric, M::default)
}

fn histogram(registry: &mut Registry, metric: Metric, make: fn() -> Histogram) -> Labelled<Histogram> {
    labelled(registry, metric, make)
}

fn labelled<M: Clone>(registry: &mut Registry, metric: Metric, make: fn() -> M) -> Labelled<M>
where
    Family<LabelSet, M, fn() -> M>: Registrable,
{
    let family = Family::new_with_constructor(make);
    registry.register(base(metric), metric.help, family.clone());
    Labelled { family, labels: metric.labels }
}

/// The encoder appends `_total` to counters itself.
fn base(metric: Metric) -> &'static str {
    metric.name.strip_suffix("_total").unwrap_or(metric.name)
}

// Buckets: those the conventions recommend, where they do.

fn call_seconds() -> Histogram {
    Histogram::new([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92])
}
fn first_token_seconds() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])
}
fn token_seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5])
}
fn overhead_seconds() -> Histogram {
    Histogram::new([
        0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0,
    ])
}
fn token_counts() -> Histogram {
    Histogram::new((0..14).map(|power| f64::from(1 << (2 * power))))
}
