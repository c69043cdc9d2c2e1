//! Errors: `{"message":…}` under an exception's name, which goes into the header `x-amzn-errortype`.

use gatehouse_domain::{Code, Fault};
use serde::Serialize;

use crate::dialects::shared::refusal;

/// Writes an error body. The gateway's stable code rides along as `code`.
pub(super) fn write_error(fault: &Fault) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        message: &'a str,
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        param: Option<&'a str>,
    }
    let body = Body { message: &fault.message, code: fault.code.as_str(), param: fault.param.as_deref() };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The exception's name for the header `x-amzn-errortype`.
#[must_use]
pub const fn exception_name(fault: &Fault) -> &'static str {
    match fault.code {
        Code::InvalidJson
        | Code::InvalidRequest
        | Code::NotTranslatable
        | Code::MethodNotAllowed
        | Code::UnsupportedMedia
        | Code::BodyTooLarge
        | Code::GuardrailBlocked
        | Code::UpstreamRejected => "ValidationException",
        Code::InvalidToken | Code::ExpiredToken | Code::WrongAudience => "AccessDeniedException",
        Code::MissingKey
        | Code::UnknownKey
        | Code::ExpiredKey
        | Code::RevokedKey
        | Code::NotAllowed
        | Code::InsufficientScope
        | Code::PolicyDenied
        | Code::ConsentNeeded => "AccessDeniedException",
        Code::UnknownModel | Code::NotFound | Code::PreviousNotFound | Code::NotYetServed => {
            "ResourceNotFoundException"
        }
        Code::RateLimited | Code::UpstreamLimited => "ThrottlingException",
        // Not a throttle: SDKs try those again.
        Code::BudgetExceeded | Code::UnpricedModel => "ServiceQuotaExceededException",
        Code::RequestTimeout | Code::UpstreamTimeout => "ModelTimeoutException",
        Code::UpstreamBroken => "ModelErrorException",
        Code::GuardrailUnavailable
        | Code::UpstreamOverloaded
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::IdentityUnavailable
        | Code::Draining => "ServiceUnavailableException",
        Code::UpstreamCredentials | Code::UpstreamUnreachable | Code::Internal => "InternalServerException",
    }
}

/// The exception's name inside a stream, which knows five of them.
pub(super) fn stream_exception_name(fault: &Fault) -> &'static str {
    match exception_name(fault) {
        "ThrottlingException" => "throttlingException",
        "ServiceUnavailableException" => "serviceUnavailableException",
        "ModelErrorException" | "ModelTimeoutException" => "modelStreamErrorException",
        "InternalServerException" => "internalServerException",
        _ => "validationException",
    }
}

/// The fault an exception inside a stream stands for.
pub(super) fn fault_of(name: &str, payload: &[u8]) -> Fault {
    let code = match name {
        "throttlingException" => Code::UpstreamLimited,
        "serviceUnavailableException" => Code::UpstreamOverloaded,
        "validationException" => Code::UpstreamRejected,
        "modelTimeoutException" => Code::UpstreamTimeout,
        "accessDeniedException" => Code::UpstreamCredentials,
        _ => Code::UpstreamBroken,
    };
    let error = refusal::parse(payload).unwrap_or_default();
    let message = error.upstream(|| "the provider failed in the middle of the answer".to_owned()).message;
    Fault::new(code, message).with_upstream_type(name)
}
