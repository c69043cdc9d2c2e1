//! What an upstream says when it says no: JSON of several shapes, HTML of a proxy, or nothing.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::dialects::UpstreamError;

/// Longest message kept; some proxies send pages.
const MESSAGE_BYTES_MAX: usize = 2000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: Option<String>,
    #[serde(rename = "Message")]
    message_upper: Option<String>,
    #[serde(rename = "__type")]
    aws_type: Option<String>,
    code: Option<Word>,
    error: Option<Inner>,
}

/// `error` is an object with most providers and a sentence with some.
#[derive(Default)]
struct Inner {
    kind: Option<String>,
    message: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

/// A text or a number.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Inner;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an error object or a sentence")
            }
            fn visit_str<E>(self, text: &str) -> Result<Inner, E> {
                Ok(Inner { message: Some(text.to_owned()), ..Inner::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Inner, A::Error> {
                let mut inner = Inner::default();
                while let Some(name) = map.next_key::<String>()? {
                    let slot = match name.as_str() {
                        "type" => &mut inner.kind,
                        "message" => &mut inner.message,
                        "code" => &mut inner.code,
                        "param" => &mut inner.param,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *slot = map.next_value::<Option<Word>>()?.map(|word| word.0);
                }
                Ok(inner)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// Reads an error body, whatever it is.
pub(in crate::dialects) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let inner = body.error.unwrap_or_default();
    let message = inner.message.or(body.message).or(body.message_upper).filter(|text| !text.trim().is_empty());
    UpstreamError {
        message: message.map_or_else(|| sentence(status).to_owned(), capped),
        // AWS writes `namespace#Name` and sometimes a URI after a colon.
        kind: inner.kind.or_else(|| {
            let name = body.aws_type.as_deref()?.rsplit('#').next()?;
            Some(name.split(':').next().unwrap_or(name).to_owned())
        }),
        code: inner.code.or(body.code.map(|word| word.0)),
        param: inner.param,
    }
}

fn capped(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        let cut = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
        message.truncate(cut);
        message.push('…');
    }
    message
}

/// A sentence of ours for a body that holds none.
const fn sentence(status: u16) -> &'static str {
    match status {
        400 | 422 => "the provider refused the request and did not say why",
        401 | 403 => "the provider refused the gateway's credentials and did not say why",
        404 => "the provider does not know this model or path",
        413 => "the request is larger than the provider takes",
        408 | 504 => "the provider did not answer in time",
        429 => "the provider limits the rate of requests",
        503 | 529 => "the provider is overloaded",
        500..=599 => "the provider failed and did not say why",
        _ => "the provider answered with an error and did not say why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_or_nothing_becomes_a_sentence() {
        assert_eq!(read(529, b"<html><body>529</body></html>").message, "the provider is overloaded");
        assert_eq!(read(502, b"").message, "the provider failed and did not say why");
        assert_eq!(read(429, b"[]").message, "the provider limits the rate of requests");
    }

    #[test]
    fn every_known_shape_is_read() {
        let anthropic = read(400, br#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#);
        assert_eq!((anthropic.message.as_str(), anthropic.kind.as_deref()), ("no", Some("invalid_request_error")));
        let aws = read(400, br#"{"__type":"com.amazon#ValidationException:http","message":"bad"}"#);
        assert_eq!((aws.message.as_str(), aws.kind.as_deref()), ("bad", Some("ValidationException")));
        assert_eq!(read(500, br#"{"error":"plain"}"#).message, "plain");
        assert_eq!(read(500, br#"{"Message":"upper"}"#).message, "upper");
    }

    #[test]
    fn an_endless_message_is_cut_between_letters() {
        let body = format!(r#"{{"message":"{}"}}"#, "ü".repeat(5000));
        assert!(read(500, body.as_bytes()).message.len() <= MESSAGE_BYTES_MAX + 3);
    }
}
