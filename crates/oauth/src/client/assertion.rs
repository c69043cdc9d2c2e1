//! A client that authenticates with a key of its own (`private_key_jwt`, RFC 7523 §2.2).

use std::sync::Arc;

use gatehouse_domain::{Now, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// Seconds an assertion is good for.
const LIFETIME_SECS: u64 = 60;

/// A private key, and how it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    pem: Secret,
    algorithm: Algorithm,
    id: Option<Arc<str>>,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the private key is no PEM of an RSA, P-256, P-384 or Ed25519 key in PKCS #8")]
pub struct AssertionFault;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

impl ClientKey {
    /// Takes a private key in PEM; what it is says how it signs.
    ///
    /// # Errors
    /// When it is none that can sign.
    pub fn new(pem: Secret, id: Option<Arc<str>>) -> Result<Self, AssertionFault> {
        // Of curves, only signing tells which it is.
        let algorithms = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::RS256];
        let signs = |algorithm: &Algorithm| {
            encoding_key(*algorithm, &pem).is_some_and(|key| jsonwebtoken::crypto::sign(b"", &key, *algorithm).is_ok())
        };
        let algorithm = algorithms.into_iter().find(signs).ok_or(AssertionFault)?;
        Ok(Self { pem, algorithm, id })
    }

    /// An assertion that we are `client_id`, for `issuer` and nobody else. `nonce` makes it one of its kind.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn assert(&self, client_id: &str, issuer: &str, nonce: &str, now: Now) -> Result<String, AssertionFault> {
        let iat = now.unix_secs();
        let claims = Claims { iss: client_id, sub: client_id, aud: issuer, jti: nonce, iat, exp: iat + LIFETIME_SECS };
        let mut header = Header::new(self.algorithm);
        header.kid = self.id.as_deref().map(str::to_owned);
        let key = encoding_key(self.algorithm, &self.pem).ok_or(AssertionFault)?;
        jsonwebtoken::encode(&header, &claims, &key).map_err(|_| AssertionFault)
    }
}

fn encoding_key(algorithm: Algorithm, pem: &Secret) -> Option<EncodingKey> {
    let pem = pem.reveal().as_bytes();
    match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(pem).ok(),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem).ok(),
        _ => EncodingKey::from_ec_pem(pem).ok(),
    }
}
