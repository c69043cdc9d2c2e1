//! An issuer of signed tokens, at the wire: an HTTP server that hands out its public keys, and tokens signed with the private
//! ones. What it serves can be changed, withheld and made hostile while it runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::upstream::Upstream;

/// What stands in `iss` of its tokens.
pub const ISSUER: &str = "https://login.example.com";
/// What stands in `aud` of its tokens.
pub const AUDIENCE: &str = "gatehouse";

/// An issuer under the test's control.
pub struct Login {
    server: Upstream,
    key: Mutex<Key>,
    /// What it answers instead of its keys.
    instead: Arc<Mutex<Option<Reply>>>,
    document: Arc<Mutex<String>>,
}

struct Key {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { kid: kid.to_owned(), pair }
    }

    fn document(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|number| B64.encode(number));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": x, "y": y}]})
            .to_string()
    }
}

impl Default for Login {
    fn default() -> Self {
        Self::start()
    }
}

impl Login {
    /// Starts one with the key `one`.
    #[must_use]
    pub fn start() -> Self {
        let key = Key::new("one");
        let document = Arc::new(Mutex::new(key.document()));
        let instead: Arc<Mutex<Option<Reply>>> = Arc::default();
        let (served, other) = (Arc::clone(&document), Arc::clone(&instead));
        let server = Upstream::start_with(0, move |_| {
            let other = other.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let document = || served.lock().unwrap_or_else(PoisonError::into_inner).clone();
            other.unwrap_or_else(|| Reply::raw("application/json", document()))
        });
        Self { server, key: Mutex::new(key), instead, document }
    }

    /// The entry of `auth.jwt` that trusts it.
    #[must_use]
    pub fn entry(&self) -> Value {
        json!({
            "issuer": ISSUER, "audience": AUDIENCE, "jwks_url": format!("{}/keys", self.server.url()),
            "claims": {"team": "groups", "organisation": "org", "role": "role"},
        })
    }

    /// Its public keys, as a document.
    #[must_use]
    pub fn document(&self) -> String {
        self.document.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often its keys were asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.server.served()
    }

    /// Waits until its keys have been asked for so often.
    pub fn wait_until_asked(&self, times: usize) {
        let _last = self.server.wait_for_request(times);
    }

    /// From now on it answers this; `None`: its keys.
    pub fn answer(&self, instead: Option<Reply>) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = instead;
    }

    /// From now on it signs with another key, and publishes that one alone.
    pub fn rotate(&self, kid: &str) {
        let key = Key::new(kid);
        *self.document.lock().unwrap_or_else(PoisonError::into_inner) = key.document();
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// A token for a person, good for five minutes, with these claims besides; null takes a claim out.
    #[must_use]
    pub fn token(&self, subject: &str, claims: &Value) -> String {
        self.token_of_type("JWT", subject, claims)
    }

    /// The same of another type.
    #[must_use]
    pub fn token_of_type(&self, kind: &str, subject: &str, claims: &Value) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let mut all = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300});
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let header = json!({"alg": "ES256", "kid": key.kid, "typ": kind});
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(all.to_string()));
        let signature = key.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", B64.encode(signature))
    }
}
