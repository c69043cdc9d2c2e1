//! Where members and elements stand in a text. Nothing is taken apart: a member is found by walking past those before it, and a
//! value is walked past by its brackets and quotes alone, since the text was found well-formed when it came.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use memchr::memchr2;

use super::unquote;

/// One member of an object: where its name and its value stand in the text.
pub(crate) struct Place<'t> {
    text: &'t [u8],
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    /// Is anything in the name escaped?
    escaped: bool,
}

impl<'t> Place<'t> {
    /// The name, unescaped.
    pub(crate) fn name(&self) -> Cow<'t, str> {
        let quoted = self.text.get(self.key.clone()).and_then(|key| std::str::from_utf8(key).ok());
        quoted.and_then(unquote).unwrap_or_default()
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
pub(crate) fn members(text: &[u8]) -> impl Iterator<Item = Place<'_>> {
    let mut walk = Walk::into(text, b'{');
    std::iter::from_fn(move || {
        let (key, escaped) = walk.key()?;
        walk.past(b':')?;
        let value = walk.value()?;
        walk.comma();
        Some(Place { text, key, value, escaped })
    })
}

/// Where the members of an object stand, found once for a text that is asked about again and again.
#[derive(Debug)]
pub(crate) struct Index(Vec<Seat>);

/// One member.
#[derive(Debug)]
struct Seat {
    key: Range<usize>,
    value: Range<usize>,
    escaped: bool,
    /// The same of its value, where that is asked about as often.
    inside: Option<Arc<Index>>,
}

impl Index {
    /// The most members that are remembered. Messages have a few; of a text made to have a million, nobody shall keep a table.
    const MEMBERS_MAX: usize = 32;

    /// Of an object and those of its members that `inner` names; `None` if it has too many members.
    pub(crate) fn of(text: &[u8], inner: &[&str]) -> Option<Self> {
        let mut seats = Vec::with_capacity(4);
        for place in members(text) {
            if seats.len() == Self::MEMBERS_MAX {
                return None;
            }
            let is_asked = inner.iter().any(|name| place.is(name));
            let inside = is_asked.then(|| Self::of(&text[place.value.clone()], &[]).map(Arc::new)).flatten();
            let Place { key, value, escaped, .. } = place;
            seats.push(Seat { key, value, escaped, inside });
        }
        Some(Self(seats))
    }

    /// The members of the text it was made of, in their order.
    pub(crate) fn members<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Place<'t>> {
        self.0.iter().map(|seat| seat.of(text))
    }

    /// A member of the text it was made of, and where the members of that stand.
    pub(crate) fn find<'t>(&'t self, text: &'t [u8], name: &str) -> Option<(Place<'t>, Option<&'t Arc<Self>>)> {
        let mut seats = self.0.iter().map(|seat| (seat.of(text), seat.inside.as_ref()));
        seats.find(|(place, _)| place.is(name))
    }
}

impl Seat {
    fn of<'t>(&self, text: &'t [u8]) -> Place<'t> {
        Place { text, key: self.key.clone(), value: self.value.clone(), escaped: self.escaped }
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
            self.at += mark(self.text.get(self.at..)?)?;
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

/// Words of eight bytes in which a mark is looked for at first: as far as nearly every string of a message reaches.
const NEAR: usize = 8;

/// Where the next quote or backslash stands. Of short strings, to call for wide instructions costs more than to do without.
fn mark(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest bit that is left in a word is the highest of the first byte that is this one.
    let places = |word: u64, byte: u8| {
        let word = word ^ (ONES * u64::from(byte));
        word.wrapping_sub(ONES) & !word & (ONES << 7)
    };
    let (words, _) = text.as_chunks::<8>();
    let near = words.iter().take(NEAR).map(|word| u64::from_le_bytes(*word));
    for (at, word) in near.enumerate() {
        let found = places(word, b'"') | places(word, b'\\');
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let past = words.len().min(NEAR) * 8;
    memchr2(b'"', b'\\', &text[past..]).map(|at| past + at)
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
    fn an_index_says_what_a_walk_says() {
        let text = r#"{"a":1,"b":{"c":[2]},"d":{"e":3}}"#;
        let index = Index::of(text.as_bytes(), &["b"]).unwrap();
        let said = index.members(text.as_bytes()).map(|place| (place.name().into_owned(), &text[place.value]));
        assert_eq!(said.collect::<Vec<_>>(), read(text));
        let (place, inside) = index.find(text.as_bytes(), "b").unwrap();
        let value = &text[place.value];
        assert_eq!(&value[inside.unwrap().find(value.as_bytes(), "c").unwrap().0.value], "[2]");
        assert!(index.find(text.as_bytes(), "d").unwrap().1.is_none() && index.find(text.as_bytes(), "x").is_none());
    }

    #[test]
    fn of_very_many_members_there_is_no_index() {
        let members = |count: usize| (0..count).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(",");
        let index = |count| Index::of(format!("{{{}}}", members(count)).as_bytes(), &[]);
        assert!(index(Index::MEMBERS_MAX).is_some() && index(Index::MEMBERS_MAX + 1).is_none());
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
