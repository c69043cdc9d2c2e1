//! What the authorization server answers when it does not do what was asked, in the words of its protocols.

use std::borrow::Cow;

use serde_json::{Value, json};

/// What is wrong: the closed list of error codes (RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2, RFC 8707 §2, OpenID Connect Core
/// §3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A parameter is missing, stands twice, or makes no sense.
    Request,
    /// Nobody knows the client, or it did not prove to be itself.
    Client,
    /// What was given for a token is not good, or not for this client.
    Grant,
    /// This client may not do this.
    UnauthorizedClient,
    /// There is no such way to a token.
    GrantType,
    /// There is no such answer to an authorization request.
    ResponseType,
    /// The scopes are not to be had.
    Scope,
    /// The resource is none of this gateway's.
    Target,
    /// The person, or who runs the gateway, said no.
    AccessDenied,
    /// It takes a person, and the client wanted none asked.
    Interaction,
    /// A redirect address that cannot be registered.
    RedirectUri,
    /// Metadata of a client that cannot be registered.
    Metadata,
    /// Too many at once.
    TooMany,
    /// Not now.
    Unavailable,
    /// A defect.
    Server,
}

/// One refusal: its code, and a sentence that says what happened and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oops {
    /// Which of the closed list.
    pub wrong: Wrong,
    /// For whoever writes the client. No quotes, no backslashes, ASCII only (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
}

impl Wrong {
    /// The code as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "invalid_request",
            Self::Client => "invalid_client",
            Self::Grant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::GrantType => "unsupported_grant_type",
            Self::ResponseType => "unsupported_response_type",
            Self::Scope => "invalid_scope",
            Self::Target => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::Interaction => "interaction_required",
            Self::RedirectUri => "invalid_redirect_uri",
            Self::Metadata => "invalid_client_metadata",
            Self::TooMany => "slow_down",
            Self::Unavailable => "temporarily_unavailable",
            Self::Server => "server_error",
        }
    }

    /// The HTTP status of an answer that is not a redirect. Clients register anew after 401, and only then.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Client => 401,
            Self::AccessDenied => 403,
            Self::TooMany => 429,
            Self::Unavailable => 503,
            Self::Server => 500,
            _ => 400,
        }
    }
}

impl Oops {
    /// A refusal.
    #[must_use]
    pub fn new(wrong: Wrong, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        let fits = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if description.bytes().all(fits) {
            return Self { wrong, description };
        }
        let kept: String = description.chars().map(|c| if c.is_ascii() && fits(c as u8) { c } else { '?' }).collect();
        Self { wrong, description: kept.into() }
    }

    /// The body of an answer.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "error": self.wrong.as_str(), "error_description": self.description })
    }
}
