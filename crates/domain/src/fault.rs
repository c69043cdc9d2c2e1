//! Everything that can go wrong, as one closed list. Each crate types its errors near the thrower and turns them into a
//! `Fault` at its edge; each dialect renders a `Fault` in the shape its clients expect.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The stable codes. They are part of the contract: clients match on them, docs/errors.md lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON, but not what this path takes.
    InvalidRequest,
    /// Strict mode: the chosen target cannot carry everything that was asked for.
    NotTranslatable,
    /// No key on the request.
    MissingKey,
    /// A key nobody issued.
    UnknownKey,
    /// A key past its date.
    ExpiredKey,
    /// A key that was taken back.
    RevokedKey,
    /// A bearer token that cannot be trusted: malformed, of an unknown issuer, or with a signature that does not hold.
    InvalidToken,
    /// A bearer token past its time, or before it.
    ExpiredToken,
    /// A bearer token that was issued for somebody else.
    WrongAudience,
    /// This key may not use this model, tool or agent.
    NotAllowed,
    /// The access token has not the scope this takes.
    InsufficientScope,
    /// A policy forbids it, or none permits it.
    PolicyDenied,
    /// A person must first agree that a server is used in their name; [`Fault::visit`] says where.
    ConsentNeeded,
    /// Nothing of that name that this caller may use.
    UnknownModel,
    /// No such path or object.
    NotFound,
    /// The response to be continued is not kept here, or not for this caller.
    PreviousNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// A path of the contract that a later release serves.
    NotYetServed,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The body is over the limit.
    BodyTooLarge,
    /// A content type or encoding this path does not take.
    UnsupportedMedia,
    /// A limit of the caller's own key or team.
    RateLimited,
    /// The caller's budget is spent.
    BudgetExceeded,
    /// No target of the model has a price, and the configuration refuses what it cannot count.
    UnpricedModel,
    /// A guardrail does not let the request, or its answer, pass.
    GuardrailBlocked,
    /// A guardrail that must run could not.
    GuardrailUnavailable,
    /// The provider refused the request as the caller's fault.
    UpstreamRejected,
    /// The provider limits this gateway's account.
    UpstreamLimited,
    /// The provider is overloaded.
    UpstreamOverloaded,
    /// The provider refused the gateway's own credentials, or none are configured.
    UpstreamCredentials,
    /// The provider cannot be reached.
    UpstreamUnreachable,
    /// The provider did not answer in time.
    UpstreamTimeout,
    /// The provider answered something that is not an answer: HTML, half a body, a broken stream.
    UpstreamBroken,
    /// Every target of the model is excluded right now (breakers, cool-downs).
    NoTarget,
    /// The gateway itself is at its limits.
    Overloaded,
    /// The usage journal cannot take a record, so nothing that costs money may start.
    LedgerUnavailable,
    /// The issuer of a bearer token cannot be reached, so nobody can say whether the token is good.
    IdentityUnavailable,
    /// The gateway is shutting down.
    Draining,
    /// A defect of the gateway.
    Internal,
}

impl Code {
    /// Every code, in the order of docs/errors.md.
    pub const ALL: &[Self] = &[
        Self::InvalidJson,
        Self::InvalidRequest,
        Self::NotTranslatable,
        Self::MissingKey,
        Self::UnknownKey,
        Self::ExpiredKey,
        Self::RevokedKey,
        Self::InvalidToken,
        Self::ExpiredToken,
        Self::WrongAudience,
        Self::NotAllowed,
        Self::InsufficientScope,
        Self::PolicyDenied,
        Self::ConsentNeeded,
        Self::UnknownModel,
        Self::NotFound,
        Self::PreviousNotFound,
        Self::MethodNotAllowed,
        Self::NotYetServed,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedMedia,
        Self::RateLimited,
        Self::BudgetExceeded,
        Self::UnpricedModel,
        Self::GuardrailBlocked,
        Self::GuardrailUnavailable,
        Self::UpstreamRejected,
        Self::UpstreamLimited,
        Self::UpstreamOverloaded,
        Self::UpstreamCredentials,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::UpstreamBroken,
        Self::NoTarget,
        Self::Overloaded,
        Self::LedgerUnavailable,
        Self::IdentityUnavailable,
        Self::Draining,
        Self::Internal,
    ];

    /// The code as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidRequest => "invalid_request",
            Self::NotTranslatable => "not_translatable",
            Self::MissingKey => "missing_key",
            Self::UnknownKey => "unknown_key",
            Self::ExpiredKey => "expired_key",
            Self::RevokedKey => "revoked_key",
            Self::InvalidToken => "invalid_token",
            Self::ExpiredToken => "expired_token",
            Self::WrongAudience => "wrong_audience",
            Self::NotAllowed => "not_allowed",
            Self::InsufficientScope => "insufficient_scope",
            Self::PolicyDenied => "policy_denied",
            Self::ConsentNeeded => "consent_needed",
            Self::UnknownModel => "unknown_model",
            Self::NotFound => "not_found",
            Self::PreviousNotFound => "previous_response_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotYetServed => "not_yet_served",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMedia => "unsupported_media",
            Self::RateLimited => "rate_limited",
            Self::BudgetExceeded => "budget_exceeded",
            Self::UnpricedModel => "unpriced_model",
            Self::GuardrailBlocked => "guardrail_blocked",
            Self::GuardrailUnavailable => "guardrail_unavailable",
            Self::UpstreamRejected => "upstream_rejected",
            Self::UpstreamLimited => "upstream_limited",
            Self::UpstreamOverloaded => "upstream_overloaded",
            Self::UpstreamCredentials => "upstream_credentials",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBroken => "upstream_broken",
            Self::NoTarget => "no_target",
            Self::Overloaded => "overloaded",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that goes with it, where the upstream's own status does not take its place.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidJson
            | Self::InvalidRequest
            | Self::NotTranslatable
            | Self::GuardrailBlocked
            | Self::UpstreamRejected => 400,
            Self::MissingKey | Self::UnknownKey | Self::ExpiredKey | Self::RevokedKey => 401,
            Self::InvalidToken | Self::ExpiredToken | Self::WrongAudience => 401,
            Self::BudgetExceeded | Self::UnpricedModel => 402,
            Self::NotAllowed | Self::InsufficientScope | Self::PolicyDenied | Self::ConsentNeeded => 403,
            Self::UnknownModel | Self::NotFound | Self::PreviousNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::RateLimited | Self::UpstreamLimited => 429,
            Self::Internal => 500,
            Self::NotYetServed => 501,
            Self::UpstreamCredentials | Self::UpstreamUnreachable | Self::UpstreamBroken => 502,
            Self::UpstreamOverloaded | Self::NoTarget | Self::Overloaded | Self::LedgerUnavailable => 503,
            Self::GuardrailUnavailable | Self::IdentityUnavailable | Self::Draining => 503,
            Self::UpstreamTimeout => 504,
        }
    }

    /// Is it about a bearer token (RFC 6750 §3.1)? Then the answer's `WWW-Authenticate` says `invalid_token`.
    #[must_use]
    pub const fn is_about_token(self) -> bool {
        matches!(self, Self::InvalidToken | Self::ExpiredToken | Self::WrongAudience)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that went wrong, safe to show to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which of the closed list.
    pub code: Code,
    /// HTTP status: the code's own, unless an upstream's more exact one is kept.
    pub status: u16,
    /// What happened and what to do next, in one or two sentences. Never holds a secret or an upstream address.
    pub message: Cow<'static, str>,
    /// The field of the request it is about, if one is (`messages[2].content`).
    pub param: Option<String>,
    /// Seconds after which trying again makes sense.
    pub retry_after_secs: Option<u64>,
    /// The upstream's own error in full, where the caller speaks the same dialect and may see it byte for byte.
    pub upstream_type: Option<String>,
    /// A page of this gateway where the caller's person can do what is missing. It does nothing by itself: who opens it must
    /// prove who they are.
    pub visit: Option<Arc<str>>,
}

impl Fault {
    /// A fault with its code's status.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: code.status(),
            message: message.into(),
            param: None,
            retry_after_secs: None,
            upstream_type: None,
            visit: None,
        }
    }

    /// Names the field it is about.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// Names the page where the caller's person can do what is missing.
    #[must_use]
    pub fn visit(mut self, url: impl Into<Arc<str>>) -> Self {
        self.visit = Some(url.into());
        self
    }

    /// Keeps a more exact status than the code's.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Keeps the provider's own name for the error (`overloaded_error`, `RESOURCE_EXHAUSTED`).
    #[must_use]
    pub fn with_upstream_type(mut self, name: impl Into<String>) -> Self {
        self.upstream_type = Some(name.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
impl std::error::Error for Fault {}
