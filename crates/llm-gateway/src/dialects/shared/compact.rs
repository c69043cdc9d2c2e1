//! JSON text without the white space between its tokens: arguments of calls often come indented, and in a line of a
//! stream a line feed would end the line.

use std::borrow::Cow;

/// The same JSON on one line. Strings, numbers and the order of keys stay as they are.
pub(in crate::dialects) fn compact(json: &str) -> Cow<'_, str> {
    if !json.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t')) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
        } else if matches!(character, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    Cow::Owned(out)
}

/// Keeps what was written since `start` on one line: raw JSON of the user's may be spread over several, and a line feed
/// ends a line of an event stream. Outside of strings white space means nothing; in strings it is escaped.
pub(in crate::dialects) fn one_line(out: &mut [u8], start: usize) {
    let mut rest = &mut out[start..];
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_and_strings_stay() {
        let json = "{\n  \"a b\": \"c\\\" \\\\\",\n  \"n\": 1.50,\n  \"x\": [1, 2]\n}";
        assert_eq!(compact(json), r#"{"a b":"c\" \\","n":1.50,"x":[1,2]}"#);
        assert!(matches!(compact("{\"a\": 1}"), Cow::Borrowed(_)));
    }
}
