//! Who presents what: keys of the table, and bearer tokens of the issuers a snapshot trusts.
//!
//! A key costs one hash and one look-up. A token is verified once and then remembered by the hash of its whole text
//! ([`TokenCache`]), so that it costs the same from then on. No call ever waits for an issuer: its keys are fetched by the
//! control plane into [`IssuerKeys`].

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use gatehouse_domain::{Access, Actor, Code, Fault, IpRange, Now, Principal, PrincipalKind};
use gatehouse_policy::identity::{Identity, Issuer, Keyring, Own, Token, TokenFault, looks_like_token};
use gatehouse_store::keys::{Form, form};
use http::HeaderMap;
use tokio::sync::Notify;

use crate::snapshot::{KeyEntry, Snapshot};
use crate::token_cache::{Remembered, TokenCache};

/// A key name nobody knows makes the issuer's keys be fetched again at most this often, in seconds.
const UNKNOWN_KEY_EVERY_SECS: u64 = 10;
/// Proxies looked through in `X-Forwarded-For`.
const HOPS_MAX: usize = 32;

/// Issuers of bearer tokens, as a snapshot trusts them.
#[derive(Default)]
pub struct Identities {
    /// Each once.
    pub issuers: Vec<TrustedIssuer>,
    /// Whom somebody with a good token is taken for. Asked once per token, not per call.
    pub welcome: Option<Box<Welcome>>,
    /// The gateway's own authorization server, if it is one: the issuer among the above that is pinned as its own.
    pub own: Option<OwnServer>,
}

impl Identities {
    /// What a caller is told whose text looks like a token and names no issuer of these. Where none is configured besides the
    /// gateway's own authorization server, nobody is waiting for tokens: then it is a key that was never issued.
    fn of_nobody(&self, presented: &str, fault: TokenFault) -> Fault {
        let configured = self.issuers.iter().any(|trusted| !trusted.pinned.own);
        if configured { fault.fault() } else { unknown_key(presented) }
    }
}

/// The gateway's own authorization server, as far as callers are judged by it.
#[derive(Clone)]
pub struct OwnServer {
    /// Where clients find this gateway, without a slash at its end: resources are paths under it.
    pub public_url: Arc<str>,
    /// Grants that were revoked while access tokens of theirs may still be about.
    pub revoked: Arc<Revocations>,
}

/// Grants whose access tokens open nothing any more, although they have not ended. Put in by the control plane.
#[derive(Debug, Default)]
pub struct Revocations(ArcSwap<HashSet<Arc<str>>>);

impl Revocations {
    /// These besides those that are known. Beyond a number nobody revokes in hours, the older ones go: their tokens have ended.
    pub fn learn(&self, grants: HashSet<Arc<str>>) {
        const GRANTS_MAX: usize = 100_000;
        if grants.is_subset(&self.0.load()) {
            return;
        }
        self.0.rcu(|known| match known.len() {
            GRANTS_MAX.. => grants.clone(),
            _ => known.union(&grants).cloned().collect(),
        });
    }

    /// One more.
    pub fn add(&self, grant: &str) {
        self.0.rcu(|known| {
            let mut known = HashSet::clone(known);
            known.insert(grant.into());
            known
        });
    }

    /// Is this one of them?
    #[must_use]
    pub fn has(&self, grant: &str) -> bool {
        self.0.load().contains(grant)
    }
}

/// From an issuer and whom its token is about to a caller.
pub type Welcome = dyn Fn(&Issuer, &Identity) -> Result<Arc<KeyEntry>, Fault> + Send + Sync;

/// An issuer, and its keys as the control plane fetches them.
pub struct TrustedIssuer {
    /// What is pinned of it.
    pub pinned: Issuer,
    /// Its keys. They outlive snapshots.
    pub keys: Arc<IssuerKeys>,
    /// Seconds for which keys are used after they could last be fetched.
    pub max_stale_secs: u64,
}

/// One issuer's keys: put in by the control plane, read by every core.
pub struct IssuerKeys {
    current: ArcSwapOption<Published>,
    /// Unix seconds at which a fetch last ended, well or not.
    tried_unix_secs: AtomicU64,
    failed: AtomicBool,
    wanted: AtomicBool,
    wake: Arc<Notify>,
}

/// Keys as they were published.
pub struct Published {
    /// The keys.
    pub ring: Keyring,
    /// Changes whenever the published document does: what an earlier one vouched for is looked at again.
    pub version: u64,
    /// Unix seconds at which they were last seen published.
    pub fetched_unix_secs: u64,
}

impl IssuerKeys {
    /// No keys yet. `wake` is notified when a call wants newer ones.
    #[must_use]
    pub fn new(wake: Arc<Notify>) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            tried_unix_secs: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            wake,
        }
    }

    /// What was last seen published, however long ago.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Published>> {
        self.current.load_full()
    }

    /// A fetch ended: with keys, or (`None`) without.
    pub fn fetched(&self, published: Option<Published>, now: Now) {
        self.failed.store(published.is_none(), Ordering::Relaxed);
        if let Some(published) = published {
            self.current.store(Some(Arc::new(published)));
        }
        self.wanted.store(false, Ordering::Relaxed);
        self.tried_unix_secs.store(now.unix_secs(), Ordering::Release);
    }

    /// Unix seconds at which a fetch last ended; 0 if none has.
    #[must_use]
    pub fn tried_unix_secs(&self) -> u64 {
        self.tried_unix_secs.load(Ordering::Acquire)
    }

    /// Does a call want newer keys?
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// The keys, unless they were last seen published too long ago.
    #[must_use]
    pub fn fresh(&self, now: Now, max_stale_secs: u64) -> Option<Arc<Published>> {
        let published = self.current.load_full()?;
        (published.fetched_unix_secs.saturating_add(max_stale_secs) >= now.unix_secs()).then_some(published)
    }

    /// What a caller is told whose token names an unknown key: that it is unknown, if that is certain, else to come back.
    fn unknown_key(&self, now: Now) -> Fault {
        if now.unix_secs().saturating_sub(self.tried_unix_secs()) >= UNKNOWN_KEY_EVERY_SECS {
            self.wanted.store(true, Ordering::Relaxed);
            self.wake.notify_one();
            return unavailable(1);
        }
        if self.failed.load(Ordering::Relaxed) { unavailable(5) } else { TokenFault::UnknownKey.fault() }
    }
}

fn unavailable(retry_after_secs: u64) -> Fault {
    let message = "the keys of the bearer token's issuer cannot be had right now, so nobody can say whether the token is good; \
                   try again, or use a key";
    Fault::new(Code::IdentityUnavailable, message).retry_after(retry_after_secs)
}

/// Who presents this, if anybody: whether the caller's key or account still counts is the permit's to say.
///
/// # Errors
/// `UnknownKey` for keys; `InvalidToken`, `ExpiredToken`, `WrongAudience`, `IdentityUnavailable` and what [`Welcome`] says for
/// tokens.
pub fn identify(snapshot: &Snapshot, cache: &TokenCache, presented: &str, now: Now) -> Result<Arc<KeyEntry>, Fault> {
    if !snapshot.identities.issuers.is_empty() && looks_like_token(presented) {
        return bearer(snapshot, cache, presented, now);
    }
    snapshot.keys.find(presented).map(Arc::clone).ok_or_else(|| unknown_key(presented))
}

fn bearer(snapshot: &Snapshot, cache: &TokenCache, presented: &str, now: Now) -> Result<Arc<KeyEntry>, Fault> {
    let issuers = &snapshot.identities.issuers;
    let hash = *blake3::hash(presented.as_bytes()).as_bytes();
    if let Some(known) = cache.find(&hash, snapshot.generation)
        && let Some(trusted) = issuers.get(known.issuer)
        && let Some(published) = trusted.keys.fresh(now, trusted.max_stale_secs)
        && published.version == known.keys_version
    {
        return if now.unix_secs() < known.until_unix_secs {
            Ok(known.caller)
        } else {
            Err(TokenFault::Expired.fault())
        };
    }
    let token = Token::read(presented).map_err(|fault| snapshot.identities.of_nobody(presented, fault))?;
    let found = issuers.iter().enumerate().find(|(_, trusted)| trusted.pinned.issuer == token.issuer());
    let (issuer, trusted) = found.ok_or_else(|| snapshot.identities.of_nobody(presented, TokenFault::Issuer))?;
    let published = trusted.keys.fresh(now, trusted.max_stale_secs).ok_or_else(|| unavailable(5))?;
    let identity = token.verify(&trusted.pinned, &published.ring, now).map_err(|fault| match fault {
        TokenFault::UnknownKey => trusted.keys.unknown_key(now),
        other => other.fault(),
    })?;
    let caller = caller_of(snapshot, &trusted.pinned, &identity)?;
    let remembered = Remembered {
        caller: Arc::clone(&caller),
        generation: snapshot.generation,
        issuer,
        keys_version: published.version,
        until_unix_secs: identity.until_unix_secs,
    };
    cache.remember(hash, remembered);
    Ok(caller)
}

/// Whom a good token is of.
///
/// # Errors
/// `RevokedKey` if it is as good as a key that is gone; what [`Welcome`] says.
pub fn caller_of(snapshot: &Snapshot, issuer: &Issuer, identity: &Identity) -> Result<Arc<KeyEntry>, Fault> {
    let by_key = identity.own.as_ref().and_then(|own| own.key.as_deref());
    let caller = match by_key {
        Some(key) => snapshot.keys.by_id(key).map(Arc::clone).ok_or_else(|| {
            Fault::new(Code::RevokedKey, "the key that was logged in with is gone; log in again with another one")
        })?,
        None => {
            let welcome = snapshot.identities.welcome.as_ref().ok_or_else(|| TokenFault::Issuer.fault())?;
            welcome(issuer, identity)?
        }
    };
    Ok(match &identity.own {
        Some(own) => bound(&caller, identity, own),
        None => caller,
    })
}

/// The same caller, bound to what an access token of the own authorization server says, and without a role: such a token is for
/// a resource, not for running the gateway.
fn bound(caller: &KeyEntry, identity: &Identity, own: &Own) -> Arc<KeyEntry> {
    let mut principal = Principal::clone(&caller.principal);
    principal.access = Some(Arc::new(own.access.clone()));
    principal.role = None;
    if own.key.is_some() && !identity.act.is_empty() {
        let actor = |name: &String| Actor { kind: PrincipalKind::Agent, name: name.as_str().into() };
        principal.act = identity.act.iter().map(actor).collect();
    }
    Arc::new(KeyEntry { principal: Arc::new(principal), ..caller.clone() })
}

/// Does an access token open what is asked for? It opens one resource, while its grant stands, shown in the header that is for it
/// (RFC 6750 §2.1): never in a query, which ends up in logs.
///
/// # Errors
/// `WrongAudience` or `InvalidToken`.
pub fn opens(snapshot: &Snapshot, access: &Access, headers: &HeaderMap, path: &str) -> Result<(), Fault> {
    let own = snapshot.identities.own.as_ref().ok_or_else(|| TokenFault::Issuer.fault())?;
    if access.resource.strip_prefix(&*own.public_url) != Some(path.trim_end_matches('/')) {
        return Err(TokenFault::Audience.fault());
    }
    if own.revoked.has(&access.grant) {
        return Err(Fault::new(Code::InvalidToken, "the grant of this access token was revoked; ask for access again"));
    }
    if !headers.contains_key(http::header::AUTHORIZATION) {
        let message = "an access token is sent as `Authorization: Bearer` and in no other way";
        return Err(Fault::new(Code::InvalidToken, message));
    }
    Ok(())
}

fn unknown_key(presented: &str) -> Fault {
    let message = match form(presented) {
        Form::Mistyped => {
            "this key is mistyped or cut off: its checksum does not fit; copy it again, whole, or ask for a new one"
        }
        Form::Minted | Form::Other => {
            "no caller has this key here; ask the gateway's operator for one, or make one with `gatehouse keys create`. An admin \
             key opens the admin API alone: what calls is a key, which may have a role"
        }
    };
    Fault::new(Code::UnknownKey, message)
}

/// The address a call comes from: the peer's, or what proxies that are trusted say in `X-Forwarded-For`, read from its end up
/// to the first address that is no such proxy. What stands before that anybody can have written.
#[must_use]
pub fn client_address(trusted_proxies: &[IpRange], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted_proxies.iter().any(|range| range.contains(address));
    let mut address = peer.to_canonical();
    if !is_proxy(address) {
        return address;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim).take(HOPS_MAX);
    while is_proxy(address) {
        let Some(Ok(before)) = hops.next().map(str::parse::<IpAddr>) else { break };
        address = before.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted: Vec<IpRange> = ["10.0.0.0/8", "::1"].iter().map(|range| range.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        client_address(&trusted, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed_about_its_address() {
        assert_eq!(seen("203.0.113.9", &["10.1.1.1"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_says_who_called_it() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn what_a_caller_put_before_the_proxies_does_not_count() {
        assert_eq!(seen("10.0.0.1", &["192.0.2.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["192.0.2.1", "203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn nonsense_ends_the_way_back() {
        for line in ["", "unknown", "203.0.113.9:80", "_x", "203.0.113.9,,"] {
            assert_eq!(seen("10.0.0.1", &[line]), "10.0.0.1", "{line}");
        }
    }
}
