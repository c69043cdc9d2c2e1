//! Cohere's error body, both ways: `{"message": …}`, with an `id` on newer paths. The gateway adds its `code`.

use gatehouse_domain::Fault;
use serde::Serialize;

use super::bytes;

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
