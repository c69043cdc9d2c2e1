//! What goes on a request on its way to a server, by the server's era.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use crate::wire::{Raw, Request};

use super::headers::{self, encode};
use super::meta::key;
use super::{Era, Method, Revision};

/// Who asks: what the server is told of the client. The fields are those of a link's client.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its `capabilities` object, in the words of the server's era.
    pub capabilities: &'a Raw,
    /// Its `clientInfo` object.
    pub info: Option<&'a Raw>,
    /// The log messages it wants.
    pub log_level: Option<&'a str>,
    /// The trace to go on with.
    pub traceparent: Option<&'a str>,
}

/// What each modern request says of itself, and what is of no use to a legacy server.
const PER_REQUEST: &[&str] = &[key::PROTOCOL_VERSION, key::CLIENT_INFO, key::CLIENT_CAPABILITIES, key::LOG_LEVEL];

/// Puts on a request what its revision wants in `_meta`, and takes off what belongs to the other era only. A progress token
/// and members nobody here knows stay.
#[must_use]
pub fn body(revision: Revision, mut request: Request, facts: Facts<'_>) -> Request {
    let said = request.params.as_ref().and_then(|params| params.get(&["_meta"])).unwrap_or_else(Raw::empty);
    if is_said(&said, revision, facts) {
        return request;
    }
    let ours = |name: &str| PER_REQUEST.contains(&name) || (name == key::TRACEPARENT && facts.traceparent.is_some());
    let mut meta: Vec<(Cow<'_, str>, Raw)> = said.members().filter(|(name, _)| !ours(name)).collect();
    let mut say = |name: &'static str, value: Raw| meta.push((name.into(), value));
    if revision.era() == Era::Modern {
        say(key::PROTOCOL_VERSION, Raw::text(revision.as_str()));
        if let Some(info) = facts.info {
            say(key::CLIENT_INFO, info.clone());
        }
        say(key::CLIENT_CAPABILITIES, facts.capabilities.clone());
        if let Some(level) = facts.log_level {
            say(key::LOG_LEVEL, Raw::text(level));
        }
    }
    if let Some(trace) = facts.traceparent {
        say(key::TRACEPARENT, Raw::text(trace));
    }
    if !meta.is_empty() {
        let meta = Raw::object(meta.iter().map(|(name, value)| (&**name, value.clone())));
        request.params = Some(request.params.unwrap_or_else(Raw::empty).with(&["_meta"], &meta));
    } else if let Some(params) = request.params.take() {
        request.params = Some(params.without(&["_meta"]));
    }
    request
}

/// Does a request say the truth already? Then it goes on as the bytes it came as.
fn is_said(meta: &Raw, revision: Revision, facts: Facts<'_>) -> bool {
    let says = |name: &str, value: Option<&Raw>| meta.json_at(&[name]) == value.map(|value| &value.bytes()[..]);
    let in_words = |name: &str, word: Option<&str>| match word {
        Some(word) => meta.said(&[name]).as_deref() == Some(word),
        None => !meta.has(&[name]),
    };
    revision.era() == Era::Modern
        && facts.traceparent.is_none()
        && in_words(key::PROTOCOL_VERSION, Some(revision.as_str()))
        && says(key::CLIENT_INFO, facts.info)
        && says(key::CLIENT_CAPABILITIES, Some(facts.capabilities))
        && in_words(key::LOG_LEVEL, facts.log_level)
}

const VERSION_HEADER: HeaderName = HeaderName::from_static(headers::PROTOCOL_VERSION);
const METHOD_HEADER: HeaderName = HeaderName::from_static(headers::METHOD);
const NAME_HEADER: HeaderName = HeaderName::from_static(headers::NAME);

/// The headers that repeat the body: `mcp-protocol-version`, and for a modern server `mcp-method` and `mcp-name`. Made
/// from the request as it goes out.
#[must_use]
pub fn headers(revision: Revision, request: &Request) -> Vec<(HeaderName, HeaderValue)> {
    let version = (VERSION_HEADER, HeaderValue::from_static(revision.as_str()));
    let method = Method::of(&request.method);
    if revision.era() == Era::Legacy {
        let sent = revision.has_version_header() && method != Some(Method::Initialize);
        return if sent { vec![version] } else { Vec::new() };
    }
    let encoded = |text: &str| HeaderValue::from_str(&encode(text)).ok();
    let named = method.map(|method| HeaderValue::from_static(method.as_str())).or_else(|| encoded(&request.method));
    let mut sent = vec![version];
    sent.extend(named.map(|method| (METHOD_HEADER, method)));
    let about = method.and_then(Method::name_member).and_then(|member| request.params.as_ref()?.said(&[member]));
    let name = about.and_then(|name| encoded(&name));
    sent.extend(name.map(|name| (NAME_HEADER, name)));
    sent
}
