//! Reads the few fields of a JSON body that the call path needs, without building a tree, and checks on the way that the
//! body is JSON at all (RFC 8259).
//!
//! Members of the outermost object are handed out as byte ranges. That is what makes forwarding byte-exact: the model's
//! name is spliced into its range and nothing else is touched.

use std::borrow::Cow;
use std::ops::Range;

use gatehouse_domain::{Code, Fault};

use plain::{escape_end, within_string};

pub(crate) use outline::{Outline, outline};
pub(crate) use plain::plain_end;

mod outline;
mod plain;

/// Deepest nesting accepted from a client.
pub const DEPTH_MAX: u32 = 64;

/// One member of the outermost object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name, unescaped: bytes of UTF-8, which are compared as they are.
    pub name: Cow<'a, [u8]>,
    /// Where the value stands in the body.
    pub value: Range<usize>,
}

/// Walks a body that must be one JSON object and hands each of its members to `each`.
///
/// # Errors
/// `InvalidJson`, saying where; or what `each` returns.
pub fn members<'a>(body: &'a [u8], each: &mut dyn FnMut(Member<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut ascii = true;
    let walked = outermost(body, &mut ascii, each);
    // Nearly every body is ASCII, and the walk has seen that.
    if !ascii && let Err(error) = simdutf8::compat::from_utf8(body) {
        return Err(not_json(error.valid_up_to(), "is not valid UTF-8"));
    }
    walked
}

fn outermost<'a>(
    body: &'a [u8],
    ascii: &mut bool,
    each: &mut dyn FnMut(Member<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let at = skip_space(body, 0);
    if body.get(at) != Some(&b'{') {
        return Err(not_json(
            at,
            if body.is_empty() { "is empty; a JSON object is expected" } else { "is not a JSON object" },
        ));
    }
    let at = object(body, at, ascii, each)?;
    end(body, at)
}

/// Walks the object that starts at `at` and returns where it ends. `ascii` is cleared when it has a text that is not.
fn object<'a>(
    body: &'a [u8],
    at: usize,
    ascii: &mut bool,
    each: &mut dyn FnMut(Member<'a>) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    let mut at = skip_space(body, expect(body, at, b'{')?);
    if body.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let Text { end: name_end, escaped, ascii: name_ascii } = quoted(body, at)?;
        *ascii &= name_ascii;
        let name = if escaped {
            let name = unquote(&body[at..name_end]).ok_or_else(|| not_json(at, "has a broken escape"))?;
            Cow::Owned(name.into_owned().into_bytes())
        } else {
            Cow::Borrowed(&body[at + 1..name_end - 1])
        };
        at = skip_space(body, name_end);
        at = expect(body, at, b':')?;
        let start = skip_space(body, at);
        let value_end = value(body, start, ascii)?;
        each(Member { name, value: start..value_end })?;
        at = skip_space(body, value_end);
        match body.get(at) {
            Some(b',') => at = skip_space(body, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return Err(not_json(at, "has neither `,` nor `}` after a value")),
        }
    }
}

/// The text of a JSON string with its quotes, unescaped. `None` if it is not one.
#[must_use]
pub fn unquote(json: &[u8]) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(json).ok().map(Cow::Owned)
}

/// The body with the bytes of `range` replaced.
#[must_use]
pub fn splice(body: &[u8], range: Range<usize>, with: &[u8]) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(body.len() - range.len() + with.len());
    spliced.extend_from_slice(&body[..range.start]);
    spliced.extend_from_slice(with);
    spliced.extend_from_slice(&body[range.end..]);
    spliced
}

fn not_json(at: usize, what: &str) -> Fault {
    Fault::new(Code::InvalidJson, format!("the body {what} (byte {at}); send one JSON object, UTF-8 encoded"))
}

fn end(body: &[u8], at: usize) -> Result<(), Fault> {
    let rest = skip_space(body, at);
    if rest == body.len() { Ok(()) } else { Err(not_json(rest, "goes on after its object")) }
}

fn skip_space(body: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = body.get(at) {
        at += 1;
    }
    at
}

fn expect(body: &[u8], at: usize, wanted: u8) -> Result<usize, Fault> {
    if body.get(at) == Some(&wanted) {
        return Ok(at + 1);
    }
    Err(not_json(at, if at >= body.len() { "ends in the middle" } else { "has an unexpected character" }))
}

/// End of the value that starts at `at`. Nesting is a bit per level (1 = object), so that depth costs no stack.
fn value(body: &[u8], mut at: usize, ascii: &mut bool) -> Result<usize, Fault> {
    let mut depth: u32 = 0;
    let mut kinds: u64 = 0;
    loop {
        // A value starts here.
        let opened = match body.get(at) {
            Some(b'"') => {
                at = string(body, at, ascii)?;
                false
            }
            Some(open @ (b'{' | b'[')) => {
                depth += 1;
                if depth >= DEPTH_MAX {
                    return Err(not_json(at, "is nested deeper than 64 levels"));
                }
                kinds = (kinds << 1) | u64::from(*open == b'{');
                at = skip_space(body, at + 1);
                true
            }
            Some(b't') => {
                at = literal(body, at, b"true")?;
                false
            }
            Some(b'f') => {
                at = literal(body, at, b"false")?;
                false
            }
            Some(b'n') => {
                at = literal(body, at, b"null")?;
                false
            }
            Some(_) => {
                at = number(body, at)?;
                false
            }
            None => return Err(not_json(at, "ends in the middle")),
        };
        if opened && !closes(body, at, kinds) {
            at = member_name(body, at, kinds, ascii)?;
            continue;
        }
        // A value, or an empty container, ended here: close what closes.
        if !opened {
            if depth == 0 {
                return Ok(at);
            }
            at = skip_space(body, at);
        }
        while closes(body, at, kinds) {
            depth -= 1;
            kinds >>= 1;
            at += 1;
            if depth == 0 {
                return Ok(at);
            }
            at = skip_space(body, at);
        }
        at = expect(body, at, b',')?;
        at = skip_space(body, at);
        at = member_name(body, at, kinds, ascii)?;
    }
}

fn closes(body: &[u8], at: usize, kinds: u64) -> bool {
    body.get(at) == Some(if kinds & 1 == 1 { &b'}' } else { &b']' })
}

/// In an object, passes the name and the colon; in an array there is nothing to pass.
fn member_name(body: &[u8], at: usize, kinds: u64, ascii: &mut bool) -> Result<usize, Fault> {
    if kinds & 1 == 0 {
        return Ok(at);
    }
    let at = string(body, at, ascii)?;
    let at = expect(body, skip_space(body, at), b':')?;
    Ok(skip_space(body, at))
}

fn literal(body: &[u8], at: usize, word: &[u8]) -> Result<usize, Fault> {
    if body[at..].starts_with(word) { Ok(at + word.len()) } else { Err(not_json(at, "has an unknown word")) }
}

fn number(body: &[u8], start: usize) -> Result<usize, Fault> {
    let digits = |mut at: usize| {
        while body.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let broken = || not_json(start, "has an unexpected character where a value should start");
    let mut at = start + usize::from(body.get(start) == Some(&b'-'));
    let first = at;
    at = digits(at);
    if at == first || (body[first] == b'0' && at > first + 1) {
        return Err(broken());
    }
    if body.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(broken());
        }
    }
    if let Some(b'e' | b'E') = body.get(at) {
        let exponent = at + 1 + usize::from(matches!(body.get(at + 1), Some(b'+' | b'-')));
        at = digits(exponent);
        if at == exponent {
            return Err(broken());
        }
    }
    Ok(at)
}

/// End of the string that starts at `at`, its closing quote included.
fn string(body: &[u8], at: usize, ascii: &mut bool) -> Result<usize, Fault> {
    let quoted = quoted(body, at)?;
    *ascii &= quoted.ascii;
    Ok(quoted.end)
}

/// A string in its quotes.
struct Text {
    /// Behind its closing quote.
    end: usize,
    /// Is anything in it escaped?
    escaped: bool,
    /// All of it is ASCII. It may be that it is and nothing is said, never the other way round.
    ascii: bool,
}

fn quoted(body: &[u8], at: usize) -> Result<Text, Fault> {
    let start = expect(body, at, b'"')?;
    let (mut at, mut escaped, mut ascii) = (start, false, true);
    loop {
        let stretch = within_string(body, start, at);
        (at, escaped, ascii) = (stretch.end, escaped | stretch.escaped, ascii & stretch.ascii);
        match body.get(at) {
            Some(b'"') => return Ok(Text { end: at + 1, escaped, ascii }),
            Some(b'\\') => {
                escaped = true;
                at = escape_end(body, at).ok_or_else(|| not_json(at, "has a broken escape"))?;
            }
            Some(_) => return Err(not_json(at, "has a raw control character in a string")),
            None => return Err(not_json(at, "ends inside a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
        let mut seen = Vec::new();
        members(body, &mut |member| {
            seen.push((
                String::from_utf8_lossy(&member.name).into_owned(),
                String::from_utf8_lossy(&body[member.value]).into_owned(),
            ));
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn members_come_with_their_exact_bytes() {
        let body = br#" { "model" : "a\"b" , "x":[1,{"model":"inner"},[]], "mod\u0065l2":{} } "#;
        let seen = names(body).unwrap();
        assert_eq!(seen[0], ("model".into(), r#""a\"b""#.into()));
        assert_eq!(seen[1], ("x".into(), r#"[1,{"model":"inner"},[]]"#.into()));
        assert_eq!(seen[2], ("model2".into(), "{}".into()), "an escaped name is still that name");
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for bad in [
            "",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":tru}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":[1}",
            "{\"a\":{\"b\":1]}",
            "{a:1}",
        ] {
            let fault = names(bad.as_bytes()).expect_err(bad);
            assert_eq!(fault.code, Code::InvalidJson, "{bad}");
        }
        assert!(names(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nesting_is_capped() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(names(deep(63).as_bytes()).is_ok());
        assert!(names(deep(64).as_bytes()).is_err());
        assert!(names(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn a_splice_touches_nothing_else() {
        let body = br#"{"model":"fast","n":1}"#;
        assert_eq!(splice(body, 9..15, b"\"gpt-5\""), br#"{"model":"gpt-5","n":1}"#);
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_any_object(text in r#"\{("[a-z\\"]{0,3}":[\[\]{}0-9a-z",:.\\ -]{0,12},?){0,3}\}"#) {
            let ours = names(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<std::collections::HashMap<String, Box<serde_json::value::RawValue>>>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(names(&bytes));
        }
    }
}
