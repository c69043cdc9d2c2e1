//! Of which era is a server? Found out by asking `server/discover` first (2026-07-28, versioning, backward compatibility).
//! Whoever connects keeps what was found for the origin or process, and asks again when it turns out wrong.

use crate::wire::{Message, Raw, Response, code};

use super::{Era, Revision};

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
pub fn of_http(status: u16, body: Option<&Message>) -> Found {
    if let Some(Message::Response(response)) = body
        && let Some(found) = recognised(response)
    {
        return found;
    }
    match status {
        401 | 403 | 407 | 408 | 429 | 502..=504 => Found::Unsaid,
        _ => Found::Legacy,
    }
}

/// What the answer of a child says; `None` when it did not answer in time. Anything but a modern answer is legacy.
#[must_use]
pub fn of_line(answer: Option<&Response>) -> Found {
    answer.and_then(recognised).unwrap_or(Found::Legacy)
}

/// A result of `server/discover`, or an error that only modern servers send.
fn recognised(response: &Response) -> Option<Found> {
    match &response.outcome {
        Ok(result) => result.get(&["supportedVersions"]).map(|versions| shared(&versions)),
        Err(error) => match error.code {
            code::UNSUPPORTED_VERSION => {
                let supported = error.data.as_ref().and_then(|data| data.get(&["supported"]));
                Some(supported.map_or(Found::Stranger, |versions| shared(&versions)))
            }
            code::HEADER_MISMATCH | code::MISSING_CAPABILITY => Some(Found::Modern(Revision::LATEST)),
            _ => None,
        },
    }
}

/// The newest revision that both sides speak.
fn shared(versions: &Raw) -> Found {
    let theirs: Vec<Revision> =
        versions.elements().iter().filter_map(|version| Revision::of(&version.as_text()?)).collect();
    match theirs.iter().max() {
        Some(revision) if revision.era() == Era::Modern => Found::Modern(*revision),
        Some(_) => Found::Legacy,
        None => Found::Stranger,
    }
}

/// Is an HTTP server that answers `initialize` with this status to be tried with `GET` (HTTP with SSE, 2024-11-05)?
#[must_use]
pub fn wants_get(status: u16) -> bool {
    matches!(status, 400 | 404 | 405)
}
