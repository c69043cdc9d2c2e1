//! `{"error": {message, type, code, param}}`: the error body of both OpenAI dialects, and errors in their streams.

use gatehouse_domain::{Code, Fault};
use serde::Serialize;

use super::wire::json_into;
use crate::dialects::shared::refusal::ErrorIn;

#[derive(Serialize)]
struct BodyOut<'a> {
    error: ErrorOut<'a>,
}

/// An error object. `code` is the gateway's stable code, `upstream_type` the provider's own word where there is one.
#[derive(Serialize)]
pub(crate) struct ErrorOut<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_type: Option<&'a str>,
}

impl<'a> From<&'a Fault> for ErrorOut<'a> {
    fn from(fault: &'a Fault) -> Self {
        Self {
            message: &fault.message,
            r#type: kind_of(fault.code),
            param: fault.param.as_deref(),
            code: fault.code.as_str(),
            upstream_type: fault.upstream_type.as_deref(),
        }
    }
}

/// Writes an error body.
pub(crate) fn write(fault: &Fault) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    json_into(&mut out, &BodyOut { error: fault.into() });
    out
}

/// OpenAI's `type` that fits a code best.
const fn kind_of(code: Code) -> &'static str {
    match code {
        Code::MissingKey | Code::UnknownKey | Code::ExpiredKey | Code::RevokedKey => "authentication_error",
        Code::InvalidToken | Code::ExpiredToken | Code::WrongAudience => "authentication_error",
        Code::NotAllowed | Code::InsufficientScope | Code::PolicyDenied | Code::ConsentNeeded => "permission_error",
        Code::RateLimited | Code::UpstreamLimited => "rate_limit_error",
        Code::BudgetExceeded | Code::UnpricedModel => "insufficient_quota",
        Code::GuardrailUnavailable
        | Code::UpstreamOverloaded
        | Code::UpstreamCredentials
        | Code::UpstreamUnreachable
        | Code::UpstreamTimeout
        | Code::UpstreamBroken
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::IdentityUnavailable
        | Code::Draining
        | Code::Internal => "server_error",
        _ => "invalid_request_error",
    }
}

/// An error a provider reported in the middle of a stream.
pub(crate) fn in_stream(error: ErrorIn) -> Fault {
    let error = error.upstream(|| "the provider reported an error in the middle of its answer".to_owned());
    let words = || error.kind.iter().chain(&error.code);
    let says = |needle: &str| words().any(|word| word.contains(needle));
    let code = if says("rate_limit") || says("quota") || says("429") {
        Code::UpstreamLimited
    } else if says("overload") || says("503") || says("529") {
        Code::UpstreamOverloaded
    } else if says("invalid_request") || says("context_length") || says("400") {
        Code::UpstreamRejected
    } else {
        Code::UpstreamBroken
    };
    let name = words().next().cloned();
    let fault = Fault::new(code, error.message);
    match name {
        Some(name) => fault.with_upstream_type(name),
        None => fault,
    }
}
