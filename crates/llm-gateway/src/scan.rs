//! Reads the few fields of a JSON body that the call path needs, without building a tree, and checks on the way that the
//! body is JSON at all (RFC 8259).
//!
//! Members of the outermost object are handed out as byte ranges. That is what makes forwarding byte-exact: the model's
//! name is spliced into its range and nothing else is touched.

use std::borrow::Cow;
use std::ops::Range;

use gatehouse_domain::{Code, Fault};

pub(crate) use outline::{Outline, outline};

mod outline;

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
    // Nearly every body is ASCII, and to see that takes a quarter of the time of a full check.
    if !body.is_ascii()
        && let Err(error) = std::str::from_utf8(body)
    {
        return Err(not_json(error.valid_up_to(), "is not valid UTF-8"));
    }
    let at = skip_space(body, 0);
    if body.get(at) != Some(&b'{') {
        return Err(not_json(
            at,
            if body.is_empty() { "is empty; a JSON object is expected" } else { "is not a JSON object" },
        ));
    }
    let at = object(body, at, each)?;
    end(body, at)
}

/// Walks the object that starts at `at` and hands out each of its members; their places are those in the body. Returns
/// where it ends.
///
/// # Errors
/// `InvalidJson`, saying where; or what `each` returns.
pub fn object<'a>(
    body: &'a [u8],
    at: usize,
    each: &mut dyn FnMut(Member<'a>) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    let mut at = skip_space(body, expect(body, at, b'{')?);
    if body.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let (name_end, escaped) = quoted(body, at)?;
        let name = if escaped {
            let name = unquote(&body[at..name_end]).ok_or_else(|| not_json(at, "has a broken escape"))?;
            Cow::Owned(name.into_owned().into_bytes())
        } else {
            Cow::Borrowed(&body[at + 1..name_end - 1])
        };
        at = skip_space(body, name_end);
        at = expect(body, at, b':')?;
        let start = skip_space(body, at);
        let value_end = value(body, start)?;
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
fn value(body: &[u8], mut at: usize) -> Result<usize, Fault> {
    let mut depth: u32 = 0;
    let mut kinds: u64 = 0;
    loop {
        // A value starts here.
        let opened = match body.get(at) {
            Some(b'"') => {
                at = string(body, at)?;
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
            at = member_name(body, at, kinds)?;
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
        at = member_name(body, at, kinds)?;
    }
}

fn closes(body: &[u8], at: usize, kinds: u64) -> bool {
    body.get(at) == Some(if kinds & 1 == 1 { &b'}' } else { &b']' })
}

/// In an object, passes the name and the colon; in an array there is nothing to pass.
fn member_name(body: &[u8], at: usize, kinds: u64) -> Result<usize, Fault> {
    if kinds & 1 == 0 {
        return Ok(at);
    }
    let at = string(body, at)?;
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
fn string(body: &[u8], at: usize) -> Result<usize, Fault> {
    quoted(body, at).map(|(end, _)| end)
}

/// The same, and whether anything in it is escaped.
fn quoted(body: &[u8], at: usize) -> Result<(usize, bool), Fault> {
    let mut at = expect(body, at, b'"')?;
    let mut escaped = false;
    loop {
        at = plain_run(body, at);
        match body.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = escape(body, at)?;
            }
            Some(_) => return Err(not_json(at, "has a raw control character in a string")),
            None => return Err(not_json(at, "ends inside a string")),
        }
    }
}

fn escape(body: &[u8], at: usize) -> Result<usize, Fault> {
    match body.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') if body.len() >= at + 6 && body[at + 2..at + 6].iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
        _ => Err(not_json(at, "has a broken escape")),
    }
}

/// Bytes of a string that are looked at eight at a time before it counts as a long one.
const SHORT: usize = 16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of every byte that is a control character, up to the first one exactly; 0 if none is.
const fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The high bit of every byte that has to be escaped in a string, up to the first one exactly; 0 if none has.
const fn escaped(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGHS | controls(word)
}

/// Bytes of a text that are looked at in one go, which compilers make a few wide instructions of.
const BLOCK: usize = 32;

/// How many blocks a text begins with that have nothing to be escaped in them.
fn plain_blocks(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<BLOCK>();
    let is_plain = |block: &[u8; BLOCK]| {
        !block.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
    };
    blocks.iter().take_while(|block| is_plain(block)).count()
}

/// The next byte of a text that has to be escaped in a string.
pub(crate) fn special(text: &[u8], from: usize) -> Option<usize> {
    let plain = plain_blocks(text.get(from..)?) * BLOCK;
    let from = from + plain;
    let (words, tail) = text[from..].as_chunks();
    for (n, word) in words.iter().enumerate() {
        let found = escaped(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(from + 8 * n + (found.trailing_zeros() / 8) as usize);
        }
    }
    let found = tail.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
    found.map(|at| text.len() - tail.len() + at)
}

/// First byte at or after `at` that is a quote, a backslash or a control character. Names and words are short and take a
/// word or two; bodies are mostly long strings, and those are searched with the widest registers the processor has.
pub(crate) fn plain_run(body: &[u8], mut at: usize) -> usize {
    let long = at + SHORT;
    while let Some(Ok(eight)) = body.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let found = escaped(u64::from_le_bytes(eight));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if at >= long {
            return long_run(body, at);
        }
    }
    while body.get(at).is_some_and(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

fn long_run(body: &[u8], at: usize) -> usize {
    let rest = &body[at..];
    let plain = &rest[..memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())];
    at + if has_control(plain) {
        plain.iter().position(|byte| *byte < 0x20).unwrap_or(plain.len())
    } else {
        plain.len()
    }
}

/// Is there a control character? None is, in nearly every text, so that there is no early exit: the least byte says it, one
/// instruction for sixteen bytes.
fn has_control(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut least = [u8::MAX; BLOCK];
    for block in blocks {
        for (least, byte) in least.iter_mut().zip(block) {
            *least = (*least).min(*byte);
        }
    }
    least.iter().chain(rest).any(|byte| *byte < 0x20)
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
    fn a_long_string_ends_at_the_first_byte_that_is_not_plain() {
        for length in 0..200 {
            for end in ['"', '\\', '\n', '\u{1f}'] {
                let text = format!("{}{end}{}", "é ~".repeat(length), "x".repeat(40));
                let found = text.bytes().position(|byte| byte == end as u8).unwrap();
                assert_eq!(plain_run(text.as_bytes(), 0), found, "{length} {end:?}");
            }
            assert_eq!(plain_run("x".repeat(length).as_bytes(), 0), length);
        }
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
