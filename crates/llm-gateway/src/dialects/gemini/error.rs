//! Google's error body, both ways: `{"error": {code, message, status, details}}`, on some paths inside an array.

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};

use super::bytes;
use crate::dialects::UpstreamError;
use crate::dialects::wordless::wordless;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: ErrorBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Option<u16>,
    message: String,
    status: Option<String>,
    details: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    reason: Option<String>,
    field_violations: Vec<Violation>,
    retry_delay: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: Option<String>,
}

/// Reads an error body, whatever it is.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    match parse(body) {
        Some(error) => UpstreamError {
            message: if error.message.is_empty() { wordless(status, body) } else { error.message },
            kind: error.status,
            code: error.details.iter().find_map(|detail| detail.reason.clone()),
            param: error
                .details
                .iter()
                .flat_map(|detail| &detail.field_violations)
                .find_map(|violation| violation.field.clone()),
        },
        None => UpstreamError { message: wordless(status, body), ..UpstreamError::default() },
    }
}

fn parse(body: &[u8]) -> Option<ErrorBody> {
    let one = || serde_json::from_slice::<Body>(body).ok();
    let first = || serde_json::from_slice::<Vec<Body>>(body).ok()?.into_iter().next();
    let error = if body.trim_ascii_start().starts_with(b"[") { first() } else { one() }?.error;
    (!error.message.is_empty() || error.status.is_some() || error.code.is_some()).then_some(error)
}

/// The fault of an error in the middle of a stream.
pub(super) fn in_band(body: &[u8]) -> Fault {
    let error = parse(body).unwrap_or_default();
    let kind = error.status.unwrap_or_default();
    let code = match (kind.as_str(), error.code) {
        ("RESOURCE_EXHAUSTED", _) | (_, Some(429)) => Code::UpstreamLimited,
        ("UNAVAILABLE", _) | (_, Some(503)) => Code::UpstreamOverloaded,
        ("DEADLINE_EXCEEDED", _) | (_, Some(504)) => Code::UpstreamTimeout,
        ("UNAUTHENTICATED" | "PERMISSION_DENIED", _) | (_, Some(401 | 403)) => Code::UpstreamCredentials,
        (_, Some(400..=499)) => Code::UpstreamRejected,
        _ => Code::UpstreamBroken,
    };
    let message = if error.message.is_empty() {
        "the provider reported an error in mid-stream".to_owned()
    } else {
        error.message
    };
    let mut fault = Fault::new(code, message);
    let delay = error.details.iter().find_map(|detail| detail.retry_delay.as_deref());
    fault.retry_after_secs = delay.and_then(|delay| delay.strip_suffix('s')?.split('.').next()?.parse().ok());
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
        | Code::UnsupportedMedia => "INVALID_ARGUMENT",
        Code::UpstreamRejected => match fault.status {
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            _ => "INVALID_ARGUMENT",
        },
        Code::MissingKey | Code::UnknownKey | Code::ExpiredKey | Code::RevokedKey => "UNAUTHENTICATED",
        Code::NotAllowed => "PERMISSION_DENIED",
        Code::UnknownModel | Code::NotFound | Code::PreviousNotFound => "NOT_FOUND",
        Code::MethodNotAllowed | Code::NotYetServed => "UNIMPLEMENTED",
        Code::RateLimited | Code::BudgetExceeded | Code::UpstreamLimited => "RESOURCE_EXHAUSTED",
        Code::RequestTimeout | Code::UpstreamTimeout => "DEADLINE_EXCEEDED",
        Code::UpstreamOverloaded
        | Code::UpstreamUnreachable
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::Draining => "UNAVAILABLE",
        Code::UpstreamCredentials | Code::UpstreamBroken | Code::Internal => "INTERNAL",
    }
}
