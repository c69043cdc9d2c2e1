//! Addresses on the net: mail and machines.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::cursor::{Cursor, Open, mentions};

/// Longer is no mail address (RFC 5321, section 4.5.3.1).
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;

/// A mail address as people write them: no quoted local parts, no address literals.
pub(super) fn email(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte);
    if cursor.before().is_some_and(local) {
        return Ok(None);
    }
    cursor.take_while(MAX_LOCAL, local)?;
    if cursor.take_if(|byte| byte == b'@')?.is_none() {
        return Ok(None);
    }
    // The domain ends with its last label of letters; what follows it may be the full stop of a sentence.
    let from = cursor.at();
    let mut end = None;
    let mut labels = 0;
    while cursor.at() - from < MAX_DOMAIN {
        let label = cursor.take_while(63, |byte| byte.is_ascii_alphanumeric() || byte == b'-')?;
        if label.is_empty() || label[0] == b'-' {
            break;
        }
        labels += 1;
        let top = label.len() > 1 && (label.iter().all(u8::is_ascii_alphabetic) || label.starts_with(b"xn--"));
        if labels > 1 && top {
            end = Some(cursor.at());
        }
        if cursor.take_if(|byte| byte == b'.')?.is_none() {
            break;
        }
    }
    Ok(end)
}

/// An IPv4 or IPv6 address.
pub(super) fn ip(cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if cursor.before().is_some_and(|byte| matches!(byte, b'.' | b':' | b'_' | b'-')) {
        return Ok(None);
    }
    Ok(match ipv4(cursor)? {
        Some(end) => Some(end),
        None => ipv6(cursor)?,
    })
}

fn ipv4(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    for group in 0..4 {
        if group > 0 && cursor.take_if(|byte| byte == b'.')?.is_none() {
            return Ok(None);
        }
        if cursor.take_while(3, |byte| byte.is_ascii_digit())?.is_empty() {
            return Ok(None);
        }
    }
    let address = std::str::from_utf8(cursor.taken()).ok().and_then(|text| text.parse::<Ipv4Addr>().ok());
    // Every machine's own address is nobody's.
    let valid = address.is_some_and(|address| !address.is_loopback() && !address.is_unspecified());
    let end = cursor.at();
    // `1.2.3.4.5` and `1.2.3.4-beta` are versions, and so is what is called one.
    if !valid || !cursor.ends()? || mentions(cursor.lead(16), ["version", "release", "section", "oid"]) {
        return Ok(None);
    }
    if let Some(b'.' | b'-') = cursor.next()?
        && cursor.peek()?.is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        return Ok(None);
    }
    Ok(Some(end))
}

fn ipv6(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    let text = cursor.take_while(46, |byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')?;
    // A sentence may end behind it.
    let text = text.strip_suffix(b".").unwrap_or(text);
    let colons = text.iter().filter(|&&byte| byte == b':').count();
    let digits = text.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    // `::` alone and `a::b` are more often code than addresses.
    if colons < 2 || digits < 3 || !cursor.ends()? {
        return Ok(None);
    }
    let valid = std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    let start = cursor.at() - cursor.taken().len();
    Ok(valid.then_some(start + text.len()))
}
