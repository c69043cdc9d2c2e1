//! Signed statements about a chain: "entry `seq` of this organisation has this hash". Ed25519, by a key that belongs to this
//! installation and lies in its data folder.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain::{self, Hash};
use crate::hex::{hex, unhex};
use crate::{DataDir, StoreError, secret_file};

/// Signed before the statement, so that no signature of this key means anything else.
const PURPOSE: &[u8] = b"gatehouse audit statement v1\n";

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// One of the numbered series in the database.
    Checkpoint,
    /// Likewise, and: every entry up to this one was deleted by retention.
    Tombstone,
    /// The newest entry there was; kept beside the database and at the end of exports.
    Head,
    /// The entry before the first one of an export.
    Start,
}

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it is for.
    pub kind: StatementKind,
    /// The chain.
    pub organisation: String,
    /// For checkpoints and tombstones their place in the series, from 1; for heads how many there were.
    pub number: u64,
    /// The entry it is about; 0 for none.
    pub seq: u64,
    /// That entry's hash, in hexadecimal.
    pub hash: String,
    /// Unix milliseconds of the signature.
    pub at_unix_ms: u64,
    /// Ed25519, in hexadecimal.
    pub signature: String,
}

/// The key statements are signed with. `Debug` does not show it.
pub struct InstanceKey(Ed25519KeyPair);

impl InstanceKey {
    /// Reads `<data_dir>/audit-key`, or makes it (0600) the first time.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not 32 bytes.
    pub fn load(dir: &DataDir) -> Result<Self, StoreError> {
        let lost = "it is not 32 bytes long; restore it from a backup: without it no entry so far can be verified";
        let path = dir.audit_key();
        let seed = secret_file::load_or_create(&path, lost)?;
        Self::from_seed(&seed).ok_or(StoreError::Damaged { path, what: lost })
    }

    /// A key from a known seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public key, in hexadecimal: what verifies an export elsewhere.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// Signs that an entry has a hash.
    pub(crate) fn state(
        &self,
        kind: StatementKind,
        organisation: &str,
        number: u64,
        (seq, hash): (u64, &Hash),
        at_unix_ms: u64,
    ) -> Statement {
        let (organisation, hash, signature) = (organisation.to_owned(), hex(hash), String::new());
        let mut statement = Statement { kind, organisation, number, seq, hash, at_unix_ms, signature };
        statement.signature = hex(self.0.sign(&statement.signed_bytes()).as_ref());
        statement
    }
}

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceKey([secret])")
    }
}

impl Statement {
    /// Was it signed by the holder of this public key?
    pub(crate) fn is_signed_by(&self, public: &[u8; 32]) -> bool {
        unhex::<64>(&self.signature).is_some_and(|signature| {
            UnparsedPublicKey::new(&ED25519, public).verify(&self.signed_bytes(), &signature).is_ok()
        })
    }

    /// As one line of JSON.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut value {
            fields.remove("signature");
        }
        [PURPOSE, chain::canonical(&value).as_bytes()].concat()
    }
}
