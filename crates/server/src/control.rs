//! What the admin API needs of the running gateway: the tables, and a handle on what the data plane alone knows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{PricedPart, Secret};
use gatehouse_store::audit::Refusal;
use gatehouse_store::{LedgerEntry, Pepper, Store};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An answer that takes a moment.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything the router needs. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    /// Every table.
    pub store: Store,
    /// What keys are hashed with.
    pub pepper: Pepper,
    /// The running gateway.
    pub operations: Arc<dyn Operations>,
}

/// What the data plane offers to those who operate it. One implementation, in the binary; object-safe, so that the admin
/// API does not know how the gateway is put together.
pub trait Operations: Send + Sync {
    /// `auth.admin_key` of the configuration in force, if there is one.
    fn admin_key(&self) -> Option<Secret>;
    /// May traffic come?
    fn readiness(&self) -> Readiness;
    /// The text of `/metrics` and its content type.
    fn metrics(&self) -> (String, &'static str);
    /// Every target's breaker.
    fn breakers(&self) -> Vec<Breaker>;
    /// Closes the breaker of a target; `false` if there is no such target.
    fn reset_breaker(&self, target: &str) -> bool;
    /// Closes every breaker and says how many were not closed.
    fn reset_breakers(&self) -> usize;
    /// What is in force, and what was refused last.
    fn config_status(&self) -> ConfigStatus;
    /// Reads the configuration again. When the answer is there, the new one is in force, or refused with the old one in
    /// force still.
    fn reload(&self) -> Answer<'_, Reload>;
    /// The keys of the configuration file.
    fn file_keys(&self) -> Vec<FileKey>;
    /// Keys in the database have changed. When the answer is there, the data plane knows.
    fn keys_changed(&self) -> Answer<'_, ()>;
    /// The models clients can name.
    fn models(&self) -> Vec<Model>;
    /// The configured providers.
    fn providers(&self) -> Vec<Provider>;
    /// A request to the admin API was refused: for the audit log, which counts floods instead of listing them.
    fn note_refusal(&self, refusal: Refusal);
    /// What a provider's model costs at a moment.
    fn price(&self, provider: &str, model: &str, at: SystemTime) -> Option<Price>;
    /// The lines of an attempt's invoice by the price list in force; `None` if it has no price.
    fn priced_parts(&self, attempt: &LedgerEntry) -> Option<Vec<PricedPart>>;
}

/// Where an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The configuration file: read-only here.
    File,
    /// The API or the console.
    Database,
}

/// May traffic come, and if not, why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it may.
    pub ready: bool,
    /// Every reason against it: `draining`, `no_config`, `journal_unavailable`.
    pub reasons: Vec<NotReady>,
    /// Number of the configuration in force.
    pub generation: u64,
}

/// A reason not to send traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotReady {
    /// Shutdown has begun.
    Draining,
    /// No configuration has been accepted yet.
    NoConfig,
    /// The usage journal takes no records, so nothing that costs money may start.
    JournalUnavailable,
}

/// The breaker of one target.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Breaker {
    /// `provider/model`.
    pub target: String,
    /// `closed`, `half_open`, `open` or `cooling_down`.
    pub state: BreakerState,
    /// Milliseconds until the next call is let through, where calls are held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in_ms: Option<u64>,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Lets one through to see.
    HalfOpen,
    /// Holds them back.
    Open,
    /// Holds them back because the provider asked for a pause.
    CoolingDown,
}

/// What is in force, and what was refused last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigStatus {
    /// Grows by one with each accepted change.
    pub generation: u64,
    /// Where it comes from: the file's path, `defaults`, or `last_good` after a start with a broken file.
    pub source: String,
    /// Unix milliseconds since when it is in force.
    pub since_unix_ms: u64,
    /// Why the last change was refused, if nothing has been accepted since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<ConfigProblem>,
}

/// A change that was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigProblem {
    /// Unix milliseconds of the refusal.
    pub at_unix_ms: u64,
    /// Each problem as `gatehouse check` prints it: line, column, what, and what was perhaps meant.
    pub problems: Vec<String>,
}

/// What came of a reload.
#[derive(Clone, Debug)]
pub enum Reload {
    /// It is in force.
    Accepted(ConfigStatus),
    /// It is not; the one before is.
    Refused(ConfigProblem),
}

/// A key of the configuration file.
#[derive(Clone, Debug)]
pub struct FileKey {
    /// The public id, as logs and usage name it.
    pub id: String,
    /// Its name in the file.
    pub name: String,
    /// The team that pays.
    pub team: Option<String>,
    /// Models it may use.
    pub models: Vec<String>,
    /// Limits as JSON, in the words of the file.
    pub limits: Box<RawValue>,
    /// Budgets likewise.
    pub budgets: Box<RawValue>,
    /// Unix milliseconds from which on it no longer works.
    pub expires_unix_ms: Option<u64>,
}

/// A model as clients name it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Model {
    /// The name.
    pub name: String,
    /// How a target is chosen.
    pub strategy: String,
    /// The targets, in the order written.
    pub targets: Vec<ModelTarget>,
    /// Models tried after all targets have failed.
    pub fallbacks: Vec<String>,
    /// Where it comes from.
    pub source: Source,
}

/// One target of a model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelTarget {
    /// The provider's name.
    pub provider: String,
    /// The provider's model.
    pub model: String,
    /// Share among the targets, where the strategy weighs.
    pub weight: u32,
}

/// A provider. Its credentials are never shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Provider {
    /// The name.
    pub name: String,
    /// What it is: `openai`, `anthropic`, …
    pub kind: String,
    /// Where requests go: scheme, host and port.
    pub address: String,
    /// Are credentials configured?
    pub credentials: bool,
    /// Where it comes from.
    pub source: Source,
}

/// What a provider's model costs, in USD per million tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Price {
    /// The provider.
    pub provider: String,
    /// The provider's model.
    pub model: String,
    /// Fresh input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from the provider's cache.
    pub cache_read: f64,
    /// Input written to it.
    pub cache_write: f64,
    /// Where the price comes from: `override` in the configuration or the `list` that is built in.
    pub from: String,
}
