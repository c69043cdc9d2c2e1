//! The bytes of the benchmark: an 853-byte chat request, a reply of about a kilobyte and a stream of 104 events, in each
//! dialect that a lane needs.

use bytes::Bytes;
use gatehouse_tests::{Answer, Dialect};
use serde_json::{Value, json};

/// Size of the Chat request of the unary lanes: that of research/performance.md, so that figures can be compared.
pub const REQUEST_BYTES: usize = 853;
/// Events of a stream, the closing `[DONE]` included.
pub const STREAM_EVENTS: usize = 104;
/// Size of the prompt that makes a unary reply about a kilobyte.
const REPLY_TEXT_BYTES: usize = 640;

/// A plain request of exactly this many bytes.
#[must_use]
pub fn request(dialect: Dialect, model: &str, stream: bool, bytes: usize) -> Bytes {
    let render = |prompt: &str| {
        let mut request = dialect.request(model, prompt, stream);
        if stream && dialect == Dialect::OpenAiChat {
            request["stream_options"] = json!({"include_usage": true});
        }
        request.to_string()
    };
    let bare = render("");
    Bytes::from(render(&prose(bytes.saturating_sub(bare.len()))))
}

/// A Responses request whose answer is not to be kept.
#[must_use]
pub fn unstored(request: &[u8]) -> Bytes {
    let mut request: Value = serde_json::from_slice(request).unwrap_or_default();
    request["store"] = json!(false);
    Bytes::from(request.to_string())
}

/// Text of exactly this many bytes that reads like text to a compressor or scanner: words and line ends.
fn prose(bytes: usize) -> String {
    let words = "The quick brown fox jumps over the lazy dog while the band plays on. ";
    words.chars().cycle().take(bytes).collect()
}

/// A whole HTTP response with the answer in this dialect.
#[must_use]
pub fn unary(dialect: Dialect, model: &str) -> Bytes {
    let answer = Answer::text(&prose(REPLY_TEXT_BYTES)).usage(180, 140);
    let body = dialect.unary(model, &answer);
    let mut response =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    response.extend_from_slice(&body);
    Bytes::from(response)
}

/// The head of a streamed response and its events, each as one chunk, the last one with the end of the body.
#[must_use]
pub fn stream(dialect: Dialect, model: &str) -> (Bytes, Vec<Bytes>) {
    let options = json!({"stream_options": {"include_usage": true}});
    let frames = |words: usize| dialect.frames(model, &words_answer(words), &options);
    let overhead = frames(1).len() - 1;
    let mut chunks: Vec<Vec<u8>> =
        frames(STREAM_EVENTS.saturating_sub(overhead)).iter().map(|frame| chunk(frame)).collect();
    if let Some(last) = chunks.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n", dialect.stream_type());
    (Bytes::from(head), chunks.into_iter().map(Bytes::from).collect())
}

fn words_answer(words: usize) -> Answer {
    Answer::text(&"token ".repeat(words)).usage(180, words as u64)
}

fn chunk(frame: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", frame.len()).into_bytes();
    chunk.extend_from_slice(frame);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// A failing response.
#[must_use]
pub fn failure(dialect: Dialect) -> Bytes {
    let body = dialect.error(503, "The benchmark's provider fails on purpose.");
    let mut response = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    response.extend_from_slice(&body);
    Bytes::from(response)
}

/// A JSON value's text, for configuration files.
#[must_use]
pub fn text(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chat_request_has_the_size_the_figures_are_compared_at() {
        assert_eq!(request(Dialect::OpenAiChat, "relay", false, REQUEST_BYTES).len(), REQUEST_BYTES);
    }

    #[test]
    fn a_stream_has_as_many_events_in_every_dialect() {
        for dialect in Dialect::ALL {
            assert_eq!(stream(dialect, "m").1.len(), STREAM_EVENTS, "{}", dialect.name());
        }
    }
}
