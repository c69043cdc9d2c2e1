//! What an audit entry says. Names and hashes only: no field has room for a secret, a prompt or an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain;
use crate::hex::hex;

/// Bytes of any one text: names come from callers.
const TEXT_MAX: usize = 256;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Unix milliseconds.
    pub at_unix_ms: u64,
    /// Whose chain it is on; empty for the instance itself.
    pub organisation: String,
    /// Who did it, or tried to.
    pub actor: Actor,
    /// What: `key.create`, `config.reload`, `call_model`, …
    pub action: String,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<AuditObject>,
    /// SHA-256 of the object before, as [`object_hash`] makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The same after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The call or request it belongs to; the first one, where several are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Stable code of the reason, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many of the same this entry stands for: 1 but for refusals that came in a flood.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A user, a service account, an agent; `admin` for the holder of the admin key; empty for a caller nobody knows.
    pub who: String,
    /// The public id of the key that was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// In which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// From where: an address, or `cli` for a command on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// What it was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditObject {
    /// `key`, `team`, `secret`, `model`, …
    pub kind: String,
    /// Its name or id.
    pub name: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It is about to be done. Written first, so that no act is without an entry; the result follows as one of the others.
    Begun,
    /// It was done.
    #[default]
    Done,
    /// It was tried and failed.
    Failed,
    /// It was not allowed.
    Refused,
}

impl AuditOutcome {
    /// The word in entries and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl AuditEvent {
    /// An event of now, done once.
    #[must_use]
    pub fn new(at_unix_ms: u64, organisation: impl Into<String>, actor: Actor, action: impl Into<String>) -> Self {
        let (organisation, action) = (organisation.into(), action.into());
        Self { at_unix_ms, organisation, actor, action, count: 1, ..Self::default() }
    }

    /// Names what it is done to.
    #[must_use]
    pub fn on(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        self.object = Some(AuditObject { kind: kind.into(), name: name.into() });
        self
    }

    /// Says what came of it, and why.
    #[must_use]
    pub fn ended(mut self, outcome: AuditOutcome, code: Option<&str>) -> Self {
        self.outcome = outcome;
        self.code = code.map(str::to_owned);
        self
    }

    /// Cuts every text to a length the log can bear.
    pub(crate) fn bounded(mut self) -> Self {
        let Actor { who, key, role, address } = &mut self.actor;
        [who, &mut self.action, &mut self.organisation].into_iter().for_each(cut);
        let object = self.object.iter_mut().flat_map(|object| [&mut object.kind, &mut object.name]);
        let optional = [key, role, address, &mut self.before, &mut self.after, &mut self.request_id, &mut self.code];
        optional.into_iter().flatten().chain(object).for_each(cut);
        // JSON numbers are exact up to here, whoever reads them.
        self.count = self.count.min(1 << 53);
        self.at_unix_ms = self.at_unix_ms.min(1 << 53);
        self
    }
}

/// The hash of an object for `before` and `after`: SHA-256 of its canonical JSON, in hexadecimal. Give it what the admin
/// API shows of the object, which holds no secret.
#[must_use]
pub fn object_hash(object: &Value) -> String {
    hex(&chain::sha256(&[chain::canonical(object).as_bytes()]))
}

fn cut(text: &mut String) {
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push('…');
    }
}

const fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_one(count: &u64) -> bool {
    *count == 1
}
