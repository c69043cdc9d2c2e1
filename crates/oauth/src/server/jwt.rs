//! Access tokens of our own (RFC 9068), signed with Ed25519: signing takes no randomness, so that it is a value of key and claims.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_domain::Secret;
use serde_json::{Map, Value, json};

use super::Subject;

/// Links of a chain of actors at most, as whoever reads the token allows.
const ACT_DEPTH_MAX: usize = 8;
/// Groups that go into a token.
const GROUPS_MAX: usize = 200;

/// A key that signs.
pub struct SigningKey {
    kid: String,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key of a seed: 32 bytes, base64url. `None` if it is none.
    #[must_use]
    pub fn of_seed(seed: &Secret) -> Option<Self> {
        let seed = URL_SAFE_NO_PAD.decode(seed.reveal()).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let hash = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]);
        Some(Self { kid, pair })
    }

    /// The name tokens call it by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half (RFC 8037).
    #[must_use]
    pub fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
    }

    /// A signed token of this type.
    #[must_use]
    pub fn sign(&self, kind: &str, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "typ": kind, "kid": self.kid});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }
}

/// The public halves, as the document at `jwks_uri`.
#[must_use]
pub fn key_set(keys: &[SigningKey]) -> Value {
    json!({"keys": keys.iter().map(SigningKey::public).collect::<Vec<_>>()})
}

/// What an access token says.
#[derive(Clone, Debug)]
pub struct AccessClaims<'a> {
    /// This gateway.
    pub issuer: &'a str,
    /// For whom.
    pub subject: &'a Subject,
    /// To which client.
    pub client: &'a str,
    /// By which grant.
    pub grant: &'a str,
    /// For which resource.
    pub resource: &'a str,
    /// For which scopes.
    pub scopes: &'a str,
    /// Its own id.
    pub id: &'a str,
    /// Unix seconds.
    pub now: u64,
    /// Unix seconds.
    pub until: u64,
}

impl AccessClaims<'_> {
    /// The claims, signed.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let mut claims = json!({
            "iss": self.issuer,
            "sub": self.subject.name,
            "aud": self.resource,
            "client_id": self.client,
            "scope": self.scopes,
            "grant": self.grant,
            "jti": self.id,
            "iat": self.now,
            "exp": self.until,
        });
        let Subject { issuer, key: by_key, groups, organisation, act, .. } = self.subject;
        for (name, value) in [("vouched_by", issuer), ("key", by_key), ("org", organisation)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        if !groups.is_empty() {
            claims["groups"] = json!(&groups[..groups.len().min(GROUPS_MAX)]);
        }
        // The innermost actor is the last of the chain.
        let chain = act.iter().take(ACT_DEPTH_MAX).rev().fold(None, |inner: Option<Value>, name| {
            let mut actor = json!({"sub": name});
            if let Some(inner) = inner {
                actor["act"] = inner;
            }
            Some(actor)
        });
        if let Some(chain) = chain {
            claims["act"] = chain;
        }
        key.sign("at+jwt", &claims)
    }
}

/// Header and claims of a token nobody has verified: to find out whose it says it is, and nothing more.
#[must_use]
pub fn peek(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    if token.len() > 16 << 10 {
        return None;
    }
    let mut parts = token.split('.');
    let mut part = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok();
    let (header, claims) = (part()?, part()?);
    Some((header, claims))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    fn key() -> SigningKey {
        SigningKey::of_seed(&Secret::new(URL_SAFE_NO_PAD.encode([7; 32]))).unwrap()
    }

    fn token(subject: &Subject) -> String {
        let claims = AccessClaims {
            issuer: "https://gw.example",
            subject,
            client: "c",
            grant: "g",
            resource: "https://gw.example/mcp",
            scopes: "mcp:read",
            id: "1",
            now: 10,
            until: 610,
        };
        claims.sign(&key())
    }

    #[test]
    fn a_token_is_signed_by_the_published_key() {
        let token = token(&Subject::own("ann"));
        let (text, signature) = token.rsplit_once('.').unwrap();
        let x = key().public()["x"].as_str().unwrap().to_owned();
        let public = UnparsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(x).unwrap());
        public.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn a_token_says_for_whom_it_is_and_who_acts() {
        let subject = Subject::of_key("key_1").through("inner").through("outer");
        let (header, claims) = peek(&token(&subject)).unwrap();
        assert_eq!((&header["typ"], &header["kid"]), (&json!("at+jwt"), &json!(key().kid())));
        assert_eq!((&claims["aud"], &claims["key"]), (&json!("https://gw.example/mcp"), &json!("key_1")));
        assert_eq!(claims["act"], json!({"sub": "outer", "act": {"sub": "inner"}}));
        assert!(claims.get("groups").is_none() && claims.get("vouched_by").is_none());
    }

    #[test]
    fn a_key_shows_nothing_of_its_secret_half() {
        let seed = URL_SAFE_NO_PAD.encode([7; 32]);
        assert!(!format!("{:?} {}", key(), key().public()).contains(&seed));
        assert!(SigningKey::of_seed(&Secret::new("short")).is_none());
    }

    #[test]
    fn what_is_no_token_is_not_peeked_into() {
        for text in ["", "a.b.c", "....", &"x".repeat(20_000)] {
            assert!(peek(text).is_none());
        }
    }
}
