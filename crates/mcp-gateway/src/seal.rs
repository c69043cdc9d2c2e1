//! Tokens that clients keep for us: sessions, cursors, states of calls, ids of tasks. Sealed with AES-256-GCM, so that
//! nobody reads or changes them; bound to what they are for, so that a cursor is never a session; visible ASCII, so that
//! they go into headers and URIs. Any replica with the key opens them, before and after a restart.
//!
//! A seal says that a token is ours and whole. Whether it is this caller's, on this path, is asked of the payload
//! ([`Session::is_for`] and its like): a token that answers no is treated as unknown.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bridge::questions::bare;
use crate::era::Revision;
use crate::wire::Raw;

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
        Ok(Self { keys: std::iter::once(key).chain(old).map(key_of).collect::<Result<_, _>>()? })
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

/// The session of a legacy client, `Mcp-Session-Id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Random: tells sessions apart that are otherwise the same.
    pub id: Arc<str>,
    /// Whose it is.
    pub principal: Arc<str>,
    /// The path it was opened on; it is good on no other.
    pub route: Arc<str>,
    /// The revision spoken.
    pub revision: Revision,
    /// What the client can, as it declared it.
    pub capabilities: Raw,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Raw>,
    /// The servers it has sessions with, and their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<(Arc<str>, Arc<str>)>,
    /// The state of the permissions when it was opened.
    pub policy_epoch: u64,
    /// Unix seconds.
    pub expires: u64,
}

impl Session {
    /// Is it this caller's, on this path?
    #[must_use]
    pub fn is_for(&self, principal: &str, route: &str) -> bool {
        *self.principal == *principal && *self.route == *route
    }
}

impl Token for Session {
    const PURPOSE: &'static str = "session";
    fn expires(&self) -> Option<u64> {
        Some(self.expires)
    }
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Whose it is.
    pub principal: Arc<str>,
    /// The path it was given on.
    pub route: Arc<str>,
    /// Which list: the method.
    pub method: Arc<str>,
    /// The state of the list it was made from.
    pub snapshot: u64,
    /// How many came before.
    pub offset: u64,
}

impl Cursor {
    /// Is it this caller's, on this path, of this list?
    #[must_use]
    pub fn is_for(&self, principal: &str, route: &str, method: &str) -> bool {
        *self.principal == *principal && *self.route == *route && *self.method == *method
    }
}

impl Token for Cursor {
    const PURPOSE: &'static str = "cursor";
    fn expires(&self) -> Option<u64> {
        None
    }
}

/// What a server wants to see again when a call is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestState {
    /// Whose call it is.
    pub principal: Arc<str>,
    /// The server that asked.
    pub server: Arc<str>,
    /// Its own state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Arc<str>>,
    /// The parked call it is to go on with, where the server is legacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Arc<str>>,
    /// What was called: [`call_digest`].
    pub digest: Arc<str>,
    /// Unix seconds.
    pub expires: u64,
}

impl RequestState {
    /// Is it this caller's, for this server and this call?
    #[must_use]
    pub fn is_for(&self, principal: &str, server: &str, digest: &str) -> bool {
        *self.principal == *principal && *self.server == *server && *self.digest == *digest
    }
}

impl Token for RequestState {
    const PURPOSE: &'static str = "request state";
    fn expires(&self) -> Option<u64> {
        Some(self.expires)
    }
}

/// The id of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Whose it is.
    pub principal: Arc<str>,
    /// The server that has it.
    pub server: Arc<str>,
    /// Its id there.
    pub id: Arc<str>,
}

impl Task {
    /// Is it this caller's?
    #[must_use]
    pub fn is_for(&self, principal: &str) -> bool {
        *self.principal == *principal
    }
}

impl Token for Task {
    const PURPOSE: &'static str = "task";
    fn expires(&self) -> Option<u64> {
        None
    }
}

/// The digest of a call: path, method and `params` without `_meta`, answers and state. Equal calls have equal digests,
/// whatever the order of members, escapes and blanks.
#[must_use]
pub fn call_digest(route: &str, method: &str, params: Option<&Raw>) -> Arc<str> {
    let mut params = params.map_or(Value::Null, |params| bare(params).without(&["_meta"]).value());
    params.sort_all_objects();
    let call = Value::from(vec![route.into(), method.into(), params]).to_string();
    BASE64.encode(digest::digest(&digest::SHA256, call.as_bytes())).into()
}
