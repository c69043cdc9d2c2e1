//! What a request says in `_meta`.

use std::borrow::Cow;
use std::str::FromStr;

use gatehouse_domain::TraceParent;

use crate::wire::{Id, Raw, shown};

use super::{Era, Refusal, Revision};

/// Names of members of `_meta` (2026-07-28, basic, `_meta`).
pub mod key {
    /// The revision of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// The client's name and version.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// What the client can.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// The log messages a request wants.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// The `subscriptions/listen` a notification belongs to.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// The server's name and version, in results.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    /// The task a message belongs to (2025-11-25).
    pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
    /// What progress is reported under.
    pub const PROGRESS_TOKEN: &str = "progressToken";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";

    /// Those that decide how a request is treated.
    pub(super) const DECISIVE: &[&str] =
        &[PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL, PROGRESS_TOKEN];
}

/// How loud a log message is (RFC 5424), quietest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warning`
    Warning,
    /// `error`
    Error,
    /// `critical`
    Critical,
    /// `alert`
    Alert,
    /// `emergency`
    Emergency,
}

/// What a client says of itself, whichever way its era has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The revision it speaks.
    pub revision: Revision,
    /// Its `capabilities` object, as it declared it.
    pub capabilities: Raw,
    /// Its `clientInfo` object, if it said one.
    pub info: Option<Raw>,
    /// The log messages it wants for this request.
    pub log_level: Option<LogLevel>,
}

impl Speaker {
    /// Reads it from the `_meta` of a modern request: shape first, then the revision.
    ///
    /// # Errors
    /// `Meta` for a missing or wrong member, `Version` for a revision that is not spoken.
    pub fn of_params(params: Option<&Raw>) -> Result<Self, Refusal> {
        let meta = params.and_then(|params| params.get(&["_meta"])).filter(Raw::is_object);
        let meta =
            meta.ok_or_else(|| Refusal::Meta("`params._meta` must be an object; each request has one".into()))?;
        let said = Said::read(&meta)?;
        let version = said.version.ok_or_else(|| missing(key::PROTOCOL_VERSION))?;
        let capabilities = said.capabilities.ok_or_else(|| missing(key::CLIENT_CAPABILITIES))?;
        let revision = Revision::of(&version).filter(|revision| revision.era() == Era::Modern);
        Ok(Self {
            revision: revision.ok_or_else(|| Refusal::Version { requested: shown(&version) })?,
            capabilities,
            info: said.info,
            log_level: said.log_level,
        })
    }

    /// The same in memory of its own, for who is known for longer than one request takes.
    #[must_use]
    pub fn detached(self) -> Self {
        Self { capabilities: self.capabilities.detached(), info: self.info.map(|info| info.detached()), ..self }
    }

    /// Reads it from the `params` of `initialize`; the revision is the one to be answered.
    ///
    /// # Errors
    /// `Params` for a missing or wrong member.
    pub fn of_initialize(params: Option<&Raw>) -> Result<Self, Refusal> {
        let member = |name: &str| params.and_then(|params| params.get(&[name]));
        let wrong = |what: &str| Refusal::Params(format!("`{what}` of initialize is missing or of the wrong type"));
        let proposed = member("protocolVersion").and_then(|version| version.as_text().map(Cow::into_owned));
        let capabilities = member("capabilities").filter(Raw::is_object);
        Ok(Self {
            revision: Revision::negotiate(&proposed.ok_or_else(|| wrong("protocolVersion"))?),
            capabilities: short(capabilities.ok_or_else(|| wrong("capabilities"))?)?,
            info: member("clientInfo").filter(Raw::is_object).map(named),
            log_level: None,
        })
    }
}

/// The longest `capabilities` and `clientInfo` of a session, in bytes: both are part of its id, which is a header.
const KEPT_MAX: usize = 4096;

/// Capabilities that fit; what is experimental goes first.
fn short(capabilities: Raw) -> Result<Raw, Refusal> {
    let fits = |capabilities: &Raw| capabilities.bytes().len() <= KEPT_MAX;
    let short = if fits(&capabilities) { capabilities } else { capabilities.without(&["experimental"]) };
    let refusal = || Refusal::Params(format!("`capabilities` of initialize are longer than {KEPT_MAX} bytes"));
    Some(short).filter(fits).ok_or_else(refusal)
}

/// What a client is called; where it says much more (icons may be whole pictures), just name and version.
fn named(info: Raw) -> Raw {
    if info.bytes().len() <= KEPT_MAX {
        return info;
    }
    let said = |name: &'static str| {
        let text: String = info.text_at(&[name])?.chars().take(200).collect();
        Some((name, Raw::text(&text)))
    };
    Raw::object(["name", "title", "version"].into_iter().filter_map(said))
}

/// The members of a `_meta` that this gateway goes by, each in its right type.
struct Said<'m> {
    version: Option<Cow<'m, str>>,
    capabilities: Option<Raw>,
    info: Option<Raw>,
    log_level: Option<LogLevel>,
}

impl<'m> Said<'m> {
    fn read(meta: &'m Raw) -> Result<Self, Refusal> {
        if let Some((name, meant)) = meta.lookalike(key::DECISIVE) {
            let name = shown(&name);
            return Err(Refusal::Meta(format!("`{name}` in `_meta` is not `{meant}`; names are case-sensitive")));
        }
        let wrong = |name: &str, kind: &str| Refusal::Meta(format!("`{name}` in `_meta` must be {kind}"));
        let text = |name: &'static str, kind: &str| match meta.said(&[name]) {
            None if meta.has(&[name]) => Err(wrong(name, kind)),
            text => Ok(text),
        };
        let object = |name: &'static str| match meta.get(&[name]) {
            Some(value) if !value.is_object() => Err(wrong(name, "an object")),
            object => Ok(object),
        };
        let level = text(key::LOG_LEVEL, "a log level")?.map(|level| level.parse()).transpose();
        if meta.get(&[key::PROGRESS_TOKEN]).is_some_and(|token| Id::read(&token).is_none()) {
            return Err(wrong(key::PROGRESS_TOKEN, "a string or a whole number"));
        }
        Ok(Self {
            version: text(key::PROTOCOL_VERSION, "a string")?,
            capabilities: object(key::CLIENT_CAPABILITIES)?,
            info: object(key::CLIENT_INFO)?,
            log_level: level.map_err(|error: UnknownLevel| Refusal::Meta(error.to_string()))?,
        })
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::Meta(format!("`{name}` is missing in `_meta`; each request of a stateless revision says it"))
}

/// What `_meta` of some `params` says of the trace; `None` where it is not said or not well-formed.
#[must_use]
pub fn traceparent(params: Option<&Raw>) -> Option<TraceParent> {
    TraceParent::parse(&params?.said(&["_meta", key::TRACEPARENT])?)
}

/// The token that progress of a request is to be reported under.
#[must_use]
pub fn progress_token(params: Option<&Raw>) -> Option<Id> {
    Id::read(&params?.get(&["_meta", key::PROGRESS_TOKEN])?)
}

/// The same `params` with another progress token, or none.
#[must_use]
pub fn with_progress_token(params: Option<&Raw>, token: Option<&Id>) -> Option<Raw> {
    let path = ["_meta", key::PROGRESS_TOKEN];
    match (params, token) {
        (None, None) => None,
        (Some(params), None) => Some(params.without(&path)),
        (params, Some(token)) => Some(params.cloned().unwrap_or_else(Raw::empty).with(&path, &token.raw())),
    }
}

impl LogLevel {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// A word that is no log level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log level; there are debug, info, notice, warning, error, critical, alert and emergency")]
pub struct UnknownLevel(pub String);

impl FromStr for LogLevel {
    type Err = UnknownLevel;
    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        let all = [
            Self::Debug,
            Self::Info,
            Self::Notice,
            Self::Warning,
            Self::Error,
            Self::Critical,
            Self::Alert,
            Self::Emergency,
        ];
        all.into_iter().find(|level| level.as_str() == word).ok_or_else(|| UnknownLevel(shown(word)))
    }
}
