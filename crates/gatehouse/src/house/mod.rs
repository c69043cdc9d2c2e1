//! The running gateway: what is in force, how it is replaced, and what operators may ask of it. Start-up and reload take
//! the same way through [`House::apply`].

mod alerts;
mod demo;
mod jwks;
mod key_owners;
mod last_used;
mod lifecycle;
mod limits;
pub(crate) mod mcp;
mod oauth;
mod objects;
mod operations;
mod parts;
mod people;
pub(crate) mod policies;
mod quiet;
mod records;
mod seen;
mod source;
mod tokens;
mod watch;
pub(crate) mod wiring;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use gatehouse_catalog::Loaded;
use gatehouse_domain::{Gateway, Now, TokenGrant};
use gatehouse_llm_gateway::gateway::{BlueprintProblem, LlmGateway};
use gatehouse_mcp_gateway::Blueprint;
use gatehouse_pipeline::identity::Identities;
use gatehouse_pipeline::outbox::Outbox;
use gatehouse_pipeline::{Keeper, Lane, Shared, Snapshot, Token, TokenCache};
use gatehouse_policy::permissions::{Named, Permissions, Thing};
use gatehouse_policy::{Meters, Tree};
use gatehouse_server::admin::Inside;
use gatehouse_server::control::ConfigProblem;
use gatehouse_store::audit::AuditEvent;
use gatehouse_store::journal::Journal;
use gatehouse_store::{Pepper, ShipperStats, Store, StoreError};
use gatehouse_telemetry::{Exposition, Vocabulary};
use gatehouse_upstream::HealthTable;

pub(crate) use lifecycle::{Options, Ready, run};
pub(crate) use objects::secrets_of_file;

use alerts::Bell;
use demo::Demo;
use jwks::Issuers;
use oauth::OwnIssuer;
use records::Records;
use source::Source;
use wiring::KeyRoom;

/// Everything that lives as long as the process.
pub(crate) struct House {
    store: Store,
    keeper: Arc<Keeper>,
    pepper: Pepper,
    journal: Journal,
    shipped: Arc<ShipperStats>,
    health: HealthTable,
    meters: Meters,
    demo: Demo,
    mcp: mcp::Room,
    source: Source,
    exposition: Exposition,
    outboxes: Vec<Arc<Outbox>>,
    records: Arc<Records>,
    bell: Arc<Bell>,
    tokens: Mutex<HashMap<String, Arc<ArcSwapOption<Token>>>>,
    issuers: Issuers,
    own: OwnIssuer,
    /// Bearer tokens that were presented to the admin API.
    presented: TokenCache,
    /// Empty until the first configuration is in force.
    shared: std::sync::OnceLock<Arc<Shared>>,
    /// The admin API, for the gateway's own MCP server. Empty until it is served.
    inside: std::sync::OnceLock<Inside>,
    state: Mutex<State>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    /// From reading what shall be in force to having it in force: what was read first is not put in force last.
    reading: tokio::sync::Mutex<()>,
}

/// What is in force, and what was refused last.
#[derive(Default)]
struct State {
    loaded: Option<Arc<Loaded>>,
    grants: Vec<TokenGrant>,
    permissions: Arc<Permissions>,
    /// What trusted MCP servers say of their tools, as those permissions know it.
    tool_facts: BTreeMap<Named, Thing>,
    vocabulary: Arc<Vocabulary>,
    generation: u64,
    from: String,
    since_unix_ms: u64,
    problem: Option<ConfigProblem>,
    /// How far the objects of the database have been read.
    objects_generation: u64,
    accepted: u64,
    rejected: u64,
}

/// Why a configuration is not put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// It is wrong: every problem as `gatehouse check` prints it.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The keys cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The demo provider cannot be started.
    #[error("the demo provider cannot be started: {0}")]
    Demo(std::io::Error),
}

impl House {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a configuration in force, whole or not at all.
    pub(crate) async fn apply(&self, loaded: Arc<Loaded>, from: &str) -> Result<u64, ApplyError> {
        let _one_at_a_time = self.changing.lock().await;
        let config = &loaded.config;
        let demo = self.demo.address(config).await.map_err(ApplyError::Demo)?;
        let gateway = LlmGateway::build(wiring::blueprint(config, &demo))
            .map_err(|found| ApplyError::Refused(problems(&loaded, &found)))?;
        let tools = Arc::new(mcp::blueprint(config));
        let permissions = self.permissions(&loaded, &tools)?;
        let guardrails =
            crate::guardrails::guardrails(config).map_err(|found| ApplyError::Refused(problems(&loaded, &found)))?;
        let stored = self.store.list_keys().await?;
        let now = Now(SystemTime::now());
        let tree = Arc::new(Tree::new(limits::terms(config, &stored), &self.meters, now));
        let keys = KeyRoom { pepper: &self.pepper, tree: &tree, now }.table(config, &stored);
        if let Err(error) = self.restore(&tree, &keys, now).await {
            // Meters are shared with what is in force: they hold to its terms again.
            let before = self.state().loaded.clone();
            drop(before.map(|before| Tree::new(limits::terms(&before.config, &stored), &self.meters, now)));
            return Err(error.into());
        }
        let grants = gateway.grants().to_vec();
        let vocabulary = Arc::new(seen::vocabulary(config, &gateway, &self.mcp.tool_names()));
        let lane = self.lane(Arc::new(gateway));
        if !self.is_in_force(&loaded) {
            self.mcp.furnish(&loaded, Arc::clone(&tools)).await;
        }
        let generation = {
            let mut state = self.state();
            state.generation += 1;
            state.accepted += 1;
            state.since_unix_ms = Now(SystemTime::now()).unix_ms();
            from.clone_into(&mut state.from);
            state.loaded = Some(Arc::clone(&loaded));
            state.grants = grants;
            state.permissions = Arc::clone(&permissions);
            state.vocabulary = vocabulary;
            state.problem = None;
            state.generation
        };
        let traced = config.telemetry.otlp.is_some();
        let mut issuers = self.issuers.trusted(config);
        let own = self.own.trusted(config).map(|(issuer, own)| {
            issuers.push(issuer);
            own
        });
        let welcome = Some(people::welcome(Arc::clone(&loaded), Arc::clone(&tree)));
        let snapshot = Snapshot {
            generation,
            lanes: vec![lane],
            talks: vec![self.mcp.gate(&loaded, &tools)],
            keys,
            tree,
            permissions,
            identities: Identities { issuers, welcome, own },
            trusted_proxies: config.server.trusted_proxies.clone(),
            guests: config.guests.clone(),
            caps: wiring::caps(config),
            guardrails,
            traced,
        };
        match self.shared.get() {
            Some(shared) => shared.snapshot.store(Arc::new(snapshot)),
            None => {
                let shared = Shared::new(snapshot);
                shared.watch(tokio::runtime::Handle::current().metrics());
                _ = self.shared.set(Arc::new(shared));
            }
        }
        self.mcp.stir();
        self.meters.forget_unused();
        Ok(generation)
    }

    fn is_in_force(&self, loaded: &Arc<Loaded>) -> bool {
        self.state().loaded.as_ref().is_some_and(|known| Arc::ptr_eq(known, loaded))
    }

    /// The policies of a configuration over what trusted servers say of their tools: those in force, and what was decided by
    /// them, if nothing of it has changed.
    fn permissions(&self, loaded: &Arc<Loaded>, tools: &Blueprint) -> Result<Arc<Permissions>, ApplyError> {
        let facts = self.mcp.tool_facts(tools);
        let mut state = self.state();
        let same = state.loaded.as_ref().is_some_and(|known| Arc::ptr_eq(known, loaded));
        if same && state.tool_facts == facts {
            return Ok(Arc::clone(&state.permissions));
        }
        let mut made = if same {
            let directory = crate::policies::directory(&loaded.config);
            Permissions { policies: Arc::clone(&state.permissions.policies), directory }
        } else {
            let refused =
                |_| ApplyError::Refused(crate::policies::problems(loaded).iter().map(ToString::to_string).collect());
            crate::policies::permissions(&loaded.config).map_err(refused)?
        };
        for (tool, said) in &facts {
            made.directory.insert(tool.clone(), said.clone());
        }
        state.tool_facts = facts;
        Ok(Arc::new(made))
    }

    /// Reads the keys of the database again: one was made, rotated or revoked.
    pub(crate) async fn refresh_keys(&self) -> Result<(), ApplyError> {
        let _one_at_a_time = self.reading.lock().await;
        let (loaded, from) = {
            let state = self.state();
            (state.loaded.clone(), state.from.clone())
        };
        let Some(loaded) = loaded else { return Ok(()) };
        self.apply(loaded, &from).await.map(drop)
    }

    /// What MCP servers offer has changed: policies and metrics know of it.
    pub(crate) async fn offers_changed(&self) -> Result<(), ApplyError> {
        self.refresh_keys().await
    }

    fn lane(&self, gateway: Arc<dyn Gateway>) -> Lane {
        let health = gateway.targets().iter().map(|target| self.health.of(&target.label)).collect();
        let mut cells = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens =
            gateway.grants().iter().map(|grant| Arc::clone(cells.entry(grant.name.clone()).or_default())).collect();
        Lane { gateway, health, tokens }
    }

    /// Writes an entry of the gateway's own into the audit log.
    pub(crate) async fn note(&self, event: AuditEvent) {
        let noted = async { self.store.audit()?.append(vec![event]).await };
        if let Err(error) = noted.await {
            tracing::error!(%error, "an entry is missing from the audit log");
        }
    }

    fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.get()
    }
}

/// Problems of the gateway, at their place in the file.
pub(crate) fn problems(loaded: &Loaded, found: &[BlueprintProblem]) -> Vec<String> {
    found
        .iter()
        .map(|problem| loaded.problem_at(&problem.path, &problem.message, problem.hint.clone()).to_string())
        .collect()
}
