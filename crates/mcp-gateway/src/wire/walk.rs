//! Where members and elements stand in a text. Nothing is taken apart: a member is found by walking past those before it, and a
//! value is walked past by its brackets and quotes alone, since the text was found well-formed when it came.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::index::Index;
use super::marks::quote;
use super::unquote;

/// One member of an object: where its name and its value stand in the text.
pub(crate) struct Place<'t> {
    pub(super) text: &'t [u8],
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    /// Is anything in the name escaped?
    pub(super) escaped: bool,
    /// Where the members of its value stand, if that is remembered.
    pub(super) inside: Option<&'t Arc<Index>>,
}

impl<'t> Place<'t> {
    /// The name, unescaped.
    pub(crate) fn name(&self) -> Cow<'t, str> {
        let quoted = self.text.get(self.key.clone()).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
        if self.escaped {
            return unquote(quoted).unwrap_or_default();
        }
        Cow::Borrowed(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default())
    }

    /// The same as bytes, which need not be looked through to be compared.
    pub(super) fn name_bytes(&self) -> Cow<'t, [u8]> {
        if self.escaped {
            return Cow::Owned(self.name().into_owned().into_bytes());
        }
        Cow::Borrowed(self.text.get(self.key.start + 1..self.key.end - 1).unwrap_or_default())
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> &'t str {
        self.text.get(self.value.clone()).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// Is this its name? Asked of every member that is passed, and nearly always answered by its bytes.
    pub(crate) fn is(&self, name: &str) -> bool {
        if self.escaped {
            return self.name() == name;
        }
        self.text.get(self.key.start + 1..self.key.end - 1) == Some(name.as_bytes())
    }
}

/// The members of an object, in their order; none if the text is no object. Of a text that is not well-formed, those before
/// the place where it is not.
pub(crate) fn members(text: &[u8]) -> Members<'_> {
    Members(Walk::into(text, b'{'))
}

/// See [`members`].
pub(crate) struct Members<'t>(Walk<'t>);

impl<'t> Iterator for Members<'t> {
    type Item = Place<'t>;
    fn next(&mut self) -> Option<Place<'t>> {
        let walk = &mut self.0;
        let (key, escaped) = walk.key()?;
        walk.past(b':')?;
        let value = walk.value()?;
        walk.comma();
        Some(Place { text: walk.text, key, value, escaped, inside: None })
    }
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
            b'"' => _ = self.string()?,
            b'{' | b'[' => self.nest()?,
            b'}' | b']' | b',' | b':' => return None,
            _ => self.at += self.text[start..].iter().take_while(|byte| !is_end(**byte)).count(),
        }
        Some(start..self.at)
    }

    /// Walks past a member's name; says where it stood, and whether anything in it is escaped.
    fn key(&mut self) -> Option<(Range<usize>, bool)> {
        self.blanks();
        let start = self.at;
        if self.text.get(start) != Some(&b'"') {
            return None;
        }
        let escaped = self.string()?;
        Some((start..self.at, escaped))
    }

    /// Walks past a string, from its first quote to its last; says whether anything in it is escaped.
    fn string(&mut self) -> Option<bool> {
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += quote(self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(escaped);
            }
            escaped = true;
            self.at += 2;
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
        members(text.as_bytes()).map(|place| (place.name().into_owned(), &text[place.value])).collect()
    }

    #[test]
    fn members_are_found_whatever_stands_in_their_values() {
        let text = " {\"a\" : \"}],\\\"\\\\\" ,\n\"b\":[{\"c\":\"]\"},[]],\"d\\u0065\":-1.5e3,\"f\":null , \"g\":{}}";
        let found = [("a", r#""}],\"\\""#), ("b", r#"[{"c":"]"},[]]"#), ("de", "-1.5e3"), ("f", "null"), ("g", "{}")];
        assert_eq!(read(text), found.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn a_name_is_known_by_what_it_means() {
        let is = |text: &str, name: &str| members(text.as_bytes()).next().unwrap().is(name);
        assert!(is(r#"{"name":1}"#, "name") && is(r#"{"n\u0061me":1}"#, "name") && is(r#"{"ä\"":1}"#, "ä\""));
        assert!(!is(r#"{"name":1}"#, "nam") && !is(r#"{"n\u0061me":1}"#, r"n\u0061me") && is(r#"{"":1}"#, ""));
    }

    #[test]
    fn the_end_of_a_string_is_found_however_far_it_is() {
        for length in 0..200 {
            let text = format!("[\"{}\",1]", "ä\\\"".repeat(length / 4) + &"x".repeat(length % 4));
            assert_eq!(elements(text.as_bytes()).count(), 2, "{text}");
        }
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
