//! The next byte that means something inside a string. Most strings of a message are short, so they are looked through by words of
//! eight bytes first; to call for wide instructions costs more than to do without, until a string is long.

use memchr::memchr2;

/// Words in which a mark is looked for at first: as far as nearly every string of a message reaches.
const NEAR: usize = 8;
/// Bytes that are looked at together in a long string: the compiler makes wide instructions of it.
const WIDE: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// Where the next quote or backslash stands, in a text that is known to be well-formed.
pub(super) fn quote(text: &[u8]) -> Option<usize> {
    let near = near(text, |word| is(word, b'"') | is(word, b'\\'));
    near.or_else(|past| memchr2(b'"', b'\\', &text[past..]).map(|at| past + at).ok_or(past)).ok()
}

/// Where the next quote, backslash or control character stands: what ends a string, or must not be in it.
pub(super) fn mark(text: &[u8]) -> Option<usize> {
    let flags = |word| is(word, b'"') | is(word, b'\\') | controls(word);
    let mut past = match near(text, flags) {
        Ok(at) => return Some(at),
        Err(past) => past,
    };
    let (wide, _) = text[past..].as_chunks::<WIDE>();
    past += wide.iter().take_while(|bytes| !bytes.iter().fold(false, |any, byte| any | is_mark(*byte))).count() * WIDE;
    text[past..].iter().position(|byte| is_mark(*byte)).map(|at| past + at)
}

/// The first place in the words at the beginning that `flags` marks; else how far they reach.
fn near(text: &[u8], flags: impl Fn(u64) -> u64) -> Result<usize, usize> {
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(NEAR).enumerate() {
        let found = flags(u64::from_le_bytes(*word));
        if found != 0 {
            return Ok(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    Err(words.len().min(NEAR) * 8)
}

/// Of a word with this byte in it, the lowest bit that is set is the highest of the first such byte.
const fn is(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGH
}

/// The same of bytes below a blank.
const fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * b' ' as u64) & !word & HIGH
}

const fn is_mark(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in [0, 1, 7, 8, 63, 64, 65, 127, 128, 191, 200] {
                let mut text = vec![b'x'; 220];
                text[at] = byte;
                assert_eq!(mark(&text), is_mark(byte).then_some(at), "{byte} at {at}");
                assert_eq!(quote(&text), matches!(byte, b'"' | b'\\').then_some(at), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn of_several_marks_the_first_is_found() {
        for first in 0..100 {
            let mut text = vec![0xff_u8; first];
            text.extend_from_slice(b"\\\"\x1f\x00\"");
            assert_eq!((mark(&text), quote(&text)), (Some(first), Some(first)));
        }
    }
}
