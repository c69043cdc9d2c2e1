//! Tokens that clients keep for us: sessions, cursors, states of calls, ids of tasks. Sealed with AES-256-GCM, so that
//! nobody reads or changes them; bound to what they are for, so that a cursor is never a session; visible ASCII, so that
//! they go into headers and URIs. Any replica with the key opens them, before and after a restart.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::era::Revision;
use crate::wire::Raw;

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce: random, never used twice with a key.
pub const NONCE_LEN: usize = 12;

/// Something that is kept in a token.
pub trait Token: Serialize + DeserializeOwned {
    /// What it is for: no token of another purpose opens as this.
    const PURPOSE: &'static str;
    /// Unix seconds after which it does not open any more.
    fn expires(&self) -> Option<u64>;
}

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    // The newest first; that one seals.
    keys: Arc<[()]>,
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
    /// The payload cannot be written.
    #[error("the token cannot be made")]
    Unsealable,
}

impl Sealer {
    /// Seals with `key`, opens with it and with each of `old`.
    #[must_use]
    pub fn new(_key: &[u8; KEY_LEN], _old: &[[u8; KEY_LEN]]) -> Self {
        todo!()
    }

    /// Seals a payload.
    ///
    /// # Errors
    /// `Unsealable`; not for the payloads in here.
    pub fn close<T: Token>(&self, _payload: &T, _nonce: [u8; NONCE_LEN]) -> Result<String, SealError> {
        todo!()
    }

    /// Opens a token; `now` in Unix seconds.
    ///
    /// # Errors
    /// `Unknown` or `Expired`.
    pub fn open<T: Token>(&self, _token: &str, _now: u64) -> Result<T, SealError> {
        todo!()
    }
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
    pub info: Option<Raw>,
    /// The servers it has sessions with, and their ids.
    pub servers: Vec<(Arc<str>, Arc<str>)>,
    /// The state of the permissions when it was opened.
    pub policy_epoch: u64,
    /// Unix seconds.
    pub expires: u64,
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

/// What a server wants to see again when a call is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestState {
    /// Whose call it is.
    pub principal: Arc<str>,
    /// The server that asked.
    pub server: Arc<str>,
    /// Its own state.
    pub state: Option<Arc<str>>,
    /// The parked call it is to go on with, where the server is legacy.
    pub parked: Option<Arc<str>>,
    /// What was called: [`call_digest`].
    pub digest: Arc<str>,
    /// Unix seconds.
    pub expires: u64,
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

/// The digest of a call: path, method and `params` without `_meta`, answers and state. Equal calls have equal digests, however their
/// JSON is written.
#[must_use]
pub fn call_digest(_route: &str, _method: &str, _params: Option<&Raw>) -> Arc<str> {
    todo!()
}
