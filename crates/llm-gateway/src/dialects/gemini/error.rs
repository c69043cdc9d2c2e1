//! Google's error body, both ways: `{"error": {code, message, status, details}}`, on some paths inside an array.

use gatehouse_domain::{Code, Fault};
use serde::Serialize;

use super::bytes;
use crate::dialects::shared::refusal;

/// An error in the middle of a stream.
pub(super) fn in_band(body: &[u8]) -> Fault {
    let error = refusal::parse(body).unwrap_or_default();
    let (number, retry_after_secs) = (error.number(), error.retry_after_secs());
    let error = error.upstream(|| "the provider reported an error in mid-stream".to_owned());
    let kind = error.kind.unwrap_or_default();
    let code = match (kind.as_str(), number) {
        ("RESOURCE_EXHAUSTED", _) | (_, Some(429)) => Code::UpstreamLimited,
        ("UNAVAILABLE", _) | (_, Some(503)) => Code::UpstreamOverloaded,
        ("DEADLINE_EXCEEDED", _) | (_, Some(504)) => Code::UpstreamTimeout,
        ("UNAUTHENTICATED" | "PERMISSION_DENIED", _) | (_, Some(401 | 403)) => Code::UpstreamCredentials,
        (_, Some(400..=499)) => Code::UpstreamRejected,
        _ => Code::UpstreamBroken,
    };
    let mut fault = Fault::new(code, error.message);
    fault.retry_after_secs = retry_after_secs;
    if kind.is_empty() { fault } else { fault.with_upstream_type(kind) }
}

#[derive(Serialize)]
struct BodyOut<'a> {
    error: ErrorOut<'a>,
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    code: u16,
    message: &'a str,
    status: &'a str,
    details: Vec<DetailOut<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "@type")]
enum DetailOut<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    Info { reason: String, domain: &'static str },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest", rename_all = "camelCase")]
    Field { field_violations: [ViolationOut<'a>; 1] },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo", rename_all = "camelCase")]
    Retry { retry_delay: String },
}

#[derive(Serialize)]
struct ViolationOut<'a> {
    field: &'a str,
    description: &'a str,
}

/// Writes an error body.
pub(super) fn write(fault: &Fault) -> Vec<u8> {
    let reason = fault.code.as_str().to_ascii_uppercase();
    let mut details = vec![DetailOut::Info { reason, domain: "gatehouse" }];
    if let Some(field) = &fault.param {
        let violation = ViolationOut { field, description: &fault.message };
        details.push(DetailOut::Field { field_violations: [violation] });
    }
    if let Some(seconds) = fault.retry_after_secs {
        details.push(DetailOut::Retry { retry_delay: format!("{seconds}s") });
    }
    bytes(&BodyOut {
        error: ErrorOut { code: fault.status, message: &fault.message, status: status_word(fault), details },
    })
}

/// Google's word for the status.
fn status_word(fault: &Fault) -> &'static str {
    match fault.code {
        Code::InvalidJson
        | Code::InvalidRequest
        | Code::NotTranslatable
        | Code::BodyTooLarge
        | Code::UnsupportedMedia
        | Code::GuardrailBlocked => "INVALID_ARGUMENT",
        Code::UpstreamRejected => match fault.status {
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            _ => "INVALID_ARGUMENT",
        },
        Code::MissingKey | Code::UnknownKey | Code::ExpiredKey | Code::RevokedKey => "UNAUTHENTICATED",
        Code::InvalidToken | Code::ExpiredToken | Code::WrongAudience => "UNAUTHENTICATED",
        Code::NotAllowed | Code::InsufficientScope | Code::PolicyDenied | Code::ConsentNeeded => "PERMISSION_DENIED",
        Code::UnknownModel | Code::NotFound | Code::PreviousNotFound => "NOT_FOUND",
        Code::MethodNotAllowed | Code::NotYetServed => "UNIMPLEMENTED",
        Code::RateLimited | Code::BudgetExceeded | Code::UnpricedModel | Code::UpstreamLimited => "RESOURCE_EXHAUSTED",
        Code::RequestTimeout | Code::UpstreamTimeout => "DEADLINE_EXCEEDED",
        Code::GuardrailUnavailable
        | Code::UpstreamOverloaded
        | Code::UpstreamUnreachable
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::IdentityUnavailable
        | Code::Draining => "UNAVAILABLE",
        Code::UpstreamCredentials | Code::UpstreamBroken | Code::Internal => "INTERNAL",
    }
}
