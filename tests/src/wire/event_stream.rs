//! Amazon's binary event stream: prelude, string headers, payload, two checksums.

use bytes::Bytes;
use serde_json::{Value, json};

/// One message with a JSON payload.
#[must_use]
pub fn message(event_type: &str, payload: &Value) -> Bytes {
    encode(&[(":event-type", event_type), (":content-type", "application/json"), (":message-type", "event")], payload)
}

/// One exception message.
#[must_use]
pub fn exception(exception_type: &str, payload: &Value) -> Bytes {
    let headers =
        [(":exception-type", exception_type), (":content-type", "application/json"), (":message-type", "exception")];
    encode(&headers, payload)
}

fn encode(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).expect("short header name"));
        head.extend_from_slice(name.as_bytes());
        head.push(7); // string
        head.extend_from_slice(&u16::try_from(value.len()).expect("short header value").to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let total = 12 + head.len() + payload.len() + 4;
    let mut message = Vec::with_capacity(total);
    message.extend_from_slice(&u32::try_from(total).expect("short message").to_be_bytes());
    message.extend_from_slice(&u32::try_from(head.len()).expect("short headers").to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&head);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    Bytes::from(message)
}

/// Takes one whole message off the front: its payload, with the names of its headers added to it.
/// `None` when more bytes are needed. Panics when a checksum is wrong: that is a failed test.
#[must_use]
pub fn take(buffer: &mut Vec<u8>) -> Option<Value> {
    let total = usize::try_from(u32::from_be_bytes(buffer.get(..4)?.try_into().ok()?)).ok()?;
    if buffer.len() < total {
        return None;
    }
    let message: Vec<u8> = buffer.drain(..total).collect();
    let (body, checksum) = message.split_at(total - 4);
    assert_eq!(checksum, crc32fast::hash(body).to_be_bytes(), "checksum of an event stream message");
    let head_len = usize::try_from(u32::from_be_bytes(body[4..8].try_into().ok()?)).ok()?;
    let (mut head, payload) = body[12..].split_at(head_len);
    let mut event: Value = serde_json::from_slice(payload).unwrap_or_else(|_| json!({}));
    while let [name_len, rest @ ..] = head {
        let (name, rest) = rest.split_at(usize::from(*name_len));
        let len = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
        let (value, rest) = rest[3..].split_at(len);
        event[String::from_utf8_lossy(name).as_ref()] = json!(String::from_utf8_lossy(value));
        head = rest;
    }
    Some(event)
}
