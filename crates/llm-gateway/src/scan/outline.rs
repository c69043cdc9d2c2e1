//! Where every value of a JSON text stands, found in one pass: for walks that go down into it, which would else pass over
//! what is deep inside once for each level above.

use std::borrow::Cow;
use std::ops::Range;

use gatehouse_domain::Fault;

use super::{DEPTH_MAX, Text, expect, literal, not_json, number, quoted, skip_space};

/// Room for the values of most bodies.
const PIECES: usize = 24;
/// Around the outermost value there is none.
const NONE: usize = u32::MAX as usize;

/// The values of an object or array, each before those inside it. Numbers and words are noted as members only: an array of
/// them is as long as its text.
pub(crate) struct Outline<'a> {
    text: &'a [u8],
    /// The same, if all of it is UTF-8: found out once, not for each text in it.
    utf8: Option<&'a str>,
    pieces: Vec<Piece>,
}

/// Kept small, as a hostile text is made of nothing else.
struct Piece {
    name: Quoted,
    /// Is it a text with something escaped in it?
    escaped: bool,
    start: u32,
    /// While it is open, the piece around it.
    end: u32,
    /// The next piece that is not inside this one.
    after: u32,
}

/// A name as it stands in the text, with its quotes; empty in an array.
#[derive(Clone, Copy, Default)]
struct Quoted {
    start: u32,
    end: u32,
    escaped: bool,
}

impl Quoted {
    fn is_name(self) -> bool {
        self.end > self.start
    }
}

/// A place in a text: [`outline`] takes none that is longer.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn long(place: u32) -> usize {
    place as usize
}

/// Outlines the object or array that begins at `at`; the first piece is the whole of it. What follows it is not looked at.
///
/// # Errors
/// `InvalidJson`, saying where.
pub(crate) fn outline(text: &[u8], at: usize) -> Result<Outline<'_>, Fault> {
    if text.len() >= NONE {
        return Err(not_json(NONE, "is longer than four gigabytes"));
    }
    let mut outline = Outline { text, utf8: std::str::from_utf8(text).ok(), pieces: Vec::with_capacity(PIECES) };
    let (mut at, mut name, mut around, mut depth) = (at, Quoted::default(), NONE, 0);
    loop {
        // A value starts here.
        match text.get(at) {
            Some(b'{' | b'[') => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(not_json(at, "is nested deeper than 64 levels"));
                }
                around = outline.open(name, at, around);
                at = skip_space(text, at + 1);
                if !outline.closes(around, at) {
                    (name, at) = outline.name_at(around, at)?;
                    continue;
                }
            }
            Some(b'"') => {
                let Text { end, escaped, .. } = quoted(text, at)?;
                outline.note(name, at..end, escaped);
                at = end;
            }
            _ => {
                let end = scalar(text, at)?;
                if name.is_name() {
                    outline.note(name, at..end, false);
                }
                at = end;
            }
        }
        // A value ended, or an empty one is about to: what closes is closed.
        if around == NONE {
            return Ok(outline);
        }
        at = skip_space(text, at);
        while outline.closes(around, at) {
            depth -= 1;
            around = outline.close(around, at + 1);
            if around == NONE {
                return Ok(outline);
            }
            at = skip_space(text, at + 1);
        }
        at = skip_space(text, expect(text, at, b',')?);
        (name, at) = outline.name_at(around, at)?;
    }
}

fn scalar(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b't') => literal(text, at, b"true"),
        Some(b'f') => literal(text, at, b"false"),
        Some(b'n') => literal(text, at, b"null"),
        Some(_) => number(text, at),
        None => Err(not_json(at, "ends in the middle")),
    }
}

impl<'a> Outline<'a> {
    /// The piece that is everything.
    pub(crate) const WHOLE: usize = 0;

    /// Where a value stands in the text.
    pub(crate) fn place(&self, piece: usize) -> Range<usize> {
        let Piece { start, end, .. } = self.pieces[piece];
        long(start)..long(end)
    }

    /// The bytes of a value.
    pub(crate) fn bytes(&self, piece: usize) -> &'a [u8] {
        &self.text[self.place(piece)]
    }

    /// A value's first byte, which says what it is.
    pub(crate) fn kind(&self, piece: usize) -> u8 {
        self.text[long(self.pieces[piece].start)]
    }

    /// A member's name, unescaped.
    ///
    /// # Errors
    /// `InvalidJson` for one that cannot be.
    pub(crate) fn name(&self, piece: usize) -> Result<Cow<'a, str>, Fault> {
        let Quoted { start, end, escaped } = self.pieces[piece].name;
        self.unquoted(long(start)..long(end), escaped).ok_or_else(|| not_json(long(start), "has a broken escape"))
    }

    /// A text, unescaped; `None` for any other value, and for one that cannot be read.
    pub(crate) fn string(&self, piece: usize) -> Option<Cow<'a, str>> {
        (self.kind(piece) == b'"').then(|| self.unquoted(self.place(piece), self.pieces[piece].escaped)).flatten()
    }

    fn unquoted(&self, quoted: Range<usize>, escaped: bool) -> Option<Cow<'a, str>> {
        match self.utf8.filter(|_| !escaped) {
            Some(text) => text.get(quoted.start + 1..quoted.end.checked_sub(1)?).map(Cow::Borrowed),
            None => super::unquote(self.text.get(quoted)?),
        }
    }

    /// The values right inside a value.
    pub(crate) fn inside(&self, piece: usize) -> impl Iterator<Item = usize> {
        let end = long(self.pieces[piece].after);
        let first = Some(piece + 1).filter(|first| *first < end);
        std::iter::successors(first, move |inside| Some(long(self.pieces[*inside].after)).filter(|next| *next < end))
    }

    fn open(&mut self, name: Quoted, start: usize, around: usize) -> usize {
        let place = self.pieces.len();
        let (start, end, after) = (short(start), short(around), short(place + 1));
        self.pieces.push(Piece { name, escaped: false, start, end, after });
        place
    }

    /// Returns the piece around the one that is closed.
    fn close(&mut self, piece: usize, end: usize) -> usize {
        let after = short(self.pieces.len());
        let piece = &mut self.pieces[piece];
        piece.after = after;
        long(std::mem::replace(&mut piece.end, short(end)))
    }

    /// Notes a value that has nothing inside.
    fn note(&mut self, name: Quoted, at: Range<usize>, escaped: bool) {
        let after = short(self.pieces.len() + 1);
        self.pieces.push(Piece { name, escaped, start: short(at.start), end: short(at.end), after });
    }

    fn closes(&self, piece: usize, at: usize) -> bool {
        // `}` is two beyond `{`, as `]` is beyond `[`.
        self.text.get(at).is_some_and(|byte| *byte == self.kind(piece) + 2)
    }

    /// In an object the name at this place, and where its value starts; in an array there is nothing to pass.
    fn name_at(&self, around: usize, at: usize) -> Result<(Quoted, usize), Fault> {
        if self.kind(around) == b'[' {
            return Ok((Quoted::default(), at));
        }
        let Text { end, escaped, .. } = quoted(self.text, at)?;
        let value = expect(self.text, skip_space(self.text, end), b':')?;
        Ok((Quoted { start: short(at), end: short(end), escaped }, skip_space(self.text, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every piece as `name=value`, what is inside it in brackets behind it.
    fn shown(outline: &Outline<'_>, piece: usize) -> String {
        let name = if outline.pieces[piece].name.is_name() { outline.name(piece).unwrap() } else { "-".into() };
        let inside: Vec<String> = outline.inside(piece).map(|inside| shown(outline, inside)).collect();
        let bytes = outline.bytes(piece);
        let value = if matches!(bytes[0], b'{' | b'[') { format!("{inside:?}") } else { format!("{:?}", bytes.len()) };
        format!("{name}={value}").replace(['"', '\\'], "")
    }

    #[test]
    fn every_member_and_every_text_of_an_array_has_its_place() {
        let text = br#" {"a":[1,"two",[],{"b":true}] , "c\u0064":{"e":null}, "f":-1.5 } and more"#;
        let outline = outline(text, 1).unwrap();
        assert_eq!(shown(&outline, Outline::WHOLE), "-=[a=[-=5, -=[], -=[b=4]], cd=[e=4], f=4]");
        assert_eq!(outline.bytes(Outline::WHOLE), text[1..text.len() - 9].trim_ascii());
    }

    #[test]
    fn texts_are_read_where_not_all_around_them_can_be() {
        let text = b"{\"a\":\"\xff\",\"b\":\"plain\",\"c\":\"esc\\u0061ped\",\"d\":\"\\ud800\",\"e\":1}";
        let outline = outline(text, 0).unwrap();
        let read: Vec<Option<Cow<'_, str>>> =
            outline.inside(Outline::WHOLE).map(|piece| outline.string(piece)).collect();
        assert_eq!(read, [None, Some("plain".into()), Some("escaped".into()), None, None]);
    }

    #[test]
    fn nesting_is_capped() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(outline(deep(64).as_bytes(), 0).is_ok());
        assert!(outline(deep(65).as_bytes(), 0).is_err());
        assert!(outline("[".repeat(100_000).as_bytes(), 0).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_about_what_is_json(text in r#"[{\[]("[a-z\\"]{0,3}":)?[\[\]{}0-9a-z",:.\\ -]{0,16}[}\]]"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // A lone surrogate is JSON, and no text: whoever reads it finds that out.
            if !text.contains("\\u") {
                let ours = outline(text.as_bytes(), 0).map(|outline| outline.place(Outline::WHOLE).end == text.len());
                prop_assert_eq!(ours.unwrap_or(false), theirs.is_ok(), "{}", text);
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(outline(&bytes, 0));
        }
    }
}
