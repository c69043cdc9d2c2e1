//! Fetches and refreshes the short-lived tokens that some targets need (RFC 7523), in the background: no call ever waits
//! for a token endpoint.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatehouse_domain::{Fault, Now, Origin, Payload, Timeouts, TokenGrant};
use gatehouse_llm_gateway::providers;
use gatehouse_pipeline::Token;
use gatehouse_upstream::Pool;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};

use super::House;

/// How often the tokens are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A token is replaced this long before it ends.
const AHEAD_SECS: u64 = 300;
/// Largest answer of a token endpoint.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Keeps every grant's token fresh, for ever.
pub(super) async fn keep_fresh(house: Arc<House>, pool: Pool) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let grants = house.state().grants.clone();
        for grant in grants {
            refresh_if_due(&house, &pool, &grant).await;
        }
    }
}

async fn refresh_if_due(house: &House, pool: &Pool, grant: &TokenGrant) {
    let now = Now(SystemTime::now());
    let cell = {
        let mut cells = house.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(grant.name.clone()).or_default())
    };
    if cell.load().as_ref().is_some_and(|token| token.expires_unix_secs > now.unix_secs() + AHEAD_SECS) {
        return;
    }
    match fetch(pool, grant, now).await {
        Ok(token) => cell.store(Some(Arc::new(token))),
        // The old token, if there is one, stays until it ends.
        Err(fault) => tracing::warn!(grant = grant.name, error = %fault, "a provider's token could not be fetched"),
    }
}

async fn fetch(pool: &Pool, grant: &TokenGrant, now: Now) -> Result<Token, Fault> {
    let assertion = providers::assertion(grant, now)?;
    let uri: http::Uri = grant.token_url.parse().map_err(|_| unreachable("its URL cannot be read"))?;
    let host = uri.host().ok_or_else(|| unreachable("its URL has no host"))?;
    let tls = uri.scheme_str() == Some("https");
    let origin = Origin { tls, host: host.into(), port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }) };
    let body = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let mut request = Request::new(Payload::from(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse()
        .map_err(|_| unreachable("its URL has no path"))?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_str(authority).map_err(|_| unreachable("its host is not a name"))?);
    let timeouts = Timeouts { first_byte: Duration::from_secs(10), ..Timeouts::default() };
    let sent = pool.send(&origin, &timeouts, request).await.map_err(|_| unreachable("it does not answer"))?;
    let mut body = sent.body;
    let mut whole = Vec::new();
    while let Some(Ok(chunk)) = body.chunk().await {
        whole.extend_from_slice(&chunk);
        if whole.len() > ANSWER_BYTES_MAX {
            return Err(unreachable("its answer is too long"));
        }
    }
    let (secret, lives) = providers::read_token(&whole)?;
    Ok(Token { secret, expires_unix_secs: now.unix_secs() + lives })
}

fn unreachable(why: &str) -> Fault {
    Fault::new(gatehouse_domain::Code::UpstreamCredentials, format!("the token endpoint cannot be used: {why}"))
}
