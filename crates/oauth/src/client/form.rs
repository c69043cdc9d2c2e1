//! `application/x-www-form-urlencoded`, as OAuth writes and reads it (RFC 6749 appendix B).

use std::fmt::Write as _;

/// Appends a text so that nothing in it means anything: all but letters, digits and `-._~` becomes `%XX`.
pub(super) fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The text, encoded.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    encode_into(&mut out, text);
    out
}

/// Parameters as a form body or a query.
pub(super) fn write(parameters: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(256);
    for (name, value) in parameters {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(&mut out, name);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

/// One value of a query, decoded; `None` if its escapes are broken or it is no UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["", "a b&c=d", "\u{e4}\r\n%+", "https://a.example/?x=1#y"] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        assert_eq!(write(&[("a", "1 2"), ("b", "&")]), "a=1%202&b=%26");
    }

    #[test]
    fn broken_escapes_are_no_text() {
        for text in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
