//! Errors: `{"type":"error","error":{"type":…,"message":…}}`.

use gatehouse_domain::{Code, Fault};
use serde::Serialize;

/// Writes an error body. The gateway's stable code rides along as `code`.
pub(super) fn write_error(fault: &Fault) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        error: ErrorOut<'a>,
    }
    serde_json::to_vec(&Body { kind: "error", error: ErrorOut::new(fault) }).unwrap_or_default()
}

/// The inner object.
#[derive(Serialize)]
pub(super) struct ErrorOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

impl<'a> ErrorOut<'a> {
    pub(super) fn new(fault: &'a Fault) -> Self {
        Self { kind: kind_of(fault), message: &fault.message, code: fault.code.as_str(), param: fault.param.as_deref() }
    }
}

/// Anthropic's type for a fault.
const fn kind_of(fault: &Fault) -> &'static str {
    match fault.code {
        Code::UpstreamRejected if fault.status == 404 => "not_found_error",
        Code::UpstreamRejected if fault.status == 413 => "request_too_large",
        Code::InvalidJson
        | Code::InvalidRequest
        | Code::NotTranslatable
        | Code::MethodNotAllowed
        | Code::UnsupportedMedia
        | Code::GuardrailBlocked
        | Code::UpstreamRejected => "invalid_request_error",
        Code::MissingKey | Code::UnknownKey | Code::ExpiredKey | Code::RevokedKey => "authentication_error",
        Code::InvalidToken | Code::ExpiredToken | Code::WrongAudience => "authentication_error",
        Code::NotAllowed | Code::InsufficientScope | Code::PolicyDenied | Code::ConsentNeeded => "permission_error",
        Code::UnknownModel | Code::NotFound | Code::PreviousNotFound | Code::NotYetServed => "not_found_error",
        Code::BodyTooLarge => "request_too_large",
        Code::RateLimited | Code::UpstreamLimited => "rate_limit_error",
        Code::BudgetExceeded | Code::UnpricedModel => "billing_error",
        Code::RequestTimeout | Code::UpstreamTimeout => "timeout_error",
        Code::GuardrailUnavailable
        | Code::UpstreamOverloaded
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::IdentityUnavailable
        | Code::Draining => "overloaded_error",
        Code::UpstreamCredentials | Code::UpstreamUnreachable | Code::UpstreamBroken | Code::Internal => "api_error",
    }
}

/// The fault an error event of a stream stands for.
pub(super) fn fault_of(kind: &str, message: String) -> Fault {
    let code = match kind {
        "overloaded_error" => Code::UpstreamOverloaded,
        "rate_limit_error" => Code::UpstreamLimited,
        "timeout_error" => Code::UpstreamTimeout,
        "authentication_error" | "permission_error" | "billing_error" => Code::UpstreamCredentials,
        "invalid_request_error" | "not_found_error" | "request_too_large" => Code::UpstreamRejected,
        _ => Code::UpstreamBroken,
    };
    let message =
        if message.is_empty() { "the provider failed in the middle of the answer".to_owned() } else { message };
    let fault = Fault::new(code, message);
    if kind.is_empty() { fault } else { fault.with_upstream_type(kind) }
}
