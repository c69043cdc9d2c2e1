//! Who calls which servers in these tests, and with what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_domain::{Principal, PrincipalKind, Secret};
use gatehouse_mcp_gateway::blueprint::{Auth, Caps, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::{Id, Message, Raw, Request};
use gatehouse_mcp_proxy::Links;
use gatehouse_mcp_proxy::link::{Challenge, Client, Doing, Exchange, Failure, Link, Outgoing, TokenSource};
use gatehouse_mcp_proxy::links::Means;
use gatehouse_upstream::{Egress, Pool, PoolLimits, tls_config};
use serde_json::Value;
use tokio::runtime::Handle;

/// Tokens as a test gives them, and what it was asked for.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) first: Option<&'static str>,
    pub(crate) better: Option<&'static str>,
    pub(crate) challenges: Mutex<Vec<Challenge>>,
}

impl TokenSource for Tokens {
    fn token<'a>(
        &'a self,
        _: &'a Arc<Server>,
        _: &'a Principal,
        challenge: Option<&'a Challenge>,
    ) -> Doing<'a, Result<Option<Secret>, Failure>> {
        self.challenges.lock().unwrap().extend(challenge.cloned());
        let token = if challenge.is_some() { self.better } else { self.first };
        Box::pin(std::future::ready(Ok(token.map(Secret::new))))
    }
}

/// A gateway's links, and the connections of one core.
pub(crate) struct House {
    pub(crate) links: Arc<Links>,
    pub(crate) pool: Pool,
    pub(crate) tokens: Arc<Tokens>,
}

pub(crate) fn house(servers: Vec<Server>) -> House {
    house_with(servers, Tokens::default())
}

pub(crate) fn house_with(servers: Vec<Server>, tokens: Tokens) -> House {
    let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
    let tokens = Arc::new(tokens);
    let links = Links::new(Means {
        control: Handle::current(),
        pool: pool.clone(),
        supervisor: None,
        tokens: Arc::clone(&tokens) as Arc<dyn TokenSource>,
        instance: "this-gateway".into(),
        elsewhere: Arc::new(|_, _| None),
    });
    links.load(servers.into_iter().map(|server| (Arc::new(server), Egress::Trusted)));
    House { links, pool, tokens }
}

impl House {
    pub(crate) fn link(&self, principal: &str) -> Arc<dyn Link> {
        self.try_link(principal).map_err(|failure| failure.fault).unwrap()
    }

    pub(crate) fn try_link(&self, principal: &str) -> Result<Arc<dyn Link>, Failure> {
        self.links.of("it", &somebody(principal), None, &client())
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Box<dyn Exchange>, Failure> {
        self.link("ann").ask(&self.pool, outgoing(1, method, params)).await
    }

    /// Asks and waits for the response.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let mut exchange = self.ask(method, params).await?;
        while let Some(message) = exchange.next().await {
            if let message @ Message::Response(_) = message? {
                return Ok(value(&message));
            }
        }
        panic!("the exchange ended without a response")
    }
}

pub(crate) fn somebody(name: &str) -> Arc<Principal> {
    Arc::new(Principal::bare(PrincipalKind::User, name, name))
}

pub(crate) fn client() -> Client {
    Client {
        capabilities: raw(r#"{"elicitation":{}}"#),
        info: Some(raw(r#"{"name":"c","version":"1"}"#)),
        log_level: None,
        traceparent: None,
    }
}

pub(crate) fn raw(text: &'static str) -> Raw {
    Raw::trusted(text.into())
}

pub(crate) fn outgoing(id: i64, method: &str, params: Value) -> Outgoing {
    let params = (!params.is_null()).then(|| Raw::of(&params));
    let request = Request::new(Id::Number(id), method, params);
    Outgoing { request, client: client(), param_headers: Vec::new(), repeatable: false, visit: None }
}

pub(crate) fn value(message: &Message) -> Value {
    serde_json::from_slice(&message.write()).unwrap()
}

/// The next message of an exchange.
pub(crate) async fn next(exchange: &mut Box<dyn Exchange>) -> Value {
    value(&exchange.next().await.expect("a message").map_err(|failure| failure.fault).unwrap())
}

pub(crate) fn over_http(url: String) -> Server {
    server(Transport::Http { url: url.into(), headers: vec![("x-of-config".into(), Secret::new("yes"))] })
}

pub(crate) fn child(command: &[&str]) -> Server {
    let env = BTreeMap::from([("GIVEN".into(), Secret::new("given"))]);
    server(Transport::Stdio { command: command.iter().map(|&word| word.into()).collect(), env, cwd: None })
}

fn server(transport: Transport) -> Server {
    Server {
        name: "it".into(),
        transport,
        auth: Auth::None,
        trusted: false,
        pins: PinPolicy::default(),
        park: false,
        sampling_model: None,
        shared: false,
        caps: Caps { connect: Duration::from_secs(8), ..Caps::default() },
        prices: Vec::new(),
        tool_timeouts: Vec::new(),
    }
}
