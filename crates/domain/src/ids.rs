//! Identifiers. Both are UUIDv7, so that they sort by time and the ledger's primary key only ever grows at its end.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One call as a client sees it; echoed as `x-gatehouse-request-id`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub Uuid);

/// One upstream attempt of a call: the primary key of its ledger row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptId(pub Uuid);

impl RequestId {
    /// The id of this call's attempt number `n` (from 0): the same call id with the attempt number in its last byte,
    /// so that both can be read off each other.
    #[must_use]
    pub fn attempt(self, n: u8) -> AttemptId {
        let mut bytes = *self.0.as_bytes();
        bytes[15] = n;
        AttemptId(Uuid::from_bytes(bytes))
    }

    /// As it is written: 32 hexadecimal digits, without an allocation.
    pub fn text(self, room: &mut [u8; 32]) -> &str {
        self.0.simple().encode_lower(room)
    }

    /// A request id whose last byte is free for attempt numbers.
    #[must_use]
    pub fn from_uuid(id: Uuid) -> Self {
        let mut bytes = *id.as_bytes();
        bytes[15] = 0;
        Self(Uuid::from_bytes(bytes))
    }
}

impl AttemptId {
    /// The call this attempt belongs to.
    #[must_use]
    pub fn request(self) -> RequestId {
        RequestId::from_uuid(self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}
impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
