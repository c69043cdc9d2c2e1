//! What an upstream says when it says no: JSON of every vendor's shape, HTML of a proxy, a bare sentence, or nothing.
//!
//! One reader for all dialects, because what answers with an error is often not the API but something in front of it.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::UpstreamError;

/// Longest message kept; some proxies send pages.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// A string, number or truth value as text; anything else is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialects) struct Scalar(pub(in crate::dialects) Option<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).ok(),
            Some(b'{' | b'[' | b'n') | None => None,
            Some(_) => Some(raw.to_owned()),
        }))
    }
}

impl Scalar {
    fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// An error body: the error itself, or an object around it, which is called `error` everywhere.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<ErrorIn>,
    message: Scalar,
    /// AWS writes it large on some paths.
    #[serde(rename = "Message")]
    message_large: Scalar,
    #[serde(rename = "originalMessage")]
    message_original: Scalar,
    /// Frameworks in front of self-hosted models: a sentence, or a list of what is wrong.
    detail: Option<Box<RawValue>>,
    #[serde(rename = "__type")]
    aws_type: Option<String>,
    r#type: Scalar,
    code: Scalar,
    param: Scalar,
}

/// `error`: an object with most providers and a sentence with some.
#[derive(Clone, Debug, Default)]
pub(in crate::dialects) struct ErrorIn {
    pub(in crate::dialects) message: Scalar,
    kind: Scalar,
    /// Google's name for the kind.
    status: Scalar,
    code: Scalar,
    param: Scalar,
    details: Vec<Detail>,
}

/// Google's `details`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    reason: Option<String>,
    field_violations: Vec<Violation>,
    retry_delay: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: Option<String>,
}

impl ErrorIn {
    /// An error told by its parts.
    pub(in crate::dialects) fn new(message: Scalar, code: Scalar, param: Scalar) -> Self {
        Self { message, code, param, ..Self::default() }
    }

    /// The error in the words of the seam; `fallback` makes a sentence where it has no message.
    pub(in crate::dialects) fn upstream(self, fallback: impl FnOnce() -> String) -> UpstreamError {
        let reason = self.details.iter().find_map(|detail| detail.reason.clone());
        let violations = self.details.iter().flat_map(|detail| &detail.field_violations);
        let field = violations.filter_map(|violation| violation.field.clone()).next();
        UpstreamError {
            message: self.message.0.filter(|text| !text.trim().is_empty()).map_or_else(fallback, shorten),
            kind: self.kind.or(self.status).0,
            code: reason.or(self.code.0),
            param: self.param.0.or(field),
        }
    }

    /// Seconds after which to try again, where it says so.
    pub(in crate::dialects) fn retry_after_secs(&self) -> Option<u64> {
        let delay = self.details.iter().find_map(|detail| detail.retry_delay.as_deref())?;
        delay.strip_suffix('s')?.split('.').next()?.parse().ok()
    }

    /// The numeric code, where it is one.
    pub(in crate::dialects) fn number(&self) -> Option<u16> {
        self.code.0.as_deref()?.parse().ok()
    }
}

impl<'de> Deserialize<'de> for ErrorIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = ErrorIn;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an error object or message")
            }
            fn visit_str<E>(self, text: &str) -> Result<ErrorIn, E> {
                Ok(ErrorIn { message: Scalar(Some(text.to_owned())), ..ErrorIn::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorIn, A::Error> {
                let mut error = ErrorIn::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "details" {
                        let raw: &RawValue = map.next_value()?;
                        error.details = serde_json::from_str(raw.get()).unwrap_or_default();
                        continue;
                    }
                    let value = map.next_value::<Scalar>()?;
                    match key.as_str() {
                        "message" => error.message = value,
                        "type" => error.kind = value,
                        "status" => error.status = value,
                        "code" => error.code = value,
                        "param" => error.param = value,
                        _ => {}
                    }
                }
                Ok(error)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// Reads an upstream's error body, whatever it is.
pub(in crate::dialects) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let trimmed = body.trim_ascii();
    match parse(trimmed) {
        Some(error) => error.upstream(|| describe(status, b"{")),
        None => UpstreamError { message: describe(status, trimmed), ..UpstreamError::default() },
    }
}

/// The error of a body; Google puts it into an array on some paths.
pub(in crate::dialects) fn parse(body: &[u8]) -> Option<ErrorIn> {
    let body: Body = if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<Vec<Body>>(body).ok()?.into_iter().next()?
    } else {
        serde_json::from_slice(body).ok()?
    };
    let detail =
        Scalar(body.detail.map(|raw| serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())));
    // AWS writes `namespace#Name`, and sometimes an address after a colon.
    let aws_type =
        body.aws_type.as_deref().and_then(|name| name.rsplit('#').next()?.split(':').next()).map(str::to_owned);
    Some(body.error.unwrap_or(ErrorIn {
        message: body.message.or(body.message_large).or(body.message_original).or(detail),
        kind: body.r#type.or(Scalar(aws_type)),
        code: body.code,
        param: body.param,
        ..ErrorIn::default()
    }))
}

/// A sentence of ours for a body that holds none, or the body itself where it is plain text.
fn describe(status: u16, body: &[u8]) -> String {
    let what = match std::str::from_utf8(body) {
        Ok("") => "an empty body",
        Ok(text) if text.starts_with('<') => "an HTML page",
        Ok(text) if !text.starts_with(['{', '[', '\0']) && text != "null" => return shorten(text.to_owned()),
        _ => "a body without a message",
    };
    format!("the provider answered with status {status} and {what}")
}

fn shorten(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_or_nothing_becomes_a_sentence() {
        assert_eq!(read(529, b"<html>529</html>").message, "the provider answered with status 529 and an HTML page");
        assert_eq!(read(502, b"").message, "the provider answered with status 502 and an empty body");
        assert_eq!(read(503, b" no healthy upstream\n").message, "no healthy upstream");
    }

    #[test]
    fn every_vendors_shape_is_read() {
        let told = |body: &str| {
            let error = read(400, body.as_bytes());
            (error.message, error.kind, error.code, error.param)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(r#"{"error":{"message":"no","type":"invalid_request_error","code":"c","param":"p"}}"#),
            ("no".to_owned(), some("invalid_request_error"), some("c"), some("p"))
        );
        let google = r#"[{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED","details":[{"reason":"QUOTA"},{"fieldViolations":[{"field":"contents"}]}]}}]"#;
        assert_eq!(told(google), ("no".to_owned(), some("RESOURCE_EXHAUSTED"), some("QUOTA"), some("contents")));
        let aws = r#"{"__type":"com.amazon#ValidationException:http","Message":"no"}"#;
        assert_eq!(told(aws), ("no".to_owned(), some("ValidationException"), None, None));
        assert_eq!(told(r#"{"error":"no"}"#).0, "no");
        assert_eq!(told(r#"{"detail":[{"loc":["x"]}]}"#).0, r#"[{"loc":["x"]}]"#);
    }

    #[test]
    fn any_error_body_yields_a_short_message() {
        let deep = "[".repeat(100_000);
        let long = "ü".repeat(50_000);
        for body in ["", "{}", "null", "[]", "<html>", "{\"error\":null}", "{\"error\":{}}", "\u{0}", &deep, &long] {
            let message = read(500, body.as_bytes()).message;
            assert!(!message.is_empty() && message.len() <= MESSAGE_BYTES_MAX, "{}", &body[..body.len().min(20)]);
        }
        assert!(!read(500, &[0xff, 0xfe]).message.is_empty());
    }
}
