//! The body of a request: JSON, a form, a form in parts, or a text as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

use super::parameter::plain;
use super::path::encode;
use super::request::ArgumentFault;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Json,
    Form,
    Parts,
    Text,
    /// Bytes, which the argument holds in base64.
    Bytes,
}

/// The body an operation takes.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) argument: String,
    pub(super) kind: Kind,
    pub(super) content_type: HeaderValue,
    pub(super) required: bool,
    pub(super) description: Option<String>,
    /// As the document has it.
    pub(super) schema: Value,
}

impl Kind {
    /// What a content type is to us; the first in this order is taken where a document offers several.
    pub(super) fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "application/json" | "*/*" | "application/*" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Parts,
            other if other.ends_with("+json") => Self::Json,
            other if other.starts_with("text/") || other.ends_with("xml") => Self::Text,
            _ => Self::Bytes,
        }
    }
}

impl Body {
    /// The body, and its content type.
    pub(super) fn write(&self, value: &Value) -> Result<(HeaderValue, Bytes), ArgumentFault> {
        let wrong = || ArgumentFault::Nested(self.argument.clone());
        let text = || value.as_str().ok_or_else(wrong);
        let members = || value.as_object().ok_or_else(wrong);
        Ok(match self.kind {
            Kind::Json => (self.content_type.clone(), Bytes::from(value.to_string())),
            Kind::Text => (self.content_type.clone(), Bytes::from(text()?.to_owned())),
            Kind::Bytes => {
                let bytes = STANDARD.decode(text()?).map_err(|_| ArgumentFault::NoBase64(self.argument.clone()))?;
                (self.content_type.clone(), Bytes::from(bytes))
            }
            Kind::Form => (self.content_type.clone(), Bytes::from(form(members()?))),
            Kind::Parts => parts(members()?).ok_or_else(wrong)?,
        })
    }
}

/// A member as text: what is no plain value is JSON.
fn text_of(value: &Value) -> String {
    plain(value).unwrap_or_else(|| value.to_string())
}

fn form(members: &Map<String, Value>) -> String {
    let pair = |name: &str, value: &Value| format!("{}={}", encode(name), encode(&text_of(value)));
    let pairs = members.iter().flat_map(|(name, value)| match value {
        Value::Array(items) => items.iter().map(|item| pair(name, item)).collect(),
        single => vec![pair(name, single)],
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// RFC 7578. The boundary is one that occurs in none of the parts.
fn parts(members: &Map<String, Value>) -> Option<(HeaderValue, Bytes)> {
    let texts: Vec<(&String, String)> = members.iter().map(|(name, value)| (name, text_of(value))).collect();
    let in_one = |name: &str| name.chars().any(|letter| letter.is_control() || letter == '"');
    if texts.iter().any(|(name, _)| in_one(name)) {
        return None;
    }
    let boundary = (0_u32..)
        .map(|number| format!("gatehouse-part-{number}"))
        .find(|boundary| !texts.iter().any(|(_, text)| text.contains(boundary.as_str())))?;
    let mut body = String::new();
    for (name, text) in &texts {
        body.push_str(&format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}")).ok()?;
    Some((content_type, Bytes::from(body)))
}
