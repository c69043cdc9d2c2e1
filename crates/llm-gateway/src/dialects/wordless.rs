//! What to say when an upstream's error body says nothing a person can use.

/// A sentence of ours for an error body that is empty, HTML, or JSON without a message.
pub(crate) fn wordless(status: u16, body: &[u8]) -> String {
    let body = body.trim_ascii_start();
    let what = if body.is_empty() {
        "an empty body"
    } else if body.starts_with(b"<") {
        "an HTML page"
    } else {
        "a body without a message"
    };
    format!("the provider answered with status {status} and {what}")
}
