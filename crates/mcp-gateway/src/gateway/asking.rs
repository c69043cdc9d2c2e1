//! From an HTTP request to what its client asks: the looks of research §1.3 in their order, as far as they need neither the
//! catalogue nor policies. What comes out is judged by its body alone; headers were only compared with it.

use bytes::Bytes;
use gatehouse_domain::{Code, Fault};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method as Verb};

use super::refuse::Refusal;
use super::session::Session;
use crate::era::arrive::{self, Arrival};
use crate::era::{Era, Method, Revision, Speaker, headers};
use crate::wire::{self, Id, Malformed, Message, Notification, Raw, Request, Response};

/// What a client asks.
#[derive(Clone, Debug)]
pub struct Asking {
    /// What the client is, by its own word: this call's, or its session's.
    pub speaker: Speaker,
    /// The session it is of.
    pub session: Option<Session>,
    /// What it is.
    pub what: What,
    /// Does the client take a stream for an answer?
    pub streams: bool,
}

/// The kinds of thing a client sends.
#[derive(Clone, Debug)]
pub enum What {
    /// A request.
    Request(Method, Request),
    /// A notification.
    Notification(Notification),
    /// The answer to a question it was asked.
    Answer(Response),
    /// Several at once (2025-03-26): the requests are answered as one array.
    Batch(Vec<Self>),
    /// Its `GET`: it listens, from behind this event if it names one.
    Listening {
        /// `Last-Event-ID`.
        after: Option<String>,
    },
    /// Its `DELETE`: the session ends.
    Ending,
}

/// Why a request is not taken, and the id to say it to.
#[derive(Clone, Debug, PartialEq)]
pub struct Unasked {
    /// The id of the request, where it could be read.
    pub id: Option<Id>,
    /// Why.
    pub refusal: Box<Refusal>,
}

fn unasked(id: Option<Id>, refusal: impl Into<Box<Refusal>>) -> Unasked {
    Unasked { id, refusal: refusal.into() }
}

/// Opens the session id of a header: it must be of this principal and this endpoint.
pub type OpenSession<'a> = dyn Fn(&str) -> Option<Session> + 'a;

/// Reads what came in.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(verb: &Verb, map: &HeaderMap, body: &Bytes, open: &OpenSession<'_>) -> Result<Asking, Unasked> {
    match *verb {
        Verb::POST => post(map, body, open),
        Verb::GET => listening(map, open).map_err(|refusal| unasked(None, refusal)),
        Verb::DELETE => ending(map, open).map_err(|refusal| unasked(None, refusal)),
        _ => Err(unasked(None, no_such_verb("This endpoint takes GET, POST and DELETE."))),
    }
}

fn post(map: &HeaderMap, body: &Bytes, open: &OpenSession<'_>) -> Result<Asking, Unasked> {
    let streams = streams(map);
    content(map, streams).map_err(|refusal| unasked(None, refusal))?;
    let message = match wire::read(body.clone()) {
        Ok(message) => message,
        Err(unread) if unread.why == Malformed::Batch => return batch(map, body, open),
        Err(unread) => return Err(unasked(unread.id.clone(), Refusal::rpc(400, unread.rpc()))),
    };
    let id = message.id().cloned();
    let at = |era: Era| {
        let id = id.clone();
        move |refusal: crate::era::Refusal| unasked(id, Refusal::of_era(&refusal, era))
    };
    let arrival = arrive::of_post(map, &message).map_err(at(Era::Modern))?;
    let (speaker, session) = match arrival {
        Arrival::Modern => return modern(map, message, streams).map_err(at(Era::Modern)),
        Arrival::Opening => (Speaker::of_initialize(message.params()).map_err(at(Era::Legacy))?, None),
        Arrival::Session(token) => {
            let session = open(&token).ok_or_else(|| unasked(id.clone(), no_such_session()))?;
            (session.speaker(), Some(session))
        }
        Arrival::Sessionless(revision) => (silent(revision), None),
    };
    let what = legacy(map, speaker.revision, message).map_err(at(Era::Legacy))?;
    Ok(Asking { speaker, session, what, streams })
}

fn modern(map: &HeaderMap, message: Message, streams: bool) -> Result<Asking, crate::era::Refusal> {
    let (speaker, what) = match message {
        Message::Request(request) => {
            let (method, speaker) = arrive::check_modern(map, &request)?;
            (speaker, What::Request(method, request))
        }
        // None is defined over HTTP but that of stdio, and that one changes nothing here.
        Message::Notification(notification) => (silent(Revision::LATEST), What::Notification(notification)),
        Message::Response(response) => (silent(Revision::LATEST), What::Answer(response)),
    };
    Ok(Asking { speaker, session: None, what, streams })
}

fn legacy(map: &HeaderMap, revision: Revision, message: Message) -> Result<What, crate::era::Refusal> {
    Ok(match message {
        Message::Request(request) => What::Request(arrive::check_legacy(Some(map), revision, &request)?, request),
        Message::Notification(notification) => What::Notification(notification),
        Message::Response(response) => What::Answer(response),
    })
}

/// Only a session of the one revision that has them may send several messages at once.
fn batch(map: &HeaderMap, body: &Bytes, open: &OpenSession<'_>) -> Result<Asking, Unasked> {
    let session = session_id(map).and_then(open).filter(|session| session.revision.has_batches());
    let refused = |unread: wire::Unread| unasked(None, Refusal::rpc(400, unread.rpc()));
    let Some(session) = session else { return Err(refused(Malformed::Batch.into())) };
    let (messages, _) = wire::read_batch(body.clone()).map_err(refused)?;
    let mut all = Vec::with_capacity(messages.len());
    for message in messages {
        let id = message.id().cloned();
        let what = legacy(map, session.revision, message);
        let what = what.map_err(|refusal| unasked(id, Refusal::of_era(&refusal, Era::Legacy)))?;
        if matches!(what, What::Request(Method::Initialize, _)) {
            // 2025-03-26, lifecycle: the initialize request is never part of a batch.
            return Err(refused(Malformed::Envelope("`initialize` is never part of a batch").into()));
        }
        all.push(what);
    }
    Ok(Asking { speaker: session.speaker(), session: Some(session), what: What::Batch(all), streams: streams(map) })
}

fn listening(map: &HeaderMap, open: &OpenSession<'_>) -> Result<Asking, Box<Refusal>> {
    let session = session_of(map, open)?;
    if !accepts(map, &["text/event-stream"]) {
        return Err(refused(Fault::new(Code::InvalidRequest, "Send `Accept: text/event-stream`.").with_status(406)));
    }
    let after = map.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    Ok(Asking { speaker: session.speaker(), session: Some(session), what: What::Listening { after }, streams: true })
}

fn ending(map: &HeaderMap, open: &OpenSession<'_>) -> Result<Asking, Box<Refusal>> {
    let session = session_of(map, open)?;
    Ok(Asking { speaker: session.speaker(), session: Some(session), what: What::Ending, streams: false })
}

/// The session of a request without a body. Sessions are of the older era; to the newer one such a request says nothing.
fn session_of(map: &HeaderMap, open: &OpenSession<'_>) -> Result<Session, Box<Refusal>> {
    let modern = map.get(headers::PROTOCOL_VERSION).and_then(|value| Revision::of(value.to_str().ok()?));
    let token = session_id(map).filter(|_| modern.is_none_or(|revision| revision.era() == Era::Legacy));
    let Some(token) = token else {
        return Err(no_such_verb("Without a session there is nothing to listen to or to end: send a POST."));
    };
    open(token).ok_or_else(no_such_session)
}

fn session_id(map: &HeaderMap) -> Option<&str> {
    map.get(headers::SESSION_ID).and_then(|value| value.to_str().ok())
}

/// A client of which nothing is known but the revision.
fn silent(revision: Revision) -> Speaker {
    Speaker { revision, capabilities: Raw::empty(), info: None, log_level: None }
}

fn content(map: &HeaderMap, streams: bool) -> Result<(), Box<Refusal>> {
    let kind = map.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(refused(Fault::new(Code::UnsupportedMedia, "Send `Content-Type: application/json`.")));
    }
    if !streams && !accepts(map, &["application/json"]) {
        let message = "Send `Accept: application/json, text/event-stream`.";
        return Err(refused(Fault::new(Code::InvalidRequest, message).with_status(406)));
    }
    Ok(())
}

fn streams(map: &HeaderMap) -> bool {
    accepts(map, &["text/event-stream"])
}

/// Does the client take any of these? One that says nothing takes everything.
fn accepts(map: &HeaderMap, kinds: &[&str]) -> bool {
    let mut said = map.get_all(ACCEPT).iter().map(HeaderValue::as_bytes).peekable();
    said.peek().is_none()
        || said.flat_map(|value| value.split(|byte| *byte == b',')).any(|range| {
            let range = range.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            let family = |kind: &str| {
                let family = kind.split('/').next().unwrap_or_default();
                range.strip_suffix(b"/*").is_some_and(|range| range == family.as_bytes())
            };
            range == b"*/*" || kinds.iter().any(|kind| range.eq_ignore_ascii_case(kind.as_bytes()) || family(kind))
        })
}

fn refused(fault: Fault) -> Box<Refusal> {
    Box::new(fault.into())
}

fn no_such_verb(message: &'static str) -> Box<Refusal> {
    refused(Fault::new(Code::MethodNotAllowed, message))
}

/// Whether it never was, has ended, or is somebody else's: nobody learns which.
fn no_such_session() -> Box<Refusal> {
    let message = "There is no such session. Send `initialize` without `Mcp-Session-Id` to begin one.";
    refused(Fault::new(Code::NotFound, message))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json");
    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

    fn session() -> Session {
        Session {
            id: "s".into(),
            principal: "ada".into(),
            route: "/mcp".into(),
            revision: Revision::V2025_03_26,
            capabilities: Raw::empty(),
            info: None,
            policy_epoch: 0,
            expires: 0,
        }
    }

    fn asked(verb: &Verb, headers: &[(&'static str, &'static str)], body: &str) -> Result<Asking, Unasked> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let open = |token: &str| (token == "good").then(session);
        read(verb, &map, &Bytes::from(body.to_owned()), &open)
    }

    /// Status and number of a refusal.
    fn refused(headers: &[(&'static str, &'static str)], body: &str) -> (u16, i64) {
        let unasked = asked(&Verb::POST, headers, body).unwrap_err();
        (unasked.refusal.status, unasked.refusal.error.code)
    }

    fn modern_headers(method: &'static str) -> Vec<(&'static str, &'static str)> {
        vec![JSON, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)]
    }

    /// The order of research §1.3: each body has everything wrong that comes after it, too.
    #[test]
    fn the_first_thing_that_is_wrong_is_said() {
        assert_eq!(refused(&[], "{").0, 415);
        assert_eq!(refused(&[JSON, ("accept", "text/html")], "{").0, 406);
        assert_eq!(refused(&[JSON], "{"), (400, -32700));
        assert_eq!(refused(&[JSON], r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#), (400, -32600));
        assert_eq!(refused(&[JSON], r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), (400, -32600));
        let bad = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"no/such","params":{{{META}}}}}"#);
        assert_eq!(refused(&[JSON], &bad), (400, -32020));
        assert_eq!(refused(&modern_headers("other"), &bad), (400, -32020));
        let shapeless = r#"{"jsonrpc":"2.0","id":1,"method":"no/such","params":{}}"#;
        assert_eq!(refused(&modern_headers("no/such"), shapeless), (400, -32602));
        assert_eq!(refused(&modern_headers("no/such"), &bad), (404, -32601));
    }

    #[test]
    fn a_modern_request_says_everything_itself() {
        let body = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{{{META}}}}}"#);
        let mut headers = modern_headers("tools/list");
        // An old session's id beside it means nothing.
        headers.push(("mcp-session-id", "gone"));
        let asking = asked(&Verb::POST, &headers, &body).unwrap();
        assert!(asking.session.is_none() && asking.speaker.revision == Revision::V2026_07_28);
        assert!(matches!(asking.what, What::Request(Method::ToolsList, _)));
    }

    #[test]
    fn a_session_is_found_by_its_id_and_a_strange_id_is_not_found() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let asking = asked(&Verb::POST, &[JSON, ("mcp-session-id", "good")], ping).unwrap();
        assert_eq!(asking.session, Some(session()));
        assert_eq!(refused(&[JSON, ("mcp-session-id", "bad")], ping).0, 404);
        let unasked = asked(&Verb::POST, &[JSON, ("mcp-session-id", "bad")], ping).unwrap_err();
        assert_eq!(unasked.id, Some(Id::Number(1)));
    }

    #[test]
    fn who_says_nothing_of_itself_is_of_the_first_revision_over_http() {
        let asking = asked(&Verb::POST, &[JSON], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).unwrap();
        assert!(asking.session.is_none() && asking.speaker.revision == Revision::V2025_03_26);
    }

    #[test]
    fn only_a_session_of_the_revision_that_has_batches_sends_one() {
        let two =
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"}]"#;
        let asking = asked(&Verb::POST, &[JSON, ("mcp-session-id", "good")], two).unwrap();
        assert!(matches!(asking.what, What::Batch(all) if all.len() == 2));
        let opening = r#"[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]"#;
        assert_eq!(refused(&[JSON, ("mcp-session-id", "good")], opening), (400, -32600));
    }

    #[test]
    fn without_a_session_there_is_nothing_to_listen_to_or_to_end() {
        for verb in [Verb::GET, Verb::DELETE] {
            assert_eq!(asked(&verb, &[], "").unwrap_err().refusal.status, 405);
            let headers = [("mcp-session-id", "good"), ("mcp-protocol-version", "2026-07-28")];
            assert_eq!(asked(&verb, &headers, "").unwrap_err().refusal.status, 405);
            assert_eq!(asked(&verb, &[("mcp-session-id", "bad")], "").unwrap_err().refusal.status, 404);
        }
        assert_eq!(asked(&Verb::PUT, &[], "").unwrap_err().refusal.status, 405);
    }

    #[test]
    fn a_listener_says_behind_which_event_it_was_cut_off() {
        let headers = [("mcp-session-id", "good"), ("last-event-id", "3-7"), ("accept", "text/event-stream")];
        let asking = asked(&Verb::GET, &headers, "").unwrap();
        assert!(matches!(asking.what, What::Listening { after: Some(event) } if event == "3-7"));
        let deaf = [("mcp-session-id", "good"), ("accept", "application/json")];
        assert_eq!(asked(&Verb::GET, &deaf, "").unwrap_err().refusal.status, 406);
    }

    #[test]
    fn a_client_that_takes_no_stream_gets_none() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let streams = |accept| asked(&Verb::POST, &[JSON, ("accept", accept)], ping).unwrap().streams;
        assert!(streams("application/json, text/event-stream") && streams("*/*") && streams("text/*, application/*"));
        assert!(!streams("application/json"));
    }
}
