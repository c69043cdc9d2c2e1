//! The MCP endpoint of a gateway, as a client of it sees it: by the same links with which a gateway reaches servers.

use std::sync::Arc;

use clap::Args;
use gatehouse_domain::{Principal, PrincipalKind, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Caps, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::{Id, Message, Raw, Request};
use gatehouse_mcp_proxy::Links;
use gatehouse_mcp_proxy::link::{Client, Link, NoTokens, Outgoing};
use gatehouse_mcp_proxy::links::Means;
use gatehouse_upstream::{Egress, Pool, PoolLimits, tls_config};
use tokio::runtime::Handle;

use crate::failure::Failure;

/// Pages of a list that are read.
const PAGES_MAX: usize = 1000;
/// What the endpoint is called here.
const NAME: &str = "gateway";

/// Which endpoint.
#[derive(Debug, Args)]
pub(crate) struct EndpointArguments {
    /// The gateway.
    #[arg(long, env = "GATEHOUSE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A key of that gateway.
    #[arg(long, env = "GATEHOUSE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// What this server offers, names untouched; without it, everything the key may use.
    #[arg(long)]
    server: Option<String>,
    /// What this toolset offers.
    #[arg(long, conflicts_with = "server")]
    toolset: Option<String>,
}

/// An endpoint that answers.
pub(crate) struct Endpoint {
    link: Arc<dyn Link>,
    links: Arc<Links>,
    pool: Pool,
    next_id: i64,
}

impl EndpointArguments {
    fn address(&self) -> String {
        let gateway = self.url.trim_end_matches('/');
        match (&self.server, &self.toolset) {
            (Some(server), _) => format!("{gateway}/mcp/servers/{server}"),
            (None, Some(toolset)) => format!("{gateway}/mcp/toolsets/{toolset}"),
            (None, None) => format!("{gateway}/mcp"),
        }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Result<Endpoint, Failure> {
        let auth =
            self.key.as_deref().filter(|key| !key.is_empty()).map_or(Auth::None, |key| Auth::Bearer(Secret::new(key)));
        let server = Server {
            name: NAME.into(),
            transport: Transport::Http { url: self.address().into(), headers: Vec::new() },
            auth,
            trusted: true,
            pins: PinPolicy::AllowNew,
            park: false,
            sampling_model: None,
            shared: false,
            caps: Caps::default(),
            prices: Vec::new(),
            tool_timeouts: Vec::new(),
        };
        let pool = Pool::new(tls_config(None)?, PoolLimits::default());
        let links = Links::new(Means {
            control: Handle::current(),
            pool: pool.clone(),
            supervisor: None,
            tokens: Arc::new(NoTokens),
            instance: "gatehouse-cli".into(),
            elsewhere: Arc::new(|_, _| None),
        });
        links.load([(Arc::new(server), Egress::Trusted)]);
        let caller = Arc::new(Principal::bare(PrincipalKind::User, NAME, NAME));
        let link = links.of(NAME, &caller, None, &ourselves()).map_err(told)?;
        Ok(Endpoint { link, links, pool, next_id: 1 })
    }
}

impl Endpoint {
    /// What the endpoint can, as it said itself.
    pub(crate) async fn capabilities(&self) -> Result<Raw, Failure> {
        let hello = self.link.hello(&self.pool, &ourselves()).await.map_err(told)?;
        Ok(hello.capabilities.clone())
    }

    /// Asks for something; messages on the way go to `heard`.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        params: Option<Raw>,
        mut heard: impl FnMut(&Message),
    ) -> Result<Raw, Failure> {
        let request = Request::new(Id::Number(self.next_id), method, params);
        self.next_id += 1;
        let client = ourselves();
        let outgoing = Outgoing { request, client, param_headers: Vec::new(), repeatable: false, visit: None };
        let mut exchange = self.link.ask(&self.pool, outgoing).await.map_err(told)?;
        while let Some(message) = exchange.next().await {
            match message.map_err(told)? {
                Message::Response(response) => {
                    return response.outcome.map_err(|error| Failure::problem(error.message, ""));
                }
                message => heard(&message),
            }
        }
        Err(Failure::problem("the gateway did not answer", "try again"))
    }

    /// Every element of a list, page after page.
    pub(crate) async fn list(&mut self, method: &str, member: &str) -> Result<Vec<Raw>, Failure> {
        let mut all = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let params = cursor.take().map(|cursor| Raw::object([("cursor", cursor)]));
            let page = self.ask(method, params, |_| {}).await?;
            all.extend(page.get(&[member]).map(|list| list.elements()).unwrap_or_default());
            cursor = page.get(&["nextCursor"]);
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Err(Failure::problem(format!("the list has more than {PAGES_MAX} pages"), "ask for one server with --server"))
    }

    /// Ends the session there may be.
    pub(crate) async fn close(self) {
        self.links.close().await;
    }
}

/// What we are as a client: one that cannot be asked anything.
fn ourselves() -> Client {
    let version = Raw::text(env!("CARGO_PKG_VERSION"));
    let info = Raw::object([("name", Raw::text("gatehouse-cli")), ("version", version)]);
    Client { capabilities: Raw::empty(), info: Some(info), log_level: Some("warning".into()), traceparent: None }
}

fn told(failure: gatehouse_mcp_proxy::link::Failure) -> Failure {
    let next = "check --url and --key; `gatehouse doctor --url URL` says how the gateway does";
    Failure::problem(failure.fault.message, next)
}
