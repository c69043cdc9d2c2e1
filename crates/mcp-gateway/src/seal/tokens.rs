//! What is kept in tokens.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bridge::questions::bare;
use crate::era::Revision;
use crate::wire::Raw;

use super::Token;

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
    /// Where it crosses between the eras: what it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossing: Option<Crossing>,
}

/// What must be known of a task of the older era that a modern client has, which says nothing of it when it asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// The tool that was called, by its server's name for it: its result is looked at as that tool's.
    pub tool: Arc<str>,
    /// What the server was told of the client when it was met: the session the task is of. `None` where that is too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Raw>,
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
