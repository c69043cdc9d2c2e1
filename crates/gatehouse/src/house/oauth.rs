//! What the authorization server asks of the running gateway: who is who, what others signed, and a way out. And what it tells
//! the data plane: the keys its tokens are signed with, and the grants that were revoked.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatehouse_catalog::Config;
use gatehouse_catalog::written::Claims;
use gatehouse_domain::{Access, Code, Fault, Now, Origin, Payload, Principal, Scopes, Timeouts};
use gatehouse_oauth::server::{Subject, jwt};
use gatehouse_pipeline::identity::{IssuerKeys, OwnServer, Published, Revocations, TrustedIssuer, caller_of};
use gatehouse_policy::identity::{Algorithm, ClaimNames, Identity, Issuer, Keyring, Own, Token, TokenFault};
use gatehouse_server::control::Answer;
use gatehouse_server::control::oauth::{Fetch, Fetched, Keys, OAuthOperations, Settings, Shown, Signed, Vouched};
use gatehouse_server::oauth::{SigningKeys, keep_house, revoked_lately};
use gatehouse_store::{Store, StoreError};
use gatehouse_upstream::{Egress, Pool, PoolLimits, Tls};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::{House, people};

/// How often it is looked whether a call wants newer keys, or another process revoked something.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looks between two readings of the keys: a minute.
const KEYS_EVERY: u32 = 12;
/// Looks between two cleanings of the tables: ten minutes.
const CLEAN_EVERY: u32 = 120;
/// One fetch, from connecting to the last byte.
const FETCH: Duration = Duration::from_secs(10);
/// How far the clocks of two replicas may be apart.
const LEEWAY_SECS: u64 = 30;

/// What the process keeps of its authorization server.
pub(super) struct OwnIssuer {
    /// What it signs with.
    pub(super) signing: Arc<SigningKeys>,
    keys: Arc<IssuerKeys>,
    revoked: Arc<Revocations>,
    pool: Pool,
    wake: Arc<Notify>,
}

impl OwnIssuer {
    /// Opens the vault and reads what was revoked.
    pub(super) async fn open(store: &Store, tls: &Tls) -> Result<Self, StoreError> {
        let wake = Arc::new(Notify::new());
        let own = Self {
            signing: Arc::new(SigningKeys::open(store).await?),
            keys: Arc::new(IssuerKeys::new(Arc::clone(&wake))),
            revoked: Arc::default(),
            pool: Pool::new(Arc::clone(tls), PoolLimits::default()),
            wake,
        };
        own.revoked.learn(revoked_lately(store).await?);
        own.publish();
        Ok(own)
    }

    /// Who the data plane trusts besides the issuers of `auth.jwt`, and by what.
    pub(super) fn trusted(&self, config: &Config) -> Option<(TrustedIssuer, OwnServer)> {
        if !config.oauth.enabled {
            return None;
        }
        let issuer = TrustedIssuer {
            pinned: pinned(&config.public_url.text),
            keys: Arc::clone(&self.keys),
            max_stale_secs: u64::MAX,
        };
        let public_url = config.public_url.text.as_str().into();
        Some((issuer, OwnServer { public_url, revoked: Arc::clone(&self.revoked) }))
    }

    /// Hands the public keys to the data plane.
    fn publish(&self) {
        let (document, now) = (self.signing.document(), Now(SystemTime::now()));
        let mut version = DefaultHasher::new();
        version.write(document.as_bytes());
        let ring = Keyring::read(document.as_bytes()).ok();
        let published = |ring| Published { ring, version: version.finish(), fetched_unix_secs: now.unix_secs() };
        self.keys.fetched(ring.map(published), now);
    }
}

/// Keeps keys, revocations and tables in order, for ever.
pub(super) async fn keep(house: Arc<House>) {
    let own = &house.own;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut looks: u32 = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = own.wake.notified() => {}
        }
        looks = looks.wrapping_add(1);
        let kept = async {
            own.revoked.learn(revoked_lately(&house.store).await?);
            if own.keys.is_wanted() || looks.is_multiple_of(KEYS_EVERY) {
                own.signing.keep_fresh().await?;
                own.publish();
            }
            if looks % CLEAN_EVERY == 1 {
                keep_house(&house.store).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "the authorization server's tables cannot be read; tried again in a moment");
        }
    }
}

impl OAuthOperations for House {
    fn settings(&self) -> Option<Settings> {
        let settings = |config: &Config| {
            let issuer = config.public_url.text.as_str().into();
            config.oauth.enabled.then(|| Settings { issuer, oauth: Arc::clone(&config.oauth) })
        };
        self.config(settings).flatten()
    }

    fn fetch(&self, wanted: Fetch) -> Answer<'_, Result<Fetched, &'static str>> {
        let pool = self.own.pool.clone();
        Box::pin(async move {
            tokio::time::timeout(FETCH, fetch(&pool, wanted)).await.unwrap_or(Err("it does not answer in time"))
        })
    }

    fn verify(&self, signed: &Signed<'_>) -> Result<Vouched, Fault> {
        let now = Now(SystemTime::now());
        let told = |fault: TokenFault| fault.fault();
        let token = if signed.kind.is_empty() {
            Token::read(signed.token)
        } else {
            Token::read_as(signed.token, &[signed.kind])
        };
        let token = token.map_err(told)?;
        let (_, claims) = jwt::peek(signed.token).ok_or_else(|| told(TokenFault::Shape("cannot be read")))?;
        let mut issuer = pinned(signed.issuer);
        issuer.own = false;
        issuer.algorithms = BY_OTHERS.to_vec();
        if let Some(names) = signed.claims {
            issuer.claims = claim_names(names);
        }
        let ring = match signed.keys {
            Keys::Set(document) => Arc::new(Published {
                ring: Keyring::read(document).map_err(|_| told(TokenFault::UnknownKey))?,
                version: 0,
                fetched_unix_secs: now.unix_secs(),
            }),
            Keys::OfIssuer => {
                let known =
                    self.config(|config| config.auth.jwt.iter().find(|known| known.issuer == signed.issuer).cloned());
                let known = known.flatten().ok_or_else(|| told(TokenFault::Issuer))?;
                issuer = people::pinned(&known);
                let published = self.issuers.keys(&known).fresh(now, known.max_stale.as_secs());
                published
                    .ok_or_else(|| Fault::new(Code::IdentityUnavailable, "the keys of the issuer cannot be had now"))?
            }
        };
        // Whom it is for is looked at by whoever knows what it is.
        issuer.audiences = audiences(&claims);
        let identity = token.verify(&issuer, &ring.ring, now).map_err(told)?;
        let subject = subject_of(&identity, Some(signed.issuer.to_owned()));
        Ok(Vouched { subject, claims })
    }

    fn token_of(&self, text: &str) -> Result<Shown, Fault> {
        let now = Now(SystemTime::now());
        let snapshot = self.shared().ok_or_else(starting)?.snapshot.load_full();
        let token = Token::read(text).map_err(|fault| fault.fault())?;
        let issuer = token.issuer().to_owned();
        let trusted = snapshot.identities.issuers.iter().find(|trusted| trusted.pinned.issuer == issuer);
        let trusted = trusted.ok_or_else(|| TokenFault::Issuer.fault())?;
        let published = trusted.keys.fresh(now, trusted.max_stale_secs);
        let published = published
            .ok_or_else(|| Fault::new(Code::IdentityUnavailable, "the keys of the issuer cannot be had now"))?;
        let identity = token.verify(&trusted.pinned, &published.ring, now).map_err(|fault| fault.fault())?;
        let Some(own) = &identity.own else {
            return Ok(Shown { subject: subject_of(&identity, Some(issuer.clone())), access: None, issuer });
        };
        if self.own.revoked.has(&own.access.grant) {
            return Err(Fault::new(Code::InvalidToken, "the grant of this access token was revoked"));
        }
        let subject = Subject { key: own.key.clone(), ..subject_of(&identity, own.vouched_by.clone()) };
        self.who(&subject)?;
        Ok(Shown { subject, access: Some(own.access.clone()), issuer })
    }

    fn who(&self, subject: &Subject) -> Result<Arc<Principal>, Fault> {
        let snapshot = self.shared().ok_or_else(starting)?.snapshot.load_full();
        let issuer = pinned(&self.config(|config| config.public_url.text.clone()).unwrap_or_default());
        let access = Access { grant: "".into(), client: "".into(), resource: "".into(), scopes: Scopes::default() };
        let identity = Identity {
            subject: subject.name.clone(),
            groups: subject.groups.clone(),
            organisation: subject.organisation.clone(),
            role: None,
            agent: subject.act.first().cloned(),
            act: subject.act.clone(),
            until_unix_secs: u64::MAX,
            own: Some(Own { access, key: subject.key.clone(), vouched_by: subject.issuer.clone() }),
        };
        let entry = caller_of(&snapshot, &issuer, &identity)?;
        entry.permit.standing(Now(SystemTime::now()))?;
        Ok(Arc::new(Principal { access: None, ..Principal::clone(&entry.principal) }))
    }

    fn grant_revoked(&self, grant: &str) {
        self.own.revoked.add(grant);
    }

    fn signing_keys_changed(&self) {
        self.own.publish();
    }

    fn connect(&self, link: String, who: Arc<Principal>) -> Answer<'_, Result<String, Fault>> {
        Box::pin(async move { self.mcp.tokens().connect(&link, &who).await })
    }

    fn connected(&self, query: String, who: Arc<Principal>) -> Answer<'_, Result<String, Fault>> {
        Box::pin(async move { Ok(self.mcp.tokens().connected(&query, &who).await?.server.to_string()) })
    }

    fn disconnect(&self, id: String) -> Answer<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.mcp.tokens().revoke(&id).await?.is_some()) })
    }

    fn client_document(&self) -> Option<Value> {
        Some(self.mcp.tokens().document())
    }
}

/// Algorithms that others may sign with: whatever their published key is for.
const BY_OTHERS: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// What is pinned of our own issuer.
fn pinned(issuer: &str) -> Issuer {
    let claims = ClaimNames {
        user: "sub".to_owned(),
        team: Some("groups".to_owned()),
        organisation: Some("org".to_owned()),
        role: None,
        agent: None,
    };
    Issuer {
        issuer: issuer.to_owned(),
        audiences: Vec::new(),
        algorithms: vec![Algorithm::EdDSA],
        claims,
        require: Vec::new(),
        leeway_secs: LEEWAY_SECS,
        own: true,
    }
}

fn claim_names(claims: &Claims) -> ClaimNames {
    ClaimNames {
        user: claims.user.clone(),
        team: claims.team.clone(),
        organisation: claims.organisation.clone(),
        role: None,
        agent: claims.agent.clone(),
    }
}

fn subject_of(identity: &Identity, issuer: Option<String>) -> Subject {
    Subject {
        name: identity.subject.clone(),
        issuer,
        key: None,
        groups: identity.groups.clone(),
        organisation: identity.organisation.clone(),
        act: identity.act.clone(),
    }
}

fn audiences(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn starting() -> Fault {
    Fault::new(Code::Draining, "the gateway is starting; try again").retry_after(1)
}

async fn fetch(pool: &Pool, wanted: Fetch) -> Result<Fetched, &'static str> {
    let (origin, request) = request(&wanted)?;
    let egress = if wanted.trusted { Egress::Trusted } else { Egress::Public };
    let timeouts = Timeouts { first_byte: FETCH, ..Timeouts::default() };
    let sent = pool.send_through(egress, &origin, &timeouts, request).await.map_err(|_| "it cannot be reached")?;
    let (status, fresh_for) = (sent.head.status.as_u16(), fresh_for(&sent.head.headers));
    let (mut incoming, mut body) = (sent.body, Vec::new());
    while let Some(chunk) = incoming.chunk().await {
        body.extend_from_slice(&chunk.map_err(|_| "its answer broke off")?);
        if body.len() > wanted.bytes_max {
            return Err("its answer is too long");
        }
    }
    Ok(Fetched { status, fresh_for, body })
}

/// Where to connect, and what to say there.
fn request(wanted: &Fetch) -> Result<(Origin, Request<Payload>), &'static str> {
    let uri: Uri = wanted.url.parse().map_err(|_| "its URL cannot be read")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") if wanted.trusted => false,
        _ => return Err("its URL is not https"),
    };
    let authority = uri.authority().ok_or("its URL has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let origin = Origin { tls, host: host.into(), port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }) };
    let mut request = Request::new(Payload::from(Bytes::from(wanted.form.clone().unwrap_or_default())));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| "its URL has no path")?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| "its URL has no host")?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(basic) = &wanted.basic {
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(basic.reveal())));
        let mut value = value.map_err(|_| "its credentials cannot be written")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if wanted.form.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        *request.method_mut() = Method::POST;
    }
    Ok((origin, request))
}

/// How long an answer may be kept (RFC 9111 §5.2.2).
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let words =
        headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut fresh_for = None;
    for word in words.map(|word| word.trim().to_ascii_lowercase()) {
        if matches!(word.as_str(), "no-store" | "no-cache") {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = word.strip_prefix("max-age=").and_then(|seconds| seconds.parse().ok()) {
            fresh_for = Some(Duration::from_secs(seconds));
        }
    }
    fresh_for
}
