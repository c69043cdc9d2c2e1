//! The binary framing of ConverseStream (`application/vnd.amazon.eventstream`): length, headers, payload, two CRCs.
//!
//! Reading is incremental and capped: a frame that declares more than [`FRAME_BYTES_MAX`] is refused before a byte of it
//! is waited for. `from_jsonl` and `to_jsonl` make such streams readable for people: one frame a line,
//! `{"type": …, "payload": …}`, or `{"exception": …, "payload": …}`.

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Longest frame.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Total length, length of headers, CRC of the two.
pub(super) const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Is it an exception (`:message-type` is `exception` or `error`)?
    pub exception: bool,
    /// `:event-type`, `:exception-type` or `:error-code`.
    pub name: &'a str,
    /// The JSON.
    pub payload: &'a [u8],
}

/// Cuts bytes into frames.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
}

impl Frames {
    /// Takes bytes, cut anywhere, and hands each whole frame to `each`.
    ///
    /// # Errors
    /// `UpstreamBroken` for a frame that is too long or does not match its checksums, or what `each` returns.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.held.is_empty() {
                match declared_length(bytes)? {
                    Some(length) if length <= bytes.len() => {
                        read_frame(&bytes[..length], each)?;
                        bytes = &bytes[length..];
                    }
                    _ => {
                        self.held.extend_from_slice(bytes);
                        return Ok(());
                    }
                }
                continue;
            }
            let missing = declared_length(&self.held)?.unwrap_or(PRELUDE_BYTES).saturating_sub(self.held.len());
            let taken = missing.min(bytes.len());
            self.held.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if declared_length(&self.held)?.is_some_and(|length| length == self.held.len()) {
                let whole = std::mem::take(&mut self.held);
                let read = read_frame(&whole, each);
                self.held = whole;
                self.held.clear();
                read?;
            }
        }
        Ok(())
    }

    /// Whether a piece of a frame is held: at the end of a stream that means it was cut.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.held.is_empty()
    }
}

/// The length a frame declares, once its prelude is there.
pub(crate) fn declared_length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some((total, headers)) = prelude(bytes) else { return Ok(None) };
    let room = total.checked_sub(PRELUDE_BYTES + CRC_BYTES);
    if total > FRAME_BYTES_MAX || room.is_none_or(|room| headers > room) {
        return Err(broken("a frame of the provider's stream declares an impossible length"));
    }
    Ok(Some(total))
}

/// Total length and length of headers, as declared.
pub(super) fn prelude(bytes: &[u8]) -> Option<(usize, usize)> {
    let (words, _) = bytes.first_chunk::<PRELUDE_BYTES>()?.as_chunks::<4>();
    Some((u32::from_be_bytes(words[0]) as usize, u32::from_be_bytes(words[1]) as usize))
}

fn read_frame(bytes: &[u8], each: &mut dyn FnMut(Frame<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    let message = read_message_from(bytes).map_err(|_| broken("a frame of the provider's stream is damaged"))?;
    let header = |name: &str| {
        message.headers().iter().find(|header| header.name().as_str() == name).and_then(|header| match header.value() {
            HeaderValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let exception = matches!(header(":message-type"), Some("exception" | "error"));
    let name =
        if exception { header(":exception-type").or_else(|| header(":error-code")) } else { header(":event-type") };
    each(Frame { exception, name: name.unwrap_or_default(), payload: message.payload() })
}

/// Appends one event.
pub(super) fn write_event(out: &mut Vec<u8>, name: &'static str, payload: &impl Serialize) {
    let headers = vec![
        text_header(":event-type", name),
        text_header(":content-type", "application/json"),
        text_header(":message-type", "event"),
    ];
    write(out, headers, serde_json::to_vec(payload).unwrap_or_default());
}

/// Appends one exception.
pub(super) fn write_exception(out: &mut Vec<u8>, name: &'static str, payload: Vec<u8>) {
    let headers = vec![
        text_header(":exception-type", name),
        text_header(":content-type", "application/json"),
        text_header(":message-type", "exception"),
    ];
    write(out, headers, payload);
}

fn text_header(name: &'static str, value: &'static str) -> Header {
    Header::new(name, HeaderValue::String(value.into()))
}

fn write(out: &mut Vec<u8>, headers: Vec<Header>, payload: Vec<u8>) {
    let start = out.len();
    // Fails only for headers or payloads of gigabytes; a frame is written whole or not at all.
    if write_message_to(&Message::new_from_parts(headers, Bytes::from(payload)), out).is_err() {
        out.truncate(start);
    }
}

fn broken(why: &'static str) -> Fault {
    Fault::new(Code::UpstreamBroken, why)
}

#[derive(Deserialize, Serialize)]
struct Line<'a> {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exception: Option<String>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// Frames from readable lines.
///
/// # Errors
/// `InvalidJson`, naming the line.
pub fn from_jsonl(text: &str) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line<'_> = serde_json::from_str(line)
            .map_err(|error| Fault::new(Code::InvalidJson, format!("line {}: {error}", number + 1)))?;
        let (name_header, name, kind) = match line.exception {
            Some(name) => (":exception-type", name, "exception"),
            None => (":event-type", line.kind.unwrap_or_default(), "event"),
        };
        let headers = vec![
            Header::new(name_header, HeaderValue::String(name.into())),
            text_header(":content-type", "application/json"),
            text_header(":message-type", kind),
        ];
        write(&mut out, headers, line.payload.get().into());
    }
    Ok(out)
}

/// Readable lines from frames.
///
/// # Errors
/// `UpstreamBroken` for damaged or unfinished frames.
pub fn to_jsonl(bytes: &[u8]) -> Result<String, Fault> {
    let mut text = String::new();
    let mut frames = Frames::default();
    frames.feed(bytes, &mut |frame| {
        let payload =
            serde_json::from_slice(frame.payload).map_err(|_| broken("a frame of the stream holds no JSON"))?;
        let name = Some(frame.name.to_owned());
        let (kind, exception) = if frame.exception { (None, name) } else { (name, None) };
        text.push_str(&serde_json::to_string(&Line { kind, exception, payload }).unwrap_or_default());
        text.push('\n');
        Ok(())
    })?;
    if frames.is_mid_frame() { Err(broken("the stream ends in the middle of a frame")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        "{\"type\":\"messageStart\",\"payload\":{\"role\":\"assistant\"}}\n",
        "{\"exception\":\"throttlingException\",\"payload\":{\"message\":\"slow down\"}}\n",
    );

    fn bytes() -> Vec<u8> {
        from_jsonl(LINES).unwrap_or_default()
    }

    #[test]
    fn readable_lines_survive_the_binary_form() {
        assert_eq!(to_jsonl(&bytes()).as_deref(), Ok(LINES));
    }

    #[test]
    fn every_cut_gives_the_same_frames() {
        let bytes = bytes();
        for cut in 0..=bytes.len() {
            let mut names = Vec::new();
            let mut frames = Frames::default();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                let fed = frames.feed(piece, &mut |frame| {
                    names.push(frame.name.to_owned());
                    Ok(())
                });
                assert_eq!(fed, Ok(()));
            }
            assert_eq!(names, ["messageStart", "throttlingException"], "cut at {cut}");
            assert!(!frames.is_mid_frame());
        }
    }

    #[test]
    fn half_a_frame_is_not_a_stream() {
        let bytes = bytes();
        assert!(to_jsonl(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let good = bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(to_jsonl(&bad).is_err(), "bit flipped at {at}");
        }
    }

    #[test]
    fn a_giant_declared_length_is_refused_at_once() {
        let mut frames = Frames::default();
        let mut prelude = vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(frames.feed(&prelude, &mut |_| Ok(())).is_err());
        prelude[..4].copy_from_slice(&3_u32.to_be_bytes());
        assert!(Frames::default().feed(&prelude, &mut |_| Ok(())).is_err());
        prelude[..8].copy_from_slice(&[0, 0, 0, 20, 0, 0, 0, 99]);
        assert!(Frames::default().feed(&prelude, &mut |_| Ok(())).is_err());
    }
}
