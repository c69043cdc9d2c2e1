//! What the admin API needs of the running gateway: the tables, and a handle on what the data plane alone knows.

mod mcp;
pub mod oauth;
mod policies;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use gatehouse_domain::{Fault, Guests, PricedPart, Principal, Secret};
use gatehouse_store::audit::Refusal;
use gatehouse_store::{LedgerEntry, Pepper, Store, StoreError};
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub use mcp::{McpChange, McpChanges, McpDecision, McpExplanation, McpFinding, McpQuestion, McpServerStanding};
pub use policies::{
    DecidingPolicy, PolicyAnswer, PolicyContext, PolicyError, PolicyFile, PolicyPrincipal, PolicyQuestion,
    PolicyRefusal, ReplayChange, ReplayQuestion, ReplayReport,
};

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
    /// May the claim link be used from another machine?
    pub claim_remote: bool,
    /// What the authorization server needs.
    pub oauth: Arc<dyn oauth::OAuthOperations>,
    /// What it signs with.
    pub signing: Arc<crate::oauth::SigningKeys>,
}

/// What the data plane offers to those who operate it. One implementation, in the binary; object-safe, so that the admin
/// API does not know how the gateway is put together.
pub trait Operations: Send + Sync {
    /// `auth.admin_key` of the configuration in force, if there is one.
    fn admin_key(&self) -> Option<Secret>;
    /// The hosts that are this gateway.
    fn guests(&self) -> Guests;
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
    /// Where everybody stands with limits and budgets, by payer.
    fn budgets(&self) -> Vec<BudgetStanding>;
    /// What is in force, and what was refused last.
    fn config_status(&self) -> ConfigStatus;
    /// Reads the configuration again. When the answer is there, the new one is in force, or refused with the old one in
    /// force still.
    fn reload(&self) -> Answer<'_, Reload>;
    /// The keys of the configuration file.
    fn file_keys(&self) -> Vec<FileKey>;
    /// Keys in the database have changed. When the answer is there, the data plane knows.
    fn keys_changed(&self) -> Answer<'_, ()>;
    /// The names of models clients can use; they may end in `*`.
    fn models(&self) -> Vec<String>;
    /// What the policies in force say to a question.
    ///
    /// # Errors
    /// When the question names something that is not there, or is none.
    fn explain_policy(&self, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyRefusal>;
    /// What a new set of policies would have decided otherwise, over the recorded calls between two moments (Unix
    /// milliseconds).
    fn replay_policies(
        &self,
        question: ReplayQuestion,
        since_unix_ms: Option<u64>,
        until_unix_ms: Option<u64>,
    ) -> Answer<'_, Result<ReplayReport, PolicyRefusal>>;
    /// Who a presented key or token stands for, if it is good now, wherever it comes from.
    ///
    /// # Errors
    /// Why it is not: unknown, expired, revoked.
    fn caller(&self, presented: &str) -> Result<Arc<Principal>, Fault>;
    /// The same, if it may be used from there.
    ///
    /// # Errors
    /// Why it is not good, here and now.
    fn caller_from(&self, presented: &str, from: &From<'_>) -> Result<Arc<Principal>, Fault>;
    /// Who a presented key or token stands for, what it may use and where it stands with its limits.
    ///
    /// # Errors
    /// Why it is not good, here and now.
    fn whoami(&self, presented: &str, from: &From<'_>) -> Result<Whoami, Fault>;
    /// Can a key belong to this owner?
    ///
    /// # Errors
    /// Why not, and what to do.
    fn check_holder(&self, holder: &Holder) -> Result<(), WrongHolder>;
    /// Who a key of this owner stands for, by what is declared now.
    fn stands_for(&self, holder: &Holder) -> Principal;
    /// The word minted keys carry.
    fn environment(&self) -> String;
    /// The objects the configuration file declares, secrets masked.
    fn file_objects(&self) -> Vec<FileObject>;
    /// Could the gateway run with exactly these objects of the database beside its file? Secrets are in the clear.
    fn check_objects(&self, objects: Vec<DeclaredObject>) -> Answer<'_, Result<(), Vec<Wrong>>>;
    /// What would be wrong with the configuration that is not wrong now, if a stored secret had this value, or were gone?
    fn check_secret(&self, organisation: &str, name: &str, value: Option<Secret>) -> Answer<'_, Vec<Wrong>>;
    /// Objects or secrets in the database have changed. When the answer is there, they are in force, or refused as a whole.
    fn objects_changed(&self) -> Answer<'_, Reload>;
    /// A request to the admin API was refused: for the audit log, which counts floods instead of listing them.
    fn note_refusal(&self, refusal: Refusal);
    /// What a provider's model costs at a moment.
    fn price(&self, provider: &str, model: &str, at: SystemTime) -> Option<Price>;
    /// The lines of an attempt's invoice by the price list in force; `None` if it has no price.
    fn priced_parts(&self, attempt: &LedgerEntry) -> Option<Vec<PricedPart>>;
    /// How every MCP server stands, by name.
    fn mcp_servers(&self) -> Vec<McpServerStanding>;
    /// What somebody should know of MCP servers, by server.
    fn mcp_findings(&self) -> Vec<McpFinding>;
    /// Asks an MCP server for its lists now; `false` if there is none of that name that is asked for everybody.
    fn refresh_mcp_server(&self, name: &str) -> bool;
    /// What changed between two versions of an item of an MCP server, as they are stored.
    fn diff_mcp(&self, kind: &str, before: &str, after: &str) -> McpChanges;
    /// Writes a decision down and puts it in force; `false` if there is no such version.
    ///
    /// # Errors
    /// When the database fails.
    fn decide_mcp(&self, decision: McpDecision) -> Answer<'_, Result<bool, StoreError>>;
    /// Why a caller sees a tool, or does not.
    ///
    /// # Errors
    /// When the question names something that is not there, or is none.
    fn explain_mcp(&self, question: &McpQuestion) -> Result<McpExplanation, PolicyRefusal>;
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

/// One limit or budget of one payer, and where it stands. Amounts are in what `measure` says.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BudgetStanding {
    /// Unique, and stable while the configuration is: the payer and the number of its limit or budget.
    pub id: String,
    /// What kind of payer: organisation, team, user, service_account, agent, key, model, tag or run.
    pub kind: String,
    /// Its name; of a tag, `name=value`.
    pub payer: String,
    /// `requests`, `tokens`, `concurrent` or `usd`.
    pub measure: String,
    /// The window; absent for calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Whose calendar the window keeps; absent for UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Is the window the time just past?
    pub rolling: bool,
    /// The maximum.
    pub max: f64,
    /// What settled calls have used.
    pub used: f64,
    /// What calls in flight hold.
    pub reserved: f64,
    /// What is left.
    pub remaining: f64,
    /// Unix milliseconds at which all that is used now will be free again; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_at_unix_ms: Option<u64>,
    /// Shares at which to warn.
    pub warn_at: Vec<f64>,
    /// The model calls that do not fit are downgraded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downgrade: Option<String>,
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

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// Who is connected.
    pub peer: IpAddr,
    /// What it, or a proxy, says about the address.
    pub headers: &'a HeaderMap,
}

/// Whom a key belongs to: one of organisation, team, user, service account and agent. Beside another owner, `team` is the one of
/// the owner's teams that pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// An organisation.
    pub organisation: Option<String>,
    /// A team.
    pub team: Option<String>,
    /// A person.
    pub user: Option<String>,
    /// A service account.
    pub service_account: Option<String>,
    /// An agent.
    pub agent: Option<String>,
}

/// Why a key cannot belong to somebody.
#[derive(Clone, Debug)]
pub struct WrongHolder {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// Who somebody is, and what this somebody may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whoami {
    /// `user`, `service_account`, `agent`, `anonymous`, or `admin_key` for the holder of an admin key.
    pub kind: &'static str,
    /// The key's id, or issuer and subject of a token: as logs and usage name the caller.
    pub key: String,
    /// The key's name, or the token's subject.
    pub name: String,
    /// The organisation.
    pub organisation: String,
    /// The team that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Who acts for whom, `kind:name`, the one that acts now first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub act: Vec<String>,
    /// Tags its usage is counted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// What it may do in the admin API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Models it may use.
    pub models: Vec<String>,
    /// The limit on calls that is nearest to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Standing>,
    /// The limit on tokens that is nearest to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Standing>,
}

/// Where somebody stands with a limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Standing {
    /// The most in a window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Seconds until the next window; 0 if there is none.
    pub resets_in_secs: u64,
}

/// A key of the configuration file.
#[derive(Clone, Debug)]
pub struct FileKey {
    /// The public id, as logs and usage name it.
    pub id: String,
    /// Its name in the file.
    pub name: String,
    /// Whom it belongs to.
    pub holder: Holder,
    /// Addresses it may be used from.
    pub ip_ranges: Vec<String>,
    /// Tags its usage is counted under.
    pub tags: Option<String>,
    /// What it may do in the admin API.
    pub role: Option<&'static str>,
    /// MCP servers it may use.
    pub mcp_servers: Vec<String>,
    /// Toolsets it may use.
    pub toolsets: Vec<String>,
    /// Agents it may call.
    pub agents: Vec<String>,
    /// Models it may use.
    pub models: Vec<String>,
    /// Limits as JSON, in the words of the file.
    pub limits: Box<RawValue>,
    /// Budgets likewise.
    pub budgets: Box<RawValue>,
    /// Unix milliseconds from which on it no longer works.
    pub expires_unix_ms: Option<u64>,
}

/// An object of the configuration file.
#[derive(Clone, Debug)]
pub struct FileObject {
    /// Its kind's name: `providers`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The organisation it is about, if only that one and the one that runs the instance may see it.
    pub organisation: Option<Arc<str>>,
    /// Its body, secrets masked.
    pub body: Value,
}

/// An object as the database would declare it.
#[derive(Clone, Debug)]
pub struct DeclaredObject {
    /// Whose it is.
    pub organisation: String,
    /// Its kind's name: `providers`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its body, secrets in the clear.
    pub body: Value,
}

/// One thing that is wrong with a configuration of file and database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Wrong {
    /// The object it is wrong with, as `kind/name`, if it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// JSON pointer into the object's body; empty for the object as a whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
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
