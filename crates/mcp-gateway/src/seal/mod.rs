//! Tokens that clients keep for us: sessions, places in lists, states of calls, ids of tasks. Sealed with AES-256-GCM, so that
//! nobody reads or changes them; bound to what they are for, so that a cursor is never a session; visible ASCII, so that
//! they go into headers and URIs. Any replica with the key opens them, before and after a restart.
//!
//! A seal says that a token is ours and whole. Whether it is this caller's, on this path, is asked of the payload
//! ([`Session::is_for`] and its like): a token that answers no is treated as unknown.

#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use tokens::{Crossing, RequestState, Session, Task, call_digest};

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce: random, never used twice with a key.
pub const NONCE_LEN: usize = 12;
/// The longest token that is looked at.
pub const TOKEN_MAX: usize = 64 << 10;

/// What stands before the purpose in the associated data: tokens of another layout do not open.
const LAYOUT: &str = "gatehouse mcp token 1: ";

/// Something that is kept in a token.
pub trait Token: Serialize + DeserializeOwned {
    /// What it is for: no token of another purpose opens as this.
    const PURPOSE: &'static str;
    /// Unix seconds after which it does not open any more.
    fn expires(&self) -> Option<u64>;
}

/// Seals and opens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sealer {
    /// The newest first; that one seals.
    keys: Arc<[LessSafeKey]>,
    /// Makes the nonces of steady tokens.
    steady: hmac::Key,
}

/// Why a token is not made or does not open. Whoever sent it is told no more than that it is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not one of ours, was changed, is for something else, or its key is gone.
    #[error("the token is unknown")]
    Unknown,
    /// It was one of ours.
    #[error("the token is past its time")]
    Expired,
    /// The payload cannot be written, or the key not used.
    #[error("the token cannot be made")]
    Unsealable,
}

impl Sealer {
    /// Seals with `key`, opens with it and with each of `old`.
    ///
    /// # Errors
    /// `Unsealable`, when a key cannot be used.
    pub fn new(key: &[u8; KEY_LEN], old: &[[u8; KEY_LEN]]) -> Result<Self, SealError> {
        let key_of = |bytes: &[u8; KEY_LEN]| {
            UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| SealError::Unsealable)
        };
        let steady = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"nonces of steady tokens");
        Ok(Self {
            keys: std::iter::once(key).chain(old).map(key_of).collect::<Result<_, _>>()?,
            steady: hmac::Key::new(hmac::HMAC_SHA256, steady.as_ref()),
        })
    }

    /// Seals a payload.
    ///
    /// # Errors
    /// `Unsealable`; not for the payloads in here.
    pub fn close<T: Token>(&self, payload: &T, nonce: [u8; NONCE_LEN]) -> Result<String, SealError> {
        let mut sealed = serde_json::to_vec(payload).map_err(|_| SealError::Unsealable)?;
        let key = self.keys.first().ok_or(SealError::Unsealable)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound::<T>(), &mut sealed)
            .map_err(|_| SealError::Unsealable)?;
        Ok(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    /// Seals a payload so that it has the same token every time: for names that are compared. The nonce is made of the
    /// payload, so that two payloads never share one, and of a secret, so that nobody learns a payload by trying.
    ///
    /// # Errors
    /// `Unsealable`; not for the payloads in here.
    pub fn close_steadily<T: Token>(&self, payload: &T) -> Result<String, SealError> {
        let text = serde_json::to_vec(payload).map_err(|_| SealError::Unsealable)?;
        let of_payload = hmac::sign(&self.steady, &[T::PURPOSE.as_bytes(), &[0], &text].concat());
        let nonce = of_payload.as_ref().first_chunk().ok_or(SealError::Unsealable)?;
        self.close(payload, *nonce)
    }

    /// Opens a token; `now` in Unix seconds.
    ///
    /// # Errors
    /// `Unknown` or `Expired`.
    pub fn open<T: Token>(&self, token: &str, now: u64) -> Result<T, SealError> {
        if token.len() > TOKEN_MAX {
            return Err(SealError::Unknown);
        }
        let bytes = BASE64.decode(token).map_err(|_| SealError::Unknown)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Unknown)?;
        let opened = self.keys.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut sealed = sealed.to_vec();
            let length = key.open_in_place(nonce, bound::<T>(), &mut sealed).ok()?.len();
            sealed.truncate(length);
            Some(sealed)
        });
        let payload: T = serde_json::from_slice(&opened.ok_or(SealError::Unknown)?).map_err(|_| SealError::Unknown)?;
        match payload.expires() {
            Some(end) if end <= now => Err(SealError::Expired),
            _ => Ok(payload),
        }
    }
}

fn bound<T: Token>() -> Aad<Vec<u8>> {
    Aad::from([LAYOUT.as_bytes(), T::PURPOSE.as_bytes()].concat())
}
