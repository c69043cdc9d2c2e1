//! Is a text JSON that everybody reads alike, and where do its members stand? Both found in one pass over its bytes, for texts as
//! nearly all messages are. This reader only ever says yes: what is wrong, and what is right but rare (names with escapes,
//! surrogates, very large numbers), is for [`strict`](super::strict) to judge, which can say what is wrong, too.

use std::ops::Range;
use std::sync::Arc;

use super::index::{Index, Keep, Seat};
use super::marks::mark;
use super::strict::DEPTH_MAX;

/// Numbers and exponents up to this length are surely within a double's range.
const DIGITS_MAX: usize = 64;
const EXPONENT_DIGITS_MAX: usize = 2;
/// Up to so many names of an object are compared with one another as they come; of more, all are sorted at its end.
const COMPARED: usize = 24;

/// The value of a text.
pub(super) struct Scanned {
    /// Where it stands, without the blanks around it.
    pub(super) value: Range<usize>,
    /// Where its members stand, if it is an object.
    pub(super) index: Option<Arc<Index>>,
}

/// Reads a whole text; `None` if somebody else has to judge.
pub(super) fn scan(text: &[u8], keep: &'static Keep) -> Option<Scanned> {
    // Of one that is UTF-8 as a whole, only what means something to JSON needs to be looked at.
    std::str::from_utf8(text).ok()?;
    let mut scan = Scan { text, at: 0, names: Vec::with_capacity(16) };
    scan.blanks();
    let start = scan.at;
    let index = scan.value(1, Some(keep)).ok()?;
    let value = start..scan.at;
    scan.blanks();
    (scan.at == text.len()).then_some(Scanned { value, index })
}

/// It may be JSON, or not.
struct Unsure;

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    /// The names of the objects it is inside of.
    names: Vec<&'t [u8]>,
}

impl<'t> Scan<'t> {
    /// Reads a value that stands here.
    fn value(&mut self, depth: usize, keep: Option<&'static Keep>) -> Result<Option<Arc<Index>>, Unsure> {
        match self.text.get(self.at).ok_or(Unsure)? {
            b'{' => return self.object(depth, keep),
            b'[' => self.array(depth)?,
            b'"' => drop(self.string()?),
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Ok(None)
    }

    fn object(&mut self, depth: usize, keep: Option<&'static Keep>) -> Result<Option<Arc<Index>>, Unsure> {
        let (start, base) = (self.begin(depth)?, self.names.len());
        let mut index = keep.map(|_| Index::new());
        if self.past(b'}') {
            return Ok(index.map(Arc::new));
        }
        loop {
            self.blanks();
            let key = self.at - start;
            let (name, escaped) = self.string()?;
            // What is escaped may be any name.
            if escaped {
                return Err(Unsure);
            }
            self.name(base, name)?;
            let key = key..self.at - start;
            if !self.past(b':') {
                return Err(Unsure);
            }
            self.blanks();
            let value = self.at - start;
            let inside = self.value(depth + 1, keep.and_then(|keep| keep.within(name)))?;
            let value = value..self.at - start;
            index =
                index.and_then(|mut index| index.push(Seat { key, value, escaped: false, inside }).then_some(index));
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.no_name_twice(base)?;
        Ok(index.map(Arc::new))
    }

    fn array(&mut self, depth: usize) -> Result<(), Unsure> {
        self.begin(depth)?;
        if self.past(b']') {
            return Ok(());
        }
        loop {
            self.blanks();
            self.value(depth + 1, None)?;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// Walks past an opening bracket; says where it stood.
    fn begin(&mut self, depth: usize) -> Result<usize, Unsure> {
        if depth >= DEPTH_MAX {
            return Err(Unsure);
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    /// Walks past what stands behind a value: a comma, or this bracket, with which it ends.
    fn goes_on(&mut self, close: u8) -> Result<bool, Unsure> {
        self.blanks();
        let byte = *self.text.get(self.at).ok_or(Unsure)?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            byte if byte == close => Ok(false),
            _ => Err(Unsure),
        }
    }

    /// Takes note of a name of the object whose names begin there.
    fn name(&mut self, base: usize, name: &'t [u8]) -> Result<(), Unsure> {
        let mine = &self.names[base..];
        if mine.len() < COMPARED && mine.contains(&name) {
            return Err(Unsure);
        }
        self.names.push(name);
        Ok(())
    }

    /// The object ends whose names begin there: was one of them said twice?
    fn no_name_twice(&mut self, base: usize) -> Result<(), Unsure> {
        let mine = &mut self.names[base..];
        if mine.len() > COMPARED {
            mine.sort_unstable();
            if mine.array_windows().any(|[one, next]| one == next) {
                return Err(Unsure);
            }
        }
        self.names.truncate(base);
        Ok(())
    }

    /// Reads a string; gives back what stands between its quotes, and whether anything of it is escaped.
    fn string(&mut self) -> Result<(&'t [u8], bool), Unsure> {
        if self.text.get(self.at) != Some(&b'"') {
            return Err(Unsure);
        }
        self.at += 1;
        let (start, mut escaped) = (self.at, false);
        loop {
            self.at += mark(self.text.get(self.at..).ok_or(Unsure)?).ok_or(Unsure)?;
            match self.text[self.at] {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(Unsure),
            }
            escaped = true;
        }
        self.at += 1;
        Ok((&self.text[start..self.at - 1], escaped))
    }

    /// Walks past an escape. A surrogate is half of something: whether the other half follows is not looked at here.
    fn escape(&mut self) -> Result<(), Unsure> {
        match self.text.get(self.at + 1).ok_or(Unsure)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or(Unsure)?;
                let is_surrogate = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                if is_surrogate || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Unsure);
                }
                self.at += 6;
            }
            _ => return Err(Unsure),
        }
        Ok(())
    }

    /// `-`, digits without a leading zero, a fraction, an exponent.
    fn number(&mut self) -> Result<(), Unsure> {
        let start = self.at;
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        let whole = self.at;
        let digits = self.digits()?;
        if digits > 1 && self.text[whole] == b'0' {
            return Err(Unsure);
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits()? > EXPONENT_DIGITS_MAX {
                return Err(Unsure);
            }
        }
        if self.at - start > DIGITS_MAX { Err(Unsure) } else { Ok(()) }
    }

    /// Walks past digits, of which there must be one; says how many there were.
    fn digits(&mut self) -> Result<usize, Unsure> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > start { Ok(self.at - start) } else { Err(Unsure) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Unsure> {
        let here = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if here { Ok(()) } else { Err(Unsure) }
    }

    /// Walks past this byte and the blanks before it, if it is there.
    fn past(&mut self, byte: u8) -> bool {
        self.blanks();
        let here = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(here);
        here
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
