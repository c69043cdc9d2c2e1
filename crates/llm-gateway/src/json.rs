//! JSON of our own types, with the texts in it written fast.
//!
//! serde_json looks at each byte of a text by itself, which takes about ten instructions a byte and was a tenth of a translated
//! call. It leaves to its formatter how bytes are written, though, and bytes have no other use here: a field that is marked with
//! [`text`] goes there as bytes, and is written as the same JSON string, eight bytes at a time. So a type with such a field must
//! be written by this module; any other serializer would make a list of numbers of it.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::scan::plain_end;

/// Compact JSON of a value.
///
/// # Errors
/// When the value refuses; none of our own types does.
pub(crate) fn to_vec(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    append(&mut out, value)?;
    Ok(out)
}

/// Appends it. What was written before an error is left there.
///
/// # Errors
/// As [`to_vec`].
pub(crate) fn append(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Texts))
}

/// Appends a text as a JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    // Memory takes everything.
    drop(quote(out, text.as_bytes()));
}

/// Appends a number.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

/// `serialize_with` of a text that may be long.
pub(crate) fn text<S: Serializer>(text: &impl AsRef<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(text.as_ref().as_bytes())
}

/// The same of one that may be missing.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(crate) fn some_text<S: Serializer>(text: &Option<impl AsRef<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => self::text(text, serializer),
        None => serializer.serialize_none(),
    }
}

/// serde_json's own compact format, but that bytes are texts.
struct Texts;

impl Formatter for Texts {
    fn write_byte_array<W: Write + ?Sized>(&mut self, out: &mut W, text: &[u8]) -> io::Result<()> {
        quote(out, text)
    }
}

fn quote<W: Write + ?Sized>(out: &mut W, text: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut from = 0;
    loop {
        let end = plain_end(text, from);
        out.write_all(&text[from..end])?;
        let Some(byte) = text.get(end) else { break };
        escape(out, *byte)?;
        from = end + 1;
    }
    out.write_all(b"\"")
}

/// One byte, as serde_json escapes it.
fn escape<W: Write + ?Sized>(out: &mut W, byte: u8) -> io::Result<()> {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 0xf)];
            return out.write_all(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
    };
    out.write_all(&[b'\\', short])
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    struct Plain<'a> {
        a: &'a str,
        b: Option<Cow<'a, str>>,
    }

    #[derive(Serialize)]
    struct Marked<'a> {
        #[serde(serialize_with = "text")]
        a: &'a str,
        #[serde(serialize_with = "some_text")]
        b: Option<Cow<'a, str>>,
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(a in any::<String>(), b in "[ -~\u{0}-\u{1f}\u{7f}é😀\"\\\\]{0,40}") {
            let plain = serde_json::to_vec(&Plain { a: &a, b: Some(Cow::Borrowed(&b)) }).unwrap();
            let marked = to_vec(&Marked { a: &a, b: Some(Cow::Borrowed(&b)) }).unwrap();
            prop_assert_eq!(String::from_utf8(marked).unwrap(), String::from_utf8(plain).unwrap());
        }
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_serde_json_writes_it(number in any::<u64>(), shift in 0..64_u32) {
            let mut written = Vec::new();
            push_number(&mut written, number >> shift);
            prop_assert_eq!(written, serde_json::to_vec(&(number >> shift)).unwrap());
        }

        #[test]
        fn a_long_text_is_written_as_serde_json_writes_it(a in "([a-z ]{20,40}[\n\"é]?){0,12}") {
            let mut written = Vec::new();
            push_text(&mut written, &a);
            prop_assert_eq!(written, serde_json::to_vec(&a).unwrap());
        }
    }

    #[test]
    fn a_missing_text_is_null() {
        assert_eq!(to_vec(&Marked { a: "", b: None }).unwrap(), br#"{"a":"","b":null}"#);
    }
}
