//! An issuer's public keys (JSON Web Key Set, RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys looked at in one set. Issuers have two or three.
const KEYS_MAX: usize = 100;
/// The smallest RSA modulus that counts, in bytes: 2048 bits (RFC 7518 §3.3).
const RSA_BYTES_MIN: usize = 256;
/// And the largest, so that no key makes checking a signature a burden.
const RSA_BYTES_MAX: usize = 1024;

/// The keys of one issuer that can check signatures.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    shape: Shape,
    /// The one algorithm the issuer uses it with, where it says so.
    only: Option<Algorithm>,
    public: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// Why a document is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// It is not JSON, or has no list `keys`.
    #[error("it is not a JSON Web Key Set")]
    NotASet,
    /// No key in it can check a signature.
    #[error("it has no public key that checks signatures (RSA from 2048 bits, P-256, P-384 or Ed25519)")]
    NoKeys,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A key as published. What is not named here is of no use for checking signatures.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keyring {
    /// Reads a key set. Keys of other kinds, for other purposes or too weak are left out; secret keys (`oct`) always.
    ///
    /// # Errors
    /// [`KeyringError`] if nothing is left.
    pub fn read(document: &[u8]) -> Result<Self, KeyringError> {
        let document: Document = serde_json::from_slice(document).map_err(|_| KeyringError::NotASet)?;
        let keys = document.keys.into_iter().take(KEYS_MAX);
        // One key that cannot be read must not take the others away.
        let keys: Vec<Key> = keys.filter_map(|key| key_of(&Jwk::deserialize(key).ok()?)).collect();
        if keys.is_empty() { Err(KeyringError::NoKeys) } else { Ok(Self { keys }) }
    }

    /// Is there a key of this name?
    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The keys that may have signed with this algorithm under this name; without a name, only if there is no choice.
    pub(super) fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        by: Algorithm,
    ) -> impl Iterator<Item = &'a DecodingKey> {
        let fitting = move || self.keys.iter().filter(move |key| key.fits(by));
        let nameless_choice = kid.is_none() && fitting().count() > 1;
        fitting()
            .filter(move |key| !nameless_choice && (kid.is_none() || key.kid.as_deref() == kid))
            .map(|key| &key.public)
    }
}

impl Key {
    fn fits(&self, by: Algorithm) -> bool {
        self.only.is_none_or(|only| only == by) && shape_of(by) == Some(self.shape)
    }
}

const fn shape_of(algorithm: Algorithm) -> Option<Shape> {
    match algorithm {
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Some(Shape::Rsa),
        Algorithm::ES256 => Some(Shape::P256),
        Algorithm::ES384 => Some(Shape::P384),
        Algorithm::EdDSA => Some(Shape::Ed25519),
        _ => None,
    }
}

fn key_of(jwk: &Jwk) -> Option<Key> {
    let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !signs {
        return None;
    }
    let only = match jwk.alg.as_deref() {
        // A key for an algorithm unknown here, or for a shared secret.
        Some(name) => Some(name.parse::<Algorithm>().ok().filter(|by| shape_of(*by).is_some())?),
        None => None,
    };
    let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_deref()?).ok();
    let (shape, public) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
            let n = &n[n.iter().position(|byte| *byte != 0)?..];
            if !(RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&n.len()) || e.len() > 8 {
                return None;
            }
            (Shape::Rsa, DecodingKey::from_rsa_raw_components(n, &e))
        }
        ("EC", Some("P-256")) => (Shape::P256, point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 32)?),
        ("EC", Some("P-384")) => (Shape::P384, point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 48)?),
        ("OKP", Some("Ed25519")) => {
            (Shape::Ed25519, DecodingKey::from_ed_der(&bytes(&jwk.x).filter(|x| x.len() == 32)?))
        }
        _ => return None,
    };
    Some(Key { kid: jwk.kid.clone(), shape, only, public })
}

/// An uncompressed point (SEC 1 §2.3.3).
fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<DecodingKey> {
    (x.len() == bytes && y.len() == bytes).then(|| DecodingKey::from_ec_der(&[&[4], x, y].concat()))
}
