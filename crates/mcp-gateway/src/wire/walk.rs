//! Where members and elements stand in a text. Nothing is taken apart: a member is found by walking past those before it, and a
//! value is walked past by its brackets and quotes alone, since the text was found well-formed when it came.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::unquote;

/// One member of an object: where its name and its value stand in the text.
pub(crate) struct Place<'t> {
    pub(crate) name: Cow<'t, str>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of an object, in their order; none if the text is no object. Of a text that is not well-formed, those before
/// the place where it is not.
pub(crate) fn members(text: &[u8]) -> impl Iterator<Item = Place<'_>> {
    let mut walk = Walk::into(text, b'{');
    std::iter::from_fn(move || {
        let key = walk.value().filter(|key| text.get(key.start) == Some(&b'"'))?;
        walk.past(b':')?;
        let value = walk.value()?;
        walk.comma();
        let name = unquote(std::str::from_utf8(text.get(key.clone())?).ok()?).unwrap_or_default();
        Some(Place { name, key, value })
    })
}

/// The elements of an array, in the same way.
pub(crate) fn elements(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut walk = Walk::into(text, b'[');
    std::iter::from_fn(move || {
        let value = walk.value()?;
        walk.comma();
        Some(value)
    })
}

/// Where a part stands in the text it was cut from.
pub(crate) fn within(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// A walk through what is between two brackets.
struct Walk<'t> {
    text: &'t [u8],
    /// Past the text: there is nothing more.
    at: usize,
}

impl<'t> Walk<'t> {
    fn into(text: &'t [u8], open: u8) -> Self {
        let mut walk = Self { text, at: 0 };
        if walk.past(open).is_none() {
            walk.at = walk.text.len();
        }
        walk
    }

    /// Walks past this byte and the blanks before it.
    fn past(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// Walks past the comma behind a value; without one there is nothing more.
    fn comma(&mut self) {
        if self.past(b',').is_none() {
            self.at = self.text.len();
        }
    }

    /// Walks past a value, and says where it stood.
    fn value(&mut self) -> Option<Range<usize>> {
        self.blanks();
        let start = self.at;
        match self.text.get(start)? {
            b'"' => self.string()?,
            b'{' | b'[' => self.nest()?,
            b'}' | b']' | b',' | b':' => return None,
            _ => self.at += self.text[start..].iter().take_while(|byte| !is_end(**byte)).count(),
        }
        Some(start..self.at)
    }

    /// Walks past a string, from its first quote to its last.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let found = self.at + memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[found] == b'"' {
                self.at = found + 1;
                return Some(());
            }
            self.at = found + 2;
        }
    }

    /// Walks past an object or an array, from its first bracket to its last.
    fn nest(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

/// Does a number or a word end before this byte?
const fn is_end(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, &str)> {
        members(text.as_bytes()).map(|place| (place.name.into_owned(), &text[place.value])).collect()
    }

    #[test]
    fn members_are_found_whatever_stands_in_their_values() {
        let text = " {\"a\" : \"}],\\\"\\\\\" ,\n\"b\":[{\"c\":\"]\"},[]],\"d\\u0065\":-1.5e3,\"f\":null , \"g\":{}}";
        let found = [("a", r#""}],\"\\""#), ("b", r#"[{"c":"]"},[]]"#), ("de", "-1.5e3"), ("f", "null"), ("g", "{}")];
        assert_eq!(read(text), found.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn elements_are_found_and_empty_things_have_none() {
        let text = r#"[1 , "a,b",[2,3],{"x":[]} ]"#;
        assert_eq!(
            elements(text.as_bytes()).map(|range| &text[range]).collect::<Vec<_>>(),
            ["1", r#""a,b""#, "[2,3]", r#"{"x":[]}"#]
        );
        for empty in ["[]", "[ ]", "{}", "1", "", "\"[1]\""] {
            assert_eq!(elements(empty.as_bytes()).count(), 0, "{empty}");
        }
    }

    #[test]
    fn what_is_not_well_formed_ends_the_walk() {
        for broken in
            ["{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"\\", "{\"a\":[", "{a:1}", "{\"a\" 1}", "[1}", "}{", "{,}"]
        {
            assert!(read(broken).is_empty(), "{broken}");
            drop(elements(broken.as_bytes()).collect::<Vec<_>>());
        }
    }
}
