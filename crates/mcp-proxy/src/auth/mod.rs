//! What MCP servers are shown of who calls: tokens that were issued to this gateway for that server, per person where the server
//! wants it so. The caller's own bearer token never goes to a server; at most it is exchanged for another one.
//!
//! - `fetch`: the one guarded way to ask others.
//! - `discover`: who issues tokens for a server.
//! - `clients`: as whom the gateway comes to an issuer.
//! - `keep`: pairs of tokens at rest; `slots`: tokens in hand.
//! - `per_user`, `refresh`: tokens of people, and the next ones, once across all replicas.
//! - `machine`: tokens nobody has to be asked for.
//! - `give_back`: what becomes of tokens of a connection that is removed.
//! - `consent`: how a person agrees. The pages are the server crate's.

mod clients;
mod consent;
mod discover;
mod fetch;
mod give_back;
mod keep;
mod machine;
mod owner;
mod per_user;
mod refresh;
mod slots;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::{Code, Fault, Now, Principal, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, OAuthClient, Server};
use gatehouse_mcp_gateway::seal::Sealer;
use gatehouse_oauth::client::{DOCUMENT_PATH, client_document};
use gatehouse_store::vault::Vault;
use gatehouse_store::{McpConnection, McpConnectionState, Store, StoreError};
use gatehouse_upstream::{Egress, Tls};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use self::clients::{Clients, Face};
use self::discover::{Finder, trouble};
use self::fetch::Fetcher;
use self::keep::Keeper;
use self::machine::Credential;
pub(crate) use self::owner::owner;
use self::per_user::Use;
use self::slots::{SlotKey, Slots};
use crate::link::{Challenge, Doing, Failure, TokenSource};

/// Where authorization servers send people back to.
const CALLBACK_PATH: &str = "/oauth/callback";
/// How often other replicas' changes are looked for, and tokens that end soon.
const LOOK: Duration = Duration::from_secs(10);
/// Refreshes at once in the background.
const REFRESHES: usize = 8;
/// Callers whose own tokens are remembered.
const SUBJECTS_MAX: usize = 10_000;
/// Connections announced and not yet heard of.
const NEWS: usize = 64;

/// What tokens are made with.
pub struct Tools {
    /// The tables.
    pub store: Store,
    /// What tokens are sealed by at rest.
    pub vault: Vault,
    /// What links to pages are sealed by.
    pub sealer: Sealer,
    /// How issuers are reached.
    pub tls: Tls,
}

/// What the configuration in force says.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Where people find this gateway, without a slash at the end.
    pub public_url: Arc<str>,
    /// Where issuers find the document that says who the gateway is, if not at its place below `public_url`.
    pub document_url: Option<Arc<str>>,
    /// The servers, and where their addresses may lead.
    pub servers: Vec<(Arc<Server>, Egress)>,
}

/// Somebody has agreed that a server is used in their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The server.
    pub server: Arc<str>,
    /// The person's organisation.
    pub organisation: Arc<str>,
    /// Whose connection it is: `user/alice`, `key/01J…`.
    pub owner: Arc<str>,
}

/// Where links get the tokens they show. One for the whole process; cheap to clone, used from every core.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    keeper: Keeper,
    sealer: Sealer,
    fetcher: Fetcher,
    finder: Finder,
    clients: Clients,
    slots: Slots,
    world: RwLock<Arc<World>>,
    /// The tokens callers came with last, for exchanges.
    subjects: Mutex<HashMap<(Arc<str>, String), Secret>>,
    news: broadcast::Sender<Connected>,
}

/// The scene, and what follows from it.
#[derive(Default)]
struct World {
    public_url: Arc<str>,
    servers: Vec<Arc<Server>>,
    face: Face,
}

impl World {
    fn new(scene: Scene) -> Self {
        let url = scene.document_url.unwrap_or_else(|| format!("{}{DOCUMENT_PATH}", scene.public_url).into());
        let redirect_uri = format!("{}{CALLBACK_PATH}", scene.public_url).into();
        let face = Face { redirect_uri, document_url: Some(url) };
        let servers = scene.servers.into_iter().map(|(server, _)| server).collect();
        Self { public_url: scene.public_url, servers, face }
    }
}

impl Tokens {
    /// Nothing is asked or read before somebody wants a token.
    #[must_use]
    pub fn new(tools: Tools, scene: Scene) -> Self {
        let Tools { store, vault, sealer, tls } = tools;
        let fetcher = Fetcher::new(tls);
        let tokens = Self(Arc::new(Shared {
            finder: Finder::new(fetcher.clone()),
            clients: Clients::new(fetcher.clone(), vault.clone()),
            keeper: Keeper { store, vault },
            sealer,
            fetcher,
            slots: Slots::default(),
            world: RwLock::default(),
            subjects: Mutex::default(),
            news: broadcast::Sender::new(NEWS),
        }));
        tokens.set_scene(scene);
        tokens
    }

    /// A new configuration is in force.
    pub fn set_scene(&self, scene: Scene) {
        let foreign = scene.servers.iter().filter(|(_, egress)| *egress == Egress::Public);
        self.0.fetcher.distrust(foreign.map(|(server, _)| Arc::clone(&server.name)).collect());
        *self.0.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(World::new(scene));
    }

    /// The document by which issuers know the gateway: what `/.well-known/oauth-client` answers.
    #[must_use]
    pub fn document(&self) -> Value {
        let world = self.0.world();
        let url = world.face.document_url.clone().unwrap_or_default();
        client_document(&url, &world.public_url, &world.face.redirect_uri)
    }

    /// Somebody who has logged in opened a link of ours. Gives the address of the authorization server's page to go on to.
    ///
    /// # Errors
    /// When the link is old or somebody else's, or the server's authorization server cannot be used.
    pub async fn connect(&self, link: &str, who: &Principal) -> Result<String, Fault> {
        self.0.begin(link, who).await
    }

    /// Somebody who has logged in came back from there with this query. Gives what is connected now.
    ///
    /// # Errors
    /// When the answer is nobody's, somebody else's, used, late, a refusal, or of another authorization server than was asked.
    pub async fn connected(&self, query: &str, who: &Principal) -> Result<Connected, Fault> {
        let connected = self.0.finish(query, who).await?;
        self.0.tell(connected.clone());
        Ok(connected)
    }

    /// A caller came with a token of some issuer: from now on it is what is exchanged in their name. It is held in memory,
    /// and no server is ever shown it.
    pub fn came_with(&self, principal: &Principal, token: Secret) {
        let mut subjects = self.0.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if subjects.len() >= SUBJECTS_MAX {
            subjects.clear();
        }
        subjects.insert((Arc::clone(&principal.organisation), owner(principal)), token);
    }

    /// News of people who have agreed.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<Connected> {
        self.0.news.subscribe()
    }

    /// Every connection, for listings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connections(&self) -> Result<Vec<McpConnection>, StoreError> {
        self.0.keeper.store.mcp_connections(0).await
    }

    /// Forgets a connection and its tokens, gives them back to their issuer where that takes them, and says what it was. The
    /// issuer is not waited for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, id: &str) -> Result<Option<McpConnection>, StoreError> {
        let Some((row, pair)) = self.0.keeper.forget(id).await? else { return Ok(None) };
        self.0.slots.of(&slot_key(&row)).doubt();
        if let Some(pair) = pair {
            let (shared, row) = (Arc::clone(&self.0), row.clone());
            tokio::spawn(async move { shared.give_back(&row, &pair).await });
        }
        Ok(Some(row))
    }

    /// Looks now and then for what other replicas changed, and refreshes in good time what is in use. Runs until it is dropped.
    pub async fn keep_fresh(&self) {
        let mut tick = tokio::time::interval(LOOK);
        let mut since = unix_ms();
        loop {
            tick.tick().await;
            // What was written while the last look was under way is looked at again.
            let began = unix_ms().saturating_sub(1_000);
            match self.0.keeper.store.mcp_connections(since).await {
                Ok(changed) => {
                    self.0.heed(&changed);
                    since = began;
                }
                Err(error) => tracing::warn!(%error, "connections to MCP servers cannot be looked at"),
            }
            self.0.refresh_due().await;
        }
    }
}

impl TokenSource for Tokens {
    fn token<'a>(
        &'a self,
        server: &'a Arc<Server>,
        principal: &'a Principal,
        challenge: Option<&'a Challenge>,
    ) -> Doing<'a, Result<Option<Secret>, Failure>> {
        Box::pin(async move {
            match &server.auth {
                Auth::None => Ok(None),
                Auth::Bearer(token) => Ok(challenge.is_none().then(|| token.clone())),
                Auth::PerUser(config) => self.0.person(&self.0.usage(server, config, principal), challenge).await,
                Auth::ClientCredentials(config) => {
                    self.0.machine(&self.0.own(server, config), Credential::Own, challenge).await
                }
                Auth::Exchange(config) => self.0.exchanged(server, config, principal, challenge).await,
            }
        })
    }
}

impl Shared {
    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, connected: Connected) {
        // Nobody has to listen.
        drop(self.news.send(connected));
    }

    /// The gateway's own use of a server.
    fn own<'a>(&self, server: &'a Arc<Server>, config: &'a OAuthClient) -> Use<'a> {
        let key = SlotKey { server: Arc::clone(&server.name), organisation: "".into(), owner: "gateway".to_owned() };
        self.usage_of(server, config, key)
    }

    async fn exchanged(
        &self,
        server: &Arc<Server>,
        config: &OAuthClient,
        principal: &Principal,
        challenge: Option<&Challenge>,
    ) -> Result<Option<Secret>, Failure> {
        if let Some(own) = &config.subject_token {
            return self.machine(&self.own(server, config), Credential::Subject(own), challenge).await;
        }
        let key = (Arc::clone(&principal.organisation), owner(principal));
        let subject = self.subjects.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let Some(subject) = subject else {
            let what = "the caller's own token is exchanged for one of the server, and this caller came with a key: come with \
                        a token of an issuer in `auth.jwt`";
            return Err(trouble(server, Code::UpstreamCredentials, what));
        };
        // One slot for each token of the caller: another token may be somebody else's consent.
        let mut used = self.usage(server, config, principal);
        used.key.owner = format!("{}\n{}", used.key.owner, fingerprint(subject.reveal()));
        used.slot = self.slots.of(&used.key);
        self.machine(&used, Credential::Subject(&subject), challenge).await
    }

    /// Takes back what is known of connections that have changed elsewhere.
    fn heed(&self, changed: &[McpConnection]) {
        let slots: HashMap<SlotKey, _> = self.slots.all().into_iter().collect();
        for row in changed {
            let Some(slot) = slots.get(&slot_key(row)) else { continue };
            let same = slot.held().is_some_and(|held| held.generation == row.generation);
            if !same || row.state == McpConnectionState::NeedsConsent {
                slot.doubt();
            }
        }
    }

    async fn refresh_due(self: &Arc<Self>) {
        let now = unix_ms();
        let mut under_way = JoinSet::new();
        for (key, slot) in self.slots.all() {
            if !slot.held().is_some_and(|held| held.due(now) && held.good(now)) {
                continue;
            }
            let found = self.world().servers.iter().find(|server| server.name == key.server).cloned();
            let Some(server) = found else { continue };
            if under_way.len() >= REFRESHES {
                _ = under_way.join_next().await;
            }
            let shared = Arc::clone(self);
            under_way.spawn(async move { shared.refresh_early(&server, key).await });
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn refresh_early(&self, server: &Arc<Server>, key: SlotKey) {
        let Auth::PerUser(config) = &server.auth else { return };
        let used = self.usage_of(server, config, key);
        // Calls that come meanwhile have a token that is still good and do not wait for this turn.
        let _turn = used.slot.turn.lock().await;
        let refreshed = match self.current(&used).await {
            Ok(Some((row, Some(_)))) if row.state == McpConnectionState::Connected => {
                self.refresh(&used, row, false).await
            }
            _ => return used.slot.doubt(),
        };
        if let Err(failure) = refreshed {
            tracing::warn!(server = %server.name, fault = %failure.fault, "a token that ends soon was not refreshed");
        }
    }
}

fn slot_key(row: &McpConnection) -> SlotKey {
    SlotKey {
        server: row.server.as_str().into(),
        organisation: row.organisation.as_str().into(),
        owner: row.owner.clone(),
    }
}

fn unstored(server: &Server, error: &StoreError) -> Failure {
    tracing::error!(%error, server = %server.name, "tokens for an MCP server cannot be read or kept");
    trouble(server, Code::Internal, "the gateway's store fails; its log says why")
}

fn unix_ms() -> u64 {
    Now(SystemTime::now()).unix_ms()
}

/// Bytes nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(bytes)
}

/// A text nobody can guess: 256 bits, in letters that need no escape.
fn random_text() -> Result<String, StoreError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// What a text is kept under where the text itself shall not stand.
fn fingerprint(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}
