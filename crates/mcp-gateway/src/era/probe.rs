//! Of which era is a server? Found out by asking `server/discover` first (2026-07-28, versioning, backward compatibility).
//! Whoever connects keeps what was found for the origin or process, and asks again when it turns out wrong.

use crate::wire::{Message, Response};

use super::Revision;

/// What the answer to `server/discover` says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is modern and speaks this revision: the result is at hand, or the request may be repeated with it.
    Modern(Revision),
    /// It is modern and speaks no revision that is spoken here.
    Stranger,
    /// It is legacy: send `initialize`.
    Legacy,
    /// It says nothing about eras (401, 403, 429, 5xx): deal with that and ask again.
    Unsaid,
}

/// What the answer of an HTTP server says: its status, and the message in its body where there is one.
#[must_use]
pub fn of_http(_status: u16, _body: Option<&Message>) -> Found {
    todo!()
}

/// What the answer of a child says; `None` when it did not answer in time. Anything but a modern answer is legacy.
#[must_use]
pub fn of_line(_answer: Option<&Response>) -> Found {
    todo!()
}

/// Is an HTTP server that answers `initialize` with this status to be tried with `GET` (HTTP with SSE, 2024-11-05)?
#[must_use]
pub fn wants_get(status: u16) -> bool {
    matches!(status, 400 | 404 | 405)
}
