//! The one way in which authorization asks others: documents, registrations, tokens. Every address was judged before
//! ([`Place`]), every connection is checked unless the configuration itself named the host, no redirect is followed, no answer
//! is longer than it may be.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Payload, Timeouts};
use gatehouse_mcp_gateway::blueprint::{Exchange, OAuthClient, Server, Transport};
use gatehouse_oauth::client::Place;
use gatehouse_upstream::{Egress, Pool, PoolLimits, SendError, Tls};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// From the question to the last byte of the answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Asks.
#[derive(Clone)]
pub(super) struct Fetcher {
    pool: Pool,
    /// Servers that somebody else than the configuration file declared: whatever their settings say, nothing of theirs leads
    /// to a private address.
    foreign: Arc<RwLock<BTreeSet<Arc<str>>>>,
}

/// What somebody answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchFault {
    #[error("it is at a private address, which is only asked with `allow_private: true`")]
    Private,
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it did not answer in time")]
    TimedOut,
    #[error("its answer is too long or broke off")]
    Unreadable,
}

/// Where the configuration says a server is.
pub(super) fn address(server: &Server) -> Option<&str> {
    match &server.transport {
        Transport::Http { url, .. } => Some(url),
        Transport::OpenApi { base_url, .. } => Some(base_url),
        Transport::Stdio { .. } | Transport::Builtin | Transport::Gatehouse(_) => None,
    }
}

impl Fetcher {
    /// Keeps no connection: questions are rare, and a kept connection belongs to the runtime it was made on.
    pub(super) fn new(tls: Tls) -> Self {
        let pool = Pool::new(tls, PoolLimits { idle_per_origin: 0, idle_for: Duration::ZERO });
        Self { pool, foreign: Arc::default() }
    }

    /// Says which servers the configuration file did not declare.
    pub(super) fn distrust(&self, foreign: BTreeSet<Arc<str>>) {
        *self.foreign.write().unwrap_or_else(PoisonError::into_inner) = foreign;
    }

    /// Where documents may lead for one server: anywhere on hosts that the configuration names, else to public addresses.
    pub(super) fn egress(&self, server: &Server, client: &OAuthClient, place: &Place) -> Egress {
        if self.foreign.read().unwrap_or_else(PoisonError::into_inner).contains(&server.name) {
            return Egress::Public;
        }
        let same_host = |url: &str| Place::read(url).is_ok_and(|known| known.origin().host == place.origin().host);
        let provider = match &client.exchange {
            Exchange::Identity(provider) => Some(&*provider.token_url),
            Exchange::Token | Exchange::Assertion => None,
        };
        let mut named = address(server).into_iter().chain(client.issuer.as_deref()).chain(provider);
        if client.allow_private || named.any(same_host) { Egress::Trusted } else { Egress::Public }
    }

    /// Asks for a document.
    pub(super) async fn get(&self, egress: Egress, place: &Place) -> Result<Answer, FetchFault> {
        self.ask(egress, place, Method::GET, HeaderMap::new(), Bytes::new()).await
    }

    /// Posts a registration.
    pub(super) async fn post_json(&self, egress: Egress, place: &Place, body: Bytes) -> Result<Answer, FetchFault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.ask(egress, place, Method::POST, headers, body).await
    }

    /// Posts a form.
    pub(super) async fn post_form(
        &self,
        egress: Egress,
        place: &Place,
        authorization: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Answer, FetchFault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        self.ask(egress, place, Method::POST, headers, body).await
    }

    async fn ask(
        &self,
        egress: Egress,
        place: &Place,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, FetchFault> {
        let host = place.base();
        let host = host.split_once("://").map_or(&*host, |(_, host)| host);
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| FetchFault::Unreachable)?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("gatehouse/", env!("CARGO_PKG_VERSION"))));
        let mut request = Request::new(Payload::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(place.path().clone());
        *request.headers_mut() = headers;
        tokio::time::timeout(WITHIN, self.exchange(egress, place, request)).await.unwrap_or(Err(FetchFault::TimedOut))
    }

    async fn exchange(&self, egress: Egress, place: &Place, request: Request<Payload>) -> Result<Answer, FetchFault> {
        let timeouts = Timeouts { connect: WITHIN, first_byte: WITHIN, between_chunks: WITHIN, total: WITHIN };
        let sent = self.pool.send_through(egress, place.origin(), &timeouts, request).await;
        let mut sent = sent.map_err(|error| match error {
            SendError::Connect(error) if error.kind() == std::io::ErrorKind::PermissionDenied => FetchFault::Private,
            SendError::FirstByteTimeout => FetchFault::TimedOut,
            SendError::Connect(_) | SendError::Broken(_) => FetchFault::Unreachable,
        })?;
        let mut body = BytesMut::new();
        while let Some(chunk) = sent.body.chunk().await {
            body.extend_from_slice(&chunk.map_err(|_| FetchFault::Unreadable)?);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(FetchFault::Unreadable);
            }
        }
        Ok(Answer { status: sent.head.status.as_u16(), body: body.freeze() })
    }
}

impl Answer {
    /// Is there a document in it?
    pub(super) fn found(&self) -> bool {
        self.status == StatusCode::OK.as_u16()
    }
}
