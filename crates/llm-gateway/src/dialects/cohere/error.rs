//! Cohere's error body, both ways: `{"message": …}`, with an `id` on newer paths. The gateway adds its `code`.

use gatehouse_domain::Fault;
use serde::{Deserialize, Serialize};

use super::bytes;
use crate::dialects::UpstreamError;
use crate::dialects::wordless::wordless;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

/// Reads an error body, whatever it is.
pub(super) fn read(status: u16, body: &[u8]) -> UpstreamError {
    let Body { message, code, param } = serde_json::from_slice(body).unwrap_or_default();
    let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| wordless(status, body));
    UpstreamError { message, kind: None, code, param }
}

#[derive(Serialize)]
struct BodyOut<'a> {
    message: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

/// Writes an error body.
pub(super) fn write(fault: &Fault) -> Vec<u8> {
    bytes(&BodyOut { message: &fault.message, code: fault.code.as_str(), param: fault.param.as_deref() })
}
