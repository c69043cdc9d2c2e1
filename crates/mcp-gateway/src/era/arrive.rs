//! A message came in over HTTP: of which era is it, and does it say what that era wants? The order of the looks is the
//! order of research §1.3; policy comes after all of them, and looks at the body alone.

use http::HeaderMap;

use crate::wire::{Message, Request};

use super::{Method, Refusal, Revision, Speaker};

/// What a message that came in is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// `initialize`: opens a session.
    Opening,
    /// Of the session whose id it carries. The caller opens the id; one that does not open is a 404.
    Session(String),
    /// A request of the modern era, which says everything itself.
    Modern,
    /// A legacy message without a session: 2025-03-26, or what `MCP-Protocol-Version` says.
    Sessionless(Revision),
}

/// Says which it is: `initialize` or a session id make it legacy, `_meta` with a revision or a modern version header make
/// it modern. Where a modern `_meta` and a session id come together, `_meta` counts (the id is to be ignored, 2026-07-28,
/// earlier revisions).
///
/// # Errors
/// `Version` when the header names a revision that is not spoken and nothing else says the era.
pub fn of_post(_headers: &HeaderMap, _message: &Message) -> Result<Arrival, Refusal> {
    todo!()
}

/// Looks at a modern request: headers against the body, shape of `_meta`, revision, method. What the parameters are about
/// is the catalogue's to look at, and `Mcp-Param-*` come after it ([`super::headers::check_params`]).
///
/// # Errors
/// The first thing that is wrong.
pub fn check_modern(_headers: &HeaderMap, _request: &Request) -> Result<(Method, Speaker), Refusal> {
    todo!()
}

/// The same without headers: stdio.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_modern_line(_request: &Request) -> Result<(Method, Speaker), Refusal> {
    todo!()
}

/// Looks at a request of a legacy session: the version header, where it is sent, is the session's, and the method exists.
///
/// # Errors
/// `Version` or `Method`.
pub fn check_legacy(_headers: Option<&HeaderMap>, _revision: Revision, _request: &Request) -> Result<Method, Refusal> {
    todo!()
}
