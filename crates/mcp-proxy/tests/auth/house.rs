//! A token source over a store of its own folder, and a person who agrees.

use std::sync::Arc;

use gatehouse_domain::{Fault, Principal, PrincipalKind, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Caps, OAuthClient, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::seal::Sealer;
use gatehouse_mcp_proxy::auth::{Scene, Tokens, Tools};
use gatehouse_mcp_proxy::link::{Challenge, Failure, TokenSource as _};
use gatehouse_store::{DataDir, McpConnection, Store};
use gatehouse_upstream::Egress;

use crate::issuer::{Issuer, follow};

/// Where people find the gateway.
pub(crate) const PUBLIC: &str = "http://127.0.0.1:9";

pub(crate) struct House {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) server: Arc<Server>,
    pub(crate) tokens: Tokens,
}

pub(crate) fn server(url: &str, auth: Auth) -> Arc<Server> {
    Arc::new(Server {
        name: "github".into(),
        transport: Transport::Http { url: format!("{url}/mcp").into(), headers: Vec::new() },
        auth,
        trusted: false,
        pins: PinPolicy::default(),
        park: false,
        sampling_model: None,
        shared: false,
        caps: Caps::default(),
        prices: Vec::new(),
        tool_timeouts: Vec::new(),
    })
}

pub(crate) fn person(name: &str) -> Arc<Principal> {
    let mut principal = Principal::bare(PrincipalKind::User, format!("key-of-{name}"), name);
    principal.user = Some(name.into());
    Arc::new(principal)
}

/// A refusal as links report it.
pub(crate) fn challenge(status: u16, header: &str, shown: Option<&Secret>) -> Challenge {
    Challenge { status, www_authenticate: header.into(), shown: shown.cloned() }
}

impl House {
    pub(crate) async fn over(issuer: &Issuer) -> Self {
        Self::with(issuer, Auth::PerUser(OAuthClient::default())).await
    }

    pub(crate) async fn with(issuer: &Issuer, auth: Auth) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataDir::create(folder.path().join("data")).unwrap()).await.unwrap();
        let server = server(&issuer.url, auth);
        let tokens = replica(&store, &server, Egress::Trusted);
        Self { _folder: folder, store, server, tokens }
    }

    /// Another replica over the same tables.
    pub(crate) fn replica(&self) -> Tokens {
        replica(&self.store, &self.server, Egress::Trusted)
    }

    /// As if the API and not the file had declared the server.
    pub(crate) fn of_the_api(&self) -> Tokens {
        replica(&self.store, &self.server, Egress::Public)
    }

    pub(crate) async fn token(&self, who: &Principal) -> Option<String> {
        let token = self.tokens.token(&self.server, who, None).await.unwrap();
        token.map(|token| token.reveal().to_owned())
    }

    pub(crate) async fn refused(&self, who: &Principal, challenge: &Challenge) -> Result<Option<Secret>, Failure> {
        self.tokens.token(&self.server, who, Some(challenge)).await
    }

    /// The link a person gets when a server wants them.
    pub(crate) async fn link(&self, who: &Principal, header: &str) -> String {
        let failure = self.refused(who, &challenge(401, header, None)).await.unwrap_err();
        let visit = failure.fault.visit.clone().unwrap_or_else(|| panic!("{}", failure.fault));
        visit.strip_prefix(&format!("{PUBLIC}/oauth/connect/")).unwrap().to_owned()
    }

    pub(crate) async fn connect(&self, who: &Principal) {
        self.connect_for(who, "Bearer").await;
    }

    pub(crate) async fn connect_for(&self, who: &Principal, header: &str) {
        let link = self.link(who, header).await;
        self.agree(&link, who).await.unwrap();
    }

    /// Goes the whole way a browser goes.
    pub(crate) async fn agree(&self, link: &str, who: &Principal) -> Result<(), Fault> {
        let back = follow(&self.tokens.connect(link, who).await?).await;
        self.come_back(&back, who).await
    }

    pub(crate) async fn come_back(&self, address: &str, who: &Principal) -> Result<(), Fault> {
        self.tokens.connected(address.split_once('?').unwrap().1, who).await.map(drop)
    }

    pub(crate) async fn row(&self) -> McpConnection {
        self.store.mcp_connections(0).await.unwrap().remove(0)
    }
}

fn replica(store: &Store, server: &Arc<Server>, egress: Egress) -> Tokens {
    let tools = Tools {
        store: store.clone(),
        vault: store.vault().unwrap(),
        sealer: Sealer::new(&[7; 32], &[]).unwrap(),
        tls: gatehouse_upstream::tls_config(None).unwrap(),
    };
    Tokens::new(
        tools,
        Scene { public_url: PUBLIC.into(), document_url: None, servers: vec![(Arc::clone(server), egress)] },
    )
}
