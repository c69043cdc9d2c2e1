//! A message came in over HTTP: of which era is it, and does it say what that era wants? The order of the looks is the
//! order of research §1.3; policy comes after all of them, and looks at the body alone.

use http::HeaderMap;

use crate::wire::{Message, Request, shown};

use super::headers::{self, only};
use super::meta::key;
use super::{Era, Method, Refusal, Revision, Speaker};

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

/// Says which it is: `_meta` with a revision makes it modern, `initialize` or a session id make it legacy, a modern version
/// header makes it modern. Where `_meta` and a session id come together, `_meta` counts: the id is to be ignored
/// (2026-07-28, streamable HTTP, earlier revisions).
///
/// # Errors
/// `Version` when the header names a revision that is not spoken and nothing else says the era.
pub fn of_post(headers: &HeaderMap, message: &Message) -> Result<Arrival, Refusal> {
    if message.params().is_some_and(|params| params.has(&["_meta", key::PROTOCOL_VERSION])) {
        return Ok(Arrival::Modern);
    }
    if message.method().is_some_and(|method| **method == *Method::Initialize.as_str()) {
        return Ok(Arrival::Opening);
    }
    if let Some(id) = only(headers, headers::SESSION_ID) {
        return Ok(Arrival::Session(String::from_utf8_lossy(id).into_owned()));
    }
    match only(headers, headers::PROTOCOL_VERSION) {
        None => Ok(Arrival::Sessionless(Revision::UNSAID)),
        Some(version) => of_version(&String::from_utf8_lossy(version)),
    }
}

fn of_version(version: &str) -> Result<Arrival, Refusal> {
    match Revision::of(version) {
        Some(revision) if revision.era() == Era::Legacy => Ok(Arrival::Sessionless(revision)),
        Some(_) => Ok(Arrival::Modern),
        None if is_date(version) && version > Revision::LATEST.as_str() => Ok(Arrival::Modern),
        None => Err(Refusal::Version { requested: shown(version) }),
    }
}

fn is_date(version: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| version.as_bytes()[range].iter().all(u8::is_ascii_digit);
    let dashes = version.len() == 10 && version.as_bytes()[4] == b'-' && version.as_bytes()[7] == b'-';
    dashes && digits(0..4) && digits(5..7) && digits(8..10)
}

/// Looks at a modern request: headers against the body, shape of `_meta`, revision, method. What the parameters are about
/// is the catalogue's to look at, and `Mcp-Param-*` come after it ([`headers::check_params`]).
///
/// # Errors
/// The first thing that is wrong.
pub fn check_modern(headers: &HeaderMap, request: &Request) -> Result<(Method, Speaker), Refusal> {
    mirrors_body(headers, request)?;
    check_modern_line(request)
}

/// The same without headers: stdio.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_modern_line(request: &Request) -> Result<(Method, Speaker), Refusal> {
    let speaker = Speaker::of_params(request.params.as_ref())?;
    let method = known(request, speaker.revision)?;
    if let Some(member) = method.name_member() {
        if request.params.as_ref().and_then(|params| params.said(&[member])).is_none() {
            return Err(Refusal::Params(format!("`{member}` of {} must be a string", method.as_str())));
        }
    }
    Ok((method, speaker))
}

/// Looks at a request of a legacy session: the method exists, and the version header, where it is sent, names a legacy
/// revision. It need not be the session's: clients are known to go on sending what they proposed.
///
/// # Errors
/// `Version` or `Method`.
pub fn check_legacy(headers: Option<&HeaderMap>, revision: Revision, request: &Request) -> Result<Method, Refusal> {
    if let Some(version) = headers.and_then(|headers| headers.get(headers::PROTOCOL_VERSION)) {
        let version = String::from_utf8_lossy(version.as_bytes());
        if Revision::of(version.trim()).is_none_or(|said| said.era() == Era::Modern) {
            return Err(Refusal::Version { requested: shown(&version) });
        }
    }
    known(request, revision)
}

fn known(request: &Request, revision: Revision) -> Result<Method, Refusal> {
    let method = Method::of(&request.method).filter(|method| method.is_of(revision));
    method.ok_or_else(|| Refusal::Method(shown(&request.method)))
}

/// Compares the standard headers with the body. What the body lacks is not compared: that is an error of its own, found
/// right after.
fn mirrors_body(headers: &HeaderMap, request: &Request) -> Result<(), Refusal> {
    let said = |path: &[&str]| request.params.as_ref().and_then(|params| params.said(path));
    let version = required(headers, headers::PROTOCOL_VERSION)?;
    if let Some(body) = said(&["_meta", key::PROTOCOL_VERSION]) {
        same("MCP-Protocol-Version", version, &body)?;
    }
    same("Mcp-Method", required(headers, headers::METHOD)?, &request.method)?;
    let Some(method) = Method::of(&request.method).filter(|method| method.is_of(Revision::LATEST)) else {
        return Ok(());
    };
    let Some(member) = method.name_member() else { return Ok(()) };
    let (sent, said) = (headers.keys().any(|header| header.as_str() == headers::NAME), said(&[member]));
    // For tasks the header comes from the extension, and not every client that has tasks sends it.
    if !sent && (member == "taskId" || said.is_none()) {
        return Ok(());
    }
    let name = headers::decode(required(headers, headers::NAME)?)
        .ok_or_else(|| Refusal::HeaderMismatch("Mcp-Name has invalid characters or encoding".into()))?;
    same("Mcp-Name", name.as_bytes(), &said.unwrap_or_default())
}

fn required<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h [u8], Refusal> {
    only(headers, name).ok_or_else(|| Refusal::HeaderMismatch(format!("{name} must be sent, and once")))
}

fn same(name: &str, header: &[u8], body: &str) -> Result<(), Refusal> {
    if header == body.as_bytes() {
        return Ok(());
    }
    let (header, body) = (shown(&String::from_utf8_lossy(header)), shown(body));
    Err(Refusal::HeaderMismatch(format!("{name} header value '{header}' does not match body value '{body}'")))
}
