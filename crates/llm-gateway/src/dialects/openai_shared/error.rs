//! `{"error": {message, type, code, param}}`: the error body of both OpenAI dialects, and whatever else upstreams that
//! speak them send in its place.

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::wire::{Scalar, json_into};
use crate::dialects::UpstreamError;

/// Longest message taken over from an upstream.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// Any of the shapes seen: `{"error": {…}}`, `{"error": "…"}`, `{"message": …}` (Mistral, vLLM), `{"detail": …}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BodyIn<'a> {
    error: Option<ErrorIn>,
    message: Scalar,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    r#type: Scalar,
    code: Scalar,
    param: Scalar,
}

/// What stands under `error`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorIn {
    message: Scalar,
    kind: Scalar,
    code: Scalar,
    param: Scalar,
}

impl ErrorIn {
    /// An error whose fields stand next to other things.
    pub(crate) fn new(message: Scalar, code: Scalar, param: Scalar) -> Self {
        Self { message, kind: Scalar(None), code, param }
    }

    /// The error in the words of the seam; `fallback` where it has no message.
    pub(crate) fn upstream(self, fallback: impl FnOnce() -> String) -> UpstreamError {
        UpstreamError {
            message: self.message.0.map_or_else(fallback, shorten),
            kind: self.kind.0,
            code: self.code.0,
            param: self.param.0,
        }
    }
}

impl<'de> Deserialize<'de> for ErrorIn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ErrorIn;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an error object or message")
            }
            fn visit_str<E>(self, text: &str) -> Result<ErrorIn, E> {
                Ok(ErrorIn { message: Scalar(Some(text.to_owned())), ..ErrorIn::default() })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<ErrorIn, A::Error> {
                let mut error = ErrorIn::default();
                while let Some(key) = map.next_key::<String>()? {
                    let value = map.next_value::<Scalar>()?;
                    match key.as_str() {
                        "message" => error.message = value,
                        "type" => error.kind = value,
                        "code" => error.code = value,
                        "param" => error.param = value,
                        _ => {}
                    }
                }
                Ok(error)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Reads an upstream's error body, whatever it is.
pub(crate) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let trimmed = body.trim_ascii();
    let parsed = if trimmed.starts_with(b"[") {
        serde_json::from_slice::<Vec<BodyIn<'_>>>(trimmed)
            .ok()
            .and_then(|mut all| (!all.is_empty()).then(|| all.remove(0)))
    } else {
        serde_json::from_slice::<BodyIn<'_>>(trimmed).ok()
    };
    let Some(body) = parsed else {
        return UpstreamError { message: describe(status, trimmed), ..UpstreamError::default() };
    };
    body.error
        .unwrap_or(ErrorIn {
            message: if body.message.0.is_some() { body.message } else { Scalar(body.detail.map(text_of)) },
            kind: body.r#type,
            code: body.code,
            param: body.param,
        })
        .upstream(|| describe(status, b""))
}

/// A string's text, or JSON as it stands: FastAPI lists what is wrong under `detail`.
fn text_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// A sentence for a body that is no error object.
fn describe(status: u16, body: &[u8]) -> String {
    if body.is_empty() {
        return format!("The provider answered with status {status} and no explanation.");
    }
    if body.starts_with(b"<") {
        return format!("The provider answered with status {status} and an HTML page in place of an error.");
    }
    match std::str::from_utf8(body) {
        Ok(text) if !text.starts_with(['{', '[']) => shorten(text.to_owned()),
        _ => format!("The provider answered with status {status} and a body that is not an error object."),
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

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
        Code::NotAllowed => "permission_error",
        Code::RateLimited | Code::UpstreamLimited => "rate_limit_error",
        Code::BudgetExceeded => "insufficient_quota",
        Code::UpstreamOverloaded
        | Code::UpstreamCredentials
        | Code::UpstreamUnreachable
        | Code::UpstreamTimeout
        | Code::UpstreamBroken
        | Code::NoTarget
        | Code::Overloaded
        | Code::LedgerUnavailable
        | Code::Draining
        | Code::Internal => "server_error",
        _ => "invalid_request_error",
    }
}

/// An error a provider reported in the middle of a stream.
pub(crate) fn in_stream(error: ErrorIn) -> Fault {
    let error = error.upstream(|| "The provider reported an error in the middle of its answer.".to_owned());
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
