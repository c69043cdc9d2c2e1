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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;
    const NONCE: [u8; NONCE_LEN] = [7; NONCE_LEN];

    fn sealer(key: u8, old: &[u8]) -> Sealer {
        let old: Vec<_> = old.iter().map(|old| [*old; KEY_LEN]).collect();
        Sealer::new(&[key; KEY_LEN], &old).unwrap()
    }

    fn session() -> Session {
        Session {
            id: "n1".into(),
            principal: "ann".into(),
            route: "/mcp".into(),
            revision: Revision::V2025_06_18,
            capabilities: Raw::of(&json!({ "sampling": {} })),
            info: None,
            servers: vec![("time".into(), "s-1".into())],
            policy_epoch: 3,
            expires: NOW + 60,
        }
    }

    fn state(params: &Value) -> RequestState {
        RequestState {
            principal: "ann".into(),
            server: "time".into(),
            state: Some("theirs".into()),
            parked: None,
            digest: call_digest("/mcp", "tools/call", Some(&Raw::of(params))),
            expires: NOW + 60,
        }
    }

    #[test]
    fn a_token_goes_through_a_header_and_comes_back() {
        let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()) && !token.contains("ann"));
        assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW), Ok(session()), "another replica with the key");
    }

    #[test]
    fn a_token_of_one_purpose_is_none_of_another() {
        let task = Task { principal: "ann".into(), server: "time".into(), id: "t".into() };
        let token = sealer(1, &[]).close(&task, NONCE).unwrap();
        assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW), Err(SealError::Unknown));
        assert_eq!(sealer(1, &[]).open::<Cursor>(&token, NOW), Err(SealError::Unknown));
        assert_eq!(sealer(1, &[]).open::<Task>(&token, NOW), Ok(task));
    }

    #[test]
    fn an_old_key_opens_until_it_is_taken_away() {
        let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
        assert!(sealer(2, &[1]).open::<Session>(&token, NOW).is_ok());
        assert_eq!(sealer(2, &[]).open::<Session>(&token, NOW), Err(SealError::Unknown));
        let newer = sealer(2, &[1]).close(&session(), NONCE).unwrap();
        assert!(sealer(1, &[]).open::<Session>(&newer, NOW).is_err(), "the newest key seals");
    }

    #[test]
    fn a_token_past_its_time_does_not_open() {
        let token = sealer(1, &[]).close(&session(), NONCE).unwrap();
        assert!(sealer(1, &[]).open::<Session>(&token, NOW + 59).is_ok());
        assert_eq!(sealer(1, &[]).open::<Session>(&token, NOW + 60), Err(SealError::Expired));
    }

    #[test]
    fn a_session_is_good_for_one_caller_on_one_path() {
        let session = session();
        assert!(session.is_for("ann", "/mcp"));
        assert!(!session.is_for("bob", "/mcp") && !session.is_for("ann", "/mcp/servers/time"));
    }

    #[test]
    fn the_state_of_a_call_is_good_for_that_call() {
        let params = json!({ "name": "time.now", "arguments": { "zone": "UTC", "x": [1, "é"] }, "_meta": { "progressToken": 1 } });
        let again = Raw::read(
            r#"{"inputResponses":{"q":{}}, "arguments":{"x":[1,"\u00e9"],"zone":"UTC"},"na\u006de":"time.now","requestState":"s"}"#.into(),
        );
        let digest = |route, method, params: &Raw| call_digest(route, method, Some(params));
        let (state, again) = (state(&params), again.unwrap());
        assert!(state.is_for("ann", "time", &digest("/mcp", "tools/call", &again)));
        assert!(!state.is_for("bob", "time", &digest("/mcp", "tools/call", &again)));
        assert!(!state.is_for("ann", "git", &digest("/mcp", "tools/call", &again)));
        assert!(!state.is_for("ann", "time", &digest("/mcp", "prompts/get", &again)));
        assert!(!state.is_for("ann", "time", &digest("/mcp/servers/time", "tools/call", &again)));
        for other in [
            json!({ "name": "time.set" }),
            json!({ "name": "time.now", "arguments": { "zone": "CET", "x": [1, "é"] } }),
        ] {
            assert!(!state.is_for("ann", "time", &digest("/mcp", "tools/call", &Raw::of(&other))), "{other}");
        }
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed() {
        let token = sealer(1, &[]).close(&state(&json!({})), NONCE).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(sealer(1, &[]).open::<RequestState>(&changed, NOW).is_err(), "character {at}");
        }
        assert!(sealer(1, &[]).open::<RequestState>(&format!("{token}A"), NOW).is_err());
        assert!(sealer(1, &[]).open::<RequestState>(&token[..token.len() - 1], NOW).is_err());
    }

    proptest! {
        #[test]
        fn what_is_no_token_does_not_open(text in any::<String>(), length in 0usize..200) {
            prop_assert_eq!(sealer(1, &[]).open::<Cursor>(&text, NOW), Err(SealError::Unknown));
            prop_assert_eq!(sealer(1, &[]).open::<Cursor>(&"A".repeat(length), NOW), Err(SealError::Unknown));
        }
    }
}
