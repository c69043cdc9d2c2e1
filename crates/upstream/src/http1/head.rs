//! The head of an answer (RFC 9112 §4 and §5).

use std::io;
use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use gatehouse_domain::Head;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::broken;
use super::framing::{Framing, Said};

/// Most headers of an answer.
const HEADERS_MAX: usize = 100;
/// Longest head of an answer.
pub(super) const HEAD_BYTES_MAX: usize = 128 << 10;

/// A head that was read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) head: Head,
    pub(super) framing: Framing,
    /// May another request follow on this connection?
    pub(super) persists: bool,
}

/// Takes the head of an answer to a request of this method out of what was read, if all of it has been. `seen` bytes were
/// looked through before.
pub(super) fn take(read: &mut BytesMut, seen: &mut usize, method: &Method) -> io::Result<Option<Answered>> {
    loop {
        let Some(end) = end_of_head(read, *seen) else {
            // The end of a head is up to three bytes long before its last one.
            *seen = read.len().saturating_sub(3);
            return if read.len() > HEAD_BYTES_MAX { Err(broken("the head is too long")) } else { Ok(None) };
        };
        *seen = 0;
        let answered = parse(&read.split_to(end).freeze(), method)?;
        match answered.head.status {
            // Nobody here asks for another protocol.
            StatusCode::SWITCHING_PROTOCOLS => return Err(broken("the server changed the protocol unasked")),
            status if status.is_informational() => {}
            _ => return Ok(Some(answered)),
        }
    }
}

/// One past the empty line that ends a head. Lines may end without CR (RFC 9112 §2.2).
fn end_of_head(read: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &read[from..]).map(|at| from + at + 1).find_map(|next| match read[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

fn parse(bytes: &Bytes, method: &Method) -> io::Result<Answered> {
    let mut places = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let whole = config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut places);
    if !matches!(whole, Ok(httparse::Status::Complete(length)) if length == bytes.len()) {
        return Err(broken("the head is not one of HTTP/1"));
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| broken("the status is not one of HTTP"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    let mut said = Said::default();
    let mut persists = parsed.version == Some(1);
    for header in &*parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| broken("a header has no name"))?;
        match name {
            CONTENT_LENGTH => said.length(header.value)?,
            TRANSFER_ENCODING => said.coding(header.value),
            CONNECTION => persists = stays(header.value, persists),
            _ => {}
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        headers.append(name, value.map_err(|_| broken("a header has no proper value"))?);
    }
    let none = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let (framing, follows) = if none { (Framing::OVER, true) } else { said.framing() };
    Ok(Answered { head: Head { status, headers }, framing, persists: persists && follows })
}

/// Does the connection stay after this `Connection` header (RFC 9112 §9.3)?
fn stays(value: &[u8], persists: bool) -> bool {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).fold(persists, |persists, option| {
        let closes = option.eq_ignore_ascii_case(b"close");
        !closes && (persists || option.eq_ignore_ascii_case(b"keep-alive"))
    })
}
