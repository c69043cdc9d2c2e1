//! Fetches the keys of token issuers in the background: no call ever waits for one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatehouse_catalog::principals::{JwksSource, JwtIssuer};
use gatehouse_catalog::{Config, Endpoint};
use gatehouse_domain::{Now, Payload, Timeouts};
use gatehouse_pipeline::identity::{IssuerKeys, Published, TrustedIssuer};
use gatehouse_policy::identity::Keyring;
use gatehouse_upstream::Pool;
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Request, StatusCode};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{House, people};

/// How often it is looked whether keys are due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Keys that were fetched are fetched again after this many seconds.
const FRESH_SECS: u64 = 300;
/// After a fetch that failed, and for files, which cost nothing: after this many. Callers are told to come back then.
const AGAIN_SECS: u64 = 5;
/// One fetch, from connecting to the last byte.
const FETCH: Duration = Duration::from_secs(10);
/// How long the first calls wait for keys, by waiting for the gateway to say that it serves.
const FIRST_FETCH: Duration = Duration::from_secs(2);
/// Largest key set. Real ones have a few kilobytes.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;

/// Every issuer's keys. They outlive configurations.
#[derive(Default)]
pub(super) struct Issuers {
    known: Mutex<HashMap<String, Arc<IssuerKeys>>>,
    wake: Arc<Notify>,
}

impl Issuers {
    /// The issuers of a configuration, with what is known of their keys.
    pub(super) fn trusted(&self, config: &Config) -> Vec<TrustedIssuer> {
        let trust = |issuer: &JwtIssuer| TrustedIssuer {
            pinned: people::pinned(issuer),
            keys: self.keys(issuer),
            max_stale_secs: issuer.max_stale.as_secs(),
        };
        let trusted: Vec<TrustedIssuer> = config.auth.jwt.iter().map(trust).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, keys| trusted.iter().any(|issuer| Arc::ptr_eq(&issuer.keys, keys)));
        self.wake.notify_one();
        trusted
    }

    /// Keys belong to an issuer *and* a place: another place is not trusted with what an earlier one said.
    pub(super) fn keys(&self, issuer: &JwtIssuer) -> Arc<IssuerKeys> {
        let name = match &issuer.jwks {
            JwksSource::Url(url) => format!("{} {}", issuer.issuer, url.text),
            JwksSource::File(path) => format!("{} {}", issuer.issuer, path.display()),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name).or_insert_with(|| Arc::new(IssuerKeys::new(Arc::clone(&self.wake)))))
    }
}

/// The first keys, if they come quickly.
pub(super) async fn first(house: &House, pool: &Pool) {
    drop(tokio::time::timeout(FIRST_FETCH, refresh_what_is_due(house, pool)).await);
}

/// Keeps every issuer's keys fresh, for ever.
pub(super) async fn keep_fresh(house: Arc<House>, pool: Pool) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = house.issuers.wake.notified() => {}
        }
        refresh_what_is_due(&house, &pool).await;
    }
}

/// All at once: one that hangs holds nobody else up for longer than a fetch may take.
async fn refresh_what_is_due(house: &House, pool: &Pool) {
    let Some(issuers) = house.config(|config| config.auth.jwt.clone()) else { return };
    let now = Now(SystemTime::now());
    let mut fetches = JoinSet::new();
    for issuer in issuers {
        let keys = house.issuers.keys(&issuer);
        if is_due(&issuer, &keys, now) {
            fetches.spawn(refresh(issuer, keys, pool.clone()));
        }
    }
    fetches.join_all().await;
}

fn is_due(issuer: &JwtIssuer, keys: &IssuerKeys, now: Now) -> bool {
    let tried = keys.tried_unix_secs();
    // What was tried last has failed if nothing was fetched at that time.
    let fetched = keys.current().is_some_and(|published| published.fetched_unix_secs >= tried);
    let every = match issuer.jwks {
        // In time for a second try before they are too old.
        JwksSource::Url(_) if fetched => FRESH_SECS.min(issuer.max_stale.as_secs() / 2),
        _ => AGAIN_SECS,
    };
    tried == 0 || keys.is_wanted() || now.unix_secs().saturating_sub(tried) >= every
}

async fn refresh(issuer: JwtIssuer, keys: Arc<IssuerKeys>, pool: Pool) {
    let document = async {
        match &issuer.jwks {
            JwksSource::Url(url) => fetch(&pool, url).await,
            JwksSource::File(path) => read(path).await,
        }
    };
    let document = tokio::time::timeout(FETCH, document).await.unwrap_or(Err("it does not answer in time"));
    let now = Now(SystemTime::now());
    let published = document.map_err(str::to_owned).and_then(|document| published(&document, now));
    if let Err(problem) = &published {
        tracing::warn!(issuer = issuer.issuer, problem, "the keys of a token issuer could not be fetched");
    }
    keys.fetched(published.ok(), now);
}

fn published(document: &[u8], now: Now) -> Result<Published, String> {
    let ring = Keyring::read(document).map_err(|error| error.to_string())?;
    let mut version = DefaultHasher::new();
    version.write(document);
    Ok(Published { ring, version: version.finish(), fetched_unix_secs: now.unix_secs() })
}

async fn fetch(pool: &Pool, url: &Endpoint) -> Result<Vec<u8>, &'static str> {
    let uri: http::Uri = url.text.parse().map_err(|_| "its URL cannot be read")?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let mut request = Request::new(Payload::from(Bytes::new()));
    *request.uri_mut() = path.parse().map_err(|_| "its URL has no path")?;
    request.headers_mut().insert(HOST, host.ok_or("its URL has no host")?);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
    let sent = pool.send(&url.origin, &Timeouts::default(), request).await.map_err(|_| "it cannot be reached")?;
    if sent.head.status != StatusCode::OK {
        return Err("it does not answer 200");
    }
    let mut body = sent.body;
    let mut whole = Vec::new();
    while let Some(chunk) = body.chunk().await {
        whole.extend_from_slice(&chunk.map_err(|_| "its answer broke off")?);
        if whole.len() > DOCUMENT_BYTES_MAX {
            return Err("its answer is too long");
        }
    }
    Ok(whole)
}

async fn read(path: &Path) -> Result<Vec<u8>, &'static str> {
    let file = tokio::fs::File::open(path).await.map_err(|_| "the file cannot be opened")?;
    let mut whole = Vec::new();
    let most = DOCUMENT_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut whole).await.map_err(|_| "the file cannot be read")?;
    if whole.len() > DOCUMENT_BYTES_MAX { Err("the file is too long") } else { Ok(whole) }
}
