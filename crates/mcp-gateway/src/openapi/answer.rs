//! An answer to a result: text for models, `structuredContent` for programs, pictures and sound as what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// Characters of an error's body that are told.
const ERROR_CHARS_MAX: usize = 16_000;

/// The result of a call that was answered so. `whole` is false where the body was longer than may be read.
#[must_use]
pub fn result(tool: &str, status: StatusCode, headers: &HeaderMap, body: &[u8], whole: bool) -> Value {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !whole {
        return refusal("the answer is longer than this server's messages may be; ask for less of it");
    }
    if status.is_redirection() {
        return refusal(&format!("the API answered {status}, a redirection, which is not followed"));
    }
    if !status.is_success() {
        let told: String = String::from_utf8_lossy(body).chars().take(ERROR_CHARS_MAX).collect();
        return refusal(format!("the API answered {status}\n{told}").trim_end());
    }
    if body.is_empty() {
        return json!({"content": [text(&format!("done: {status}"))], "isError": false});
    }
    if is_json(&essence)
        && let Ok(value) = serde_json::from_slice::<Value>(body)
    {
        return json!({
            "content": [text(&String::from_utf8_lossy(body))], "structuredContent": value, "isError": false
        });
    }
    json!({"content": [other(tool, &essence, body)], "isError": false})
}

/// A result that says what went wrong, for a model to act on.
#[must_use]
pub fn refusal(sentence: &str) -> Value {
    json!({"content": [text(sentence)], "isError": true})
}

fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn other(tool: &str, essence: &str, body: &[u8]) -> Value {
    let kind = match essence.split('/').next() {
        Some("image") if !essence.ends_with("+xml") => "image",
        Some("audio") => "audio",
        _ => match std::str::from_utf8(body) {
            Ok(readable) => return text(readable),
            Err(_) => "resource",
        },
    };
    let (data, mime) = (STANDARD.encode(body), if essence.is_empty() { "application/octet-stream" } else { essence });
    match kind {
        "resource" => json!({
            "type": "resource", "resource": {"uri": format!("openapi://{tool}/answer"), "mimeType": mime, "blob": data}
        }),
        kind => json!({"type": kind, "data": data, "mimeType": mime}),
    }
}
