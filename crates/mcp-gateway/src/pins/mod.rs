//! Contract pins: what a server offers is what was approved, to the byte of its canonical form. Each version of a tool, prompt,
//! template or of the instructions has a hash; a version is approved, pending or held, and only approved ones are offered.
//! Versions are remembered, so that one that was approved before needs no second approval, and going back is possible.

mod book;
mod diff;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::Now;
use serde::Serialize;
use serde_json::Value;

pub use book::{PinBook, VERSIONS, Verdict};
pub use diff::{Change, Class, Diff, diff};

use crate::catalogue::{Entry, Kind, raw_text};

/// SHA-256 of the canonical form (RFC 8785) of one version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NoHash;
    fn from_str(text: &str) -> Result<Self, NoHash> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(NoHash);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(2 * index..2 * index + 2).ok_or(NoHash)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoHash)?;
        }
        Ok(Self(bytes))
    }
}

/// A text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct NoHash;

/// The hash of a JSON text; `None` if it cannot be read.
#[must_use]
pub fn hash_json(text: &str) -> Option<Hash> {
    let value: Value = serde_json::from_str(text).ok()?;
    let canonical = serde_json_canonicalizer::to_vec(&value).ok()?;
    Some(hash_bytes(&canonical))
}

/// The hash of a text as it is.
#[must_use]
pub fn hash_text(text: &str) -> Hash {
    hash_bytes(text.as_bytes())
}

fn hash_bytes(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    Hash(hash)
}

/// What is done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// It is offered.
    Approved,
    /// It waits for somebody to look at it.
    Pending,
    /// Somebody looked at it and does not want it.
    Held,
}

impl PinState {
    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "pending",
            Self::Held => "held",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Approved, Self::Pending, Self::Held].into_iter().find(|state| state.as_str() == word)
    }
}

/// A version that is to be remembered with its state, because it is new or stands differently now.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The server.
    pub server: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// Its name on its server; empty for instructions.
    pub name: Arc<str>,
    /// Which version.
    pub hash: Hash,
    /// What the policy does with it.
    pub state: PinState,
    /// The version as the server wrote it: JSON, or the text of instructions.
    pub document: Arc<str>,
    /// When it was seen.
    pub at: Now,
}

impl Sighting {
    pub(crate) fn of_item(entry: &Entry, hash: Hash, state: PinState, at: Now) -> Self {
        Self {
            server: Arc::clone(&entry.server),
            kind: entry.kind,
            name: Arc::clone(&entry.real),
            hash,
            state,
            document: Arc::from(raw_text(&entry.json)),
            at,
        }
    }

    pub(crate) fn of_instructions(server: &Arc<str>, text: &Arc<str>, hash: Hash, state: PinState, at: Now) -> Self {
        Self {
            server: Arc::clone(server),
            kind: Kind::Instructions,
            name: Arc::from(""),
            hash,
            state,
            document: Arc::clone(text),
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_space_do_not_change_a_hash_and_everything_else_does() {
        let one = hash_json(r#"{"name":"a","inputSchema":{"type":"object","x":1.0}}"#).unwrap();
        assert_eq!(hash_json(r#"{ "inputSchema": {"x":1, "type":"object"}, "name":"\u0061" }"#), Some(one));
        assert_ne!(hash_json(r#"{"name":"a","inputSchema":{"type":"object","x":2}}"#), Some(one));
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = hash_text("x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("zz".repeat(32).parse::<Hash>(), Err(NoHash));
        assert_eq!("ü".repeat(32).parse::<Hash>(), Err(NoHash));
    }
}
