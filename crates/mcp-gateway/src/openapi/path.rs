//! The way of an operation: fixed pieces and places for values. What stands in a place stays in it: no value ends a segment,
//! begins a query, or becomes `.` or `..`, however often somebody decodes it behind us.

use http::uri::PathAndQuery;

use super::request::ArgumentFault;

/// The longest path and query that is sent.
const BYTES_MAX: usize = 16 << 10;
/// Values that are decoded so often and still hide something are taken for what they are.
const DECODINGS: usize = 4;

/// The path every operation begins with: that of the configured `base_url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// Takes the path of a base URL, with or without a slash at its end.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.trim_end_matches('/').to_owned())
    }
}

/// A path with places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Place(String),
}

impl Template {
    /// Reads `/pets/{id}`. `None` if it is no path, or leads upwards by itself.
    pub(super) fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>^`|".contains(&byte);
        let named = |name: &str| !name.is_empty() && !name.contains('{');
        if !text.starts_with('/') || text.split('/').any(is_dots) {
            return None;
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((fixed, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}')?;
            if !named(name) || !fixed.bytes().all(plain) {
                return None;
            }
            pieces.extend([Piece::Fixed(fixed.to_owned()), Piece::Place(name.to_owned())]);
            rest = behind;
        }
        if rest.contains('}') || !rest.bytes().all(plain) {
            return None;
        }
        pieces.push(Piece::Fixed(rest.to_owned()));
        Some(Self(pieces))
    }

    /// The places, in their order.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(name) => Some(name.as_str()),
            Piece::Fixed(_) => None,
        })
    }

    /// The path with every place filled by a text that is already encoded, and a query behind it.
    pub(super) fn fill(
        &self,
        base: &Base,
        query: &str,
        value: impl Fn(&str) -> Result<String, ArgumentFault>,
    ) -> Result<PathAndQuery, ArgumentFault> {
        let mut path = base.0.clone();
        for piece in &self.0 {
            match piece {
                Piece::Fixed(text) => path.push_str(text),
                Piece::Place(name) => path.push_str(&value(name)?),
            }
        }
        // Two values beside each other may make what neither of them is.
        if path.split('/').any(|segment| decode(segment).is_none_or(|segment| is_dots(&segment))) {
            return Err(ArgumentFault::Path);
        }
        if !query.is_empty() {
            path.push('?');
            path.push_str(query);
        }
        if path.len() > BYTES_MAX {
            return Err(ArgumentFault::TooLong);
        }
        PathAndQuery::try_from(path).map_err(|_| ArgumentFault::Path)
    }
}

fn is_dots(segment: &str) -> bool {
    segment == "." || segment == ".."
}

/// May this text be a value in a path? Not if it, or what it decodes to, holds a separator or a control character, or is a
/// step upwards.
pub(super) fn stays_in_place(value: &str) -> bool {
    let mut text = value.to_owned();
    for _ in 0..DECODINGS {
        let leaves = |letter: char| letter == '/' || letter == '\\' || letter.is_control();
        if is_dots(&text) || text.contains(leaves) {
            return false;
        }
        match decode(&text) {
            Some(decoded) if decoded != text => text = decoded,
            _ => return true,
        }
    }
    false
}

/// A text as it may stand in a path or a query: letters, digits and `-._~`; everything else is `%XX`.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Takes percent escapes off, once. What is no escape stays; `None` if the bytes are no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |place: usize| bytes.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            out.push(u8::try_from(high * 16 + low).ok()?);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, values: &[(&str, &str)]) -> Result<String, ArgumentFault> {
        let value = |name: &str| {
            let (_, value) = values.iter().find(|(known, _)| *known == name).ok_or(ArgumentFault::Path)?;
            if stays_in_place(value) { Ok(encode(value)) } else { Err(ArgumentFault::Path) }
        };
        let template = Template::read(template).unwrap();
        template.fill(&Base::new("/api/"), "", value).map(|path| path.to_string())
    }

    #[test]
    fn a_value_fills_its_place() {
        assert_eq!(filled("/pets/{id}/x", &[("id", "a b?c#d&\u{e4}")]).unwrap(), "/api/pets/a%20b%3Fc%23d%26%C3%A4/x");
    }

    #[test]
    fn no_value_leaves_its_place_however_it_is_written() {
        for value in [
            "..",
            ".",
            "../admin",
            "..%2fadmin",
            "%2e%2e",
            "%252e%252e",
            "a/b",
            "a%2Fb",
            "a%252fb",
            "a\\b",
            "a%5cb",
            "a\r\nHost: evil",
            "a%0d%0aX: y",
            "a\0",
            "%25252525252f",
        ] {
            assert_eq!(filled("/pets/{id}", &[("id", value)]), Err(ArgumentFault::Path), "{value}");
        }
    }

    #[test]
    fn values_beside_each_other_make_no_step_upwards() {
        assert_eq!(filled("/f/{a}.{b}/x", &[("a", ""), ("b", "")]), Err(ArgumentFault::Path));
        assert!(filled("/f/{a}.{b}/x", &[("a", "1"), ("b", "2")]).is_ok());
    }

    #[test]
    fn a_path_that_is_none_has_no_template() {
        for text in ["pets", "/a/../b", "/a/{", "/a/{}", "/a/}b", "/a?x", "/a b", "/a/{x{y}}", "/\u{e4}"] {
            assert_eq!(Template::read(text), None, "{text}");
        }
    }
}
